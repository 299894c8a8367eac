"""Whether a recording of a known load ranks configurations as the load itself does, replayed and as a mix."""

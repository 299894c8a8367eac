"""sysbench 1.0, the OLTP tests that come with it."""

"""No load of our own: the server observed under the load that it really has."""

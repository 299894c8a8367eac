"""PostgreSQL's way: its protocol, a connection that speaks it, and the server's own times."""

"""MariaDB's and MySQL's way: their protocol, a connection that speaks it, and the server's own times."""

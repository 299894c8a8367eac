"""MySQL; what it shares with MariaDB is in `mysql_family`."""

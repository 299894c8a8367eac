"""MariaDB; what it shares with MySQL is in `mysql_family`."""

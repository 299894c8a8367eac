"""What MariaDB and MySQL have in common; `dbms/mariadb` and `dbms/mysql` hand in their `Product`."""

"""What MariaDB is called, and what it brings."""

from __future__ import annotations

from otterflow.dbms.mysql_family.product import Flavour, Product

MARIADB = Product(
    name="mariadb",
    title="MariaDB",
    flavours=(Flavour.mariadb,),
    versions=(1006, 1108),
    server="mariadbd",
    client="mariadb",
    admin="mariadb-admin",
    dump="mariadb-dump",
    unit="mariadb",
    processes=("mariadbd", "mysqld"),
    preflight=("--help", "--verbose"),
    option_files=("/etc/my.cnf", "/etc/mysql/my.cnf"),
    without_tls=("--skip-ssl",),
    to_set_global=("SUPER", "CONNECTION ADMIN", "BINLOG ADMIN"),
)

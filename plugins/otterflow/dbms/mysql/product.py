"""What MySQL is called, and what it brings. Percona Server is MySQL with additions, and is driven as that."""

from __future__ import annotations

from otterflow.dbms.mysql_family.product import Flavour, Product

MYSQL = Product(
    name="mysql",
    title="MySQL",
    flavours=(Flavour.mysql, Flavour.percona),
    versions=(800, 907),
    server="mysqld",
    client="mysql",
    admin="mysqladmin",
    dump="mysqldump",
    unit="mysql",
    processes=("mysqld",),
    preflight=("--validate-config", "--log-error-verbosity=2"),
    option_files=("/etc/my.cnf", "/etc/mysql/my.cnf"),
    without_tls=("--ssl-mode=DISABLED",),
    to_set_global=("SYSTEM_VARIABLES_ADMIN",),
    dump_options=("--set-gtid-purged=OFF", "--column-statistics=0"),
)

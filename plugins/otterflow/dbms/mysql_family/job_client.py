"""Bash functions for jobs on the target: SQL and dumps, by the option file in the job's folder."""

from __future__ import annotations

from otterflow.dbms.mysql_family.access import CLIENT_FILE
from otterflow.dbms.mysql_family.client import SQL_MODE, time_limit_sql
from otterflow.dbms.mysql_family.database import LOCK_WAIT_S
from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.programs import program
from otterflow.dbms.target import Target
from otterflow.remote.shell import quote

BEGIN_SQL = (
    f"{time_limit_sql(0)}, SESSION sql_mode = '{SQL_MODE}', SESSION time_zone = '+00:00',"
    f" SESSION lock_wait_timeout = {LOCK_WAIT_S}, SESSION group_concat_max_len = 67108864"
)
"""What takes long here may take as long as the task; but it waits for nobody who uses a table."""


def client_functions(product: Product, target: Target) -> str:
    """Functions `as_client PROGRAM`, which leads a client program to the server, and `ask`, the SQL of its input.

    `ask` prints rows, a line each, columns parted by tabs, and fails at the first statement that the server refuses.
    """
    words = f"--batch --skip-column-names --raw --init-command={quote(BEGIN_SQL)}"
    return f"""client_file="$PWD/{CLIENT_FILE}"
as_client() (
  unset MYSQL_PWD MYSQL_HOST MYSQL_TCP_PORT MYSQL_UNIX_PORT MYSQL_GROUP_SUFFIX MARIADB_GROUP_SUFFIX
  export MYSQL_TEST_LOGIN_FILE=/nonexistent
  program=$1
  shift
  exec "$program" --defaults-file="$client_file" "$@"
)
ask() {{ as_client {program(target, product.client)} --database=information_schema {words} "$@"; }}
"""

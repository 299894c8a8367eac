"""Passwords that a server holds do not come from it: settings, files, roles, statements."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from otterflow.dbms.postgresql.metrics import snapshot
from otterflow.dbms.postgresql.overriding import file_errors
from otterflow.dbms.postgresql.settings import FILE_SETTINGS_SQL, ROLE_SETTINGS_SQL
from stack.host import DatabaseHost
from tests.dbms.conftest import Query, live_settings

pytestmark = pytest.mark.integration

SESAME = "sesame-opens"


def told(*things: Any) -> str:
    return json.dumps(things, default=str)


def test_no_password_of_the_servers_settings_leaves_it(
    clean_host: DatabaseHost, query: Query, connect: Callable[[], Query]
) -> None:
    """All of pg_settings went into the repository once, primary_conninfo with the replication role's password too."""
    query(f"ALTER SYSTEM SET primary_conninfo = 'host=standby password={SESAME}'")
    query(f"ALTER SYSTEM SET archive_command = 'AWS_SECRET_ACCESS_KEY={SESAME} push %p'")
    query(f"ALTER ROLE otterflow SET app.api_key = '{SESAME}'")
    query("ALTER ROLE otterflow SET work_mem = '5MB'")
    query("SELECT pg_reload_conf(), pg_sleep(0.3)")
    try:
        again = connect()
        assert again("SELECT current_setting('app.api_key') AS setting") == [{"setting": SESAME}]
        live, lines, roles = live_settings(again), again(FILE_SETTINGS_SQL), again(ROLE_SETTINGS_SQL)
        assert SESAME not in told({name: row.as_row() for name, row in live.items()}, lines, roles)
        assert "primary_conninfo" in {line["name"] for line in lines}
        assert {"app.api_key", "work_mem"} <= {role["name"] for role in roles}
        assert "5MB" in told(roles)
        assert {"work_mem", "password_encryption", "shared_preload_libraries", "server_version_num"} <= live.keys()
        assert SESAME not in told([str(problem) for problem in file_errors(lines, live)])
    finally:
        for reset in ("SYSTEM RESET primary_conninfo", "SYSTEM RESET archive_command", "ROLE otterflow RESET ALL"):
            query(f"ALTER {reset}")
        query("SELECT pg_reload_conf()")


def test_only_statements_without_constants_are_told(query: Query, connect: Callable[[], Query]) -> None:
    query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    query("SELECT pg_stat_statements_reset()")
    query(f"CREATE ROLE visitor PASSWORD '{SESAME}'")
    try:
        query(f"SELECT length('{SESAME}'), 4111111111111111")
        query("SELECT count(*) FROM pg_class WHERE relpages > 7")
        query(f"SET application_name = '{SESAME}'")
        kept = snapshot(connect()).queries
        assert SESAME not in told(kept)
        assert not [text for text in kept.values() if "4111" in text or "ROLE" in text]
        assert "SELECT count(*) FROM pg_class WHERE relpages > $1" in kept.values()
        without = snapshot(connect(), texts=False)
        assert without.queries == {}
        assert without.sources["pg_stat_statements"]["calls"] > 0
    finally:
        query("DROP ROLE visitor")

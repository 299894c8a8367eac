from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.reach import reach_command, reach_problem
from otterflow.dbms.target import Target
from otterflow.remote.session import Session

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"port": 1}, "the target reaches no server at 127.0.0.1 port 1: 127.0.0.1:1 - no response"),
        ({"pgpass": ""}, "the target cannot log in at 127.0.0.1 port .* as 'otterflow': .*no password supplied"),
        ({"parameters": {"sslmode": "require"}}, "the target cannot log in .*: .*server does not support SSL"),
        ({"host": "/nowhere"}, "the target reaches no server at /nowhere port"),
    ],
    ids=str,
)
def test_a_server_that_commands_on_the_target_do_not_reach(
    session: Session, target: Target, access: DatabaseAccess, changes: dict[str, Any], said: str | None
) -> None:
    changed = replace(access.to("postgres"), **changes)
    done = session.run(reach_command(target, changed), what="a test", timeout_s=30, stdin=changed.pgpass)
    problem = reach_problem(done.stdout, changed, "sql_conn_id", "the target")
    if said is None:
        assert problem is None
    else:
        assert problem is not None
        assert re.search(said, problem.found)

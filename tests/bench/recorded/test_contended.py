"""The load that fights for rows, as it is recorded."""

from __future__ import annotations

from collections import defaultdict
from typing import cast

import pytest

from tests.bench.recorded.contended import SESSIONS, contended


def test_sessions_do_one_whole_transaction_after_the_other() -> None:
    sessions = defaultdict(list)
    for statement in contended(30.0):
        sessions[statement.session].append(statement)
    assert len(sessions) == SESSIONS
    for statements in sessions.values():
        assert statements == sorted(statements, key=lambda each: (each.at_s, each.transaction))
        transactions = [cast("int", each.transaction) for each in statements]
        assert transactions == sorted(transactions)
        for first, last in ((0, "BEGIN"), (-1, ("COMMIT", "ROLLBACK"))):
            ends = [
                [each.text for each in statements if each.transaction == number][first] for number in {*transactions}
            ]
            assert all(text.startswith(last) for text in ends)


@pytest.mark.slow
def test_it_is_the_same_each_time_and_has_all_that_makes_one_wait() -> None:
    made = list(contended(120.0))
    assert made == list(contended(120.0))
    texts = " ".join(each.text for each in made)
    for part in ("FOR UPDATE", "pg_advisory_xact_lock", "LOCK TABLE", "SERIALIZABLE", "SKIP LOCKED", "ROLLBACK"):
        assert part in texts, part

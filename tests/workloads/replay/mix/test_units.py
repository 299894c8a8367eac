"""A recording is cut into units that can be done over any connection, in any order, and again."""

from __future__ import annotations

from typing import Any

import pytest

from otterflow.dbms.mysql_family.statements.dialect import DIALECT as FAMILY
from otterflow.dbms.postgresql.statements import replaying
from otterflow.dbms.postgresql.statements.dialect import DIALECT
from otterflow.dbms.postgresql.statements.session_state import ASKED, CURSOR
from otterflow.dbms.statement import Statement
from otterflow.dbms.statements.touching import ADVISORY, PREPARED, TEMPORARY
from otterflow.workloads.replay.replayer.mix import units as units_module
from otterflow.workloads.replay.replayer.mix.units import NEEDS, ONCE, SNAPSHOT, TOO_LONG, Out, Unit, Units
from tests.workloads.replay.harness import at


def _cut(*statements: Statement) -> tuple[list[Unit], Units]:
    taken: list[Unit] = []
    units = Units(taken.append, DIALECT, "shop")
    units.cut(each._replace(duration_ms=100.0) for each in sorted(statements, key=lambda each: each.at_s))
    assert sum(len(unit.statements) for unit in taken) + units.settings.statements + sum(
        out.statements for out in units.left_out.values()
    ) == len(statements), "every statement is somewhere"
    return taken, units


def _texts(units: list[Unit]) -> list[list[str]]:
    return [[each.text for each in unit.statements] for unit in units]


def _reasons(units: Units) -> dict[str, int]:
    return {reason: out.statements for reason, out in units.left_out.items()}


def test_transactions_of_sessions_that_ran_side_by_side() -> None:
    taken, units = _cut(
        *at("BEGIN", "UPDATE a", "COMMIT", session="a", transaction=1),
        *at("SELECT 1", "BEGIN", session="b", start_s=0.0005),
        *at("SELECT 2", session="b", start_s=0.1, transaction=7),
        *at("BEGIN", "UPDATE b", session="a", start_s=0.2, transaction=2),
        *at("SELECT 3", session="a", start_s=0.3),
    )
    assert sorted(_texts(taken)) == [
        ["BEGIN"], ["BEGIN", "UPDATE a", "COMMIT"], ["BEGIN", "UPDATE b"], ["SELECT 1"], ["SELECT 2"], ["SELECT 3"],
    ]  # fmt: skip
    assert next(unit.seconds for unit in taken if len(unit.statements) == 3) == pytest.approx(0.3)
    assert not any(unit.leaves_state for unit in taken)
    assert units.seconds == pytest.approx(0.9)


def test_a_savepoint_ends_no_transaction() -> None:
    taken, _ = _cut(*at("BEGIN", "SAVEPOINT s", "ROLLBACK TO s", "SELECT 1", "COMMIT", transaction=1))
    assert len(taken) == 1


def test_a_transaction_that_the_end_of_another_has_begun_has_a_beginning_of_its_own() -> None:
    taken: list[Unit] = []
    units = Units(taken.append, DIALECT, "shop")
    units.cut(
        [
            *at("BEGIN", "UPDATE a", "COMMIT AND CHAIN", transaction=1),
            *at("UPDATE b", "ROLLBACK", start_s=0.1, transaction=2),
            *at("SELECT 1", start_s=0.2),
        ]
    )
    assert _texts(taken) == [["BEGIN", "UPDATE a", "COMMIT AND CHAIN"], ["BEGIN", "UPDATE b", "ROLLBACK"], ["SELECT 1"]]
    assert units.statements == 6


def test_what_is_set_again_comes_after_what_was_set_since() -> None:
    taken: list[Unit] = []
    units = Units(taken.append, FAMILY, "shop")
    units.cut(at("SET character_set_client = utf8mb4", "SET NAMES latin1, character_set_client = utf8mb4", "SELECT 1"))
    assert [text for text, _ in taken[0].context] == ["SET NAMES latin1", "SET character_set_client = utf8mb4"]


def test_a_unit_has_the_settings_of_its_session() -> None:
    set_config = "SELECT set_config('a.tenant', $1, false)"
    taken, units = _cut(
        *at("SET work_mem = '1MB'", "SELECT 1"),
        Statement("a", 1.0, set_config, parameters=("7",)),
        *at("SELECT 2", "RESET work_mem", "SELECT 3", "DISCARD ALL", "SELECT 4", start_s=2.0),
        *at("SELECT 5", session="b"),
    )
    contexts = {unit.statements[0].text: unit.context for unit in taken}
    work_mem = ("SET work_mem = '1MB'", None)
    tenant = ("SELECT set_config ( 'a.tenant' , $1 , false )", ("7",))
    assert contexts == {
        "SELECT 1": (work_mem,), "SELECT 2": (work_mem, tenant), "SELECT 3": (tenant,), "SELECT 4": (),
        "SELECT 5": (), 
    }  # fmt: skip
    assert units.settings.statements == 4


def test_a_setting_in_a_transaction_holds_for_those_after_it() -> None:
    taken, _ = _cut(*at("BEGIN", "SET a.b = 1", "COMMIT", transaction=1), *at("SELECT 1", start_s=1))
    assert [(len(unit.statements), unit.leaves_state, len(unit.context)) for unit in taken] == [
        (3, True, 0), (1, False, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        ("CREATE TEMP TABLE own (a int)", "DROP TABLE own"),
        ("CREATE TEMP TABLE own (a int)", "DISCARD TEMP"),
        ("PREPARE own AS SELECT 1", "DEALLOCATE own"),
        ("SELECT pg_advisory_lock(1)", "SELECT pg_advisory_unlock(1)"),
    ],
)
def test_what_a_session_holds_keeps_its_statements_together(begins: str, ends: str) -> None:
    taken, _ = _cut(*at(begins, "SELECT 1", "SELECT 2", ends, "SELECT 3"))
    assert _texts(taken) == [[begins, "SELECT 1", "SELECT 2", ends], ["SELECT 3"]]
    assert [unit.leaves_state for unit in taken] == [True, False]


def test_what_is_held_to_the_sessions_end_ends_with_it() -> None:
    taken, _ = _cut(*at("CREATE TEMP TABLE own (a int)", "SELECT * FROM own"))
    assert [unit.leaves_state for unit in taken] == [True]


def test_a_temporary_table_that_ends_with_its_transaction() -> None:
    texts = ("BEGIN", "CREATE TEMP TABLE own ON COMMIT DROP AS SELECT 1", "CREATE INDEX ON own (a)", "COMMIT")
    taken, _ = _cut(*at(*texts, transaction=1), *at("SELECT 2", start_s=1))
    assert _texts(taken) == [list(texts), ["SELECT 2"]]
    assert not taken[0].leaves_state


@pytest.mark.parametrize(
    ("begins", "uses", "kind"),
    [
        ("CREATE TEMP TABLE own (a int)", "SELECT * FROM own", TEMPORARY),
        ("DECLARE own CURSOR WITH HOLD FOR SELECT 1", "FETCH 5 FROM own", CURSOR),
        ("PREPARE own AS SELECT 1", "EXECUTE own", PREPARED),
        ("SELECT pg_advisory_lock(1)", "SELECT pg_advisory_unlock(1)", ADVISORY),
    ],
)
def test_what_is_held_for_too_long_is_left_out_with_what_uses_it(
    monkeypatch: pytest.MonkeyPatch, begins: str, uses: str, kind: str
) -> None:
    monkeypatch.setattr(units_module, "MOST_STATEMENTS", 3)
    taken, units = _cut(*at(begins, "SELECT 1", "SELECT 2", "SELECT 3", "SELECT 4", uses, "SELECT 5"))
    assert _texts(taken) == [["SELECT 4"], ["SELECT 5"]]
    assert _reasons(units) == {TOO_LONG: 4, NEEDS + kind: 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CREATE TABLE x (a int)", ONCE),
        ("TRUNCATE x", ONCE),
        ("EXECUTE p", NEEDS + PREPARED),
        ("SELECT lastval()", NEEDS + ASKED),
        ("SET TRANSACTION SNAPSHOT '0003-1'", SNAPSHOT),
        ("COPY x FROM STDIN", replaying.COPY),
    ],
)
def test_what_is_left_out(text: str, reason: str) -> None:
    taken, units = _cut(*at(text, "SELECT 1"))
    assert _texts(taken) == [["SELECT 1"]]
    about: Any = pytest.approx(0.1)
    assert units.left_out[reason] == Out(1, about)


def test_ddl_takes_its_transaction_along_and_a_refresh_may_come_again() -> None:
    taken, units = _cut(
        *at("BEGIN", "SELECT 1", "ALTER TABLE x ADD y int", "COMMIT", transaction=1),
        *at("REFRESH MATERIALIZED VIEW v", start_s=1),
    )
    assert _texts(taken) == [["REFRESH MATERIALIZED VIEW v"]]
    assert _reasons(units) == {ONCE: 4}


def test_a_sequence_is_asked_where_it_was_used() -> None:
    taken, _ = _cut(*at("BEGIN", "INSERT INTO t DEFAULT VALUES", "SELECT lastval()", "COMMIT", transaction=1))
    assert len(taken) == 1


def test_a_transaction_that_is_too_long_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units_module, "MOST_BYTES", 1000)
    taken, units = _cut(
        *at("BEGIN", f"SELECT '{'x' * 2000}'", "SELECT 1", "COMMIT", transaction=1), *at("SELECT 2", start_s=1)
    )
    assert _texts(taken) == [["SELECT 2"]]
    assert _reasons(units) == {TOO_LONG: 4}

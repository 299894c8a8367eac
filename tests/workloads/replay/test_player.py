"""What a session's player sends after errors and at the ends of transactions, over a connection that is made up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from otterflow.dbms.mysql_family.statements.dialect import DIALECT as FAMILY
from otterflow.dbms.postgresql.statements.dialect import DIALECT as POSTGRESQL
from otterflow.dbms.statements.dialect import Dialect
from otterflow.workloads.replay.replayer.answers import FAILED, IDLE, IN_BLOCK, Outcome, Waiter
from otterflow.workloads.replay.replayer.pace import Pace
from otterflow.workloads.replay.replayer.player import Player
from otterflow.workloads.replay.replayer.settings import FAST
from otterflow.workloads.replay.replayer.spool import Item
from otterflow.workloads.replay.replayer.tally import Tally


class Scripted:
    """A connection whose server begins and ends blocks as told, and answers some texts with an error and a status."""

    ROLLBACK = b"(rollback)"

    def __init__(self, dialect: Dialect, errors: Mapping[str, tuple[str, str]]) -> None:
        self._dialect, self._errors = dialect, errors
        self.sent: list[str] = []
        self.status, self.is_lost = IDLE, False
        self.parameters: dict[str, str] = {}
        self.error_number: int | None = None

    def message(self, text: str, parameters: Sequence[str | None] | None, prepared: str | None) -> bytes:
        return text.encode()

    def heed(self, text: str, parameters: Sequence[str | None] | None, prepared: str | None, error: str | None) -> None:
        pass

    def send(self, message: bytes, waiter: Waiter) -> None:
        text = message.decode()
        self.sent.append(text)
        error, status = self._errors.get(text, (None, None))
        if status is not None:
            self.status = status
        elif message == self.ROLLBACK:
            self.status = IDLE
        else:
            self.status = IN_BLOCK if self._dialect.state_after(text, self.status == IN_BLOCK)[0] else IDLE
        self.error_number = 1205 if error == "HY000" else None
        asyncio.get_running_loop().call_soon(waiter.set_result, Outcome(1, error))


def played(
    dialect: Dialect, statements: Sequence[tuple[str, int | None]], **errors: tuple[str, str]
) -> tuple[list[str], Tally]:
    """What is sent of a session's statements, each with its transaction; an error is by its statement's first word."""
    by_text = {text: errors[word] for text, _ in statements for word in errors if text.startswith(word)}
    connection, tally = Scripted(dialect, by_text), Tally()
    items = [Item(0.0, text, number, None, None, None, "c") for text, number in statements]

    async def play() -> None:
        player = Player(connection, dialect, Pace(FAST, 1.0, 0.0), tally)  # type: ignore[arg-type]
        await asyncio.wait_for(player.play(iter(items)), 5)
        assert player.played == len(items)

    asyncio.run(play())
    return connection.sent, tally


TRANSACTION = [("BEGIN", 1), ("UPDATE t", 1), ("DELETE", 1), ("COMMIT", 1), ("SELECT 1", None)]


@pytest.mark.parametrize(
    ("dialect", "error", "status"),
    [(FAMILY, "40001", IDLE), (POSTGRESQL, "40P01", FAILED), (POSTGRESQL, "23505", FAILED)],
)
def test_the_rest_of_a_transaction_that_is_over_is_skipped_up_to_its_end(
    dialect: Dialect, error: str, status: str
) -> None:
    sent, tally = played(dialect, TRANSACTION, UPDATE=(error, status))
    assert sent == ["BEGIN", "UPDATE t", "COMMIT", "SELECT 1"]
    assert (tally.skipped, tally.ended_by_replayer, dict(tally.errors)) == (1, 0, {error: 1})
    assert tally.transactions.number == 1, "the COMMIT of nothing is none"


def test_a_transaction_that_is_still_open_is_gone_on_with() -> None:
    sent, tally = played(FAMILY, TRANSACTION, UPDATE=("HY000", IN_BLOCK))
    assert sent == [text for text, _ in TRANSACTION]
    assert (tally.skipped, dict(tally.errors), tally.transactions.number) == (0, {"HY000 (1205)": 1}, 2)


def test_after_an_error_another_transaction_is_begun() -> None:
    statements = [("BEGIN", 1), ("UPDATE t", 1), ("DELETE", 1), ("BEGIN", 2), ("INSERT", 2), ("COMMIT", 2)]
    sent, tally = played(FAMILY, statements, UPDATE=("40001", IDLE))
    assert sent == ["BEGIN", "UPDATE t", "BEGIN", "INSERT", "COMMIT"]
    assert (tally.skipped, tally.ended_by_replayer) == (1, 0)
    sent, tally = played(POSTGRESQL, statements, UPDATE=("23505", FAILED))
    assert sent == ["BEGIN", "UPDATE t", "(rollback)", "BEGIN", "INSERT", "COMMIT"]
    assert (tally.skipped, tally.ended_by_replayer) == (1, 1)


@pytest.mark.parametrize("dialect", [FAMILY, POSTGRESQL])
def test_an_end_that_fails_is_the_end(dialect: Dialect) -> None:
    statements = [("BEGIN", None), ("COMMIT", None), ("SELECT 1", None)]
    sent, tally = played(dialect, statements, COMMIT=("40001", IDLE))
    assert sent == ["BEGIN", "COMMIT", "SELECT 1"]
    assert tally.skipped == 0


def test_what_a_statement_commits_itself_is_not_rolled_back() -> None:
    statements = [("BEGIN", 1), ("UPDATE t", 1), ("BEGIN", 2), ("COMMIT", 2), ("BEGIN", 3), ("CREATE TABLE t", None)]
    assert played(FAMILY, statements)[0] == [text for text, _ in statements]
    sent, tally = played(FAMILY, [*statements[:2], ("SELECT 1", None)])
    assert sent == ["BEGIN", "UPDATE t", "(rollback)", "SELECT 1"]
    assert tally.ended_by_replayer == 1
    assert "(rollback)" in played(POSTGRESQL, statements)[0]


@pytest.mark.parametrize("dialect", [FAMILY, POSTGRESQL])
def test_a_transaction_that_the_end_of_another_has_begun_is_gone_on_with(dialect: Dialect) -> None:
    statements = [("BEGIN", 1), ("UPDATE t", 1), ("COMMIT AND CHAIN", 1), ("DELETE", 2), ("ROLLBACK", 2)]
    sent, tally = played(dialect, statements)
    assert sent == [text for text, _ in statements]
    assert (tally.ended_by_replayer, tally.transactions.number) == (0, 2)


def test_a_statement_that_commits_first_and_fails_is_no_end_of_a_session() -> None:
    statements = [("BEGIN", 1), ("CREATE TABLE t", None), ("SELECT 1", None)]
    sent, tally = played(FAMILY, statements, CREATE=("42S01", IDLE))
    assert sent == ["BEGIN", "CREATE TABLE t", "SELECT 1"]
    assert tally.skipped == 0

"""Otterflow's mark on a database, and what a person has written there, which stays."""

from __future__ import annotations

from typing import Any

import pytest

from otterflow.dbms.postgresql import database
from otterflow.dbms.postgresql.marks import mark, state, unmark
from otterflow.dbms.values import EXISTING, DataState


class Database:
    """One database's comment."""

    def __init__(self, comment: str | None, invalid: bool = False) -> None:
        self.comment, self.invalid = comment, invalid

    def __call__(self, sql: Any, parameters: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        if sql == database.STATE_SQL:
            return [{"comment": self.comment, "invalid": self.invalid}]
        text = sql.as_string(None)
        head = 'COMMENT ON DATABASE "shop" IS '
        assert text.startswith(head)
        literal = text[len(head) :]
        self.comment = None if literal == "NULL" else literal.strip("'").replace("''", "'")
        return []


@pytest.mark.parametrize("written", [None, "the shop's data", "the shop's data\nof Sunday\n"])
def test_what_a_person_has_written_stays_beneath_the_mark(written: str | None) -> None:
    shop = Database(written)
    for fresh in (True, False, True):
        mark(shop, "shop", EXISTING, fresh=fresh)
        assert state(shop, "shop") == DataState(exists=True, fingerprint=EXISTING, fresh=fresh, ours=True)
        words = "fresh" if fresh else "used"
        assert shop.comment == f"otterflow data existing {words}" + (f"\n{written}" if written else "")
    unmark(shop, "shop")
    assert shop.comment == written
    unmark(shop, "shop")
    assert shop.comment == written


@pytest.mark.parametrize(
    "comment", [None, "", "otterflow", "otterflow data", "otterflow data x y z", "a\notterflow data x y"]
)
def test_what_is_no_mark(comment: str | None) -> None:
    assert state(Database(comment), "shop") == DataState(exists=True)


def test_one_that_a_drop_has_left_invalid() -> None:
    found = state(Database("otterflow data existing used", invalid=True), "shop")
    assert (found.broken, found.ours, found.fingerprint) == (True, True, None)

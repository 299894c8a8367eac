"""Promotions: who asked what of which server, who said what, and what was done; and which notices were sent."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from otterflow.errors import InvalidInput, MayNotAct, Problem
from otterflow.repository.records import JsonObject, Promotion, PromotionState
from otterflow.repository.store import Store, insert_missing
from otterflow.repository.tables import NoticeRow, PromotionRow
from otterflow.repository.values import now, plain_object, text

_TIME_OF = {
    PromotionState.approved: "answered_at",
    PromotionState.declined: "answered_at",
    PromotionState.watching: "installed_at",
}
"""The time that entering a state sets."""
_COLUMNS = [column.key for column in PromotionRow.__table__.columns]


class PromotionStore(Store):
    """Promotions, by number; and notices, by key."""

    def propose(
        self, target: str, *, run: str, form: JsonObject, proposal: JsonObject, asked_by: str = "", schedule: str = ""
    ) -> Promotion:
        """Record a proposal; older ones for the target that nobody has answered are superseded by it.

        The same run's unanswered proposal is replaced, and keeps its number. Raises MayNotAct where the run's has been
        approved or has gone further.
        """
        with self._database.write() as session:
            row = session.scalar(
                select(PromotionRow).where(PromotionRow.run == run).order_by(PromotionRow.id.desc()).limit(1)
            )
            if row is not None and not _may_be_proposed_again(row):
                raise MayNotAct(f"promotion {row.id} of this run is {row.state}; trigger a new run to propose again")
            values = {
                "target": text(target), "schedule": text(schedule), "asked_by": text(asked_by), "run": text(run),
                "form": plain_object("form", form), "proposal": plain_object("proposal", proposal),
            }  # fmt: skip
            if row is None or row.state != PromotionState.proposed:
                row = PromotionRow(**values, windows=[], message="", state=PromotionState.proposed, proposed_at=now())
                session.add(row)
            elif any(getattr(row, column) != value for column, value in values.items()):
                for column, value in {**values, "proposed_at": now()}.items():
                    setattr(row, column, value)
            session.flush()
            _supersede(session, target, row.id)
            return _record(row)

    def supersede_unanswered(self, target: str, schedule: str) -> Promotion | None:
        """End the schedule's proposal for the target that nobody has answered; None where there is none."""
        with self._database.write() as session:
            row = session.scalar(_unanswered(target).where(PromotionRow.schedule == schedule).limit(1))
            if row is None:
                return None
            _end(row, PromotionState.superseded, "a newer proposal takes its place")
            return _record(row)

    def promotion(self, number: int) -> Promotion:
        """The promotion of that number. Raises InvalidInput where there is none."""
        with self._database.read() as session:
            return _record(_find(session, number))

    def promotions(self, target: str | None = None) -> list[Promotion]:
        """Those of a target, or all, the oldest first."""
        query = select(PromotionRow).order_by(PromotionRow.id)
        if target is not None:
            query = query.where(PromotionRow.target == target)
        with self._database.read() as session:
            return [_record(row) for row in session.scalars(query)]

    def move_promotion(
        self, number: int, state: str, *, since: Collection[str], message: str = "", **fields: Any
    ) -> Promotion:
        """Bring a promotion from one of the states `since` into `state`, and set `answer`, `file_after` or `verdict`.

        Said twice, it changes nothing. Raises MayNotAct, naming the state, where it is in another.
        """
        wanted = PromotionState(state)
        with self._database.write() as session:
            row = _find(session, number, lock=True)
            if row.state != wanted:
                if row.state not in since:
                    said = f": {row.message}" if row.message else ""
                    raise MayNotAct(f"promotion {number} is {row.state}{said}")
                if wanted in _TIME_OF:
                    setattr(row, _TIME_OF[wanted], now())
                _end(row, wanted, message)
            for name, value in fields.items():
                setattr(row, name, plain_object(name, value) if isinstance(value, dict) else value)
            session.flush()
            return _record(row)

    def add_window(self, number: int, window: JsonObject) -> None:
        """Record a window of the live load, by its `phase` and `number`; one that is there already stays."""
        with self._database.write() as session:
            row = _find(session, number, lock=True)
            known = {(w["phase"], w["number"]) for w in row.windows}
            if (window["phase"], window["number"]) not in known:
                row.windows = [*row.windows, plain_object("window", window)]

    def begin_notice(self, key: str) -> bool:
        """Whether the notice is to be sent: it was not sent before, and is being sent from now on."""
        with self._database.write() as session:
            if session.get(NoticeRow, text(key)) is not None:
                return False
            insert_missing(session, NoticeRow, key=text(key), sent_at=now())
            return True

    def forget_notice(self, key: str) -> None:
        """The notice could not be sent, and may be tried again."""
        with self._database.write() as session:
            session.execute(delete(NoticeRow).where(NoticeRow.key == text(key)))


def _may_be_proposed_again(row: PromotionRow) -> bool:
    """Whether nothing has been done to the server for the run's newest promotion, nor will be."""
    untouched = {
        PromotionState.proposed, PromotionState.declined, PromotionState.expired, PromotionState.superseded,
        PromotionState.refused,
    }  # fmt: skip
    return row.state in untouched


def _supersede(session: Session, target: str, number: int) -> None:
    for row in session.scalars(_unanswered(target).where(PromotionRow.id != number)):
        _end(row, PromotionState.superseded, f"promotion {number} takes its place")


def _unanswered(target: str) -> Any:
    query = select(PromotionRow).where(
        PromotionRow.target == target, PromotionRow.state == PromotionState.proposed
    )  # fmt: skip
    return query.order_by(PromotionRow.id.desc())


def _end(row: PromotionRow, state: PromotionState, message: str) -> None:
    row.state = state
    row.message = text(message)
    row.ended_at = now() if state.ended else None


def _find(session: Session, number: int, *, lock: bool = False) -> PromotionRow:
    query = select(PromotionRow).where(PromotionRow.id == number)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise InvalidInput(
            Problem("promotion", f"{number!r} is unknown", "take a number that the log of propose names")
        )
    return row


def _record(row: PromotionRow) -> Promotion:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return Promotion(**{**values, "state": PromotionState(row.state), "windows": list(row.windows)})

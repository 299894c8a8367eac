"""Holding a target: one experiment at a time, whatever processes ask."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from otterflow.errors import TargetHeld
from otterflow.repository.store import Store, insert_missing
from otterflow.repository.tables import TargetRow
from otterflow.repository.values import now


class TargetStore(Store):
    """Who holds which target."""

    def hold_target(self, target: str, holder: str) -> None:
        """Make `holder` (an experiment's name) the only one that may touch `target`. Harmless if it is already.

        Raises TargetHeld, naming the holder, if that is another one.
        """
        with self._database.write() as session:
            insert_missing(session, TargetRow, name=target)
            row = _locked(session, target)
            if row is None or row.holder == holder:
                return
            if row.holder is not None:
                raise TargetHeld(target, row.holder)
            row.holder, row.held_since = holder, now()

    def release_target(self, target: str, holder: str) -> None:
        """End the hold of `holder`; nothing happens if it holds the target no more."""
        with self._database.write() as session:
            row = _locked(session, target)
            if row is not None and row.holder == holder:
                row.holder, row.held_since = None, None

    def holder(self, target: str) -> str | None:
        """The experiment that holds `target`; None if none does."""
        with self._database.read() as session:
            return session.scalar(select(TargetRow.holder).where(TargetRow.name == target))


def _locked(session: Session, target: str) -> TargetRow | None:
    return session.scalar(select(TargetRow).where(TargetRow.name == target).with_for_update(key_share=True))

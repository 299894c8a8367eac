"""Holding a target: one experiment at a time, whatever processes ask, and by whatever target file it leads there."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from otterflow.errors import TargetHeld
from otterflow.repository.store import Store, insert_missing
from otterflow.repository.tables import TargetRow
from otterflow.repository.values import now, text


class TargetStore(Store):
    """Who holds which target."""

    def hold_target(self, target: str, holder: str) -> None:
        """Make `holder` (an experiment's name) the only one that may touch `target`. Harmless if it is already.

        Raises TargetHeld, naming the holder, if that is another one.
        """
        with self._database.write() as session:
            insert_missing(session, TargetRow, name=target)
            hold(session, target, holder)

    def release_target(self, target: str, holder: str) -> None:
        """End the hold of `holder`; nothing happens if it holds the target no more."""
        with self._database.write() as session:
            release(session, target, holder)

    def holder(self, target: str) -> str | None:
        """The experiment that holds `target`; None if none does."""
        with self._database.read() as session:
            return session.scalar(select(TargetRow.holder).where(TargetRow.name == target))

    def is_free(self, target: str) -> bool:
        """Whether nobody holds `target`, under whatever name it leads to its server."""
        return not self.holders(target)

    def holders(self, target: str) -> set[str]:
        """Who holds the server that `target` leads to, under whatever name; one at the most, if all went well."""
        named = select(TargetRow).where(TargetRow.name == target)
        with self._database.read() as session:
            row = session.scalar(named)
            same = select(TargetRow.holder).where(TargetRow.identity == row.identity) if row and row.identity else None
            holders = session.scalars(same).all() if same is not None else [row.holder if row else None]
            return {holder for holder in holders if holder}

    def identify_target(self, target: str, identity: str) -> None:
        """Record which server `target` leads to, as the server itself says. Whoever holds it is not looked at."""
        with self._database.write() as session:
            insert_missing(session, TargetRow, name=target)
            row = _locked(session, target)
            if row is not None:
                row.identity = text(identity)

    def identity(self, target: str) -> str:
        """Which server `target` leads to; empty while nobody has looked."""
        with self._database.read() as session:
            return session.scalar(select(TargetRow.identity).where(TargetRow.name == target)) or ""

    def same_server(self, target: str, identity: str) -> list[str]:
        """The other targets that lead to the server of that identity, by name."""
        same = select(TargetRow.name).where(TargetRow.identity == identity, TargetRow.name != target)
        with self._database.read() as session:
            return list(session.scalars(same.order_by(TargetRow.name))) if identity else []


def hold(session: Session, target: str, holder: str) -> None:
    """`hold_target` within a transaction."""
    wanted = TargetRow.name == target
    identity = session.scalar(select(TargetRow.identity).where(wanted))
    if identity:
        wanted = or_(wanted, TargetRow.identity == identity)
    # In one order, so that two that ask for the same server by two names do not wait for each other.
    query = select(TargetRow).where(wanted).order_by(TargetRow.name).with_for_update(key_share=True)
    rows = {row.name: row for row in session.scalars(query)}
    row = rows.get(target)
    if row is None or row.holder == holder:
        return
    for other in (row, *rows.values()):
        if other.holder is not None:
            raise TargetHeld(target, other.holder, other.name)
    row.holder, row.held_since = holder, now()


def release(session: Session, target: str, holder: str) -> None:
    """`release_target` within a transaction."""
    row = _locked(session, target)
    if row is not None and row.holder == holder:
        row.holder, row.held_since = None, None


def _locked(session: Session, target: str) -> TargetRow | None:
    return session.scalar(select(TargetRow).where(TargetRow.name == target).with_for_update(key_share=True))

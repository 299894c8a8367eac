"""Recordings: which there are, where each is kept, and what its manifest says. The load itself never comes here."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select

from otterflow.errors import InvalidInput, Problem
from otterflow.repository.records import JsonObject, RecordingRecord
from otterflow.repository.store import Store
from otterflow.repository.tables import RecordingRow
from otterflow.repository.values import now, plain_object, text


class RecordingStore(Store):
    """Recordings that were made, and those of them that were removed since."""

    def add_recording(
        self, recording_id: str, *, name: str, target: str, path: str, start: datetime, end: datetime,
        manifest: JsonObject,
    ) -> None:  # fmt: skip
        """Record that the recording is whole at `path` on the driver host of `target`.

        In place of what was known of a recording of that id; the same said twice changes nothing.
        """
        values = {
            "name": text(name), "target": text(target), "path": text(path), "starts_at": start, "ends_at": end,
            "manifest": plain_object("manifest", manifest), "removed_at": None,
        }  # fmt: skip
        with self._database.write() as session:
            row = session.get(RecordingRow, text(recording_id))
            if row is None:
                session.add(RecordingRow(id=text(recording_id), **values, recorded_at=now()))
            elif any(getattr(row, column) != found for column, found in values.items()):
                for column, found in {**values, "recorded_at": now()}.items():
                    setattr(row, column, found)

    def remove_recording(self, recording_id: str) -> None:
        """Mark a recording as removed from its host, and go on knowing it. Raises InvalidInput for an unknown one."""
        with self._database.write() as session:
            row = session.get(RecordingRow, recording_id)
            if row is None:
                raise _unknown(recording_id)
            row.removed_at = row.removed_at or now()

    def recording(self, recording_id: str) -> RecordingRecord:
        """The recording of that id, removed or not. Raises InvalidInput where there is none."""
        with self._database.read() as session:
            row = session.get(RecordingRow, recording_id)
            if row is None:
                raise _unknown(recording_id)
            return _record(row)

    def recordings(self, name: str) -> list[RecordingRecord]:
        """The recordings of a file, removed ones too, by the start of their interval."""
        query = select(RecordingRow).where(RecordingRow.name == name)
        with self._database.read() as session:
            return [_record(row) for row in session.scalars(query.order_by(RecordingRow.starts_at, RecordingRow.id))]

    def recorded(self, name: str) -> int:
        """How many recordings of a file there are, with those that were removed."""
        query = select(func.count()).select_from(RecordingRow).where(RecordingRow.name == name)
        with self._database.read() as session:
            return session.scalar(query) or 0

    def manifests(self, recording_ids: Collection[str | None]) -> dict[str, JsonObject]:
        """The manifests of those of the ids that are a recording's."""
        wanted = [each for each in recording_ids if each is not None]
        with self._database.read() as session:
            rows = session.scalars(select(RecordingRow).where(RecordingRow.id.in_(wanted)))
            return {row.id: row.manifest for row in rows}


def _unknown(recording_id: str) -> InvalidInput:
    return InvalidInput(
        Problem("recording", f"{recording_id!r} is unknown", "take the id of a recording from the log of its Dag")
    )


def _record(row: RecordingRow) -> RecordingRecord:
    return RecordingRecord(
        id=row.id, name=row.name, target=row.target, path=row.path, start=row.starts_at, end=row.ends_at,
        manifest=row.manifest, recorded_at=row.recorded_at, removed_at=row.removed_at,
    )  # fmt: skip

"""What an experiment's files said when it began, each content once."""

from __future__ import annotations

from sqlalchemy.orm import Session

from otterflow.repository.records import ExperimentFiles, FileKind
from otterflow.repository.store import Store, find_experiment, has_measured_trials, insert_missing
from otterflow.repository.tables import DefinitionRow, ExperimentFileRow, ExperimentRow
from otterflow.repository.values import content_hash, plain_object


class FileStore(Store):
    """Writes of what an experiment is; its record carries it."""

    def keep_files(self, name: str, files: ExperimentFiles) -> bool:
        """Keep what the files say with the experiment; whether that is what it keeps now.

        Until a trial has given a number they may still be mended. After that they stay as they are, and only an
        experiment that began before files were kept takes them.
        """
        with self._database.write() as session:
            row = find_experiment(session, name, lock=True)
            if row.files and has_measured_trials(session, row):
                return read_files(row) == files
            write_files(session, row, files)
            return True


def write_files(session: Session, row: ExperimentRow, files: ExperimentFiles) -> None:
    """Keep what the files say with the experiment, in place of what is kept of them."""
    for kind, said in files.by_kind().items():
        content = plain_object(kind.value, said)
        digest = content_hash(content)
        insert_missing(session, DefinitionRow, hash=digest, content=content)
        session.merge(ExperimentFileRow(experiment_id=row.id, kind=kind.value, hash=digest))
    session.flush()
    session.expire(row, ["files"])


def read_files(row: ExperimentRow) -> ExperimentFiles | None:
    """What is kept with an experiment; None for one that began before files were kept."""
    kept = {file.kind: file.definition.content for file in row.files}
    return ExperimentFiles(**kept) if set(kept) == set(FileKind) else None

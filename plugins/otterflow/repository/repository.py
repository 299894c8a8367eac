"""The repository: one object with all questions and writes, over one database."""

from __future__ import annotations

from sqlalchemy import URL

from otterflow.repository.comparisons import ComparisonStore
from otterflow.repository.database import Database
from otterflow.repository.experiments import ExperimentStore
from otterflow.repository.files import FileStore
from otterflow.repository.glimpses import GlimpseStore
from otterflow.repository.importing import ImportStore
from otterflow.repository.judging import JudgingStore
from otterflow.repository.leases import LeaseStore
from otterflow.repository.measuring import MeasuringStore
from otterflow.repository.migrating import check_revision, migrate
from otterflow.repository.models import ModelStore
from otterflow.repository.promotions import PromotionStore
from otterflow.repository.recordings import RecordingStore
from otterflow.repository.running_time import RunningTimeStore
from otterflow.repository.targets import TargetStore
from otterflow.repository.trials import TrialStore


class Repository(
    TargetStore,
    LeaseStore,
    ExperimentStore,
    FileStore,
    RunningTimeStore,
    TrialStore,
    MeasuringStore,
    ComparisonStore,
    JudgingStore,
    ModelStore,
    RecordingStore,
    PromotionStore,
    GlimpseStore,
    ImportStore,
):
    """Experiments, trials and what they measured. Every write is one transaction and may be repeated harmlessly.

    It holds no open connection, so it may live as long as a task and be passed over a fork. All methods raise
    RepositoryUnavailable when the database cannot be reached, and InvalidInput, naming the field, for what cannot
    be stored or is not there.
    """

    @classmethod
    def open(cls, url: str | URL, *, migrate: bool = True) -> Repository:
        """The repository at `url`: `sqlite:////absolute/path.db` or `postgresql://user:password@host/database`.

        With `migrate`, tables are made or brought up to date first. Raises InvalidInput for a URL that cannot serve,
        and RepositoryUnavailable, saying what to do, if the database cannot be reached or its tables are not those
        that this code needs.
        """
        repository = cls(Database(url))
        if migrate:
            repository.migrate()
        else:
            check_revision(repository._database)
        return repository

    def migrate(self) -> None:
        """Make the tables, or bring them up to date. Harmless when repeated, and when many processes do it at once."""
        migrate(self._database)

    @property
    def name(self) -> str:
        """The repository for messages: its URL without the password."""
        return f"repository {self._database.name}"

    def __repr__(self) -> str:
        return f"Repository({self._database.name!r})"

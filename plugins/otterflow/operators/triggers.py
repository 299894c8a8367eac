"""Waits that hold no worker: Airflow's triggerer asks now and then, and the task goes on when there is an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from otterflow.repository import Repository

ENDED, CLOSED, RED = "ended", "closed", "red"
UNDER_WAY = ["queued", "running"]
"""A run's states before it has ended."""
POLL_S = 10.0
"""Seconds between two looks."""


class ExperimentTrigger(BaseTrigger):
    """Fires when the experiment has ended, when its window closes, or when its run has failed and none goes on.

    :param experiment: its name; it may not be recorded yet.
    :param first_run: `<dag>/<run id>` of the run that records it.
    :param until: when the window closes, ISO 8601 with the offset.
    """

    def __init__(self, experiment: str, first_run: str, until: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.experiment = experiment
        self.first_run = first_run
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class's path and its arguments."""
        return f"{type(self).__module__}.{type(self).__name__}", {
            "experiment": self.experiment,
            "first_run": self.first_run,
            "until": self.until,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until something is to be told."""
        closes = datetime.fromisoformat(self.until)
        look = sync_to_async(self._look)
        while True:
            found = await look()
            if found is None and datetime.now(UTC) >= closes:
                found = CLOSED
            if found is not None:
                yield TriggerEvent(found)  # type: ignore[no-untyped-call]
                return
            await asyncio.sleep(POLL_S)

    def _look(self) -> str | None:
        """`ENDED`, `RED` or None, from the repository and Airflow's runs."""
        from otterflow.errors import ConnectionFault, InvalidInput, RepositoryUnavailable
        from otterflow.operators.connections import open_repository

        try:
            experiment = open_repository().experiment(self.experiment)
        except InvalidInput:  # not recorded yet
            return RED if _failed(self.first_run) else None
        except (ConnectionFault, RepositoryUnavailable) as error:
            self.log.warning("%s; asked again in %g s", error, POLL_S)
            return None
        if experiment.state.ended and experiment.state != "failed":
            return ENDED
        current = experiment.heir or experiment.run or self.first_run
        return RED if _failed(current) else None


class RepositoryTrigger(BaseTrigger):
    """Fires when the repository says so, or when the time is over, and tells `until`; what holds is the task's to see.

    :param name: what is asked about.
    :param until: for how long to wait, ISO 8601 with the offset.
    """

    def __init__(self, name: str, until: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.name = name
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class's path and its arguments."""
        return f"{type(self).__module__}.{type(self).__name__}", {"name": self.name, "until": self.until}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until it is so, or too late."""
        ends = datetime.fromisoformat(self.until)
        look = sync_to_async(self._look)
        while datetime.now(UTC) < ends and not await look():
            await asyncio.sleep(POLL_S)
        yield TriggerEvent(self.until)  # type: ignore[no-untyped-call]

    def _look(self) -> bool:
        from otterflow.errors import ConnectionFault, RepositoryUnavailable
        from otterflow.operators.connections import open_repository

        try:
            return self.is_so(open_repository())
        except (ConnectionFault, RepositoryUnavailable) as error:
            self.log.warning("%s; asked again in %g s", error, POLL_S)
            return False

    def is_so(self, repository: Repository) -> bool:
        """Whether the wait is over."""
        raise NotImplementedError


class TargetTrigger(RepositoryTrigger):
    """Waits until nobody holds the target called `name`."""

    def is_so(self, repository: Repository) -> bool:
        """Whether it is free."""
        return repository.is_free(self.name)


class RecordingTrigger(RepositoryTrigger):
    """Waits until there is the recording whose id is `name`, or the run that makes it is under way no more.

    :param run: `<dag>/<run id>` of that run, where one was triggered for it.
    """

    def __init__(self, name: str, until: str, run: str = "") -> None:
        super().__init__(name, until)
        self.run_that_makes_it = run

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class's path and its arguments."""
        path, arguments = super().serialize()
        return path, {**arguments, "run": self.run_that_makes_it}

    def is_so(self, repository: Repository) -> bool:
        """Whether it is there, or does not come any more."""
        if self.run_that_makes_it and not _in(self.run_that_makes_it, UNDER_WAY):
            return True
        return any(recording.id == self.name for recording in repository.recordings(self.name.rpartition("-")[0]))


def _failed(run: str) -> bool:
    """Whether Airflow has that run and it has failed."""
    return _in(run, ["failed"])


def _in(run: str, states: list[str]) -> bool:
    """Whether Airflow has that run, in one of the states."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    dag_id, _, run_id = run.partition("/")
    return bool(RuntimeTaskInstance.get_dr_count(dag_id=dag_id, run_ids=[run_id], states=states))

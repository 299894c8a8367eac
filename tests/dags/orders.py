"""Every order in which the tasks of a Dag can start and end, by Airflow's own trigger rules.

A state of a run is each task's state. From it go on the tasks that Airflow's `TriggerRuleDep` lets start, and the tasks
that run: they end as success, failed or skipped. One that is a SkipMixin may skip tasks right behind it before it ends:
any of them, or those that its `skips` names. Walking all states finds orders that hardly ever happen, and needs no
scheduler, database or clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, combinations
from types import SimpleNamespace
from typing import Any, cast

from airflow.sdk.bases.skipmixin import SkipMixin
from airflow.ti_deps.dep_context import DepContext
from airflow.ti_deps.deps.trigger_rule_dep import TriggerRuleDep

WAITING, RUNNING = "waiting", "running"
SUCCESS, FAILED, SKIPPED, UPSTREAM_FAILED = "success", "failed", "skipped", "upstream_failed"
ENDED = frozenset({SUCCESS, FAILED, SKIPPED, UPSTREAM_FAILED})

RunState = tuple[str, ...]
"""The tasks' states, in the order of `Walk.tasks`."""


@dataclass(frozen=True)
class Start:
    """One task starts: `states` are those of all tasks at that moment."""

    task: str
    states: dict[str, str]


class Walk:
    """All runs of a Dag. `may_skip` says which tasks may end as skipped by themselves, or be skipped by a SkipMixin."""

    def __init__(self, dag: Any, may_skip: Callable[[str], bool] = lambda task: True) -> None:
        self._dag = dag
        self._may_skip = may_skip
        self.tasks = [node.task_id for node in dag.topological_sort()]
        self._upstream = {task: sorted(dag.get_task(task).upstream_task_ids) for task in self.tasks}
        self._verdict = cache(partial(what_airflow_does, dag))

    def starts(self) -> Iterator[Start]:
        """Every start of a task in every run, once for each state of the run that it can happen in."""
        for state in self._reachable():
            for task in self._startable(state):
                yield Start(task, dict(zip(self.tasks, state, strict=True)))

    def ends(self) -> Iterator[dict[str, str]]:
        """Every way in which a run can end: a state in which nothing runs and nothing can start."""
        for state in self._reachable():
            if RUNNING not in state and not self._startable(state):
                yield dict(zip(self.tasks, state, strict=True))

    @cache  # noqa: B019 - a walk lives as long as the module that made it
    def _reachable(self) -> frozenset[RunState]:
        seen: set[RunState] = set()
        ahead = [self._settled((WAITING,) * len(self.tasks))]
        while ahead:
            state = ahead.pop()
            if state not in seen:
                seen.add(state)
                ahead += self._next(state)
        return frozenset(seen)

    def _next(self, state: RunState) -> Iterator[RunState]:
        for task in self._startable(state):
            yield self._with(state, {task: RUNNING})
        for task, found in zip(self.tasks, state, strict=True):
            if found == RUNNING:
                for outcome in self._outcomes(task, state):
                    yield self._settled(self._with(state, outcome))

    def _outcomes(self, task_id: str, state: RunState) -> Iterator[dict[str, str]]:
        yield {task_id: SUCCESS}
        yield {task_id: FAILED}
        if self._may_skip(task_id):
            yield {task_id: SKIPPED}
        task = self._dag.get_task(task_id)
        downstream = task.downstream_task_ids
        if isinstance(task, SkipMixin):
            states = dict(zip(self.tasks, state, strict=True))
            behind = [each for each in sorted(downstream) if states[each] == WAITING]
            behind = [each for each in behind if self._may_skip(each) and each in getattr(task, "skips", behind)]
            for some in chain.from_iterable(combinations(behind, n) for n in range(1, len(behind) + 1)):
                yield dict.fromkeys(some, SKIPPED)

    def _settled(self, state: RunState) -> RunState:
        """The state after the scheduler has marked as skipped or upstream_failed whatever its rules mark so."""
        while True:
            verdicts = {task: self._of(task, state) for task in self._waiting(state)}
            marked = {task: verdict for task, verdict in verdicts.items() if verdict in ENDED}
            if not marked:
                return state
            state = self._with(state, marked)

    def _startable(self, state: RunState) -> list[str]:
        return [task for task in self._waiting(state) if self._of(task, state) == RUNNING]

    def _waiting(self, state: RunState) -> list[str]:
        return [task for task, found in zip(self.tasks, state, strict=True) if found == WAITING]

    def _of(self, task: str, state: RunState) -> str:
        states = dict(zip(self.tasks, state, strict=True))
        return self._verdict(task, tuple((upstream, states[upstream]) for upstream in self._upstream[task]))

    def _with(self, state: RunState, changes: dict[str, str]) -> RunState:
        return tuple(changes.get(task, found) for task, found in zip(self.tasks, state, strict=True))


def what_airflow_does(dag: Any, task_id: str, upstream: Iterable[tuple[str, str]]) -> str:
    """What Airflow's scheduler makes of a waiting task: RUNNING, WAITING, or the state that it marks it with.

    `upstream` has the state of each task right in front of it.
    """
    ended = [
        SimpleNamespace(task_id=name, task=dag.get_task(name), state=state, map_index=-1)
        for name, state in upstream
        if state in ENDED
    ]
    asked = _TaskInstance(dag.get_task(task_id))
    context = DepContext(flag_upstream_failed=True, finished_tis=cast("Any", ended))
    statuses = list(TriggerRuleDep()._get_dep_statuses(cast("Any", asked), context, session=cast("Any", None)))
    if asked.marked is not None:
        return asked.marked
    return RUNNING if all(status.passed for status in statuses) else WAITING


class _TaskInstance:
    """What TriggerRuleDep uses of a task instance."""

    map_index = -1

    def __init__(self, task: Any) -> None:
        self.task = task
        self.marked: str | None = None

    def get_dagrun(self, session: Any) -> None:
        """Not looked at: the tasks that have ended are given in the context."""

    def set_state(self, state: Any, session: Any) -> bool:
        self.marked = str(getattr(state, "value", state))
        return True

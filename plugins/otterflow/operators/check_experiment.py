"""The first task of an experiment: whether what the form asks for is possible, as far as files can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.arms import compared
from otterflow.experiment.frozen import differences, files_of, has_measured, plan_of
from otterflow.experiment.plan import Plan, load_plan, trial_problems
from otterflow.experiment.spec import ExperimentSpec
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import ANYWHEN
from otterflow.operators.paused import paused_problems
from otterflow.operators.version import code_version

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository

NEEDED = ("tuning_iteration", "tuning_finish")
"""The Dags that an experiment's runs are of; while one is paused, its runs wait and nothing happens."""

_EXTENDED = ("iterations", "time_budget_min", "stop_below_percent", "stop_confidence", "stop_at")
"""The form's fields that a resume takes over; all others stay as they were."""


class CheckExperimentOperator(OtterflowOperator):
    """Checks the form's fields against each other and against the files they name, and records the experiment.

    Returns a short summary. Raises InvalidInput that lists every wrong field at once; no host has been touched then.
    """

    may = ANYWHEN

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Check, then create the experiment or extend the one to resume."""
        spec = ExperimentSpec.from_params(context["params"])
        plan = _plan(spec, repository, paused_problems(context, NEEDED))
        kept: dict[str, Any] = {}
        if spec.resume:
            kept = _resume(repository, plan, self.run_name)
            if kept:
                self.log.info("a resumed experiment keeps these, whatever the form says now: %s", kept)
        else:
            _create(repository, plan, self.run_name)
        does, much = f"tunes {spec.knob_set.value}", f"{spec.iterations} iterations"
        if spec.arms:
            does, much = f"compares {', '.join(compared(spec.arms))}", f"{spec.final_rounds} rounds"
        self.log.info(
            "experiment %s: %s on target %s for %s (%s), %s",
            spec.experiment,
            does,
            spec.target,
            spec.benchmark,
            plan.objective.value,
            much,
        )
        summary = {"experiment": spec.experiment, "benchmark": plan.benchmark.title, "objective": plan.objective.value}
        return summary | ({"kept": kept} if kept else {})


def _plan(spec: ExperimentSpec, repository: Repository, problems: list[Problem]) -> Plan:
    """What the form names. Raises InvalidInput with all that is wrong with it, and the `problems` found so far."""
    try:
        plan = load_plan(spec, repository)
    except InvalidInput as error:
        raise InvalidInput([*error.problems, *problems]) from error
    problems = [*trial_problems(plan), *problems]
    if problems:
        raise InvalidInput(problems)
    return plan


def _create(repository: Repository, plan: Plan, run: str) -> None:
    from otterflow.repository import NewExperiment

    spec = plan.spec
    repository.create_experiment(
        NewExperiment(
            name=spec.experiment,
            target=spec.target,
            dbms=plan.target.dbms,
            benchmark=spec.benchmark,
            objective=plan.objective.value,
            spec=spec.record(),
            seed=spec.seed,
            code_version=code_version(),
            target_definition=plan.target.model_dump(mode="json"),
            files=files_of(plan),
            run=run,
        )
    )


def _resume(repository: Repository, plan: Plan, run: str) -> dict[str, Any]:
    """Extend the experiment; target, benchmark, catalog and goal must be those it had, or its trials say nothing.

    Returns the fields that the form gives another value and that stay as they were, with what they were.
    """
    spec = plan.spec
    former = repository.experiment(spec.experiment)
    problems = [
        Problem(
            field, f"{now!r} differs from the experiment's {then!r}", "resume with the same, or start a new experiment"
        )
        for field, now, then in (
            ("target", spec.target, former.target),
            ("benchmark", spec.benchmark, former.benchmark),
            ("objective", plan.objective.value, former.objective),
            ("direction", spec.direction.value, former.spec.get("direction", spec.direction.value)),
            ("constraints", list(spec.constraints), former.spec.get("constraints", [])),
        )
        if now != then
    ]
    measured = has_measured(repository.trials(spec.experiment, metrics=()))
    if former.files is not None and measured and not problems:
        problems += differences(files_of(plan_of(former)), files_of(plan))
    if former.state in ("running", "stopping", "finishing"):
        found = f"{former.name!r} is {former.state}"
        problems.append(Problem("resume", found, "wait until it has ended, or stop it with stop_experiment"))
    if problems:
        raise InvalidInput(problems)
    repository.extend(
        spec.experiment,
        iterations=spec.iterations,
        time_budget_min=spec.time_budget_min,
        stopping={name: spec.record()[name] for name in ("stop_below_percent", "stop_confidence", "stop_at")},
        run=run,
    )
    return {
        name: former.spec[name]
        for name, now in spec.record().items()
        if name not in _EXTENDED and former.spec.get(name, now) != now
    }

"""What is asked for with a promotion: the fields of its trigger form, checked together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from otterflow.clocks import ZoneName
from otterflow.errors import InvalidInput
from otterflow.experiment.comparison import LEAST_ROUNDS
from otterflow.experiment.spec import (
    EMPTIED,
    NOTHING,
    ExperimentSpec,
    Formulation,
    KnobName,
    in_the_forms_words,
)
from otterflow.experiment.window import Window, window_from
from otterflow.measures.goal import BENCHMARK_DEFAULT, Direction
from otterflow.yaml_files import NAME_PATTERN, problems_of

WINNER = "winner"
_NAME_OR_NOTHING = f"{NAME_PATTERN}|^$"
_WINDOW = r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$|^$"


class Section(StrEnum):
    """Under which heading the form shows a field, in this order."""

    what = "1. What goes where"
    question = "2. The question"
    watching = "3. Watching"


def _shown(section: Section, title: str, description: str, default: Any = ...) -> Any:
    extra: dict[str, Any] = {"section": section.value}
    return Field(default, title=title, description=description, json_schema_extra=extra)


class PromotionForm(BaseModel):
    """The form's fields, in its order. Times carry their unit in the name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: Annotated[str, Field(pattern=NAME_PATTERN)] = _shown(
        Section.what, "Target", "The server that is to get the configuration: a target file with has_users: true."
    )
    experiment: Annotated[str, Field(pattern=_NAME_OR_NOTHING)] = _shown(
        Section.what, "Experiment", "Whose configuration it is. Empty: Configuration says it, or Schedule.", ""
    )
    which: Annotated[str, Field(pattern=r"^(winner|best|rules|\d{1,4})$")] = _shown(
        Section.what,
        "Which of its configurations",
        "winner: what beat its baseline. best, rules: those, proven or not. A number: that trial's.",
        WINNER,
    )
    configuration: Annotated[dict[KnobName, bool | int | float | str], Field(max_length=100), NOTHING] = _shown(
        Section.what,
        "Configuration",
        'Instead of an experiment: {"work_mem": "64MB"}. Values are taken as they are.',
        {},
    )
    schedule: Annotated[str, Field(pattern=_NAME_OR_NOTHING)] = _shown(
        Section.what, "Schedule", "Instead of an experiment: the newest night of that schedule with a winner.", ""
    )
    restart: bool = _shown(
        Section.what,
        "Allow a restart",
        "On: knobs that take one are promoted too, and the server is restarted, once, after the approval.",
        False,
    )
    why: Annotated[str, Field(max_length=2000)] = _shown(
        Section.what, "Why", "Shown with the question, and kept with the promotion.", ""
    )

    assigned: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], EMPTIED] = _shown(
        Section.question,
        "Who may answer",
        "Users by their id, one a line: the name with the simple auth manager, the number with FAB. Empty: whoever may "
        "edit the Dag.",
        (),
    )
    answer_within_h: Annotated[float, Field(gt=0, le=24 * 60)] = _shown(
        Section.question, "Answer within (hours)", "Without an answer by then, nothing is done.", 72.0
    )
    window: Annotated[str, Field(pattern=_WINDOW)] = _shown(
        Section.question,
        "Window",
        "From when to when a change may be made, such as 02:00-04:00, for who answers 'in the next window'.",
        "",
    )
    timezone: ZoneName = _shown(Section.question, "Time zone", "Of the window: an IANA name.", "UTC")

    benchmark: Annotated[str, Field(pattern=NAME_PATTERN)] = _shown(
        Section.watching, "Live benchmark", "How the live load is watched: a benchmark of driver live.", "live"
    )
    objective: Formulation = _shown(
        Section.watching,
        "Objective",
        "The number that must not get worse: as in tuning_experiment.",
        BENCHMARK_DEFAULT,
    )
    direction: Direction = _shown(Section.watching, "Direction", "For an expression.", Direction.own)
    constraints: Annotated[tuple[Formulation, ...], Field(max_length=10), EMPTIED] = _shown(
        Section.watching,
        "Constraints",
        "What must hold, one a line, such as latency_mean < 5. One that held before and breaks rolls back.",
        (),
    )
    windows: Annotated[int, Field(ge=LEAST_ROUNDS, le=50)] = _shown(
        Section.watching, "Windows", "How many are watched before the change, and how many after it.", 5
    )
    window_s: Annotated[float, Field(gt=0, le=24 * 3600)] | None = _shown(
        Section.watching, "Length of a window (seconds)", "Empty: the live benchmark's own.", None
    )
    settle_s: Annotated[float, Field(ge=0, le=3600)] = _shown(
        Section.watching,
        "Let it settle (seconds)",
        "Between the change and the first window. After a restart caches are cold: give it minutes.",
        60.0,
    )

    @model_validator(mode="after")
    def _one_source(self) -> PromotionForm:
        given = [name for name in ("experiment", "configuration", "schedule") if getattr(self, name)]
        if len(given) != 1:
            found = f"{' and '.join(given)} are given" if given else "no experiment, configuration or schedule is given"
            raise ValueError(f"{found}; give exactly one of them")
        return self

    def next_window(self, now: datetime) -> Window | None:
        """The window that is open, or the next to open; None where the form names none."""
        if not self.window:
            return None
        opens, closes = (time.fromisoformat(clock) for clock in self.window.split("-"))
        zone = ZoneInfo(self.timezone)
        for days in (-1, 0, 1, 2):
            day = now.astimezone(zone).date() + timedelta(days=days)
            found = window_from(datetime.combine(day, opens, zone), closes, zone)
            if found.closes > now:
                return found
        raise AssertionError("a window of every day closes within two days")  # pragma: no cover

    def watching(self) -> ExperimentSpec:
        """What is watched, as the form of an experiment that nobody begins. Raises InvalidInput for its fields."""
        return ExperimentSpec.from_params(
            {
                "experiment": "promotion",
                "target": self.target,
                "benchmark": self.benchmark,
                "objective": self.objective,
                "direction": self.direction,
                "constraints": self.constraints,
                "duration_s": self.window_s,
                "warmup_s": 0,
                "quiet_gate": False,  # its users are no disturbance
            }
        )

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> PromotionForm:
        """Read the trigger form. Raises InvalidInput that names every wrong field, its value and what is right."""
        try:
            return cls.model_validate(dict(params))
        except ValidationError as error:
            raise InvalidInput([in_the_forms_words(problem) for problem in problems_of(error, "form")]) from None

    def record(self) -> dict[str, Any]:
        """As plain JSON."""
        return self.model_dump(mode="json")

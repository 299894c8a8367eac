"""A schedule: a file under `include/schedules/` that has experiments made on a target, night by night, in a window.

Each file is a Dag `nightly_<name>` of its own. All that can be known to be wrong without a host is found here; the form
that the nights are begun with is checked as one that a person has sent.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from otterflow.clocks import Cron, ZoneName
from otterflow.errors import InvalidInput
from otterflow.experiment.night_recording import NightRecording
from otterflow.experiment.notices import Notice
from otterflow.experiment.promotion_form import PromotionForm
from otterflow.experiment.spec import ExperimentSpec
from otterflow.experiment.window import Window, window_from
from otterflow.yaml_files import NAME_PATTERN, checked_name, read_model

LONGEST_H = 20.0
"""A window that is longer is a mistake: its end lies just before its begin."""
SHORTEST_MIN = 10.0
_A_WEEK = timedelta(days=7)
_GIVEN = ("experiment", "target", "benchmark", "resume", "stop_at", "install")
"""Fields of the form that come from the schedule's own fields."""


def dag_of(schedule: str) -> str:
    """The Dag of a schedule's nights."""
    return f"nightly_{schedule}"


def _clock(text: str) -> str:
    try:
        found = time.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or len(text) != 5:
        raise ValueError('not a time of day; HH:MM in quotes is right, such as "05:30"')
    return text


class After(StrEnum):
    """What becomes of a night's winner."""

    propose = "propose"
    install = "install"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Schedule(_Strict):
    """One schedule. Times of day are those of `timezone`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,40}$")]
    description: str = ""
    target: Annotated[str, Field(pattern=NAME_PATTERN)]
    benchmark: Annotated[str, Field(pattern=NAME_PATTERN)]
    recording: NightRecording | None = None
    """What a benchmark that replays a recording replays."""
    cron: Cron
    """When a window opens."""
    timezone: ZoneName
    until: Annotated[str, AfterValidator(_clock)]
    """When it closes."""
    after: After = After.propose
    form: dict[str, Any] = {}
    """Any other field of the form of tuning_experiment."""
    promote: dict[str, Any] = {}
    """Where a proposed winner is to go: `target`, and any other field of the form of promote_configuration."""
    notify: tuple[Notice, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """Its time zone."""
        return ZoneInfo(self.timezone)

    @property
    def dag_id(self) -> str:
        """The Dag of its nights."""
        return dag_of(self.name)

    def window(self, opens: datetime) -> Window:
        """The window that opens then."""
        return window_from(opens, time.fromisoformat(self.until), self.zone)

    def night(self, opens: datetime) -> date:
        """The night's date: that of the evening."""
        return opens.astimezone(self.zone).date()

    def experiment(self, opens: datetime, number: int = 1) -> str:
        """What the night's experiment is called; another of the same date has a number."""
        name = f"{self.name}-{self.night(opens):%Y%m%d}"
        return name if number == 1 else f"{name}-{number}"

    def spec(self, opens: datetime, number: int = 1, *, recording: str | None = None) -> ExperimentSpec:
        """The form that the night's experiment is begun with. Raises InvalidInput as for a form that was sent."""
        replayed = {"recording": recording} if self.recording else {}
        return ExperimentSpec.from_params(
            {
                **self.form,
                **replayed,
                "experiment": self.experiment(opens, number),
                "target": self.target,
                "benchmark": self.benchmark,
                "stop_at": self.window(opens).closes,
                "install": self.after is After.install,
            }
        )

    def promotion(self) -> PromotionForm:
        """What is asked after a night with a winner. Raises InvalidInput as for a form that was sent."""
        return PromotionForm.from_params({**self.promote, "schedule": self.name})

    @model_validator(mode="after")
    def _promotion_fits(self) -> Schedule:
        if not self.promote:
            return self
        if self.after is not After.propose:
            raise ValueError("promote asks about what was proposed; with it, after is to be propose")
        taken = sorted(set(self.promote) & {"experiment", "schedule", "configuration", "which"})
        if taken:
            raise ValueError(f"promote: {', '.join(taken)} {'is' if len(taken) == 1 else 'are'} given by the schedule")
        try:
            self.promotion()
        except InvalidInput as error:
            raise ValueError("promote: " + "; ".join(str(problem) for problem in error.problems)) from None
        return self

    @model_validator(mode="after")
    def _windows_are_apart(self) -> Schedule:
        from croniter import croniter

        fires = croniter(self.cron, datetime.now(UTC).astimezone(self.zone), ret_type=datetime)
        first = opens = fires.get_next()
        while opens < first + _A_WEEK:  # whatever the hour is at which the file is read
            following = fires.get_next()
            self._check_window(self.window(opens), following)
            opens = following
        return self

    def _check_window(self, window: Window, following: datetime) -> None:
        """Raises ValueError for one that is too short, too long, or still open as the cron fires again."""
        if following < window.closes:
            raise ValueError(
                f"cron {self.cron!r} fires again before the window has closed (until {self.until!r}); let it fire "
                "once a window"
            )
        if window.hours > LONGEST_H or window.hours * 60 < SHORTEST_MIN:
            raise ValueError(
                f"the window that opens by cron {self.cron!r} and closes at until {self.until!r} is "
                f"{window.hours:.1f} h long; {SHORTEST_MIN:g} min to {LONGEST_H:g} h are right (an until just before "
                "the opening means the next day's)"
            )

    @model_validator(mode="after")
    def _form_fits(self) -> Schedule:
        taken = sorted(set(self.form) & {*_GIVEN, *(["recording"] if self.recording else [])})
        if taken:
            raise ValueError(f"form: {', '.join(taken)} {'is' if len(taken) == 1 else 'are'} given by the schedule")
        try:
            self.spec(datetime.now(UTC))
        except InvalidInput as error:
            raise ValueError("; ".join(str(problem) for problem in error.problems)) from None
        return self


def load_schedule(path: Path) -> Schedule:
    """Read and check one schedule. Raises InvalidInput that lists every wrong field, each with what would be right."""
    example = "docs/nights.md for an example"
    schedule = read_model(Schedule, path, field="schedule", plural="schedules", example=example)
    return checked_name(schedule, path, "schedule")

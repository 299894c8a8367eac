"""A configuration tried on the past: the block `replay:` of a file under `include/recordings/`.

Each such file is a Dag `replay_<name>` of its own, scheduled by the same intervals as the recording. One run is one
interval, and one interval an experiment whose arms are given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.comparison import ARMS, LEAST_ROUNDS
from otterflow.experiment.spec import ExperimentSpec
from otterflow.experiment.verdict import Rule
from otterflow.workloads.recording.definition import RecordingDefinition, load_recording_definition
from otterflow.yaml_files import NAME_PATTERN, problems_of

Candidate = Annotated[str, Field(pattern=r"^(experiment|configuration):[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
"""`experiment:<name>` for the best that an experiment found, or `configuration:<name>` for a file of that name."""
LONGEST_NAME = 36
"""The experiments are called `replay-<name>-<start of the interval>-<number>`."""
_GIVEN = (
    "experiment", "target", "benchmark", "recording", "resume", "install", "arms", "final_rounds",
    "gain_that_matters_percent", "wait_min",
)  # fmt: skip
"""Fields of the form that come from the block's own fields."""
_KEY = "replay"
_EXPERIMENT = re.compile(r"replay-(?P<recording>.+?)(?:-(?P<number>\d+))?")
"""As `experiment_name` says. A recording's id ends with a time, which is no number alone."""


class Block(BaseModel):
    """What the block says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    benchmark: Annotated[str, Field(pattern=NAME_PATTERN)]
    """How a recording is replayed: a benchmark with driver replay or mix."""
    candidates: Annotated[tuple[Candidate, ...], Field(max_length=5)] = ()
    """What is tried; a run may name others."""
    baseline: Literal["source", "target"] = "source"
    """Whose configuration they are compared with: that in force on the source, or on the target."""
    rounds: Annotated[int, Field(ge=LEAST_ROUNDS, le=50)] = 5
    wait_min: Annotated[float, Field(ge=0, le=60 * 24 * 30)] = 24 * 60
    """How long a run waits for the target where another experiment holds it."""
    scheduled: bool = True
    """Whether each interval is replayed as soon as it is recorded; if not, only a backfill replays."""
    rule: Rule = Rule()
    form: dict[str, Any] = {}
    """Any other field of tuning_experiment's form. The data are put back before each replay unless it says else."""


def dag_of(recording: str) -> str:
    """The Dag that replays a recording's intervals."""
    return f"replay_{recording}"


@dataclass(frozen=True)
class Replay:
    """A recording's file with its block."""

    recording: RecordingDefinition
    block: Block

    @property
    def dag_id(self) -> str:
        """The Dag that replays."""
        return dag_of(self.recording.name)

    def spec(
        self, experiment: str, recording: str, arms: Mapping[str, Mapping[str, Any]], rounds: int
    ) -> ExperimentSpec:
        """The form of an interval's experiment. Raises InvalidInput as for a form that was sent."""
        return ExperimentSpec.from_params(
            {
                **self.block.form,
                "experiment": experiment,
                "target": self.recording.replay_on,
                "benchmark": self.block.benchmark,
                "recording": recording,
                "final_rounds": rounds,
                "gain_that_matters_percent": None,
                "wait_min": self.block.wait_min,
                "install": False,
                "arms": arms,
            }
        )


def replay_of(definition: RecordingDefinition) -> Replay | None:
    """The recording with its block; None where it has none. Raises InvalidInput that lists all that is wrong in it."""
    if definition.replay is None:
        return None
    where = f"{definition.name}.yaml"
    try:
        block = Block.model_validate(definition.replay)
    except ValidationError as error:
        found = problems_of(error, where)
        raise InvalidInput(
            [Problem(p.field.replace(": ", f": {_KEY}.", 1), p.found, p.advice) for p in found]
        ) from None
    problems = []
    taken = sorted(set(block.form) & set(_GIVEN))
    if taken:
        problems.append(Problem(f"{where}: {_KEY}.form", f"sets {', '.join(taken)}", "the block's own fields say that"))
    if len(definition.name) > LONGEST_NAME:
        advice = f"the experiments of its intervals are named after it: at most {LONGEST_NAME} characters are right"
        problems.append(Problem(f"{where}: name", f"{definition.name!r} is too long to be replayed", advice))
    replay = Replay(definition, block)
    if not problems:
        recording = definition.recording_id(datetime(2026, 1, 1, tzinfo=UTC))
        try:
            replay.spec(experiment_name(recording), recording, {"candidate": {"knob": 1}}, block.rounds)
        except InvalidInput as error:
            problems += [Problem(f"{where}: {_KEY}.form", f"{p.field}: {p.found}", p.advice) for p in error.problems]
    if problems:
        raise InvalidInput(problems)
    return replay


def load_replay(path: Path) -> Replay:
    """Read and check a recording's file that is to be replayed. Raises InvalidInput, also where it has no block."""
    replay = replay_of(load_recording_definition(path))
    if replay is None:
        advice = "add it: docs/backfill.md has an example"
        raise InvalidInput(Problem(f"{path.name}: {_KEY}", "there is no such block", advice))
    return replay


def experiment_name(recording: str, number: int = 1) -> str:
    """What the experiment of a recording's interval is called; another of the same recording has a number."""
    return f"replay-{recording}" + (f"-{number}" if number > 1 else "")


def number_of(experiment: str, recording: str) -> int | None:
    """Which of the recording's experiments it is, from 1; None if it is none of them."""
    found = recording_of(experiment)
    return found[1] if found is not None and found[0] == recording else None


def recording_of(experiment: str) -> tuple[str, int] | None:
    """The recording whose interval the experiment is of, and its number there; None if it is none of a recording."""
    found = _EXPERIMENT.fullmatch(experiment)
    return (found["recording"], int(found["number"] or 1)) if found else None


def arm_names(candidates: tuple[str, ...]) -> dict[str, str]:
    """Each candidate's arm, by the name of its experiment or configuration, as arms are spelt."""
    names: dict[str, str] = {}
    for candidate in dict.fromkeys(candidates):
        plain = re.sub(r"[^a-z0-9_]", "_", candidate.partition(":")[2].lower())[:36]
        plain = plain if plain[0].isalpha() and plain not in ARMS else f"c_{plain}"[:36]
        wanted, number = plain, 1
        while wanted in names:
            number += 1
            wanted = f"{plain}_{number}"
        names[wanted] = candidate
    return names

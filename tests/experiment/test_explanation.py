"""Why a configuration is tried: the trial's record and the log's table."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from otterflow.dbms.postgresql import spelling
from otterflow.dbms.postgresql.rows import from_row
from otterflow.experiment.explanation import outlook_record, outlook_text, record, table
from otterflow.knobs.setting import LiveSetting
from otterflow.measures.scale import Scale
from otterflow.tuner import Incumbent, Outlook, Suggestion

LATENCY = Scale(maximise=False, logarithmic=True)


def setting(name: str, unit: str | None) -> LiveSetting:
    return from_row(
        {
            "name": name, "setting": "4096", "unit": unit, "vartype": "integer", "context": "user", "min_val": "0",
            "max_val": "2147483647", "enumvals": None, "boot_val": "4096", "source": "default", "sourcefile": None,
            "pending_restart": False, "short_desc": "", "reset_val": "4096", "category": "Resource Usage",
        }
    )  # fmt: skip


LIVE = {name: setting(name, unit) for name, unit in (("work_mem", "kB"), ("jobs", None), ("idle", "ms"))}
BEST = Incumbent(3, {"work_mem": 4096, "jobs": 2, "idle": 0}, LATENCY.score(8.0), 0.02, True)
SUGGESTION = Suggestion(
    {"work_mem": 65536, "jobs": 8, "idle": 0},
    kind="model",
    predicted_mean=LATENCY.score(6.4),
    predicted_std=0.1,
    crash_probability=0.034,
    feasible_probability=0.9,
    reasons={
        "idea": "expected improvement over the incumbent",
        "knobs_moved": 2,
        "moved": [
            {"knob": "jobs", "from": 2, "to": 8, "gain": 0.2},
            {"knob": "work_mem", "from": 4096, "to": 65536, "gain": -0.01},
        ],
    },
)


def test_the_record_speaks_in_the_objectives_unit_and_is_plain_json() -> None:
    said = json.loads(json.dumps(record(SUGGESTION, LATENCY, "ms", BEST)))
    predicted = said["predicted"]
    assert predicted["value"] == pytest.approx(6.4)
    assert predicted["low"] == pytest.approx(6.4 * math.exp(-0.1645), rel=1e-4)
    assert predicted["high"] == pytest.approx(6.4 * math.exp(0.1645), rel=1e-4)
    assert predicted["gain_percent"] == pytest.approx(25.0)
    assert said["incumbent"]["value"] == pytest.approx(8.0)
    assert said["moved"][0]["gain_percent"] == pytest.approx(100 * (math.exp(0.2) - 1), abs=0.01)


def test_the_table_is_aligned_and_says_what_is_expected_and_what_moved() -> None:
    lines = table(dict(SUGGESTION), BEST.config, LIVE, record(SUGGESTION, LATENCY, "ms", BEST), spelling).splitlines()
    assert lines == [
        "  expected improvement over the incumbent",
        "  predicted          6.4 ms (5.429 to 7.544 with 90 %), +25.0 %",
        "  best so far        8 ms (7.741 to 8.268 with 90 %)",
        "  may crash          3 %",
        "  keeps constraints  90 %",
        "  knob      best so far -> next    alone",
        "  jobs                2 -> 8     +22.1 %",
        "  work_mem          4MB -> 64MB   -1.0 %",
    ]


def test_the_table_names_the_experiments_that_were_learned_from() -> None:
    reasons = {"idea": "i", "past": [{"experiment": "monday", "weight": 0.625}, {"experiment": "tuesday"}]}
    assert table({}, {}, LIVE, reasons, spelling).splitlines()[1] == "  learned from       monday (0.62)"


def test_a_first_trial_without_a_model_says_so_without_figures() -> None:
    plain = Suggestion({"work_mem": 4096}, kind="baseline", reasons={"idea": "the configuration in force before"})
    said = record(plain, LATENCY, "ms", None)
    assert table(dict(plain), {"work_mem": 4096}, LIVE, said, spelling).splitlines() == [
        "  the configuration in force before",
        "  no knob differs from the best so far",
    ]


def test_an_outlook_is_in_per_cent_of_the_incumbent() -> None:
    left = Outlook(np.log1p(np.array([0.0] * 6 + [0.1] * 3 + [0.5])), BEST.mean)
    said = outlook_record(left, LATENCY, 5.0)
    assert said == {
        "expected_percent": 8.0,
        "median_percent": 0.0,
        "likely_below_percent": 10.0,
        "below_percent": 5.0,
        "probability_below": 0.6,
    }
    assert outlook_text(said) == (
        "still to be gained: 8.0 % expected, less than 10.0 % with probability 0.9, less than 5 % with probability 0.60"
    )
    assert "below_percent" not in outlook_record(left, LATENCY, None)
    assert outlook_record(None, LATENCY, 5.0) == {}
    assert outlook_text({}) == "too few trials to say what is left to be gained"


def test_a_linear_scale_counts_gains_by_the_incumbents_size() -> None:
    scale = Scale.of([-100.0, 50.0, 100.0], maximise=True)
    left = Outlook(np.array([0.5, 0.5]), scale.score(100.0))
    assert outlook_record(left, scale, None)["expected_percent"] == pytest.approx(50.0)

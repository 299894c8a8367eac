"""The replayer's JSON as a benchmark's result, and what of it is not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otterflow import settings as otterflow_settings
from otterflow.errors import BenchmarkFailed, NothingMeasured
from otterflow.measures.objective import InvalidResult, Objective
from otterflow.workloads.belief import believe
from otterflow.workloads.definition import RunPlan, load_benchmark
from otterflow.workloads.replay.output import MOST_CLASSES, read_mix, read_result
from otterflow.workloads.replay.replayer.mix.mix_outcome import covered, mix_record
from otterflow.workloads.replay.replayer.mix.mix_run import MixTally
from otterflow.workloads.replay.replayer.mix.store import Kind, Store
from otterflow.workloads.replay.replayer.mix.units import Out
from otterflow.workloads.replay.replayer.ran import Ran, Used
from otterflow.workloads.replay.replayer.server_times import ServerTimes
from otterflow.workloads.replay.replayer.settings import MixSettings
from otterflow.workloads.replay.replayer.tally import Tally
from tests.workloads.replay.test_parts import SETTINGS

SHIPPED = otterflow_settings.include_dir() / "benchmarks"


TOLD = {"read": True, "why_not": None, "classes": 1, "seconds": 0.1, "evicted": 0, "ambiguous": 0}


def left(calls: int = 200, classes: int = 2, **changes: Any) -> str:
    """What the replayer leaves after `calls` statements of each class, dealt out to classes of its own tally."""
    tally = Tally()
    for number in range(classes):
        for place in range(calls):
            tally.add(f"c{number:03}", 1.0 + place / 100 + number, 3, None)
    tally.add("c000", 0.0, 0, "40P01")
    times = tally.times
    record = {
        "format": 1, "schedule": "think", "factor": 1.0, "open_stream": False, "seconds": 20.0, "connections": 4,
        "statements": {
            "recorded": tally.done, "left_out": {}, "told": {}, "to_send": tally.done, "done": tally.done,
            "skipped_after_an_error": 0, "not_sent": 0,
        },
        "transactions": calls, "ended_by_replayer": 0, "errors": dict(tally.errors), "statements_per_s": 20.05,
        "transactions_per_s": calls / 20.0, "statement_seconds": times.total_ms / 1000, "latency_ms": times.summary(),
        "transaction_ms": {}, "lateness_ms": {"p99": 1.0}, "replayer": {"cpu_share": 0.1}, "cut": None, "driven": True,
        "not_driven": [], "server_times": TOLD,
        "classes": [{**each, "server": {"mean_ms": 0.5} if each["class"] == "c000" else None}
                    for each in tally.classes_json()], "other_classes": {"calls": 5, "seconds": 0.5, "rows": 7},
    } | changes  # fmt: skip
    return json.dumps(record)


def test_at_a_recorded_pace_there_are_times_and_no_throughput() -> None:
    result = read_result(left(), "")
    assert (result.throughput, result.errors, result.transactions, result.seconds) == (None, 1, 200, 20.0)
    assert result.total_time_s == pytest.approx((2 * 200 * 1.995 + 200) / 1000)
    assert list(result.latency_ms) == ["mean", "p50", "p95", "p99"]
    assert list(result.types) == ["c001", "c000"]
    one = result.types["c000"]
    assert (one["transactions"], one["errors"], one["rows"]) == (200, 1, 600)
    assert one["seconds"] == pytest.approx(0.399)
    assert {"mean", "p50", "p95", "p99"} < one.keys()
    assert one["server_mean"] == 0.5
    assert "server_mean" not in result.types["c001"]
    assert result.replay["errors"] == {"40P01": 1}
    assert result.replay["other_classes"] == {"calls": 5, "seconds": 0.5, "rows": 7}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"read": False, "why_not": "the extension is not there"}, "the extension is not there"),
        (
            {"evicted": 3},
            "the server's statistics of statements have lost 3 entries meanwhile; raise pg_stat_statements.max, or "
            "performance_schema_digests_size",
        ),
        ({"seconds": 0.0}, "the server has counted none of the statements"),
    ],
)
def test_the_servers_own_time_is_there_or_says_why_it_is_not(changes: dict[str, Any], why: str) -> None:
    result = read_result(left(server_times=TOLD | changes), "")
    assert result.server_time_s == (None if why else 0.1)
    assert result.absent.get("server_time", "") == why
    if why:
        with pytest.raises(InvalidResult, match=f"objective server_time: the benchmark's result has no .*: {why}"):
            Objective.server_time.read(result)
    else:
        assert Objective.server_time.read(result) == 0.1


def test_as_fast_as_possible_the_throughput_is_that_of_transactions() -> None:
    assert read_result(left(schedule="fast"), "").throughput == 10.0


def test_few_statements_have_no_percentiles() -> None:
    result = read_result(left(calls=8), "")
    assert list(result.latency_ms) == ["mean", "p50"]
    assert "16 latencies are too few for percentile 95" in result.absent["latency_p95"]
    assert "p95" not in result.types["c000"]


def test_what_a_trial_keeps_of_many_classes_is_bounded() -> None:
    result = read_result(left(calls=1, classes=MOST_CLASSES + 20), "")
    assert len(result.types) == MOST_CLASSES
    assert result.replay["other_classes"]["calls"] == 25
    assert result.replay["other_classes"]["rows"] == 67
    assert "c000" not in result.types, "those with the least time are added up"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "cut short, or none"),
        ("{}", "cut short, or none"),
        ("3", "cut short, or none"),
        (left(format=2), "format 2"),
        (left(cut="the deadline"), "ended by the deadline after 20 s: 0 of 401 statements"),
        (left(classes=2)[:-40], "cut short, or none"),
    ],
)
def test_what_is_no_result(text: str, said: str) -> None:
    with pytest.raises(BenchmarkFailed, match=said) as caught:
        read_result(text, "")
    assert not isinstance(caught.value, NothingMeasured)


def test_a_replay_that_could_not_be_driven_is_nobodys_lesson() -> None:
    with pytest.raises(NothingMeasured, match=r"the replayer was the limit.*97% of a core"):
        read_result(left(driven=False, not_driven=["the replayer's own processor time was 97% of a core"]), "")


def test_a_replay_that_did_not_begin_says_why() -> None:
    log = "replay: database: no connection to 'x' on h:1 (3D000: gone)\n\n"
    with pytest.raises(NothingMeasured, match="did not begin: database: no connection to 'x'"):
        read_result("", log)
    with pytest.raises(NothingMeasured, match="did not begin: it said nothing"):
        read_result("\n", "")


def mix_left(**changes: Any) -> str:
    """What the replayer leaves of a mix that did 200 transactions in its time."""
    tally = MixTally()
    for place in range(210):
        tally.add("c", 1.0 + place / 100, 1, None)
        tally.transactions.add(2.0 + place / 100)
    tally.add("c", 0.0, 0, "40P01")
    tally.transactions_in_time = 200
    with_times = Ran(tally, 20.0, [Used(0.3, 200, 0.0)], 4)
    settings = MixSettings(**SETTINGS, duration_s=20.0, rate=changes.pop("rate", None))
    return json.dumps(mix_record(with_times, store(), settings, ServerTimes(why_not="absent")) | changes)


def store() -> Store:
    """A store of which only the kinds are looked at."""
    made = Store.__new__(Store)
    made.kinds = [Kind(("c",), 900, 900, 9.0, ((0, 1),)), Kind(("d",), 1, 1, 0.5, ((1, 1),))]
    made.statements, made.seconds, made.settings = 1000, 10.0, Out(3, 0.0)
    made.left_out = {"copy": Out(96, 0.5)}
    return made


def test_a_mix_has_the_transactions_of_its_time() -> None:
    result = read_mix(mix_left(), "")
    assert (result.throughput, result.transactions, result.errors, result.seconds) == (10.0, 200, 1, 20.0)
    assert result.latency_ms["mean"] == pytest.approx(3.045, rel=0.01)
    assert list(result.latency_ms) == ["mean", "p50", "p95", "p99"]
    assert result.types["c"]["transactions"] == 210
    covers = result.replay["mix"]["covers"]
    assert (covers["by"], covers["share"], covers["drawn_share"]) == ("seconds", 0.95, 0.0)
    assert covers["left_out"] == {"copy": {"statements": 96, "share": 0.05}}
    believe(result, load_benchmark(SHIPPED / "mix.yaml"), RunPlan(duration_s=20.0))


def test_what_a_mix_covers_in_a_sentence() -> None:
    assert covered(store()) == "the mix covers 95.0% of the recorded seconds; left out: 96 statements: copy"


def test_at_a_rate_the_throughput_is_not_the_servers() -> None:
    assert read_mix(mix_left(rate=10.0), "").throughput is None


def test_a_mix_that_is_not_believed() -> None:
    with pytest.raises(BenchmarkFailed, match="the mix was ended by signal 15 after 20 s"):
        read_mix(mix_left(cut="signal 15"), "")
    with pytest.raises(NothingMeasured, match="the replayer was the limit"):
        read_mix(mix_left(driven=False, not_driven=["x"]), "")
    with pytest.raises(NothingMeasured, match="the replay did not begin"):
        read_mix("", "")

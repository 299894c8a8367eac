from __future__ import annotations

import json
import math
import random
from functools import cache

import numpy as np
import pytest

from otterflow.tuner.metrics import MIN_ROWS, Pruned, prune
from tests.captured import CAPTURED

METRICS = CAPTURED["metrics"]
ROWS = [
    {name: column[i] for name, column in METRICS.items() if column[i] is not None}
    for i in range(len(CAPTURED["values"]))
]


def made_up(
    rows: int = 40, groups: int = 4, each: int = 5, noise: float = 0.1, seed: int = 0
) -> list[dict[str, float]]:
    """Metrics `g<group>_<number>` that follow their group's factor, in different units, shapes and directions."""
    rng = np.random.default_rng(seed)
    columns = {}
    for g in range(groups):
        factor = rng.standard_normal(rows)
        for m in range(each):
            followed = (-1) ** m * factor + noise * rng.standard_normal(rows)
            columns[f"g{g}_{m}"] = [np.exp(followed), 5e6 + 1e6 * followed, followed**3][m % 3]
    return [dict(zip(columns, row, strict=True)) for row in np.array(list(columns.values())).T]


@cache
def of_the_capture() -> Pruned:
    return prune(ROWS)


@pytest.mark.slow
def test_known_groups_are_found_and_each_gives_one_metric() -> None:
    pruned = prune(made_up())
    assert len(pruned.names) == 4
    for name in pruned.names:
        assert {member[:2] for member in pruned.groups[name]} == {name[:2]}
        assert len(pruned.groups[name]) == 5
        assert pruned.groups[name][0] == name
    assert pruned.dropped == {}


@pytest.mark.slow
def test_every_metric_is_in_one_group_or_dropped() -> None:
    pruned = of_the_capture()
    told = [member for group in pruned.groups.values() for member in group]
    assert sorted([*told, *pruned.dropped]) == sorted(METRICS)
    assert set(pruned.names) == set(pruned.groups)
    sizes = [len(pruned.groups[name]) for name in pruned.names]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.slow
def test_the_order_of_rows_and_of_columns_does_not_matter() -> None:
    expected = of_the_capture()
    for seed in range(3):
        shuffled = [dict(random.Random(seed).sample(sorted(row.items()), len(row))) for row in ROWS]
        random.Random(seed).shuffle(shuffled)
        assert prune(shuffled) == expected


@pytest.mark.slow
def test_units_and_outliers_do_not_matter() -> None:
    rows = made_up()
    scaled = [{name: 8192.0 * value if name.startswith("g1") else value for name, value in row.items()} for row in rows]
    top = max(rows, key=lambda row: row["g0_0"])
    wild = [{**row, "g0_0": 1e15} if row is top else row for row in rows]
    assert prune(scaled) == prune(rows)
    assert prune(wild) == prune(rows)


@pytest.mark.slow
def test_metrics_that_tell_nothing_are_dropped_with_the_reason() -> None:
    rows = made_up(rows=20)
    for i, row in enumerate(rows):
        row |= {"constant": 3.0, "rare": float(i == 7), "steady": 1e6 + i, "varies": float(i % 5)}
        if i % 3 == 0:
            row["sometimes"] = float(i)
    dropped = prune(rows).dropped
    assert dropped == {
        "constant": "always 3",
        "rare": "0 in 19 of 20 trials",
        "steady": "within 0.1% of 1.00001e+06",
        "sometimes": "missing in 13 of 20 trials",
    }


@pytest.mark.slow
@pytest.mark.parametrize("gap", [math.nan, math.inf, -math.inf, None])
def test_a_gap_is_bridged_and_a_metric_of_gaps_is_dropped(gap: float | None) -> None:
    rows = made_up(rows=20)
    for i, row in enumerate(rows):
        row["never"] = math.nan
        if i == 4:
            row.pop("g2_1")
            if gap is not None:
                row["g2_1"] = gap
    pruned = prune(rows)
    assert pruned.dropped == {"never": "missing in 20 of 20 trials"}
    (group,) = (group for group in pruned.groups.values() if "g2_1" in group)
    assert {member[:2] for member in group} == {"g2"}


def test_metrics_that_are_copies_of_each_other_make_one_group() -> None:
    rows = [{**{f"copy{i}": float(r) for i in range(6)}, "other": float((7 * r) % 20)} for r in range(20)]
    groups = prune(rows).groups
    assert sorted(map(sorted, groups.values())) == [[f"copy{i}" for i in range(6)], ["other"]]


@pytest.mark.parametrize("n", [0, 1, MIN_ROWS - 1])
def test_with_few_trials_all_that_varies_is_kept(n: int) -> None:
    pruned = prune(made_up()[:n])
    assert pruned.rows == n
    assert len(pruned.names) == (20 if n > 1 else 0)
    assert all(group == (name,) for name, group in pruned.groups.items())


def test_one_or_two_metrics_are_kept() -> None:
    rows = [{"a": float(i), "b": float(-i)} for i in range(10)]
    assert prune(rows).names == ("a", "b")


@pytest.mark.slow
def test_a_real_servers_metrics_come_down_to_a_few_that_make_sense() -> None:
    pruned = of_the_capture()
    assert 5 <= len(pruned.names) <= 20
    assert len(pruned.dropped) > 50
    assert pruned.dropped["pg_stat_database.deadlocks"] == "always 0"

    def stands_for(metric: str) -> tuple[str, ...]:
        return next(group for group in pruned.groups.values() if metric in group)

    commits = stands_for("pg_stat_database.xact_commit")
    assert {"pg_stat_database.tup_updated", "pg_stat_user_tables.n_tup_ins", "pg_stat_statements.calls"} <= set(commits)
    assert "pg_stat_wal.wal_bytes" in stands_for("pg_wal.lsn_bytes")
    assert "pg_stat_database.blks_read" in stands_for("pg_statio_user_tables.heap_blks_read")
    assert "pg_stat_database.blks_read" not in commits


@pytest.mark.slow
def test_leaving_out_one_trial_changes_the_answer_little() -> None:
    """Agreement (Rand index) with the groups of all trials, over every trial left out in turn."""

    def partners(pruned: Pruned) -> set[tuple[str, str]]:
        of = {member: name for name, group in pruned.groups.items() for member in group}
        return {(a, b) for a in of for b in of if a < b and of[a] == of[b]}

    whole = partners(of_the_capture())
    alike = []
    for i in range(0, len(ROWS), 4):
        rest = partners(prune(ROWS[:i] + ROWS[i + 1 :]))
        alike.append(len(whole & rest) / len(whole | rest))
    assert np.mean(alike) > 0.5


@pytest.mark.slow
def test_the_answer_survives_json() -> None:
    pruned = of_the_capture()
    assert Pruned.from_dict(json.loads(json.dumps(pruned.as_dict()))) == pruned

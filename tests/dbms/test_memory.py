from __future__ import annotations

from dataclasses import replace

import pytest

from otterflow.dbms.postgresql.memory import MemoryPlan, fit_memory, memory_plan
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.space import Knob, KnobSpace, Value
from tests.knobs.values import GIB, MIB


def used_by(plan: MemoryPlan, name: str) -> float:
    per_unit, value = plan.uses[name]
    return per_unit * value


@pytest.fixture
def small() -> HostFacts:
    return HostFacts(ram_bytes=4 * GIB, cores=2, disk="ssd", max_connections=100, memory_share=0.5)


def test_the_plan_of_the_defaults_by_hand(live_values: dict[str, Value], facts: HostFacts) -> None:
    # 2 cores: 8 active sessions and max_parallel_workers = 8 helpers; work_mem 4 MB, hash_mem_multiplier 2
    expected = 128 * MIB  # shared_buffers
    expected += 4 * MIB  # wal_buffers
    expected += (8 + 8) * 4 * MIB * 3  # queries
    expected += 8 * 8 * MIB  # temp_buffers
    expected += 64 * MIB * (1 + 3)  # maintenance_work_mem, and three autovacuum workers with the same
    assert memory_plan({}, live_values, facts).total_bytes == expected


def test_autovacuum_memory_of_its_own(live_values: dict[str, Value], facts: HostFacts) -> None:
    default = memory_plan({}, live_values, facts).total_bytes
    own = memory_plan({"autovacuum_work_mem": 1024}, live_values, facts).total_bytes
    assert default - own == 3 * 63 * MIB


def test_automatic_wal_buffers_count_as_the_server_sets_them(live_values: dict[str, Value], facts: HostFacts) -> None:
    fixed = memory_plan({}, live_values, facts).total_bytes
    assert memory_plan({"wal_buffers": -1}, live_values, facts).total_bytes == fixed
    large = {"wal_buffers": -1, "shared_buffers": 524288}
    assert memory_plan(large, live_values, facts).fixed_bytes == 16 * MIB


def test_a_server_without_hash_mem_multiplier_counts_it_as_one(live_values: dict[str, Value], facts: HostFacts) -> None:
    older = {name: value for name, value in live_values.items() if name != "hash_mem_multiplier"}
    assert memory_plan({}, older, facts) == memory_plan({}, {**older, "hash_mem_multiplier": 1.0}, facts)


def test_few_connections_limit_what_is_active(live_values: dict[str, Value]) -> None:
    one = HostFacts(ram_bytes=GIB, cores=64, disk="ssd", max_connections=1)
    plan = memory_plan({"work_mem": 1024, "max_parallel_workers_per_gather": 2}, live_values, one)
    assert used_by(plan, "work_mem") == 3 * MIB * 3


def test_more_sessions_of_a_known_load_plan_for_more_and_fewer_for_no_less(
    facts: HostFacts, live_values: dict[str, Value]
) -> None:
    config = {"work_mem": 65536}
    usual = memory_plan(config, live_values, facts)
    assert memory_plan(config, live_values, replace(facts, sessions=1)) == usual
    assert memory_plan(config, live_values, replace(facts, sessions=64)).total_bytes > 4 * usual.total_bytes


def test_nothing_is_cut_within_the_budget(live_values: dict[str, Value], facts: HostFacts) -> None:
    assert fit_memory({"shared_buffers": 524288}, live_values, facts, None) == {}


def test_the_excessive_knob_pays_and_the_sensible_one_does_not(live_values: dict[str, Value], small: HostFacts) -> None:
    config: dict[str, Value] = {"shared_buffers": 65536, "work_mem": 4 * MIB}
    cut = fit_memory(config, live_values, small, None)
    assert list(cut) == ["work_mem"]
    assert memory_plan({**config, **cut}, live_values, small).total_bytes <= small.memory_budget_bytes
    assert memory_plan({**config, **cut}, live_values, small).total_bytes > 0.95 * small.memory_budget_bytes


def test_two_excessive_knobs_are_cut_to_one_level(live_values: dict[str, Value], small: HostFacts) -> None:
    config: dict[str, Value] = {"shared_buffers": 2**20, "work_mem": 4 * MIB}
    cut = fit_memory(config, live_values, small, None)
    plan = memory_plan({**config, **cut}, live_values, small)
    assert used_by(plan, "shared_buffers") == pytest.approx(used_by(plan, "work_mem"), rel=0.1)


def test_what_is_cut_is_a_whole_number_of_megabytes(live_values: dict[str, Value], small: HostFacts) -> None:
    cut = fit_memory({"shared_buffers": 2**20, "work_mem": 4096}, live_values, small, None)
    assert int(cut["shared_buffers"]) % 128 == 0


def test_no_knob_is_cut_below_its_range(live_values: dict[str, Value]) -> None:
    tiny = HostFacts(ram_bytes=256 * MIB, cores=2, disk="ssd", max_connections=100)
    space = KnobSpace([Knob("work_mem", "integer", 4096, low=1024, high=2**20, scale="log")])
    assert fit_memory({"work_mem": 2**20}, live_values, tiny, space) == {"work_mem": 1024}


def test_the_hash_factor_is_cut_where_work_mem_is_not_tuned(live_values: dict[str, Value], small: HostFacts) -> None:
    fixed = {**live_values, "work_mem": 32768}
    cut = fit_memory({"hash_mem_multiplier": 8.0}, fixed, small, None)
    assert 1.0 <= float(cut["hash_mem_multiplier"]) < 8.0
    assert memory_plan(cut, fixed, small).total_bytes <= small.memory_budget_bytes


def test_the_hash_factor_is_cut_last_where_work_mem_is_tuned(live_values: dict[str, Value]) -> None:
    tiny = HostFacts(ram_bytes=512 * MIB, cores=2, disk="ssd", max_connections=100)
    cut = fit_memory({"hash_mem_multiplier": 1000.0, "work_mem": 65536}, live_values, tiny, None)
    assert cut["hash_mem_multiplier"] == 1.0
    assert 64 <= int(cut["work_mem"]) < 65536

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otterflow.dbms.postgresql.constraints import repair
from otterflow.dbms.postgresql.memory import memory_plan
from otterflow.dbms.values import Repair
from otterflow.knobs.catalog import KnobCatalog, Risk
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.select import build_space
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Config, KnobSpace, Value
from tests.knobs.values import GIB, configs_of, demands_not_met, hosts


def test_a_sound_configuration_is_left_alone(live_values: dict[str, Value], facts: HostFacts) -> None:
    config: Config = {"shared_buffers": 524288, "work_mem": 65536, "max_wal_size": 8192, "min_wal_size": 2048}
    assert repair(config, live_values, facts) == (config, [])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"min_wal_size": 4096, "max_wal_size": 1024}, {"min_wal_size": 1024}),
        ({"min_wal_size": 4096}, {"min_wal_size": 1024}),
        ({"max_wal_size": 64}, {"max_wal_size": 80}),
        ({"min_wal_size": 2, "max_wal_size": 2}, {"min_wal_size": 32, "max_wal_size": 32}),
        ({"max_parallel_workers": 64}, {"max_parallel_workers": 8}),
        ({"max_parallel_workers": 64, "max_worker_processes": 32}, {"max_parallel_workers": 32}),
        ({"max_parallel_workers_per_gather": 20}, {"max_parallel_workers_per_gather": 8}),
        (
            {"max_parallel_workers_per_gather": 20, "max_parallel_workers": 16},
            {"max_parallel_workers": 8, "max_parallel_workers_per_gather": 8},
        ),
        ({"max_parallel_workers": 1}, {"max_parallel_workers": 2}),
        (
            {"max_parallel_workers": 0, "max_parallel_workers_per_gather": 4, "max_parallel_maintenance_workers": 4},
            {"max_parallel_workers_per_gather": 0, "max_parallel_maintenance_workers": 0},
        ),
        ({"max_worker_processes": 4}, {"max_worker_processes": 8}),
        ({"wal_level": "minimal"}, {"wal_level": "replica"}),
        ({"wal_level": "minimal", "max_wal_senders": 0}, {}),
        ({"wal_level": "minimal", "max_wal_senders": 5}, {"max_wal_senders": 0}),
        ({"superuser_reserved_connections": 200}, {"superuser_reserved_connections": 99}),
        ({"max_connections": 2}, {"max_connections": 4}),
    ],
)
def test_repairs(live_values: dict[str, Value], facts: HostFacts, config: Config, expected: Config) -> None:
    used, repairs = repair(config, live_values, facts)
    assert used == {**config, **expected}
    assert {r.knob: r.used for r in repairs} == expected
    assert repair(used, live_values, facts) == (used, [])


@pytest.mark.parametrize(
    ("live_now", "config", "expected"),
    [
        ({"archive_mode": "on"}, {"wal_level": "minimal", "max_wal_senders": 0}, {"wal_level": "replica"}),
        ({"summarize_wal": True}, {"wal_level": "minimal", "max_wal_senders": 0}, {"wal_level": "replica"}),
        ({"wal_level": "minimal", "max_wal_senders": 0}, {"max_wal_senders": 3}, {"max_wal_senders": 0}),
        ({"wal_level": "minimal", "max_wal_senders": 0}, {"work_mem": 4096}, {}),
        ({"autovacuum_worker_slots": 16}, {"autovacuum_max_workers": 20}, {"autovacuum_max_workers": 16}),
        ({"io_max_combine_limit": 16}, {"io_combine_limit": 128}, {"io_combine_limit": 16}),
        ({"transaction_buffers": 64}, {"transaction_buffers": 100}, {"transaction_buffers": 96}),
        ({"subtransaction_buffers": 64}, {"subtransaction_buffers": 9}, {"subtransaction_buffers": 16}),
        ({"transaction_buffers": 64}, {"transaction_buffers": 0}, {}),
        ({"reserved_connections": 0}, {"reserved_connections": 99}, {"reserved_connections": 96}),
        ({"wal_segment_size": 64 * 1024**2}, {"min_wal_size": 80}, {"min_wal_size": 128}),
    ],
)
def test_repairs_that_depend_on_the_server(
    live_values: dict[str, Value], facts: HostFacts, live_now: Config, config: Config, expected: Config
) -> None:
    used, repairs = repair(config, {**live_values, **live_now}, facts)
    assert used == {**config, **expected}
    assert len(repairs) == len(expected)


def test_wal_is_kept_from_filling_the_disk(live_values: dict[str, Value], facts: HostFacts) -> None:
    nearly_full = dataclasses.replace(facts, disk_free_bytes=4 * GIB)
    used, repairs = repair({"max_wal_size": 65536, "min_wal_size": 16384}, live_values, nearly_full)
    assert used == {"max_wal_size": 2048, "min_wal_size": 2048}
    assert "half of the free disk, 2048 MB" in repairs[0].reason


def test_a_repair_says_what_was_wanted_and_why(live_values: dict[str, Value], facts: HostFacts) -> None:
    _, repairs = repair({"min_wal_size": 4096}, live_values, facts)
    reason = "must not exceed max_wal_size = 1024: WAL kept for reuse cannot exceed what forces a checkpoint"
    assert repairs == [Repair("min_wal_size", 4096, 1024, reason)]


def test_the_memory_reason_tells_plan_and_budget(live_values: dict[str, Value], facts: HostFacts) -> None:
    _, repairs = repair({"work_mem": 4194304}, live_values, facts)
    assert repairs[0].knob == "work_mem"
    assert "may be planned" in repairs[0].reason
    assert "19661 MB (80% of the server's RAM)" in repairs[0].reason


@pytest.fixture(scope="module")
def everything(catalog: KnobCatalog, live: dict[str, LiveSetting], facts: HostFacts) -> KnobSpace:
    risks = [risk.value for risk in Risk]
    return build_space(catalog, live, facts, server_version=15, knob_set="all", risks_allowed=risks)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_configuration_of_the_space_is_repaired_within_it(
    data: st.DataObject, everything: KnobSpace, live_values: dict[str, Value], facts: HostFacts
) -> None:
    config = data.draw(configs_of(everything))
    used, repairs = repair(config, live_values, facts, space=everything)
    everything.validate(used)
    assert demands_not_met(used, live_values) == []
    assert memory_plan(used, live_values, facts).total_bytes <= facts.memory_budget_bytes
    assert {r.knob for r in repairs} == {name for name in config if config[name] != used[name]}
    assert repair(used, live_values, facts, space=everything) == (used, [])


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(data=st.data(), facts=hosts)
def test_on_any_host_a_repair_is_final_and_memory_is_cut_as_far_as_it_goes(
    data: st.DataObject,
    catalog: KnobCatalog,
    live: dict[str, LiveSetting],
    live_values: dict[str, Value],
    facts: HostFacts,
) -> None:
    risks = [risk.value for risk in Risk]
    space = build_space(catalog, live, facts, server_version=15, knob_set="all", risks_allowed=risks)
    used, _ = repair(data.draw(configs_of(space)), live_values, facts, space=space)
    assert repair(used, live_values, facts, space=space) == (used, [])
    plan = memory_plan(used, live_values, facts)
    at_least = all(
        used[name] == space[name].low or per_unit * value == 0
        for name, (per_unit, value) in plan.uses.items()
        if name in space
    )
    assert plan.total_bytes <= facts.memory_budget_bytes or at_least


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_only_tuned_knobs_are_changed(
    data: st.DataObject, everything: KnobSpace, live_values: dict[str, Value], facts: HostFacts
) -> None:
    whole = data.draw(configs_of(everything))
    some = data.draw(st.sets(st.sampled_from(everything.names), min_size=1))
    config = {name: whole[name] for name in some}
    used, _ = repair(config, live_values, facts)
    assert set(used) == some

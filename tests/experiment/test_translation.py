"""A configuration from one machine to another: shares keep their relation, the rest its value; what is left is said."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from otterflow.dbms.registry import dbms_named
from otterflow.dbms.values import WorkloadKind
from otterflow.experiment.translation import Machine, ToCarry, Translation, translate
from otterflow.knobs.catalog import KnobCatalog
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.setting import LiveSetting

GIB = 2**30
STAGING = HostFacts(16 * GIB, 8, "ssd", 100)
SHOP = HostFacts(64 * GIB, 32, "ssd", 100)
Live = dict[str, LiveSetting]


def machine(live: Live, facts: HostFacts = STAGING, version: int = 15) -> Machine:
    return Machine(facts, live, version)


def carry(
    config: dict[str, Any],
    live: Live,
    catalog: KnobCatalog,
    *,
    here: Machine | None = None,
    then: HostFacts | None = STAGING,
    restart: bool = True,
) -> Translation:
    measured = ToCarry(config, None if then is None else machine(live, then), "oltp")
    return translate(measured, here or machine(live, SHOP), dbms_named("postgresql"), catalog, restart=restart)


def reasons(translation: Translation) -> dict[str, str]:
    return {each.knob: each.why for each in translation.left}


def changed(setting: LiveSetting, **fields: Any) -> LiveSetting:
    return dataclasses.replace(setting, **fields)


def test_a_share_of_the_ram_keeps_its_relation_to_the_rules(live: Live, catalog: KnobCatalog) -> None:
    found = carry({"shared_buffers": 6 * GIB // 8192, "effective_cache_size": 8 * GIB // 8192}, live, catalog)
    assert found.config == {"shared_buffers": 24 * GIB // 8192, "effective_cache_size": 32 * GIB // 8192}
    (why,) = (each.why for each in found.carried if each.knob == "shared_buffers")
    assert why == "6GB where the rules say 4GB, and here they say 16GB: 4 times"


def test_what_is_no_share_of_the_machine_goes_over_as_it_is(live: Live, catalog: KnobCatalog) -> None:
    config = {"random_page_cost": 1.3, "jit": False, "checkpoint_timeout": 1800, "max_wal_size": 3072}
    found = carry(config, live, catalog)
    assert found.config == config
    assert {each.why for each in found.carried} == {"as measured"}


def test_the_room_on_the_disk_is_no_share_either(live: Live, catalog: KnobCatalog) -> None:
    little = dataclasses.replace(STAGING, disk_free_bytes=4 * GIB)
    assert carry({"max_wal_size": 3072}, live, catalog, then=little).config == {"max_wal_size": 3072}
    full = machine(live, dataclasses.replace(SHOP, disk_free_bytes=4 * GIB))
    (only,) = carry({"max_wal_size": 3072}, live, catalog, here=full).carried
    assert only.value == 2048
    assert "half of the free disk" in only.why


def test_workers_follow_the_cores(live: Live, catalog: KnobCatalog) -> None:
    found = carry({"max_parallel_workers": 6, "max_worker_processes": 48}, live, catalog)
    assert found.config["max_parallel_workers"] == 24


def test_special_values_mean_the_same_everywhere(live: Live, catalog: KnobCatalog) -> None:
    found = carry({"max_parallel_workers_per_gather": 0, "wal_skip_threshold": 0}, live, catalog)
    assert found.config["max_parallel_workers_per_gather"] == 0


def test_a_value_beyond_the_range_on_that_host_is_cut_and_said_so(live: Live, catalog: KnobCatalog) -> None:
    small = machine(live, HostFacts(2 * GIB, 2, "ssd", 100))
    (only,) = carry({"work_mem": 3 * 2**20}, live, catalog, here=small).carried  # 3 GB
    assert isinstance(only.value, int)
    assert only.value <= 256 * 1024
    assert "beyond the range on this host" in only.why or "may be planned" in only.why


def test_memory_is_within_what_may_be_planned_there(live: Live, catalog: KnobCatalog) -> None:
    small = machine(live, HostFacts(GIB, 2, "ssd", 100))
    found = carry({"shared_buffers": 8 * GIB // 8192, "work_mem": 2**18}, live, catalog, here=small)
    assert any("may be planned" in each.why for each in found.carried)


def test_what_the_disk_decides_does_not_carry_over_to_another_kind(live: Live, catalog: KnobCatalog) -> None:
    spinning = machine(live, dataclasses.replace(SHOP, disk="hdd"))
    found = carry(
        {"random_page_cost": 1.2, "effective_io_concurrency": 100, "jit": False}, live, catalog, here=spinning
    )
    assert found.config == {"jit": False}
    said = "it was measured on ssd, and here the disk is hdd"
    assert reasons(found) == {"random_page_cost": said, "effective_io_concurrency": said}


def test_what_the_other_version_lacks_or_has_otherwise_is_left_behind(live: Live, catalog: KnobCatalog) -> None:
    older = {name: setting for name, setting in live.items() if name != "hash_mem_multiplier"}
    older["wal_compression"] = changed(live["wal_compression"], vartype="bool", value=False)
    config = {"hash_mem_multiplier": 2.0, "wal_compression": "lz4", "port": 5433}
    found = carry(config, live, catalog, here=machine(older, SHOP, 12))
    assert found.config == {}
    assert reasons(found) == {
        "hash_mem_multiplier": "this server (version 12) has no such setting",
        "wal_compression": "it is of another type here (bool, and enum where it was measured)",
        "port": "it is not tuned on this server (version 12)",
    }


def test_a_method_that_is_not_built_in_there_is_left_behind(live: Live, catalog: KnobCatalog) -> None:
    without = live | {"wal_compression": changed(live["wal_compression"], enumvals=("pglz", "on", "off"))}
    found = carry({"wal_compression": "lz4"}, live, catalog, here=machine(without, SHOP))
    assert reasons(found) == {"wal_compression": "this server does not know the value; it has pglz, on, off"}


def test_another_block_size_is_another_number_for_the_same_size(live: Live, catalog: KnobCatalog) -> None:
    larger = live | {"shared_buffers": changed(live["shared_buffers"], unit="16kB")}
    found = carry({"shared_buffers": 4 * GIB // 8192}, live, catalog, here=machine(larger))
    assert found.config == {"shared_buffers": 4 * GIB // 16384}


def test_without_a_restart_what_takes_one_is_left_behind(live: Live, catalog: KnobCatalog) -> None:
    found = carry({"shared_buffers": 6 * GIB // 8192, "jit": False}, live, catalog, restart=False)
    assert found.config == {"jit": False}
    assert reasons(found) == {"shared_buffers": "it takes a restart, which was not allowed in the form"}


def test_what_is_in_force_already_is_no_change(live: Live, catalog: KnobCatalog) -> None:
    found = carry({"jit": live["jit"].value, "checkpoint_timeout": 1800}, live, catalog)
    assert found.same == ("jit",)
    assert found.config == {"checkpoint_timeout": 1800}


def test_values_that_a_person_gives_are_taken_as_they_are(live: Live, catalog: KnobCatalog) -> None:
    found = carry({"work_mem": 65536, "shared_buffers": 6 * GIB // 8192}, live, catalog, then=None)
    assert found.config == {"work_mem": 65536, "shared_buffers": 6 * GIB // 8192}
    assert {each.why for each in found.carried} == {"as given"}


def test_a_risk_is_named(live: Live, catalog: KnobCatalog) -> None:
    (only,) = carry({"synchronous_commit": "off"}, live, catalog).carried
    assert only.risk == "durability"


@settings(max_examples=15)
@given(
    kind=st.sampled_from(list(WorkloadKind)),
    ram=st.integers(1, 512),
    cores=st.integers(1, 128),
    other_ram=st.integers(1, 512),
    share=st.floats(0.05, 0.4),
)
def test_there_and_back_again_on_one_machine_is_the_same(
    live: Live, catalog: KnobCatalog, kind: WorkloadKind, ram: int, cores: int, other_ram: int, share: float
) -> None:
    """Onto an equal machine nothing is scaled; onto any, what comes out is within what may be planned there."""
    facts = HostFacts(ram * GIB, cores, "ssd", 100)
    wanted = max(64, round(share * ram * GIB / 2**20)) * 128  # whole MB of those that are tuned, in blocks
    measured = ToCarry({"shared_buffers": wanted}, machine(live, facts), kind.value)
    dbms = dbms_named("postgresql")
    same = translate(measured, machine(live, facts), dbms, catalog, restart=True)
    value = same.config.get("shared_buffers", wanted)
    if value != wanted:  # on a small machine the connections leave no room for a larger share
        assert int(value) < wanted
        assert "may be planned" in same.carried[0].why
    there = translate(
        measured, machine(live, HostFacts(other_ram * GIB, cores, "ssd", 100)), dbms, catalog, restart=True
    )
    scaled = there.config.get("shared_buffers")
    assert scaled is None or float(scaled) * 8192 <= other_ram * GIB * 0.8

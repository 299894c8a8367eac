from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from otterflow.errors import InvalidInput
from otterflow.knobs.catalog import KnobCatalog, TunableKnob
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.select import build_space
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import KnobSpace
from tests.knobs.values import hosts, with_fields


@pytest.fixture
def build(catalog: KnobCatalog, live: dict[str, LiveSetting], facts: HostFacts) -> Callable[..., KnobSpace]:
    def built(**options: Any) -> KnobSpace:
        given_live = options.pop("live", live)
        given_catalog = options.pop("catalog", catalog)
        defaults: dict[str, Any] = {"server_version": 15, "knob_set": "core"}
        return build_space(given_catalog, given_live, facts, **{**defaults, **options})

    return built


def refused(build: Any, **options: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        build(**options)
    return str(caught.value)


def with_entry(catalog: KnobCatalog, name: str, **fields: Any) -> KnobCatalog:
    knobs = tuple(
        TunableKnob.model_validate({**knob.model_dump(), **fields}) if knob.name == name and knob.covers(15) else knob
        for knob in catalog.knobs
    )
    return catalog.model_copy(update={"knobs": knobs})


def test_sets_grow_and_leave_locked_knobs_out(build: Any) -> None:
    core, extended, every = (build(knob_set=name) for name in ("core", "extended", "all"))
    assert set(core.names) < set(extended.names) < set(every.names)
    assert len(every) >= 60
    assert "synchronous_commit" not in every
    assert "enable_seqscan" not in every


def test_the_default_is_the_value_in_force(build: Any, live: dict[str, LiveSetting]) -> None:
    default = build(knob_set="all").baseline()
    assert default == {name: live[name].value for name in default}


def test_a_value_in_force_outside_of_the_range_widens_it(build: Any, live: dict[str, LiveSetting]) -> None:
    odd = {
        **live,
        "work_mem": with_fields(live["work_mem"], setting="64"),
        "max_wal_size": with_fields(live["max_wal_size"], setting="999999"),
        "wal_compression": with_fields(live["wal_compression"], setting="on"),
    }
    space = build(live=odd)
    assert (space["work_mem"].low, space["work_mem"].baseline) == (64, 64)
    assert space["max_wal_size"].high == 999999
    assert space["wal_compression"].values == ("off", "pglz", "lz4", "zstd", "on")
    space.validate(space.baseline())


def test_a_special_value_in_force_does_not_widen_the_range(build: Any, live: dict[str, LiveSetting]) -> None:
    odd = {**live, "effective_io_concurrency": with_fields(live["effective_io_concurrency"], setting="0")}
    knob = build(live=odd)["effective_io_concurrency"]
    assert (knob.low, knob.special, knob.baseline) == (1, (0,), 0)


def test_a_special_value_that_comes_to_lie_in_the_range_is_an_ordinary_one(
    build: Any, live: dict[str, LiveSetting]
) -> None:
    odd = {**live, "jit_above_cost": with_fields(live["jit_above_cost"], setting="-0.5", min_val="-0.5")}
    knob = build(live=odd, extra=["jit_above_cost"])["jit_above_cost"]
    assert (knob.low, knob.special) == (-0.5, ())


def test_ranges_are_clipped_to_the_servers_limits(build: Any, live: dict[str, LiveSetting]) -> None:
    odd = {**live, "work_mem": with_fields(live["work_mem"], min_val="2048", max_val="8192")}
    assert (build(live=odd)["work_mem"].low, build(live=odd)["work_mem"].high) == (2048, 8192)


def test_ranges_follow_the_servers_own_unit(build: Any, live: dict[str, LiveSetting]) -> None:
    odd = {**live, "shared_buffers": with_fields(live["shared_buffers"], unit="16kB", setting="8192")}
    assert build(live=odd)["shared_buffers"].high == build()["shared_buffers"].high // 2


def test_a_range_wholly_outside_of_the_servers_is_refused(build: Any, catalog: KnobCatalog) -> None:
    message = refused(build, catalog=with_entry(catalog, "hash_mem_multiplier", min="2000", max="3000"))
    assert "hash_mem_multiplier: the catalog's range 2000 to 3000 lies wholly outside the server's 1 to 1000" in message


def test_a_knob_that_the_server_ignores_beside_another_is_not_tuned(build: Any, catalog: KnobCatalog) -> None:
    beside = with_entry(catalog, "work_mem", unless="shared_buffers")
    assert "work_mem" not in build(catalog=beside)
    message = refused(build, catalog=beside, extra=["work_mem"])
    assert "the server has 'shared_buffers', and ignores 'work_mem'; use 'shared_buffers'" in message
    assert "work_mem" in build(catalog=with_entry(catalog, "work_mem", unless="not_there"))


def test_an_enum_value_that_does_not_exist_is_refused(build: Any, catalog: KnobCatalog) -> None:
    message = refused(build, catalog=with_entry(catalog, "wal_compression", values=("off", "gzip")))
    assert "wal_compression.values: 'gzip' is not known to the server; the server has pglz, lz4" in message


def test_an_optional_enum_value_is_left_out_where_the_build_lacks_it(build: Any, live: dict[str, LiveSetting]) -> None:
    odd = {**live, "wal_compression": with_fields(live["wal_compression"], enumvals=("pglz", "on", "off"))}
    assert build(live=odd)["wal_compression"].values == ("off", "pglz")


def test_another_type_than_the_servers_is_refused(build: Any, live: dict[str, LiveSetting]) -> None:
    odd = {**live, "work_mem": with_fields(live["work_mem"], vartype="string")}
    assert "work_mem.type: the catalog says 'integer', the server 'string'" in refused(build, live=odd)


def test_extra_and_excluded_knobs(build: Any) -> None:
    space = build(extra=["geqo"], excluded=["jit", "work_mem"])
    assert "geqo" in space
    assert "jit" not in space
    assert len(space) == len(build()) - 1


def test_a_risk_class_is_unlocked_by_name(build: Any) -> None:
    assert "synchronous_commit" in build(risks_allowed=["durability"])
    assert "fsync" not in build(risks_allowed=["durability"])
    assert "fsync" in build(risks_allowed=["durability"], extra=["fsync"])
    assert "enable_seqscan" not in build(knob_set="all", risks_allowed=["durability"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"knob_set": "huge"}, ["knob_set: 'huge' is unknown", "core, extended, all"]),
        ({"risks_allowed": ["fun"]}, ["risks_allowed: 'fun' is unknown", "durability"]),
        ({"extra": ["shared_bufers"]}, ["extra_knobs", "'shared_bufers'", "did you mean shared_buffers"]),
        ({"excluded": ["work_men"]}, ["excluded_knobs", "'work_men'", "did you mean work_mem"]),
        ({"extra": ["xyzzy"]}, ["extra_knobs", "'xyzzy'", "see the knob catalog"]),
        ({"extra": ["fsync"]}, ["'fsync' is locked", "'durability'", "risks_allowed"]),
        ({"extra": ["autovacuum"]}, ["'autovacuum' is not tuned", "decays"]),
        ({"extra": ["jit"], "excluded": ["jit"]}, ["extra_knobs and excluded_knobs: 'jit' is in both"]),
        ({"server_version": 11}, ["server_version: 11 is not known", "12 to 18"]),
        ({"server_version": 18, "extra": ["io_method"]}, ["'io_method' is not a setting of this server"]),
    ],
)
def test_what_cannot_be_asked_for_is_refused(build: Any, options: dict[str, Any], words: list[str]) -> None:
    message = refused(build, **options)
    for word in words:
        assert word in message


def test_an_empty_space_is_refused(build: Any) -> None:
    assert "holds no knob" in refused(build, excluded=list(build().names))


def test_all_wrong_fields_are_listed(build: Any) -> None:
    message = refused(build, knob_set="huge", extra=["fsync", "nope_nope"], excluded=["work_men"])
    assert len(message.splitlines()) == 4


def test_a_setting_without_an_entry_cannot_be_tuned(build: Any, live: dict[str, LiveSetting]) -> None:
    odd = {**live, "auto_explain.level": with_fields(live["work_mem"], name="auto_explain.level")}
    assert "the catalog has no tuning range" in refused(build, live=odd, extra=["auto_explain.level"])


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(facts=hosts)
def test_every_host_gets_a_space_that_holds_its_baseline(
    catalog: KnobCatalog, live: dict[str, LiveSetting], facts: HostFacts
) -> None:
    space = build_space(catalog, live, facts, server_version=15, knob_set="all", risks_allowed=["durability"])
    space.validate(space.baseline())
    assert KnobSpace.from_records(space.records()) == space
    for knob in space:
        if knob.is_numeric:
            assert live[knob.name].minimum <= knob.low <= knob.high <= live[knob.name].maximum  # type: ignore[operator]


def test_a_live_server_is_tuned_by_reloads_only(build: Any, live: dict[str, LiveSetting]) -> None:
    space = build(knob_set="all", reload_only=True)
    assert {live[name].row["context"] for name in space.names} <= {"sighup", "superuser", "user"}
    assert "shared_buffers" not in space
    assert "work_mem" in space
    message = refused(build, reload_only=True, extra=["work_mem", "shared_buffers"])
    assert message.startswith("extra_knobs: 'shared_buffers' comes into force by a restart")
    assert len(message.splitlines()) == 1

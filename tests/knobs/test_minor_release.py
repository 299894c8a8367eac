"""A minor release that nobody has seen yet: settings added, removed, renamed, of another type, unit or range.

Whatever it does to a setting that is not tuned, a target must not be refused for it.
"""

from __future__ import annotations

from typing import Any

import pytest

from otterflow.dbms.postgresql.constraints import repair
from otterflow.dbms.postgresql.rules import rule_based
from otterflow.dbms.postgresql.spelling import display
from otterflow.errors import InvalidInput
from otterflow.knobs.catalog import KnobCatalog, catalog_gaps
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.select import build_space, restrict
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import KnobSpace
from tests.knobs.values import with_fields

Live = dict[str, LiveSetting]


def chosen(catalog: KnobCatalog, live: Live, facts: HostFacts, *excluded: str, knob_set: str = "core") -> KnobSpace:
    """The space, and with it all else that `check_target` works out from the settings."""
    space = build_space(catalog, live, facts, server_version=15, knob_set=knob_set, excluded=excluded)
    values = {name: setting.value for name, setting in live.items()}
    ruled = rule_based(facts, "mixed", live, server_version=15)
    config, _ = repair(restrict(ruled.config, space), values, facts, space=space)
    space.validate(config)
    for name, setting in live.items():
        assert display(values[name], setting) is not None
    return space


def test_settings_that_the_catalog_does_not_know_are_left_alone(
    catalog: KnobCatalog, live: Live, facts: HostFacts
) -> None:
    new = {
        **live,
        "brand_new": with_fields(live["work_mem"], name="brand_new"),
        "a_new_kind": with_fields(live["work_mem"], name="a_new_kind", vartype="duration", setting="PT1H"),
        "a_new_unit": with_fields(live["work_mem"], name="a_new_unit", unit="pages", setting="12"),
        "extension.setting": with_fields(live["work_mem"], name="extension.setting"),
    }
    assert chosen(catalog, new, facts) == chosen(catalog, live, facts)
    (sentence,) = catalog_gaps(catalog, new, 15, tuned=()).sentences()
    assert sentence.endswith("are left alone: a_new_kind, a_new_unit, brand_new")


@pytest.mark.parametrize("name", ["work_mem", "jit", "wal_compression", "shared_buffers", "max_wal_size"])
def test_a_knob_that_is_gone_or_renamed_is_not_tuned(
    catalog: KnobCatalog, live: Live, facts: HostFacts, name: str
) -> None:
    gone = {other: setting for other, setting in live.items() if other != name}
    renamed = {**gone, f"{name}_new": with_fields(live[name], name=f"{name}_new")}
    without = chosen(catalog, gone, facts, knob_set="all")
    assert set(chosen(catalog, live, facts, knob_set="all").names) - set(without.names) == {name}
    assert chosen(catalog, renamed, facts, knob_set="all") == without
    unknown, absent = catalog_gaps(catalog, renamed, 15, without.names).sentences()
    assert f"{name}_new" in unknown
    assert absent.endswith(f"they are not tuned: {name}")


OTHER: dict[str, tuple[str, dict[str, Any]]] = {
    "type": ("work_mem", {"vartype": "string"}),
    "unknown type": ("work_mem", {"vartype": "duration"}),
    "unit": ("max_wal_size", {"unit": "ms"}),
    "unknown unit": ("max_wal_size", {"unit": "pages"}),
    "no unit": ("effective_cache_size", {"unit": None}),
    "range": ("effective_io_concurrency", {"min_val": "5000", "max_val": "9000", "setting": "5000"}),
    "no range": ("random_page_cost", {"min_val": None, "max_val": None}),
    "boolean made an enum": ("jit", {"vartype": "enum", "setting": "auto", "enumvals": ("auto", "on", "off")}),
    "values": ("wal_compression", {"setting": "on", "enumvals": ("on", "off")}),
}


@pytest.mark.parametrize("kind", OTHER)
def test_a_setting_that_has_changed_refuses_only_where_it_is_tuned(
    catalog: KnobCatalog, live: Live, facts: HostFacts, kind: str
) -> None:
    name, changes = OTHER[kind]
    odd = {**live, name: with_fields(live[name], **changes)}
    with pytest.raises(InvalidInput) as refused:
        chosen(catalog, odd, facts)
    assert {problem.field.partition(".")[0] for problem in refused.value.problems} == {name}
    assert f"put {name} into excluded_knobs" in str(refused.value)
    left = chosen(catalog, odd, facts, name)
    assert set(left.names) == set(chosen(catalog, live, facts).names) - {name}


@pytest.mark.parametrize("kind", OTHER)
def test_what_differs_and_is_not_tuned_is_a_line_in_the_log(
    catalog: KnobCatalog, live: Live, facts: HostFacts, kind: str
) -> None:
    name, changes = OTHER[kind]
    odd = {**live, name: with_fields(live[name], **changes)}
    sentences = catalog_gaps(catalog, odd, 15, chosen(catalog, odd, facts, name).names).sentences()
    expected = 0 if kind in ("range", "no range") else 1  # ranges are read from the server alone
    assert len(sentences) == expected
    assert all(name in sentence and "does no harm" in sentence for sentence in sentences)


def test_all_of_it_at_once(catalog: KnobCatalog, live: Live, facts: HostFacts) -> None:
    odd = {**live, "brand_new": with_fields(live["work_mem"], name="brand_new")}
    for name, changes in OTHER.values():
        odd[name] = with_fields(live[name], **changes)
    del odd["shared_buffers"]
    space = chosen(catalog, odd, facts, *{name for name, _ in OTHER.values()})
    assert len(space) == len(chosen(catalog, live, facts)) - len({name for name, _ in OTHER.values()}) - 1

"""The knobs against a real server: what it reports, spells, accepts and starts with."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from otterflow.dbms.postgresql.constraints import repair
from otterflow.dbms.postgresql.rules import rule_based
from otterflow.dbms.postgresql.spelling import canonical, display, parse, render
from otterflow.errors import InvalidInput
from otterflow.knobs.catalog import KnobCatalog, catalog_gaps
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.select import build_space, restrict
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Config, Value
from stack.postgres import PrivateCluster
from tests.knobs.server import (
    Server,
    as_a_session_reads,
    as_the_server_reads,
    assert_in_force,
    everything,
    random_config,
    shown_to_a_session,
    unusual_values,
)
from tests.knobs.values import demands_not_met

pytestmark = pytest.mark.integration

NOT_IN_A_FILE = {"config_file", "transaction_deferrable", "transaction_isolation", "transaction_read_only"}
"""Settings that the server takes from a session or its command line alone (GUC_DISALLOW_IN_FILE)."""

KERNEL_LIMITS = {"max_stack_depth": 7000}
"""Settings whose upper limit is the kernel's, below what pg_settings says."""


@pytest.fixture
def server(cluster: PrivateCluster) -> Iterator[Server]:
    """The server with its defaults in force; put back afterwards."""
    yield Server(cluster)
    if cluster.knobs_file.exists():
        cluster.knobs_file.unlink()
        cluster.restart()


@pytest.fixture
def host() -> HostFacts:
    """This machine."""
    ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return HostFacts(ram_bytes=ram, cores=os.cpu_count() or 1, disk="ssd", max_connections=100)


def test_catalog_and_server_agree_and_every_setting_has_an_entry(server: Server, catalog: KnobCatalog) -> None:
    live, tunable = server.settings(), catalog.tunable(server.version)
    assert catalog_gaps(catalog, live, server.version, tuned=()).sentences() == []
    assert {name: live[name].needs_restart for name in tunable} == {n: knob.restart for n, knob in tunable.items()}


def test_every_value_in_force_is_taken_back_from_a_file(server: Server) -> None:
    settings = server.settings()
    in_file = {n: s.value for n, s in settings.items() if s.row["context"] != "internal" and n not in NOT_IN_A_FILE}
    server.restart_with(in_file, settings)
    errors = server.query("SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL")
    after = server.settings()
    assert errors == []
    assert {n: after[n].text for n in settings} == {n: s.text for n, s in settings.items()}
    applied = {name for (name,) in server.query("SELECT name FROM pg_file_settings WHERE applied")}
    assert set(in_file) <= applied


def numeric_samples(setting: LiveSetting, rng: random.Random) -> list[Value]:
    """Limits, and values between them on a logarithmic scale."""
    low, high = setting.minimum, KERNEL_LIMITS.get(setting.name, setting.maximum)
    assert low is not None
    assert high is not None
    span = min(float(high), 1e15) - low
    between = [low + (span ** rng.random() if span > 1 else span * rng.random()) for _ in range(4)]
    if setting.vartype == "integer":
        return [int(low), int(high), *(int(v) for v in between)]
    return [float(low), *(float(f"{v:.6g}") for v in between)]


def test_every_numeric_session_setting_reads_back_what_was_rendered(server: Server) -> None:
    rng = random.Random(12)
    settings = server.settings()
    tried = 0
    with server.cluster.connect("postgres") as connection:
        for setting in settings.values():
            if setting.vartype not in ("integer", "real") or not shown_to_a_session(setting):
                continue
            for value in numeric_samples(setting, rng):
                shown = display(value, setting)
                found = as_a_session_reads(connection, setting.name, shown)
                assert canonical(found, setting) == value, (setting.name, shown)
                assert parse(render(value, setting), setting) == value
                tried += 1
    assert tried > 300


def test_every_numeric_server_setting_reads_back_what_was_rendered(server: Server) -> None:
    """Settings that no session may set: the server program itself says what it would make of the file's spelling."""
    rng = random.Random(15)
    settings = server.settings()
    numeric = [
        s
        for s in settings.values()
        if s.vartype in ("integer", "real") and s.row["context"] != "internal" and not shown_to_a_session(s)
    ]
    assert len(numeric) > 60
    for setting in numeric:
        value = rng.choice(numeric_samples(setting, rng)[1:])
        found = as_the_server_reads(server, setting, value)
        assert canonical(found, setting) == value, (setting.name, display(value, setting))


SPELLINGS = [
    "1.5GB", "30.1GB", "0.5kB", "1.7kB", "12kB", "100", " 100 ", "1e3", "1.5e2", "0x40", "0100", "-1", "+5", "4 MB",
    "4mb", "4KB", "1TB", "2.5", "3.5", "1h", "90min", "1.5min", "1.7us", "1500us", "2500us", "0.1s", "1d", "1 d", "5 m",
    "", "lots", "1,5", "1 2", ".5", "5.", "0x", "1e", "1GB2", "--1",
]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["work_mem", "temp_buffers", "wal_skip_threshold", "log_parameter_max_length_on_error", "statement_timeout",
     "idle_session_timeout", "vacuum_cost_delay", "geqo_threshold", "random_page_cost", "min_parallel_table_scan_size"],
)  # fmt: skip
def test_spellings_are_understood_as_the_server_does(server: Server, name: str) -> None:
    setting = server.settings()[name]
    agreed = 0
    with server.cluster.connect("postgres") as connection:
        for text in SPELLINGS:
            try:
                found = as_a_session_reads(connection, name, text)
            except psycopg.errors.InvalidParameterValue as error:
                if "outside the valid range" not in str(error) and "exceeds integer range" not in str(error):
                    with pytest.raises(InvalidInput):
                        parse(text, setting)
                continue
            assert f"{parse(text, setting):g}" == f"{canonical(found, setting):g}", text
            agreed += 1
    assert agreed >= 5


@pytest.mark.parametrize(
    "text", ["on", "OFF", "t", "f", "tr", "yes", "n", "1", "0", "of", "o", "", "2", "onn", "' on '"]
)
def test_booleans_are_understood_as_the_server_does(server: Server, text: str) -> None:
    setting = server.settings()["jit"]
    with server.cluster.connect("postgres") as connection:
        try:
            found = as_a_session_reads(connection, "jit", text)
        except psycopg.errors.InvalidParameterValue:
            with pytest.raises(InvalidInput):
                parse(text, setting)
            return
    assert found == display(parse(text, setting), setting)


def test_every_enum_and_special_value_reads_back_itself(server: Server, catalog: KnobCatalog, host: HostFacts) -> None:
    """A value that the server replaces by another would look as if it had not been applied."""
    settings = server.settings()
    for knob in everything(server, catalog, host):
        for value in unusual_values(knob):
            found = as_the_server_reads(server, settings[knob.name], value)
            assert canonical(found, settings[knob.name]) == value, (knob.name, value)


def test_the_server_starts_with_any_repaired_configuration(
    server: Server, catalog: KnobCatalog, host: HostFacts
) -> None:
    settings = server.settings()
    live_values = {name: setting.value for name, setting in settings.items()}
    space = everything(server, catalog, host)
    for seed in range(15):
        config, _ = repair(random_config(space, random.Random(seed)), live_values, host, space=space)
        assert demands_not_met(config, live_values) == [], seed
        server.restart_with(config, settings)
        assert_in_force(server, config)


@pytest.mark.parametrize("kind", ["oltp", "web", "analytics", "mixed"])
def test_the_server_starts_with_the_rules(server: Server, catalog: KnobCatalog, host: HostFacts, kind: Any) -> None:
    settings = server.settings()
    live_values = {name: setting.value for name, setting in settings.items()}
    space = build_space(catalog, settings, host, server_version=server.version, knob_set="all")
    rules = rule_based(host, kind, settings, server_version=server.version)
    config, repairs = repair(restrict(rules.config, space), live_values, host, space=space)
    assert repairs == []
    server.restart_with(config, settings)
    assert_in_force(server, config)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"min_wal_size": 16}, "min_wal_size"),
        ({"wal_level": "minimal"}, "max_wal_senders"),
    ],
)
def test_what_is_repaired_would_not_start(server: Server, host: HostFacts, broken: Config, said: str) -> None:
    settings = server.settings()
    live_values = {name: setting.value for name, setting in settings.items()}
    with pytest.raises(Exception, match=said):
        server.restart_with(broken, settings)
    config, repairs = repair(broken, live_values, host)
    assert [r.knob for r in repairs] == list(broken)
    server.restart_with(config, settings)
    assert_in_force(server, config)

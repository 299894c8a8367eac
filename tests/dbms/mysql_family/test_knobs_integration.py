"""The knobs against real servers: what they report, take, round and start with."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pymysql
import pytest

from otterflow.dbms.mysql_family.constraints import repair
from otterflow.dbms.mysql_family.rows import AT_A_START
from otterflow.dbms.values import WorkloadKind
from otterflow.errors import ServerCrashed
from otterflow.knobs.catalog import Risk, catalog_gaps
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.select import build_space, restrict
from otterflow.knobs.space import Config
from tests.dbms.mysql_family.servers import (
    ALL,
    Server,
    as_asked,
    catalog_of,
    differing,
    everything,
    random_config,
    running,
)

pytestmark = pytest.mark.integration

GIB = 1024**3
READ_ONLY = 1238
"""The error of a SET for a setting that cannot be changed while the server runs."""
GLOBAL_ALONE = 1229
"""The error of a session's SET for what is the server's alone."""


@pytest.fixture(scope="module", params=list(ALL))
def made(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(request.param) as server:
        yield server


@pytest.fixture
def server(made: Server) -> Server:
    """The server with its defaults in force."""
    made.with_defaults()
    return made


@pytest.fixture
def host() -> HostFacts:
    """This machine with little of its memory: a start writes the redo in full."""
    return HostFacts(ram_bytes=2 * GIB, cores=os.cpu_count() or 1, disk="ssd", max_connections=151)


def answer_to_a_set(server: Server, scope: str, name: str) -> int:
    """The error's number of a SET to what is in force; 0 where it is taken."""
    try:
        server.query(f"SET {scope} {name} = @@GLOBAL.{name}")
    except pymysql.MySQLError as error:
        return int(error.args[0])
    return 0


def test_catalog_and_server_agree_and_every_setting_has_an_entry(server: Server) -> None:
    live, catalog = server.settings(), catalog_of(server.dbms)
    assert catalog_gaps(catalog, live, server.version, tuned=()).unknown == ()
    assert catalog_gaps(catalog, live, server.version, tuned=()).differing == ()
    assert len(catalog.tunable(server.version).keys() & live.keys()) > 80


def test_what_takes_a_restart_is_known(server: Server) -> None:
    """MySQL tells it nowhere; the server is asked to set each knob to what it is."""
    live = server.settings()
    known = {n: k.restart for n, k in catalog_of(server.dbms).tunable(server.version).items() if n in live}
    assert {name: answer_to_a_set(server, "GLOBAL", name) == READ_ONLY for name in known} == known
    assert {name: live[name].needs_restart for name in known} == known, "and so say a report and a promotion"


def test_what_a_session_has_too_is_known(server: Server) -> None:
    """MySQL 8 tells it nowhere; a session is asked to set each knob that can be changed while the server runs."""
    live = server.settings()
    knobs = catalog_of(server.dbms).tunable(server.version)
    known = {name: knob.session for name, knob in knobs.items() if name in live and not knob.restart}
    assert {name: answer_to_a_set(server, "SESSION", name) != GLOBAL_ALONE for name in known} == known


def test_every_enum_and_special_value_reads_back_itself(server: Server, host: HostFacts) -> None:
    """A value that the server replaces by another would look as if it had not been applied."""
    settings, space = server.settings(), everything(server, host)
    choices = {knob.name: [*knob.values, *knob.special] for knob in space}
    for position in range(max(map(len, choices.values()))):
        config = {name: values[position] for name, values in choices.items() if position < len(values)}
        assert differing(config, server.restart_with(config, settings)) == {}


def test_the_server_starts_with_any_repaired_configuration_and_changes_nothing(server: Server, host: HostFacts) -> None:
    settings, space = server.settings(), everything(server, host)
    live_values = {name: setting.value for name, setting in settings.items()}
    for seed in range(4):
        wanted = random_config(space, random.Random(seed))
        config, _ = server.dbms.constraints.repair(wanted, live_values, host, space=space)
        assert differing(config, server.restart_with(config, settings)) == {}, seed


@pytest.mark.parametrize("kind", [WorkloadKind.oltp, WorkloadKind.analytics])
def test_the_server_starts_with_the_rules(server: Server, host: HostFacts, kind: WorkloadKind) -> None:
    settings = server.settings()
    live_values = {name: setting.value for name, setting in settings.items()}
    space = build_space(catalog_of(server.dbms), settings, host, server_version=server.version, knob_set="all")
    rules = server.dbms.rules.rule_based(host, kind, settings, server_version=server.version)
    config, _ = server.dbms.constraints.repair(restrict(rules.config, space), live_values, host, space=space)
    after = server.restart_with(config, settings)
    assert differing(config, after) == {}
    assert int(after["innodb_buffer_pool_size"].value) >= GIB / 2  # what the sessions leave of half


CHANGED: dict[str, Config] = {
    "mariadb": {"innodb_io_capacity": 5000, "innodb_io_capacity_max": 1000, "join_buffer_size": 300_000},
    "mysql": {"innodb_io_capacity": 5000, "innodb_io_capacity_max": 1000, "innodb_buffer_pool_size": 300 * 1024**2},
}


def test_what_is_repaired_would_be_changed_without_a_word(server: Server, host: HostFacts) -> None:
    settings, wanted = server.settings(), CHANGED[server.dbms.product.name]
    live_values = {name: setting.value for name, setting in settings.items()}
    assert len(differing(wanted, server.restart_with(wanted, settings))) == 2
    config, _ = server.dbms.constraints.repair(wanted, live_values, host)
    assert differing(config, server.restart_with(config, settings)) == {}


@pytest.mark.parametrize("made", ["mysql-9"], indirect=True)
@pytest.mark.parametrize("name", ["innodb_change_buffering", "innodb_log_writer_threads", "innodb_doublewrite"])
def test_a_value_that_is_none_is_refused(server: Server, name: str) -> None:
    """The members that MySQL does not tell: the catalog lists them, and a start takes each (see above)."""
    with pytest.raises(pymysql.MySQLError):
        server.query(f"SET GLOBAL {name} = 'banana'")


def test_each_knob_that_a_statement_may_change_takes_the_ends_of_its_range_and_comes_back(server: Server) -> None:
    live = server.settings()
    values = {name: setting.value for name, setting in live.items()}
    facts = HostFacts(16 * GIB, 4, "ssd", 151, disk_free_bytes=100 * GIB)
    space = build_space(
        catalog_of(server.dbms), live, facts, server_version=server.version, knob_set="extended", reload_only=True,
        risks_allowed=list(Risk),
    )  # fmt: skip
    assert len(space) > 15
    assert not AT_A_START & set(space.names)
    refused = []
    with server.private.connect() as connection, connection.cursor() as cursor:
        query = as_asked(cursor)
        for knob in space:
            for end in knob.values or (knob.low, knob.high, *knob.special):
                config, _ = repair({knob.name: end}, values, facts, space=space)
                for wanted in (config, {knob.name: values[knob.name]}):
                    try:
                        server.dbms.service.reload(query, wanted)
                    except ServerCrashed as error:
                        refused.append(str(error))
    server.private.restart()
    assert refused == []

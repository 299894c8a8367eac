"""A private PostgreSQL, with what tests of the knobs ask of it."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping
from typing import Any

import psycopg

from otterflow.dbms.postgresql.rows import from_row
from otterflow.dbms.postgresql.spelling import display, render
from otterflow.knobs.catalog import KnobCatalog, Risk
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.select import build_space
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Config, Knob, KnobSpace, Value
from stack.postgres import PrivateCluster

KERNEL_SHOWN = {"tcp_keepalives_count", "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_user_timeout"}
"""Settings that a TCP session shows as its socket has them, where 0 asks for the kernel's own."""


class Server:
    """The private cluster, with what these tests ask of it."""

    def __init__(self, cluster: PrivateCluster) -> None:
        self.cluster = cluster

    def settings(self) -> dict[str, LiveSetting]:
        with self.cluster.connect("postgres") as connection:
            cursor = connection.execute("SELECT * FROM pg_settings ORDER BY name")
            names = [column.name for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
        return {row["name"]: from_row(row) for row in rows}

    @property
    def version(self) -> int:
        return int(self.settings()["server_version_num"].text) // 10_000

    def write(self, config: Mapping[str, Value], settings: Mapping[str, LiveSetting]) -> None:
        lines = [f"{name} = {render(value, settings[name])}\n" for name, value in config.items()]
        self.cluster.user.write_file(self.cluster.knobs_file, "".join(lines))

    def restart_with(self, config: Mapping[str, Value], settings: Mapping[str, LiveSetting]) -> None:
        self.write(config, settings)
        self.cluster.restart()

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.cluster.connect("postgres") as connection:
            return connection.execute(statement, parameters).fetchall()


def everything(server: Server, catalog: KnobCatalog, host: HostFacts) -> KnobSpace:
    settings = server.settings()
    return build_space(
        catalog, settings, host, server_version=server.version, knob_set="all", risks_allowed=[r.value for r in Risk]
    )


def shown_to_a_session(setting: LiveSetting) -> bool:
    """Whether a session may set the setting and is shown what it set."""
    return setting.row["context"] in ("user", "superuser") and setting.name not in KERNEL_SHOWN


def as_a_session_reads(connection: psycopg.Connection[tuple[Any, ...]], name: str, text: str) -> str:
    """What the server makes of a spelling, within one statement: a timeout of 1 ms must not last."""
    statement = (
        "SELECT (SELECT setting FROM pg_settings WHERE name = %s AND name <> done.value)"
        " FROM set_config(%s, %s, true) AS done (value)"
    )
    (found,) = connection.execute(statement, [name, name, text]).fetchone() or ("",)
    return str(found)


def as_the_server_reads(server: Server, setting: LiveSetting, value: Value) -> str:
    cluster = server.cluster
    argument = f"{setting.name}={display(value, setting)}"
    command = cluster.user.command(
        cluster.bin_dir / "postgres", "-D", str(cluster.data_dir), "-C", setting.name, "-c", argument
    )
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cluster.root)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def unusual_values(knob: Knob) -> list[Value]:
    return [*knob.values, *knob.special]


def random_config(space: KnobSpace, rng: random.Random) -> Config:
    return {
        knob.name: rng.choice(knob.special) if knob.special and rng.random() < 0.2 else knob.from_unit(rng.random())
        for knob in space
    }


def assert_in_force(server: Server, config: Config) -> None:
    after = server.settings()
    assert {name: after[name].value for name in config} == config
    assert not any(after[name].pending_restart for name in config)

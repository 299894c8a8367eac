"""A private PostgreSQL of the newest version installed, and what it reports of its settings."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from otterflow.knobs.catalog import KnobCatalog, load_catalog
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.live import LiveSetting
from otterflow.knobs.space import Value

ROOT = Path(__file__).resolve().parents[2]
CAPTURED = Path(__file__).parent / "pg_settings_15.json"

GIB = 1024**3


def bin_dir() -> Path:
    """The newest PostgreSQL of a Debian layout, or the one on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    return found[-1].parent if found else Path(shutil.which("initdb") or "initdb").parent


@dataclass
class Cluster:
    """A private cluster that listens on a Unix socket in its own folder alone."""

    home: Path
    bin: Path

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def knobs_file(self) -> Path:
        return self.home / "knobs.conf"

    def run(self, command: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs as an ordinary user; raises with what it said if it fails."""
        prefix = []
        if os.geteuid() == 0:
            user = _ordinary_user()
            prefix = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--reset-env"]
        done = subprocess.run(
            [*prefix, str(self.bin / command), *arguments],
            capture_output=True,
            text=True,
            cwd=self.home,
            timeout=120,
        )
        assert done.returncode == 0, f"{command} failed: {done.stderr}\n{self.log_tail()}"
        return done.stdout

    def log_tail(self) -> str:
        log = self.home / "log"
        return log.read_text()[-3000:] if log.exists() else ""

    def start(self) -> None:
        log = str(self.home / "log")
        self.run("pg_ctl", "start", "-D", str(self.data), "-w", "-t", "60", "-s", "-l", log)

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-w", "-s")

    def sql(self, statement: str) -> str:
        arguments = ["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", str(self.home), "-d", "postgres"]
        return self.run("psql", *arguments, "-c", statement).strip()

    def settings(self) -> dict[str, LiveSetting]:
        rows = json.loads(self.sql("SELECT json_agg(s ORDER BY name) FROM pg_settings s"))
        return {row["name"]: LiveSetting.from_row(row) for row in rows}


def _ordinary_user() -> str:
    return next(name for name in ("otterflow", "postgres", "nobody") if name in {u.pw_name for u in pwd.getpwall()})


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    home = Path(tempfile.mkdtemp(prefix="otterflow-knobs-"))
    if os.geteuid() == 0:
        shutil.chown(home, _ordinary_user())
    private = Cluster(home, bin_dir())
    private.run("initdb", "-D", str(private.data), "-A", "trust", "-N", "-U", "postgres")
    with (private.data / "postgresql.conf").open("a") as conf:
        conf.write(f"\nlisten_addresses = ''\nunix_socket_directories = '{home}'\n")
        conf.write(f"include_if_exists '{private.knobs_file}'\n")
    os.environ["PGUSER"] = "postgres"
    try:
        private.start()
        yield private
    finally:
        if (private.data / "postmaster.pid").exists():
            private.stop()
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def catalog() -> KnobCatalog:
    return load_catalog(ROOT / "include" / "knob_catalogs" / "postgresql.yaml")


@pytest.fixture(scope="session")
def live() -> dict[str, LiveSetting]:
    """pg_settings of a PostgreSQL 15.18 as Debian builds it, captured."""
    return {row["name"]: LiveSetting.from_row(row) for row in json.loads(CAPTURED.read_text())}


@pytest.fixture(scope="session")
def live_values(live: dict[str, LiveSetting]) -> dict[str, Value]:
    return {name: setting.value for name, setting in live.items()}


@pytest.fixture
def facts() -> HostFacts:
    return HostFacts(ram_bytes=24 * GIB, cores=2, disk="ssd", max_connections=100)

"""A known load on a private server: loaded and recorded once, and measured by itself, by its replay and its mix."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from otterflow import settings
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.dbms.postgresql.server_log.clock import LogClock
from otterflow.dbms.postgresql.server_log.files import LogFormat
from otterflow.dbms.postgresql.server_log.stderr_log import LinePrefix
from otterflow.workloads.base import plan, workload_for
from otterflow.workloads.definition import Benchmark, load_benchmark
from otterflow.workloads.recording.manifest import Manifest, Origin
from otterflow.workloads.replay.replayer.programs import mix, replay
from otterflow.workloads.replay.replayer.settings import MixSettings, ReplaySettings
from stack.postgres import DATABASE, PrivateCluster
from tests.bench.private_server import access_to, restart, run_job
from tests.workloads.recording.samples import record_log

PRISTINE = "pristine"
_NO_LIMIT_S = 3_600


class KnownLoad:
    """A shipped benchmark, smaller than shipped, and its recording in `folder`."""

    def __init__(self, cluster: PrivateCluster, name: str, scale: int, folder: Path) -> None:
        self._cluster, self._folder = cluster, folder
        shipped = load_benchmark(settings.include_dir() / "benchmarks" / f"{name}.yaml")
        self._benchmark: Benchmark = shipped.model_copy(
            update={"workload": shipped.workload.model_copy(update={"scale": scale})}
        )
        self._workload = workload_for(self._benchmark, DBMS)

    def load(self) -> None:
        """Make the data, and keep them as a template."""
        restart(self._cluster, "")
        with self._cluster.connect("postgres") as sql:
            for database in (DATABASE, PRISTINE):
                sql.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            sql.execute(f"CREATE DATABASE {DATABASE}")
        run_job(self._workload.load(access_to(self._cluster), str(self._cluster.bin_dir)))
        with self._cluster.connect("postgres") as sql:
            sql.execute(f"ALTER DATABASE {DATABASE} RENAME TO {PRISTINE}")

    def restore(self, knobs: str) -> None:
        """The data as they were loaded, and the server with these knobs."""
        restart(self._cluster, "")
        with self._cluster.connect("postgres") as sql:
            sql.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            sql.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {PRISTINE} STRATEGY file_copy")
            sql.execute("CHECKPOINT")
        restart(self._cluster, knobs)

    def record(self, seconds: float) -> Manifest:
        """Run the load for so long with every statement logged, and make the recording of the log."""
        self.restore("log_min_duration_statement = 0\ncompute_query_id = on\n")
        start = datetime.now(UTC)
        self._run(seconds, warmup_s=0.0, seed=0)
        end = datetime.now(UTC)
        with self._cluster.connect() as sql:
            zone, prefix = (
                str(sql.execute("SELECT current_setting(%s)", [name]).fetchall()[0][0])
                for name in ("log_timezone", "log_line_prefix")
            )
        shutil.rmtree(self._folder / "recording", ignore_errors=True)
        origin = Origin("private", "postgresql", DATABASE, start, end, "server_log")
        log_format = LogFormat("stderr", LogClock(zone), LinePrefix(prefix))
        recording = self._folder / "recording"
        return record_log([self._cluster.log_file], log_format, origin, recording, end, max_bytes=10**9)

    def by_itself(self, seconds: float, warmup_s: float, seed: int) -> dict[str, Any]:
        """The load's own throughput."""
        return {"throughput": self._run(seconds, warmup_s, seed), "driven": True, "errors": {}}

    def by_replay(self, processes: int | None = None) -> dict[str, Any]:
        """The whole recording as fast as possible; the throughput is that of statements."""
        record = replay(ReplaySettings(**self._told(processes), schedule="fast"))
        return {**record, "throughput": record["statements_per_s"]}

    def by_mix(self, seconds: float, warmup_s: float, seed: int, processes: int | None = None) -> dict[str, Any]:
        """A mix of it with as many clients."""
        clients = self._benchmark.workload.clients  # type: ignore[union-attr]
        told = {**self._told(processes), "clients": clients, "seed": seed}
        if warmup_s:
            mix(MixSettings(**told, duration_s=warmup_s, from_end=True))
        record = mix(MixSettings(**told, duration_s=seconds))
        return {**record, "throughput": record["transactions_per_s"]}

    def _run(self, seconds: float, warmup_s: float, seed: int) -> float:
        access, bin_dir = access_to(self._cluster), str(self._cluster.bin_dir)
        asked = plan(self._benchmark, warmup_s, seconds, seed)
        warm_up = self._workload.warm_up(access, asked, bin_dir)
        if warm_up is not None:
            run_job(warm_up)
        return self._benchmark.objective.read(
            self._workload.parse(*run_job(self._workload.run(access, asked, bin_dir)))
        )

    def _told(self, processes: int | None) -> Mapping[str, Any]:
        password = self._folder / "password"
        password.write_text(self._cluster.password + "\n")
        password.chmod(0o600)
        access = access_to(self._cluster)
        return {
            "recording": str(self._folder / "recording"), "result_file": str(self._folder / "result.json"),
            "host": access.host, "port": access.port, "user": access.user, "database": access.database,
            "password_file": str(password), "deadline_s": _NO_LIMIT_S, "processes": processes,
        }  # fmt: skip

"""`make demo-night`: a load is recorded, a night tunes on it, and the winner is tried on all of it.

Two private servers: *production*, whose users are pgbench's clients and whose day has five hours of a minute each, and
*staging*, which holds a copy of its data. All is done by the Dags that a user has, with the files that a user writes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from otterflow.experiment.comparison import BASELINE
from otterflow.experiment.nights import nights_of
from otterflow.experiment.nights import table as table_of_nights
from otterflow.repository import RecordingRecord
from otterflow.settings import include_dir
from otterflow.workloads.definition import load_benchmark
from stack.airflow_client import AirflowClient
from stack.host import DatabaseHost
from stack.lab import DAG_IDS, Lab, Say
from stack.source import DAY, LENGTH, copy_data, live, make_data, next_start
from stack.view import show
from stack.watch import ExperimentFailed, follow, why_failed

NAME = "demo"
"""Of the recording, and of the schedule."""
RECORD, NIGHTLY, REPLAY, VERDICT = f"record_{NAME}", f"nightly_{NAME}", f"replay_{NAME}", "replay_verdict"
BENCHMARK = "replay_fast"
ITERATIONS, ROUNDS = 4, 3
PATIENCE_S = 1800.0
SCHEDULED_S = 30.0
"""So long the scheduler has to make the run that is due."""
NOTHING_BETTER = "The night has found nothing better than what is in force, so there is nothing to try on the five."


class NightLab(Lab):
    """A lab whose host is `staging`, with the server `production` beside it."""

    def __init__(self, root: Path, bin_dir: Path | None = None) -> None:
        super().__init__(root, "staging", bin_dir=bin_dir, backfills=True, fields={"is_a_copy": True})
        self.source = DatabaseHost(
            self.root / "source", "production", bin_dir=bin_dir, connections="otterflow_source",
            fields={"has_users": True},
        )  # fmt: skip
        self.schedules, self.recordings = self.root / "schedules", self.root / "recordings"
        self.kept = self.root / "kept"

    def environment(self) -> dict[str, str]:
        """With the connections to both hosts, and the folders of what is scheduled and recorded."""
        return {
            **super().environment(),
            **self.source.airflow_connections(),
            "OTTERFLOW_SCHEDULES_DIR": str(self.schedules),
            "OTTERFLOW_RECORDINGS_DIR": str(self.recordings),
        }

    def start_servers(self, say: Say) -> None:
        """Start both, the one with its data, the other with a copy of them."""
        super().start_servers(say)
        self.source.start()
        self.source.write_target(self.host.targets_dir)
        say("Loading production's data, and staging's copy of them ...")
        make_data(self.source)
        copy_data(self.source.cluster, self.host.cluster, self.root)
        self.host.user.make_dir(self.kept)

    def stop(self) -> None:
        """End everything, production last."""
        super().stop()
        self.source.stop()

    def define(self, begin: datetime, night: str) -> None:
        """Write the files of the recording, whose day begins then, and of the schedule, whose night is called so."""
        ends = [begin + LENGTH * (hour + 1) for hour in range(len(DAY))]
        recording = {
            "name": NAME, "source": "production", "database": self.source.target.database, "replay_on": "staging",
            "dir": str(self.kept / "recordings"), "cron": f"{','.join(str(end.minute) for end in ends)} * * * *",
            "timezone": "UTC", "length": f"{LENGTH.seconds // 60}min", "method": "server_log",
            "replay": {
                "benchmark": BENCHMARK, "candidates": [f"experiment:{night}"], "rounds": ROUNDS,
                "rule": {"nowhere_worse_percent": 10},
            },
        }  # fmt: skip
        closes = datetime.now(UTC) + timedelta(hours=3)
        schedule = {
            "name": NAME, "target": "staging", "benchmark": BENCHMARK, "cron": f"{begin:%M %H} * * *",
            "timezone": "UTC", "until": f"{closes:%H:%M}", "recording": {"name": NAME, "pick": "busiest"},
            "form": {"iterations": ITERATIONS, "final_rounds": ROUNDS, "ablation_percent": 0},
        }  # fmt: skip
        for folder, record in ((self.recordings, recording), (self.schedules, schedule)):
            folder.mkdir(exist_ok=True)
            (folder / f"{NAME}.yaml").write_text(yaml.safe_dump(record, sort_keys=False))


def run(lab: NightLab, console: Console) -> tuple[dict[str, Any], str]:
    """The whole demo: what `.demo/night.json` holds, and what is said of it."""
    say: Say = console.print
    lab.start_servers(say)
    begin = next_start(datetime.now(UTC))
    night = f"{NAME}-{begin:%Y%m%d}"
    lab.define(begin, night)
    with _users(lab, begin, say) as day_is_over:
        lab.start_airflow(say, *DAG_IDS, RECORD, NIGHTLY, REPLAY, VERDICT)
        lab.airflow.client.unpause(RECORD)  # each hour is recorded by the schedule as soon as it is over
        day_is_over()
    client = lab.airflow.client
    say("Recording the five hours from production's log ...")
    recordings = _record(lab, client, begin, say)
    say("A night on staging, which replays the busiest of them ...")
    _tune(lab, client, night, console)
    nights = nights_of(NAME, lab.repository.experiments())
    result = {"nights": [each.record() for each in nights], "recordings": [_of(each) for each in recordings]}
    if nights[-1].winner == BASELINE:
        return result | {"intervals": [], "verdict": None}, "\n".join([table_of_nights(nights), "", NOTHING_BETTER])
    say("The night's winner, tried on all five ...")
    _try_on_all(client, begin, say)
    judged = _verdict(client)
    log = client.task_log(VERDICT, VERDICT_RUN, "verdict")
    lines = [line for entry in log for line in entry.splitlines()]
    table = [line for line in lines if line.strip().startswith((f"{NAME}-", "interval "))]
    text = "\n".join([table_of_nights(nights), "", *table, "", judged["verdict"]["sentence"]])
    return result | {"intervals": judged["intervals"], "verdict": judged["verdict"]}, text


@contextmanager
def _users(lab: NightLab, begin: datetime, say: Say) -> Iterator[Callable[[], None]]:
    """Production's users, beside the block; what it gives waits for the end of their day. Raises what they raised."""
    wrong: list[BaseException] = []
    folder = lab.root / "users"
    folder.mkdir(exist_ok=True)

    def day() -> None:
        try:
            for number, hour in enumerate(DAY):
                live(lab.source.cluster, hour, begin + number * LENGTH, folder)
                say(f"  production's {hour.name} is over ({number + 1} of {len(DAY)})")
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=day, daemon=True)
    thread.start()

    def wait() -> None:
        thread.join()
        if wrong:
            raise wrong[0]
        time.sleep(max(0.0, (begin + len(DAY) * LENGTH - datetime.now(UTC)).total_seconds()))

    yield wait


def _record(lab: NightLab, client: AirflowClient, begin: datetime, say: Say) -> list[RecordingRecord]:
    _backfill(client, RECORD, begin)
    said: set[str] = set()

    def all_there() -> bool:
        for each in lab.repository.recordings(NAME):
            if each.id not in said:
                said.add(each.id)
                statements, size = each.manifest["statements"], each.manifest["bytes"]
                say(f"  {each.id}: {statements:,} statements, {size / 1e3:.0f} kB")
        return len(said) == len(DAY)

    _wait(all_there, client, RECORD)
    return lab.repository.recordings(NAME)


def _backfill(client: AirflowClient, dag_id: str, begin: datetime) -> None:
    """Begin the runs of the day that the schedule has not made, once it has made the last one, which is due.

    Where both make the run of one interval at the same time, Airflow's scheduler ends by the duplicate key (3.3.2).
    """
    client.unpause(dag_id)
    until, last = time.monotonic() + SCHEDULED_S, begin + len(DAY) * LENGTH
    while time.monotonic() < until:
        if any(datetime.fromisoformat(run_["run_after"]) >= last for run_ in client.dag_runs(dag_id)):
            break
        time.sleep(1)
    client.backfill(dag_id, begin + LENGTH, last)


def _tune(lab: NightLab, client: AirflowClient, night: str, console: Console) -> None:
    client.unpause(NIGHTLY)  # whose window has opened with production's day
    _wait(lambda: any(run["dag_run_id"] == night for run in client.dag_runs("tuning_experiment")), client, NIGHTLY)
    objective = load_benchmark(include_dir() / "benchmarks" / f"{BENCHMARK}.yaml").objective
    looks = follow(
        lab.repository, client, night, night, iterations=ITERATIONS, final_rounds=ROUNDS, objective=objective
    )
    show(looks, console)
    _wait(lambda: all(run["state"] == "success" for run in client.dag_runs(NIGHTLY)), client, NIGHTLY)


def _try_on_all(client: AirflowClient, begin: datetime, say: Say) -> None:
    _backfill(client, REPLAY, begin)
    said: set[str] = set()

    def all_judged() -> bool:
        runs = client.dag_runs(REPLAY)
        for run_ in runs:
            if run_["state"] == "success" and run_["dag_run_id"] not in said:
                said.add(run_["dag_run_id"])
                say(f"  {_interval(client.xcom(REPLAY, run_['dag_run_id'], 'verdict'))}")
        return len(said) == len(DAY)

    _wait(all_judged, client, REPLAY)


def _interval(verdicts: Sequence[dict[str, Any]]) -> str:
    (verdict,) = verdicts
    if not verdict["believed"]:
        return f"{verdict['recording']}: cannot be judged: {verdict['why_not']}"
    return (
        f"{verdict['recording']}: {verdict['ratio']:.2f} times as good "
        f"(95 % interval {verdict['low']:.2f} to {verdict['high']:.2f})"
    )


VERDICT_RUN = "of-the-demo"


def _verdict(client: AirflowClient) -> dict[str, Any]:
    client.trigger(VERDICT, {"recording": NAME}, run_id=VERDICT_RUN)
    _wait(lambda: client.dag_run(VERDICT, VERDICT_RUN)["state"] == "success", client, VERDICT)
    (candidate,) = client.xcom(VERDICT, VERDICT_RUN, "verdict")["candidates"]
    return dict(candidate)


def _of(recording: RecordingRecord) -> dict[str, Any]:
    manifest = recording.manifest
    told = {key: manifest[key] for key in ("sessions", "transactions", "statements", "bytes", "complete", "missing")}
    return {"recording": recording.id, "interval": [recording.start.isoformat(), recording.end.isoformat()], **told}


def _wait(done: Callable[[], bool], client: AirflowClient, dag_id: str) -> None:
    """Look every second until it is done. Raises ExperimentFailed with the end of the log of what has failed."""
    until = time.monotonic() + PATIENCE_S
    while not done():
        for run_ in client.dag_runs(dag_id):
            if run_["state"] == "failed":
                raise ExperimentFailed(why_failed(client, dag_id, str(run_["dag_run_id"])))
        if time.monotonic() > until:
            raise ExperimentFailed(
                f"{dag_id} is not done after {PATIENCE_S / 60:.0f} min; its page in Airflow says more"
            )
        time.sleep(1)

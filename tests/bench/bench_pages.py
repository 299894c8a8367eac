"""What each page costs with 1,000 experiments and 100,000 trials in the repository, and what a browser loads for it.

Run by `make bench`. The experiments are copies of made-up ones with 100 trials each. A page is asked for in the way of
a browser, by the very application that Airflow mounts; who asks is made up, so Airflow's own check of the token is not
in the figures. Each is asked for once, so that what is read once a process is read, and then five times.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median

import pytest
import yaml
from airflow.api_fastapi.core_api.security import get_user
from fastapi.testclient import TestClient

from otterflow.operators.connections import open_repository
from otterflow.repository import Repository
from otterflow.web import app
from otterflow.web.headers import WithHeaders
from otterflow.web.reader import Reader, reader
from tests.experiment.test_intervals import BEGIN, GAIN, recorded, recording, tried
from tests.web import made_up
from tests.web.conftest import FakeRights, FakeUser, mounted
from tests.web.many import copied

pytestmark = pytest.mark.timeout(1200)

MOST_S = 0.3
EXPERIMENTS, TRIALS, METRICS = 1000, 100, 120
NIGHTS, INTERVALS, TARGETS = 60, 60, 20
ASKED = 5
DAGS = {"tuning_experiment", "nightly_shop", "replay_shop"}

PAGES = {
    "experiments": "/",
    "experiments, page 15": "/?page=15",
    "experiments, searched": "/?q=copy-09",
    "experiments, of a state": "/?state=running",
    "experiment, ended": "/experiment/ended",
    "experiment, drift taken out": "/experiment/ended?drift=out",
    "experiment, a part of its trials": "/experiment/ended?first=20&last=40",
    "experiment, under way": "/experiment/running",
    "experiment, being compared": "/experiment/comparing",
    "trial": "/experiment/ended/trial/57",
    "targets": "/targets",
    "target": "/target/example_command",
    "target, a part of its drift": "/target/example_command?first=20&last=40",
    "compare": "/compare?a=ended&b=running",
    "nights": "/nights",
    "nights of a schedule": "/nights/shop",
    "replays": "/replays",
    "replays of a recording": "/replays/shop",
    "knobs": "/knobs?target=example_command",
}
LOADED = tuple(
    f"/static/{name}" for name in ("style.css", "theme.js", "page.js", "said.js", "live.js", "zoom.js", "icon.svg")
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A browser of the pages over the large repository."""
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OTTERFLOW_HOME", str(folder))
        patched.delenv("OTTERFLOW_TARGETS_DIR", raising=False)
        _files(folder, patched)
        repository = open_repository()
        _fill(repository)
        pages = app.pages()
        pages.dependency_overrides[get_user] = FakeUser
        pages.dependency_overrides[reader] = lambda: Reader(FakeRights(DAGS))
        yield mounted(WithHeaders(pages))


def _files(folder: Path, patched: pytest.MonkeyPatch) -> None:
    """A schedule and a recording, of which the pages read the names and the rule."""
    for name, variable in (("schedules", "OTTERFLOW_SCHEDULES_DIR"), ("recordings", "OTTERFLOW_RECORDINGS_DIR")):
        (folder / name).mkdir()
        (folder / name / "shop.yaml").write_text(yaml.safe_dump({"name": "shop"}))
        patched.setenv(variable, str(folder / name))


def _fill(repository: Repository) -> None:
    """Three experiments to look at, all the copies, the nights of a schedule and the intervals of a recording."""
    begin = time.monotonic()
    made_up.whole(repository, "ended", trials=TRIALS)
    for name in ("running", "comparing"):
        made_up.begun(repository, name, iterations=TRIALS + 20)
        for iteration in range(TRIALS):
            made_up.tried(repository, name, iteration)
    made_up.tried(repository, "running", TRIALS, ends=False)
    made_up.turns(repository, "comparing", rounds=8)
    repository.hold_target("example_command", "running")
    nights = [f"shop-{BEGIN + timedelta(days=day):%Y%m%d}" for day in range(NIGHTS)]
    copied(repository, "ended", nights)
    others = EXPERIMENTS - 3 - NIGHTS
    for number in range(TARGETS):
        repository.identify_target(f"server-{number}", "")
        target = {} if number % 2 else {"target": f"server-{number}"}
        template = "running" if number == 1 else "ended"
        copied(repository, template, [f"copy-{i:04d}" for i in range(number, others, TARGETS)], **target)
    for iteration in (0, 57):  # the two that the page of a trial shows
        values = {f"metric_{i:03d}": i + 1.5 + iteration / 100 for i in range(METRICS)}
        repository.record_metrics("ended", iteration, values, host={"host.load_1m": 1.5}, reset=[])
    files = repository.experiment("ended").files
    assert files is not None
    for hour in range(INTERVALS):
        recorded(repository, hour)
        name = f"replay-{recording(hour)}"
        tried(repository, name, GAIN, whole=True)
        repository.keep_files(name, files)
    count = len(repository.newest_names(DAGS, 10**6))
    assert count == EXPERIMENTS + INTERVALS
    print(
        f"\n{EXPERIMENTS} experiments of {TRIALS} trials, and {INTERVALS} intervals: {time.monotonic() - begin:.0f} s"
    )


def test_every_page_is_quick(browser: TestClient) -> None:
    slow = {}
    print(f"{'page':<28} {'first ms':>9} {'then ms':>8} {'processor ms':>13} {'kB':>7} {'kB sent':>8}")
    for name, path in PAGES.items():
        begin = time.perf_counter()
        text = _asked(browser, path)
        first_s = time.perf_counter() - begin
        walls, processor = [], []
        for _ in range(ASKED):
            begin, worked = time.perf_counter(), time.process_time()
            _asked(browser, path)
            walls.append(time.perf_counter() - begin)
            processor.append(time.process_time() - worked)
        took_s = median(processor)
        if took_s > MOST_S:
            slow[name] = took_s
        print(
            f"{name:<28} {1000 * first_s:>9.0f} {1000 * median(walls):>8.0f} {1000 * took_s:>13.0f} "
            f"{len(text) / 1000:>7.1f} {_sent(text) / 1000:>8.1f}"
        )
    assert slow == {}, f"more than {MOST_S} s of a processor"


def test_a_look_at_what_has_not_changed_costs_next_to_nothing(browser: TestClient) -> None:
    path = "/experiment/running?live=true"
    tag = browser.get(path).headers["etag"]
    begin = time.process_time()
    for _ in range(ASKED):
        assert browser.get(path, headers={"If-None-Match": tag}).status_code == 304
    took_s = (time.process_time() - begin) / ASKED
    print(f"a live page, not modified: {1000 * took_s:.0f} ms of a processor")
    assert took_s < MOST_S / 2


def test_what_a_browser_loads_beside_the_page(browser: TestClient) -> None:
    for path in LOADED:
        content = browser.get(path).content
        print(f"{path}: {len(content) / 1000:.1f} kB, {_sent(content) / 1000:.1f} kB sent")


def _asked(browser: TestClient, path: str) -> bytes:
    answer = browser.get(path)
    assert answer.status_code == 200, f"{path}: {answer.text[:500]}"
    content: bytes = answer.content
    return content


def _sent(content: bytes) -> int:
    """Bytes on the wire: Airflow sends answers compressed."""
    return len(gzip.compress(content, 6))

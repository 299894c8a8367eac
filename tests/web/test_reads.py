"""What pages ask of the repository: as many questions, and as much of it, whether it holds little or much.

Counted, not timed. What the pages take with 1,000 experiments is measured in `tests/bench/bench_pages.py`.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, event

from otterflow.repository import Repository
from otterflow.web import experiments
from tests.experiment.test_intervals import ARMS, GAIN, recorded, recording, tried
from tests.web import made_up
from tests.web.conftest import Client
from tests.web.many import copied

PAGES = (
    "/", "/?page=2", "/?q=shop", "/?state=finished", "/?target=example_command", "/targets", "/target/example_command",
    "/target/example_command?first=2&last=3",
    "/compare", "/compare?a=done&b=live", "/nights", "/nights/shop", "/replays", "/knobs?target=example_command",
    "/experiment/done", "/experiment/live", "/experiment/done/trial/3", "/run/tuning_experiment/done",
)  # fmt: skip
MORE = 6
SHOWN = 3
LITTLE = 5_000
"""Characters that a page may read of one more experiment, of which the server's own settings are a hundred thousand."""
LARGE = re.compile(r"SCAN (experiments|trials|trial_seconds|metrics|configurations|measurements|snapshots)(_\d+)?\b")
"""How SQLite says that it goes through all of a table that grows with the experiments, by itself or by an index."""


@dataclass
class Asked:
    """The statements that were sent, each with its values, and what came back: rows, and characters in them."""

    statements: list[tuple[str, Any]] = field(default_factory=list)
    rows: int = 0
    characters: int = 0


@contextmanager
def watched() -> Iterator[Asked]:
    """All that is asked of any SQLite database meanwhile."""
    asked = Asked()

    def connected(connection: sqlite3.Connection, _: object) -> None:
        def counted(_: object, row: tuple[Any, ...]) -> tuple[Any, ...]:
            asked.rows += 1
            asked.characters += sum(len(value) for value in row if isinstance(value, str))
            return row

        connection.row_factory = counted

    def sent(connection: Any, cursor: Any, statement: str, values: Any, *_: object) -> None:
        asked.statements.append((statement, values))

    event.listen(Engine, "connect", connected)
    event.listen(Engine, "before_cursor_execute", sent)
    try:
        yield asked
    finally:
        event.remove(Engine, "connect", connected)
        event.remove(Engine, "before_cursor_execute", sent)


@pytest.fixture
def schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule and no recording."""
    monkeypatch.setenv("OTTERFLOW_SCHEDULES_DIR", str(tmp_path))
    monkeypatch.setenv("OTTERFLOW_RECORDINGS_DIR", str(tmp_path / "none"))
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump({"name": "shop"}))


def plans(repository: Repository, asked: Asked) -> list[str]:
    """How SQLite goes about each of the statements."""
    with sqlite3.connect(repository._database.url.database or "") as connection:
        return [
            str(step[3])
            for statement, values in asked.statements
            for step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        ]


@pytest.mark.slow
@pytest.mark.usefixtures("schedule")
def test_no_page_reads_more_because_there_is_more(
    client: Client, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiments, "MOST", SHOWN)
    made_up.whole(repository, "done", trials=5)
    made_up.begun(repository, "live")
    for iteration in range(5):
        made_up.tried(repository, "live", iteration, ends=iteration < 4)
    copied(repository, "done", [f"before-{number}" for number in range(2 * SHOWN)])
    copied(repository, "done", [f"shop-2026110{number}" for number in range(1, 9)])
    browser, before = client(), {}
    for path in PAGES:
        browser.get(path)  # what is read once a process
        with watched() as asked:
            assert browser.get(path).status_code < 400
        before[path] = asked
    copied(repository, "done", [f"after-{number}" for number in range(MORE)])
    for path, asked in before.items():
        with watched() as now:
            browser.get(path)
        assert len(now.statements) == len(asked.statements), path
        assert now.rows - asked.rows <= 3 * MORE, f"{path}: {asked.rows} and {now.rows} rows"
        for step in plans(repository, now):
            assert not LARGE.match(step) or "COVERING INDEX" in step, f"{path} reads a whole table: {step}"


@pytest.mark.slow
def test_a_recordings_page_asks_no_more_questions_because_there_are_more_intervals(
    client: Client, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTTERFLOW_RECORDINGS_DIR", str(tmp_path))
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump({"name": "shop"}))
    browser, asked = client(), {}
    for hour in range(4):
        recorded(repository, hour)
        name = f"replay-{recording(hour)}"
        tried(repository, name, GAIN)
        browser.get("/replays/shop")
        with watched() as found:
            assert name in browser.get("/replays/shop").text
        asked[hour] = len(found.statements)
    assert asked[1] == asked[2] == asked[3]


@pytest.mark.slow
@pytest.mark.parametrize("arms", [ARMS, {**ARMS, "same": {"work_mem": 65536}, "nothing": {"work_mem": 4096}}])
def test_a_recordings_page_reads_little_of_each_interval(
    client: Client, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arms: Any
) -> None:
    monkeypatch.setenv("OTTERFLOW_RECORDINGS_DIR", str(tmp_path))
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump({"name": "shop"}))
    browser, read, questions, begin = client(), [], [], 10 * len(arms)
    made_up.begun(repository, f"kept-{begin}")
    files = repository.experiment(f"kept-{begin}").files
    assert files is not None
    for hour in range(begin, begin + 3):
        recorded(repository, hour)
        name = f"replay-{recording(hour)}"
        tried(repository, name, GAIN, arms, whole=True)
        repository.keep_files(name, files)
        assert len(str(repository.experiment(name).live)) > 20 * LITTLE
        with watched() as asked:
            assert name in browser.get("/replays/shop").text
        read.append(asked.characters)
        questions.append(len(asked.statements))
    assert questions[1] == questions[2]
    assert max(read[1] - read[0], read[2] - read[1]) < LITTLE, read

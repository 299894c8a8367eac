"""The nights of schedules, and a recording's intervals with their verdict."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from otterflow.repository import Repository
from tests.experiment.test_intervals import GAIN, LOSS, recorded, recording, tried
from tests.web import made_up
from tests.web.conftest import Client

OURS = {"tuning_experiment"}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a schedule and of a recording that says nothing of replaying."""
    for name, variable in (("schedules", "OTTERFLOW_SCHEDULES_DIR"), ("recordings", "OTTERFLOW_RECORDINGS_DIR")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    (tmp_path / "schedules" / "shop.yaml").write_text(yaml.safe_dump({"name": "shop"}))
    asked = {
        "name": "shop", "source": "shop", "database": "bench", "replay_on": "staging", "timezone": "UTC",
        "length": "1h", "dir": "/srv/recordings", "cron": "0 * * * *", "method": "server_log",
    }  # fmt: skip
    (tmp_path / "recordings" / "shop.yaml").write_text(yaml.safe_dump(asked))
    return tmp_path


@pytest.mark.slow
@pytest.mark.usefixtures("files")
def test_nights_are_listed_with_what_each_came_to(client: Client, repository: Repository) -> None:
    made_up.whole(repository, "shop-20261128", trials=4)
    made_up.begun(repository, "shop-20261129")
    browser = client(OURS | {"nightly_shop"})
    assert "2026-11-29" in browser.get("/nights").text
    text = browser.get("/nights/shop").text
    assert "Nights of shop" in text
    assert text.index("2026-11-29") > text.index("<svg")
    assert text.count('href="/otterflow/experiment/shop-2026112') == 2
    assert "installed" in text
    assert "/dags/nightly_shop" in text


@pytest.mark.usefixtures("files")
def test_nights_and_replays_are_for_who_may_read_their_dags(client: Client, repository: Repository) -> None:
    browser = client(OURS)
    for kind in ("nights", "replays"):
        assert ">shop</a>" not in browser.get(f"/{kind}").text
        assert browser.get(f"/{kind}/shop").status_code == 404
        assert client(OURS | {f"{'nightly' if kind == 'nights' else 'replay'}_shop"}).get(f"/{kind}/shop").is_success
    hidden = client({"nightly_shop"}).get("/nights/shop").text
    assert "no night yet whose experiment you may read" in hidden
    assert "shop-2026" not in hidden


@pytest.mark.slow
@pytest.mark.usefixtures("files")
def test_a_schedule_without_a_night_says_so(client: Client, files: Path) -> None:
    (files / "schedules" / "fresh.yaml").write_text(yaml.safe_dump({"name": "fresh"}))
    browser = client()
    assert "no night yet" in browser.get("/nights").text
    assert browser.get("/nights/fresh").is_success
    assert browser.get("/nights/nosuch").status_code == 404


@pytest.mark.slow
@pytest.mark.usefixtures("files")
def test_a_recordings_intervals_have_ratios_and_one_verdict(client: Client, repository: Repository) -> None:
    browser = client(OURS | {"replay_shop"})
    assert "no interval of &#39;shop&#39;" in browser.get("/replays/shop").text
    for hour in range(2):
        recorded(repository, hour)
    tried(repository, f"replay-{recording(0)}", GAIN)
    tried(repository, f"replay-{recording(1)}", LOSS)
    assert ">2</td>" in browser.get("/replays").text
    text = browser.get("/replays/shop").text
    for said in (
        "bigger",
        "2026-11-29 02:00",
        "2026-11-29 03:00",
        "replay-shop-20261129T0200Z",
        "there is no such block",
    ):
        assert said in text
    assert text.count("<svg") == 1
    assert "no interval of" in client({"replay_shop"}).get("/replays/shop").text

"""The pages are the API server's alone: the plugin costs the scheduler and the workers nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"

PLUGIN = """
import sys
import airflow.plugins_manager
before = set(sys.modules)
import otterflow_plugin
print(sorted(name for name in set(sys.modules) - before if not name.startswith("importlib")))
"""

PAGES = """
import os, sys, tempfile
sys.path.insert(0, "..")
import airflow.api_fastapi.core_api.security
before = {name.partition(".")[0] for name in sys.modules}
from datetime import timedelta
from tests.web.conftest import FakeRights, FakeUser, get_user, mounted
from otterflow.operators.connections import open_repository
from otterflow.web.app import pages
from otterflow.web.reader import Reader, reader
from tests.experiment.test_intervals import BEGIN, GAIN, recording, tried
from tests.web import made_up

with tempfile.TemporaryDirectory() as home:
    os.environ |= {"OTTERFLOW_HOME": home, "OTTERFLOW_RECORDINGS_DIR": home}
    open(f"{home}/shop.yaml", "w").write("name: shop")
    repository = open_repository()
    made_up.whole(repository, "done", trials=4)
    made_up.begun(repository, "comparing")
    for iteration in range(3):
        made_up.tried(repository, "comparing", iteration)
    made_up.turns(repository, "comparing", rounds=4)
    repository.add_recording(
        recording(0), name="shop", target="t", path="/srv", start=BEGIN, end=BEGIN + timedelta(hours=1), manifest={}
    )
    tried(repository, f"replay-{recording(0)}", GAIN, whole=True)
    app = pages()
    app.dependency_overrides |= {get_user: FakeUser, reader: lambda: Reader(FakeRights())}
    said = {}
    for path in (
        "/", "/experiment/comparing", "/experiment/done", "/experiment/done/trial/2", "/experiment/done/report.html",
        "/experiment/done/export.zip", "/replays/shop", "/nights", "/knobs?target=example_command",
        "/target/example_command", "/compare?a=done&b=done",
    ):
        answer = mounted(app).get(path)
        assert answer.status_code == 200, path
        said[path] = answer.text
assert " to 1." in said["/experiment/comparing"], "the interval of a comparison under way"
assert "no interval of" not in said["/replays/shop"]
after = {name.partition(".")[0] for name in sys.modules} - before
print(sorted(after & {"sklearn", "scipy", "pandas", "paramiko"}))
"""


def printed(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PLUGINS, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_loading_the_plugin_loads_nothing_but_itself() -> None:
    own = ["otterflow", "otterflow.places", "otterflow.web", "otterflow.web.lazily", "otterflow_plugin"]
    assert printed(PLUGIN) == str(own)


@pytest.mark.slow
def test_no_page_needs_learning_statistics_or_data_frames() -> None:
    assert printed(PAGES) == "[]"

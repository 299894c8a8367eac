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
import sys
import airflow.api_fastapi.core_api.security
before = {name.partition(".")[0] for name in sys.modules}
from otterflow.web.app import pages
pages()
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
    own = ["otterflow", "otterflow.web", "otterflow.web.lazily", "otterflow.web.places", "otterflow_plugin"]
    assert printed(PLUGIN) == str(own)


@pytest.mark.slow
def test_a_page_needs_no_learning_and_no_data_frames() -> None:
    assert printed(PAGES) == "[]"

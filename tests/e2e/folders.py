"""A lab's folder, and its end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.lab import Lab, MariadbLab
from stack.processes import belonging_to
from tests.e2e.watching import watched


@contextmanager
def lab_folder() -> Iterator[Path]:
    """An empty folder that the servers' user may pass, until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="otterflow-e2e-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def stopped_at_the_end(lab: Lab | MariadbLab) -> Iterator[None]:
    """The lab is stopped as the block ends, and nothing of it is left running; a wait in the block watches Airflow."""
    try:
        with watched(lab):
            yield
    finally:
        lab.stop()
        assert not belonging_to(lab.root), "nothing is left running"

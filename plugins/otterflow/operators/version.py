"""Which code measured a trial: the release, and the commit where the checkout is a git repository."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import otterflow


@cache
def code_version() -> str:
    """`0.1.0+g1a2b3c4` in a git checkout (`-dirty` with uncommitted changes), else the release alone."""
    folder = Path(__file__).resolve().parent
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return otterflow.__version__
    return f"{otterflow.__version__}+g{done.stdout.strip()}" if done.returncode == 0 else otterflow.__version__

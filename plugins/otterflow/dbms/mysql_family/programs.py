"""Where the family's programs are on a target."""

from __future__ import annotations

from otterflow.dbms.target import Target
from otterflow.remote.shell import quote


def program(target: Target, name: str) -> str:
    """The program's path on the target, quoted; its bare name where the target gives no `bin_dir`."""
    return quote(f"{target.bin_dir.rstrip('/')}/{name}" if target.bin_dir else name)

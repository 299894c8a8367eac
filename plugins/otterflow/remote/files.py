"""Small commands on a host's files and caches that are neither a job nor the DBMS's."""

from __future__ import annotations

from collections.abc import Sequence

from otterflow.remote.shell import join, quote


def read_if_there_command(path: str) -> str:
    """The file's text; nothing, and success, where there is no such file."""
    return f"if [ -e {quote(path)} ]; then cat -- {quote(path)}; fi"


def missing_programs_command(programs: Sequence[str], bin_dir: str | None = None) -> str:
    """Print the names of the programs that are neither in `bin_dir` nor on the PATH, one a line.

    A name with a slash is a file, which must be readable (a Java archive need not be executable).
    """
    folder = f"{quote(bin_dir)}:" if bin_dir else ""
    return (
        f"PATH={folder}$PATH; for name in {join(programs)}; do\n"
        '  case $name in */*) [ -f "$name" ] && [ -r "$name" ] ;; *) command -v -- "$name" > /dev/null ;; esac ||\n'
        '    printf "%s\\n" "$name"\ndone'
    )


def free_cache_command(command: str) -> str:
    """Write dirty pages back, then drop the page cache by the one command that sudo allows."""
    return f"sync && {join(['sudo', '-n', command])}"

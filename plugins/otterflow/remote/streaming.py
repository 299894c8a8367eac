"""A file from one host to another, in pieces through the memory of the process between them, and on no disk of its own.

A piece is written at its offset, so writing it again does no harm; whether all is whole is for the reader's digest to
say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otterflow.remote.shell import quote

if TYPE_CHECKING:
    from otterflow.remote.session import Session

PIECE_BYTES = 8 * 2**20
_PIECE_S = 300.0
"""How long one piece may take each way: 30 KB a second are too slow for any recording."""
FULL = 28
"""Exit code where the receiving disk has too little room."""


def stream_file(
    source: Session, path: str, destination: Session, to: str, size_bytes: int, *, keep_free_bytes: int
) -> None:
    """Copy the file of that size. The folder of `to` must be there; what `to` holds from before is gone on with.

    At least `keep_free_bytes` stay free there, or CommandFailed is raised.
    """
    done = destination.run(_size_command(to), what="looking what has arrived", timeout_s=60)
    offset = min(int(done.stdout or 0), size_bytes) // PIECE_BYTES * PIECE_BYTES
    while offset < size_bytes:
        length = min(PIECE_BYTES, size_bytes - offset)
        piece = source.run(_read_command(path, offset, length), what=f"reading {path}", timeout_s=_PIECE_S).stdout
        write = _write_command(to, offset, length, keep_free_bytes)
        destination.run(write, what=f"writing {to}", timeout_s=_PIECE_S, stdin=piece)
        offset += length


def _size_command(path: str) -> str:
    return f"if [ -e {quote(path)} ]; then stat -c %s -- {quote(path)}; fi"


def _read_command(path: str, offset: int, length: int) -> str:
    return (
        f"set -o pipefail; dd if={quote(path)} bs=1M skip={offset} count={length} iflag=skip_bytes,count_bytes "
        "status=none | base64 -w 0"
    )


def _write_command(path: str, offset: int, length: int, keep_free_bytes: int) -> str:
    return f"""set -euo pipefail
umask 077
folder=$(dirname -- {quote(path)})
free=$(df -Pk -- "$folder" | awk 'NR == 2 {{ print $4 }}')
if [ $(( free - {length} / 1024 )) -lt {keep_free_bytes // 1024} ]; then
  echo "$folder has $(( free / 1024 )) MiB free, and {keep_free_bytes // 2**20} MiB must stay free" >&2
  exit {FULL}
fi
base64 -d | dd of={quote(path)} bs=1M seek={offset} oflag=seek_bytes conv=notrunc iflag=fullblock status=none
"""

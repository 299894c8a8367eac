"""The recordings on the driver host: whether one is there and whole, how one arrives, and which are removed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otterflow.errors import MachineryFault
from otterflow.remote.shell import quote
from otterflow.remote.streaming import stream_file
from otterflow.workloads.recording.manifest import MANIFEST_FILE, STATEMENTS_FILE, Manifest, read_manifest
from otterflow.workloads.recording.retention import Kept, is_id_of

if TYPE_CHECKING:
    from otterflow.remote.session import Session

log = logging.getLogger(__name__)

KEEP_FREE_BYTES = 2**30
"""So much of a disk stays free, whatever is recorded."""
LOOK_S = 60.0
HASH_S = 1800.0
_DAMAGED, _OTHER = 65, 73


@dataclass(frozen=True)
class KeptRecordings:
    """The folder `dir` on a host, with a folder for each recording."""

    session: Session
    dir: str

    def path(self, recording: str) -> str:
        """Where a recording is, or would be."""
        return f"{self.dir.rstrip('/')}/{recording}"

    def manifest(self, recording: str) -> Manifest | None:
        """The manifest of a recording that is there, with its statements as the manifest says; None where none is.

        Raises MachineryFault for one whose bytes are others by now.
        """
        folder = quote(self.path(recording))
        command = f"if [ -d {folder} ]; then cat -- {folder}/{MANIFEST_FILE}; fi"
        text = self.session.run(command, what=f"looking for recording {recording}", timeout_s=LOOK_S).stdout
        if not text:
            return None
        manifest = read_manifest(text)
        self._verify(self.path(recording), manifest)
        return manifest

    def receive(self, recording: str, source: Session, folder: str, manifest: Manifest) -> None:
        """Have a recording arrive from another host's folder: whole, or not there. Goes on where one was cut off."""
        arriving = f"{self.dir.rstrip('/')}/.{recording}.arriving"
        command = f"umask 077; mkdir -p -- {quote(arriving)} && chmod 700 -- {quote(arriving)}"
        self.session.run(command, what=f"making {arriving}", timeout_s=LOOK_S)
        stream_file(
            source, f"{folder}/{STATEMENTS_FILE}", self.session, f"{arriving}/{STATEMENTS_FILE}", manifest.bytes,
            keep_free_bytes=KEEP_FREE_BYTES,
        )  # fmt: skip
        try:
            self._verify(arriving, manifest)
        except MachineryFault:
            self._remove(arriving)
            raise
        self.session.put_file(f"{arriving}/{MANIFEST_FILE}", manifest.to_json())
        final = quote(self.path(recording))
        command = f"""set -eu
sync -- {quote(arriving)}/* {quote(arriving)}
if ! mv -T -- {quote(arriving)} {final}; then
  cmp -s -- {quote(arriving)}/{MANIFEST_FILE} {final}/{MANIFEST_FILE} || exit {_OTHER}
  rm -rf -- {quote(arriving)}
fi
sync -- {quote(self.dir)}"""
        self.session.run(command, what=f"giving recording {recording} its name", timeout_s=LOOK_S * 5)

    def kept(self, name: str) -> list[Kept] | None:
        """The recordings of a file that are there; None where the folder of all is not."""
        command = f"""cd -- {quote(self.dir)} 2> /dev/null || exit 0
echo .
for folder in {quote(name)}-*; do
  if [ -e "$folder/{MANIFEST_FILE}" ]; then printf '%s %s\\n' "$(du -s -B1 -- "$folder" | cut -f1)" "$folder"; fi
done"""
        lines = self.session.run(command, what="listing recordings", timeout_s=LOOK_S).stdout.splitlines()
        found = [line.partition(" ")[::2] for line in lines[1:]]
        return [Kept(folder, int(size)) for size, folder in found if is_id_of(name, folder)] if lines else None

    def remove(self, recording: str) -> None:
        """Remove a recording; it is gone at once, or there whole."""
        self._remove(self.path(recording))

    def remove_leftovers(self, name: str) -> None:
        """Remove what writers and arrivals have left that were cut off more than a day ago, and half removed ones."""
        command = f"""cd -- {quote(self.dir)} 2> /dev/null || exit 0
find . -maxdepth 1 -type d -name {quote(f".{name}-*")} -mmin +1440 -exec rm -rf -- {{}} +"""
        self.session.run(command, what="removing what was cut off", timeout_s=HASH_S)

    def _remove(self, folder: str) -> None:
        parent, _, last = folder.rpartition("/")
        gone = quote(f"{parent}/.{last.lstrip('.')}.removed")
        command = (
            f"if [ -d {quote(folder)} ]; then rm -rf -- {gone}; mv -T -- {quote(folder)} {gone}; fi; rm -rf -- {gone}"
        )
        self.session.run(command, what=f"removing {folder}", timeout_s=HASH_S)

    def _verify(self, folder: str, manifest: Manifest) -> None:
        file = quote(f"{folder}/{STATEMENTS_FILE}")
        command = f"""size=$(stat -c %s -- {file}) || exit {_DAMAGED}
if [ "$size" -ne {manifest.bytes} ]; then
  echo "it has $size bytes, and its manifest says {manifest.bytes}"
  exit {_DAMAGED}
fi
read -r digest _ < <(sha256sum < {file})
if [ "$digest" != {manifest.sha256} ]; then echo "its SHA-256 is not the manifest's"; exit {_DAMAGED}; fi"""
        done = self.session.run(command, what="checking a recording", timeout_s=HASH_S, check=False)
        if done.exit_code != 0:
            said = done.stdout.strip() or done.stderr.strip()
            raise MachineryFault(f"{folder} on {self.session.host} is damaged: {said}; remove it, and clear this task")

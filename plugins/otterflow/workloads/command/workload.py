"""The scripts that run the user's own commands, each in a bash of its own."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.dbms.access import DatabaseAccess
from otterflow.workloads.command.output import RESULT_FILE, read_result
from otterflow.workloads.command.settings import CommandSettings
from otterflow.workloads.job import JobScript, RunPlan, access_files, prologue
from otterflow.workloads.result import BenchmarkResult

RESULT_BYTES = 65_536
"""How much of the output's end is kept for the parser."""
LONGEST_LINE = 200
"""How much of a line is shown in the task's log."""

KEEP_THE_END = f"""\
tail -c {RESULT_BYTES} output.txt > {RESULT_FILE}
rm -f output.txt
"""


@dataclass(frozen=True)
class CommandWorkload:
    """Any program on the driver host that can load data and run against them. Times are in seconds."""

    settings: CommandSettings
    load_timeout_s: float
    run_timeout_s: float

    def programs(self) -> tuple[str, ...]:
        """What the benchmark file names, and what the scripts are made of."""
        return (*self.settings.programs, "bash", "tee", "tail")

    def data_fingerprint(self) -> str:
        """The scale, and a hash of the load command and of all files, of which it may use any."""
        digest = hashlib.sha256(self.settings.load.encode())
        for name, text in sorted(self._files().items()):
            digest.update(f"\0{name}\0{text}".encode())
        return f"command-{self.settings.scale}-{digest.hexdigest()[:16]}"

    def estimated_bytes(self) -> int:
        """Tables and indexes after loading, as the benchmark file says."""
        return self.settings.scale * self.settings.bytes_per_scale

    def load(self, access: DatabaseAccess, bin_dir: str | None) -> JobScript:
        """The user's load command."""
        files = self._files() | {"load.sh": _text(self.settings.load)}
        return self._job(access, bin_dir, _bash("load.sh"), files, self.load_timeout_s)

    def warm_up(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript | None:
        """The user's warm-up command, or the measured one, whose result nobody reads."""
        if not asked.warms_up:
            return None
        files = self._files() | {"warm_up.sh": _text(self.settings.warm_up or self.settings.run)}
        steps = _asked(asked.warmup_s, 2 * asked.seed) + _bash("warm_up.sh")
        return self._job(access, bin_dir, steps, files, asked.warmup_s + self.run_timeout_s)

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """The user's measured command; the end of its standard output is kept."""
        files = self._files() | {"run.sh": _text(self.settings.run)}
        steps = _asked(asked.duration_s, 2 * asked.seed + 1) + _bash("run.sh", "| tee output.txt") + KEEP_THE_END
        return self._job(access, bin_dir, steps, files, asked.duration_s + self.run_timeout_s, (RESULT_FILE,))

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the command's last line; raises BenchmarkFailed."""
        return read_result(results, self.settings.measures)

    def progress(self, line: str) -> str | None:
        """Whatever the command says, but for its result."""
        said = line.strip()
        return said[:LONGEST_LINE] if said and not said.startswith("{") else None

    def _files(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.settings.files}

    def _job(
        self,
        access: DatabaseAccess,
        bin_dir: str | None,
        steps: str,
        files: dict[str, str],
        timeout_s: float,
        results: tuple[str, ...] = (),
    ) -> JobScript:
        script = prologue(access, bin_dir) + f"export OTTERFLOW_SCALE={self.settings.scale}\n" + steps
        return JobScript(script, access_files(access) | files, timeout_s, results)


def _asked(seconds: float, seed: int) -> str:
    return f"export OTTERFLOW_DURATION_S={math.ceil(seconds)} OTTERFLOW_SEED={seed}\n"


def _bash(name: str, then: str = "") -> str:
    """A step that fails ends the script, also in the middle of a pipe; standard input is empty."""
    return f"bash -e -o pipefail {name} < /dev/null {then}".rstrip() + "\n"


def _text(command: str) -> str:
    return command if command.endswith("\n") else command + "\n"

"""The detached job on the host as bash commands: start or attach, poll, fetch, kill, clean up. Builders and parsers.

A job is a folder `<work_dir>/jobs/<job_id>`, mode 700:

    script      what the caller wants run
    run         the wrapper that runs it: session leader, keeps the time limit, writes the files below
    files/      the caller's files, and the script's working folder
    log         the script's stdout and stderr
    pid         "<pid> <start time> <boot id>" of the wrapper; with all three no other process can be taken for it
    exit_code   written last, atomically: when it is there, the job is over and its log is whole. Its room on the disk
                is taken when the job starts, so that a job on a full disk can still say how it ended

Starts, kills and clean-ups of one work folder take turns under `flock` on `jobs/.lock`. The wrapper inherits the lock
and lets go of it only when its pid file is written. So a folder without a pid file, seen under the lock, can only be a
start that was interrupted, and is made anew; two starts at once give one job.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from otterflow.remote.shell import join, quote

JOB_ID = re.compile(r"[A-Za-z0-9._-]{1,180}")
TIMED_OUT = 124
"""The exit code of a job that reached its time limit."""
KILLED = 143
"""The exit code of a job that was killed by `kill_command`."""
LOCK_WAIT_S = 20
KILL_GRACE_S = 8
"""How long processes of a job may take to end after TERM, before KILL."""
POLL_BYTES = 256 * 2**10
EXIT_CODE_WIDTH, PID_WIDTH = 3, 80
"""Bytes that these files take from the start on: they are later written over in place, which needs no more disk."""


class JobState(StrEnum):
    """`absent`: never started, or cleaned up. `lost`: the process is gone and left no exit code, or an empty one.

    A job is lost when its host was restarted, when all its processes were killed, or when the disk took no byte more.
    """

    absent = "absent"
    running = "running"
    finished = "finished"
    lost = "lost"


@dataclass(frozen=True)
class JobPaths:
    """Where a job's files are on the host. Raises ValueError for a job id that could leave its folder."""

    work_dir: str
    job_id: str

    def __post_init__(self) -> None:
        if not JOB_ID.fullmatch(self.job_id) or set(self.job_id) == {"."}:
            raise ValueError(f"job_id: {self.job_id!r} is not usable; 1 to 180 of A-Z a-z 0-9 . _ - are")

    @property
    def jobs(self) -> str:
        """The folder of all jobs."""
        return f"{self.work_dir.rstrip('/')}/jobs"

    @property
    def root(self) -> str:
        """The folder of the job."""
        return f"{self.jobs}/{self.job_id}"

    @property
    def files(self) -> str:
        """The caller's files, and the script's working folder."""
        return f"{self.root}/files"


@dataclass(frozen=True)
class Poll:
    """One look at a job: its state, its exit code once finished, and the log's bytes from the offset asked for."""

    state: JobState
    exit_code: int | None
    log: bytes
    log_size: int


def check_file_name(name: str) -> str:
    """The name, if it is one file's inside `files/`; ValueError if not."""
    if not JOB_ID.fullmatch(name) or set(name) == {"."}:
        raise ValueError(f"file name {name!r} is not usable in a job; 1 to 180 of A-Z a-z 0-9 . _ - are")
    return name


def start_command(paths: JobPaths, timeout_s: float) -> str:
    """Start the job whose script and files come by standard input (`start_input`), or attach to it.

    Prints `started` or `attached`. An existing job, in whatever state, is attached to.
    """
    return f"""set -eu
umask 077
work={quote(paths.work_dir.rstrip("/"))}
mkdir -p -- "$work" "$work/jobs"
if [ -L "$work" ] || [ ! -O "$work" ] || [ -L "$work/jobs" ] || [ ! -O "$work/jobs" ]; then
  echo "work_dir $work is a link or belongs to another user; set the target's work_dir to a folder of your own" >&2
  exit 77
fi
chmod 700 -- "$work/jobs"
{_take_lock(paths)}
root={quote(paths.root)}
if [ -e "$root/pid" ] || [ -e "$root/exit_code" ]; then echo attached; exit 0; fi
rm -rf -- "$root"
mkdir -- "$root" "$root/files"
cd -- "$root"
whole=no
while read -r name encoded; do
  case $name in
    .) whole=yes ;;
    script) printf %s "$encoded" | base64 -d > script ;;
    files/*) printf %s "$encoded" | base64 -d > "$name" ;;
  esac
done
if [ $whole != yes ]; then echo "the connection ended before the job's files had arrived" >&2; exit 74; fi
printf '%s\\n' {quote(_wrapper(timeout_s))} > run
: > log
printf '%-{EXIT_CODE_WIDTH}s\\n' - > exit_code.tmp
printf '%-{PID_WIDTH}s\\n' - > pid.tmp
setsid bash ./run < /dev/null >> log 2>&1 &
for _ in $(seq 200); do
  if [ -e pid ]; then echo started; exit 0; fi
  sleep 0.05
done
echo "the job's process did not start within 10 s: $(tail -c 500 log)" >&2
exit 70
"""


def start_input(script: str, files: Mapping[str, str | bytes]) -> str:
    """Standard input of `start_command`: one line a file, base64; the last line says that nothing is missing."""
    lines = [f"script {_encoded(script)}"]
    lines += [f"files/{check_file_name(name)} {_encoded(content)}" for name, content in files.items()]
    return "\n".join([*lines, ".", ""])


def list_command(work_dir: str, prefix: str) -> str:
    """The ids of the jobs whose id begins with `prefix`, one a line; nothing where the folder does not exist."""
    jobs = quote(f"{work_dir.rstrip('/')}/jobs")
    return f"""if [ -d {jobs} ]; then
  cd -- {jobs}
  for name in {quote(prefix)}*; do if [ -d "$name" ]; then printf '%s\\n' "$name"; fi; done
fi"""


def poll_command(paths: JobPaths, log_offset: int, wait_s: float = 0) -> str:
    """Print the job's state, and the log from byte `log_offset` on (at most `POLL_BYTES`); see `parse_poll`.

    Waits on the host for the job's end, `wait_s` seconds at most, so that the end is seen when it comes.
    """
    # `read -t` on a pipe that nobody writes to sleeps without a process: nothing that a benchmark beside it would feel.
    # The state is read before the log: a job seen finished has its whole log. A job that is gone without an exit code
    # may be one that is being killed, which gets its exit code last: so that is asked for once more after the kill.
    return f"""cd -- {quote(paths.root)} 2> /dev/null || {{ echo "absent - 0"; exit 0; }}
{_IS_ALIVE}
if [ ! -e exit_code ] && is_alive; then
  exec {{never}}<> <(:)
  for ((round = 0; round < {round(wait_s * 10)}; round++)); do
    if [ -e exit_code ]; then break; fi
    read -r -t 0.1 -u "$never"
  done
fi
if [ -e exit_code ]; then state=finished
elif [ ! -e pid ]; then state=absent
elif is_alive; then state=running
else
  ( {_take_lock(paths)}
  ) 2> /dev/null
  if [ -e exit_code ]; then state=finished; else state=lost; fi
fi
code=-
if [ $state = finished ]; then
  read -r code < exit_code
  case $code in '' | *[!0-9]*) state=lost code=- ;; esac
fi
echo "$state $code $(stat -c %s log 2> /dev/null || echo 0)"
tail -c +{log_offset + 1} log 2> /dev/null | head -c {POLL_BYTES} | base64 -w 0
"""


def parse_poll(text: str) -> Poll:
    """What `poll_command` printed. Raises ValueError for anything else."""
    head, _, body = text.partition("\n")
    words = head.split()
    if len(words) != 3:
        raise ValueError(f"not a job's state: {head[:200]!r}")
    state, code, size = words
    exit_code = int(code) if code != "-" else None
    return Poll(JobState(state), exit_code, base64.b64decode(body.strip()), int(size))


def seconds_command(paths: JobPaths) -> str:
    """When the job started and when it ended by the host's clock, for `parse_seconds`; nothing while it has not."""
    return f"cd -- {quote(paths.root)} 2> /dev/null && stat -c %.3Y pid exit_code 2> /dev/null || true"


def parse_seconds(output: str) -> float | None:
    """How long the job took; None where the host does not tell, or its clock was set back meanwhile."""
    try:
        begun, ended = (float(line) for line in output.split())
    except ValueError:
        return None
    return ended - begun if ended >= begun else None


def fetch_command(paths: JobPaths, names: Sequence[str], max_bytes: int) -> str:
    """Print the named files of `files/` that exist; see `parse_fetch`. One larger than `max_bytes` is an error."""
    return f"""cd -- {quote(paths.files)} || exit 66
for name in {join(check_file_name(name) for name in names)}; do
  [ -f "$name" ] || continue
  size=$(stat -L -c %s -- "$name")
  if [ "$size" -gt {max_bytes} ]; then echo "$name has $size bytes, more than {max_bytes}" >&2; exit 27; fi
  printf '%s %s\\n' "$name" "$(base64 -w 0 -- "$name")"
done
"""


def parse_fetch(text: str) -> dict[str, str]:
    """File name to text, from what `fetch_command` printed."""
    files = {}
    for line in text.splitlines():
        name, _, encoded = line.partition(" ")
        files[name] = base64.b64decode(encoded).decode(errors="replace")
    return files


def kill_command(paths: JobPaths) -> str:
    """End the job and all processes of its session: TERM, then KILL. Prints `killed` or `not running`.

    The job is then finished with exit code `KILLED`. Processes that made a session of their own, as a database server
    does, live on.
    """
    return f"""umask 077
[ -d {quote(paths.root)} ] || {{ echo "not running"; exit 0; }}
{_take_lock(paths)}
cd -- {quote(paths.root)} 2> /dev/null || {{ echo "not running"; exit 0; }}
{_IS_ALIVE}
{_END_SESSION}
if ! is_alive; then echo "not running"; exit 0; fi
read -r pid _ < pid
end_session "$pid"
if [ ! -e exit_code ]; then
{_written(str(KILLED))}
fi
echo killed
"""


def cleanup_command(paths: JobPaths) -> str:
    """Remove the job's folder. A running job is left alone: exit code 75."""
    return f"""[ -d {quote(paths.root)} ] || exit 0
{_take_lock(paths)}
cd -- {quote(paths.root)} 2> /dev/null || exit 0
{_IS_ALIVE}
if [ ! -e exit_code ] && is_alive; then echo "job {paths.job_id} is still running; kill it first" >&2; exit 75; fi
cd /
rm -rf -- {quote(paths.root)}
"""


def _encoded(content: str | bytes) -> str:
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


def _take_lock(paths: JobPaths) -> str:
    lock = quote(f"{paths.jobs}/.lock")
    return f"""exec 9>> {lock}
flock -w {LOCK_WAIT_S} 9 || {{ echo "jobs/.lock in work_dir is held for more than {LOCK_WAIT_S} s" >&2; exit 75; }}"""


# Fields of /proc/PID/stat count from behind the command's name, which may hold spaces, brackets and line breaks:
# 1 state, 4 session, 20 start time in clock ticks since boot (proc(5): 3, 6 and 22).
_READ_STAT = """read_stat() {
  local text=
  { IFS= read -r -d '' text < "/proc/$1/stat"; } 2> /dev/null
  [ -n "$text" ] || return 1
  stat=(_ ${text##*) })
}"""

_IS_ALIVE = f"""{_READ_STAT}
is_alive() {{
  local pid started boot
  {{ read -r pid started boot < pid; }} 2> /dev/null || return 1
  [ "$boot" = "$(< /proc/sys/kernel/random/boot_id)" ] && read_stat "$pid" &&
    [ "${{stat[20]}}" = "$started" ] && [ "${{stat[1]}}" != Z ]
}}"""

_END_SESSION = f"""session_members() {{
  local folder pid
  members=()
  for folder in /proc/[0-9]*; do
    pid=${{folder#/proc/}}
    if [ "$pid" != $$ ] && read_stat "$pid" && [ "${{stat[4]}}" = "$1" ] && [ "${{stat[1]}}" != Z ]; then
      members+=("$pid")
    fi
  done
  [ ${{#members[@]}} -gt 0 ]
}}
end_session() {{
  local round=0
  while session_members "$1"; do
    if [ $round -eq 0 ]; then kill -TERM "${{members[@]}}" 2> /dev/null
    elif [ $round -ge {KILL_GRACE_S * 10} ]; then kill -KILL "${{members[@]}}" 2> /dev/null; fi
    if [ $round -ge {KILL_GRACE_S * 10 + 50} ]; then break; fi
    round=$((round + 1))
    sleep 0.1
  done
}}"""


def _wrapper(timeout_s: float) -> str:
    """The job's session leader. Its limit ends the whole session, also what ignores TERM or left `timeout`'s group."""
    return f"""umask 077
{_READ_STAT}
{_END_SESSION}
read_stat $$
printf '%-{PID_WIDTH}s\\n' "$$ ${{stat[20]}} $(< /proc/sys/kernel/random/boot_id)" 1<> pid.tmp
mv -f pid.tmp pid
exec 9>&-
cd files
SECONDS=0
timeout -k {KILL_GRACE_S} {timeout_s:g} bash ../script
code=$?
if [ $code -eq {TIMED_OUT} ] || {{ [ $code -eq 137 ] && [ $SECONDS -ge {int(timeout_s)} ]; }}; then
  end_session $$
  code={TIMED_OUT}
fi
cd ..
{_written("$code")}"""


def _written(code: str) -> str:
    """Bash that puts the exit code into its file, whole or not at all, in the room that the start took for it."""
    return f"""if printf '%-{EXIT_CODE_WIDTH}s\\n' {code} 1<> exit_code.tmp; then
  sync exit_code.tmp log
  mv -f exit_code.tmp exit_code
fi"""

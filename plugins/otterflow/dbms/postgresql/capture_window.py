"""Logging of statements switched on for a window and back: a job on the server's host that ends by itself.

The settings are a block at the end of the knobs file, which the server's configuration includes. The job takes the
block out again at its deadline, or when it is told to end, whoever lives then; it takes out the block and puts no older
text back, so what somebody else has written meanwhile stays. It keeps its session with the server until then, so that
a password that is changed within the window does not keep it from the reload. `put_back_job` does the same for a job
that was killed with KILL, whose host was restarted, or whom the server would not let in any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from otterflow.dbms import capture_block
from otterflow.dbms.capture_block import BEGIN, CAPTURED_FILE, END, block_functions, first_line
from otterflow.dbms.postgresql.quoting import literal
from otterflow.dbms.target import Target
from otterflow.dbms.values import Captured, DatabaseAccess
from otterflow.errors import Problem
from otterflow.remote.script import JobScript
from otterflow.remote.shell import quote, quote_glob

RELOAD_S = 20
"""How long a reload may take to show."""
DOWN_S = 60
"""How long a server that is down is waited for, to have it read its files again; its next start reads them anyway."""
SPARE_S = 300.0
"""How much longer than its window the job may take."""
BY_HAND = f"remove the lines from {BEGIN!r} to {END!r} and reload"
"""How a person takes back what a window has set."""
_LOOK_EVERY_S = 2


def capture_job(
    target: Target, access: DatabaseAccess, settings: Mapping[str, str], patterns: Sequence[str], *,
    recording: str, end: datetime, longest_s: float, max_log_bytes: int, keep_free_bytes: int,
) -> JobScript:  # fmt: skip
    """Put the settings in force until `end`, by the host's clock and for no longer than `longest_s`.

    Ends earlier where the log grows by more than `max_log_bytes`, where less than `keep_free_bytes` of its disk are
    free, or where the block is gone from the file. `read_capture` reads what it leaves.
    """
    block = [first_line(recording, end)]
    block += [f"{name} = {literal(value).strip()}" for name, value in settings.items()]
    in_force = " AND ".join(
        f"EXISTS (SELECT FROM pg_settings WHERE name = {literal(name)} AND setting = {literal(value)})"
        for name, value in settings.items()
    )
    script = f"""{access.prologue(target.bin_dir)}
{_functions(target, recording)}
max_log_bytes={max_log_bytes} keep_free_kib={keep_free_bytes // 1024}
end=$(( $(date +%s) + {int(longest_s)} ))
if [ {int(end.timestamp())} -lt $end ]; then end={int(end.timestamp())}; fi
logs() {{ for log in {" ".join(quote_glob(pattern) for pattern in patterns)}; do
  if [ -f "$log" ]; then printf '%s\\0' "$log"; fi
done; }}
of_logs() {{ {{ logs | xargs -0 -r "$@" 2> /dev/null; }} || true; }}
log_bytes() {{ of_logs stat -L -c %s -- | awk '{{ n += $1 }} END {{ print n + 0 }}'; }}
free_kib() {{ of_logs df -Pk -- | awk 'NR > 1 && (n == "" || $4 < n) {{ n = $4 }} END {{ print n }}'; }}
trap 'exit 143' TERM INT HUP
take_turn
stop_if_other
unread=0  # what was logged is whole all the same; the job of put_back, which comes next, fails for it
trap put_back EXIT
if [ ! -e "$knobs" ]; then new='; a new file'; else new=; fi
{{
  without_block {quote(BEGIN)}
  printf '%s%s\\n' {quote(block[0])} "$new"
  cat settings
  echo {quote(END)}
}} > with_block
write < with_block
end_turn
sql 'SELECT pg_reload_conf()' > /dev/null
for _ in $(seq {RELOAD_S * 5}); do
  if [ "$(sql {quote(f"SELECT {in_force}")})" = t ]; then on=yes; break; fi
  sleep 0.2
done
if [ -z "${{on:-}}" ]; then
  echo "the settings are not in force {RELOAD_S} s after a reload; what is in force, and from where:"
  sql {quote(_where_from(settings))}
  exit 3
fi
keep_session
# A record at the very start and one at the very end, in the format of now: what the log lacks is judged between them.
record={quote(f"DO 'BEGIN RAISE LOG $$otterflow records {recording}$$; END'")}
note() {{
  if ! sql "$record" > /dev/null 2>&1; then
    printf '%s\\n' '\\set ON_ERROR_STOP off' "$record;" '\\set ON_ERROR_STOP on' >&7
  fi
}}
note
on=$(date +%s.%N)
echo "on $on" > {CAPTURED_FILE}
echo "logging of statements is on until $(date -u -d @$end +%H:%M:%S) UTC"
before=$(log_bytes) why=end
while [ $(date +%s) -lt $end ]; do
  sleep {_LOOK_EVERY_S} &
  wait $!
  if ! grep -qF -- {quote(block[0])} "$knobs" 2> /dev/null; then why=replaced; break; fi
  if [ $(( $(log_bytes) - before )) -gt $max_log_bytes ]; then why=log_size; break; fi
  free=$(free_kib)
  if [ -n "$free" ] && [ "$free" -lt $keep_free_kib ]; then why=disk; break; fi
done
echo "off $(date +%s.%N) $why" >> {CAPTURED_FILE}
note
"""  # noqa: S608 quoted
    text = "".join(f"{line}\n" for line in block[1:])
    return JobScript(
        script, access.files() | {"settings": text}, longest_s + SPARE_S, results=(CAPTURED_FILE,)
    )  # fmt: skip


def put_back_job(target: Target, access: DatabaseAccess, recording: str) -> JobScript:
    """Take the recording's block out of the knobs file, if it is there, and have the server read its files again."""
    script = f"{access.prologue(target.bin_dir)}\n{_functions(target, recording)}\nunread=6\nput_back\n"
    return JobScript(script, access.files(), 2 * RELOAD_S + DOWN_S + 60.0)


def read_capture(results: Mapping[str, str]) -> Captured | None:
    """When logging was in force, by the host's clock, and why it ended; None where it never was."""
    return capture_block.read_captured(results, _WHY)


_WHY = {
    "replaced": "somebody has replaced the knobs file while the load was recorded",
    "log_size": "the log grew by more than budget.log_size",
    "disk": "the disk of the log was nearly full",
}


def left_on(knobs_text: str, knobs_file: str) -> Problem | None:
    """That settings of a recording are in the knobs file, in which they stay only while it is made."""
    return capture_block.left_on(knobs_text, knobs_file, BY_HAND)


def _where_from(settings: Mapping[str, str]) -> str:
    names = ", ".join(literal(name) for name in settings)
    said = "name || ' = ' || setting || ', by ' || source || coalesce(' ' || sourcefile, '')"
    return f"SELECT {said} FROM pg_settings WHERE name IN ({names})"  # noqa: S608 quoted


def _functions(target: Target, recording: str) -> str:
    """The functions of `capture_block`, and `put_back`: takes the recording's own block out and ends the script.

    What the block sets goes first, and its frame once the server has read that: while the frame is there, the window is
    not over.
    """
    return f"""{block_functions(target, recording)}
loaded='SELECT pg_conf_load_time()'
sql() {{ psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --command="$1" < /dev/null; }}
keep_session() {{
  mkfifo -m 600 asked
  exec 7<> asked 6< asked
  (trap '' TERM INT HUP; exec psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 <&6 > /dev/null 6<&- 7>&-) &
  kept=$!
  exec 6<&-
  echo "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout';" >&7
}}
reload() {{
  local former
  if former=$(sql "$loaded" 2> refused); then
    sql 'SELECT pg_reload_conf()' > /dev/null 2> refused || return 1
    for _ in $(seq {RELOAD_S * 5}); do
      if [ "$(sql "$loaded" 2> refused)" != "$former" ]; then return 0; fi
      sleep 0.2
    done
    echo "the server has not read its files again {RELOAD_S} s after a reload: its log says why" > refused
    return 1
  fi
  [ -n "${{kept:-}}" ] || return 1
  printf '%s\\n' 'SELECT pg_reload_conf();' '\\q' >&7
  for _ in $(seq {RELOAD_S * 5}); do kill -0 "$kept" 2> /dev/null || break; sleep 0.2; done
  kill -KILL "$kept" 2> /dev/null || true
  former=$kept kept=
  wait "$former" 2> /dev/null
}}
read_again() {{
  local last=$(( $(date +%s) + {DOWN_S} ))
  until reload; do
    if [ "$(date +%s)" -lt $last ]; then sleep 2; continue; fi
    cat refused
    pg_isready --quiet --timeout=20
    if [ $? -lt 2 ]; then
      echo "the server lets nobody have it read $knobs again, and logs statements as in the window until it does"
      return 1
    fi
    echo "the settings of the log are as they were in $knobs; the server is down, and reads that when it starts"
    return 0
  done
  echo "the settings of the log are as they were"
}}
put_back() {{
  local code=$?
  trap '' TERM INT HUP
  trap - EXIT
  set +e
  if ! grep -qF -- "$own" "$knobs" 2> /dev/null; then  # gone, by whoever has replaced the file: read perhaps not yet
    if [ $unread = 0 ]; then read_again; else reload; fi
    exit $code
  fi
  take_turn
  text=$(sed "/^$own/,/^"{quote(END)}"/{{/^#/!d}}" -- "$knobs" && echo .) && take_out "${{text%.}}" || exit 4
  end_turn
  read_again || exit $((code ? code : unread))
  unblock || exit 4
  exit $code
}}"""  # noqa: S608 no SQL is put together

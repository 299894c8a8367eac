"""The slow log switched on for a window and back: a job on the server's host that ends by itself and keeps the rows.

SET GLOBAL holds until the server ends, so a block of comments in the knobs file keeps what was, and of which start of
the server. At its deadline, or when it is told to end, the job brings back what was, as far as nobody else has changed
it since; it writes the rows of `mysql.slow_log` to a file in its folder and empties the table. It keeps its session
with the server until then, so that a password that is changed within the window keeps it from nothing. `put_back_job`
does the same, but for the file, for a job that was killed with KILL, or whose host was restarted. Over a server that
was restarted since nothing is set: it has begun with what it is configured to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from otterflow.dbms import capture_block
from otterflow.dbms.capture_block import BEGIN, CAPTURED_FILE, END, block_functions, first_line
from otterflow.dbms.mysql_family.client import SQL_MODE, time_limit_sql
from otterflow.dbms.mysql_family.job_client import client_functions
from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.programs import program
from otterflow.dbms.mysql_family.quoting import literal
from otterflow.dbms.mysql_family.service import STARTED_SQL
from otterflow.dbms.target import Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.remote.script import JobScript
from otterflow.remote.shell import quote

LOG_FILE = "mysql.slow_log.gz"
"""The rows, as `mysql_family.slow_log.rows` reads them, in the job's folder."""
DOWN_S = 60
"""How long a server that gives no answer is waited for."""
SPARE_S = 2 * 3600.0
"""How much longer than its window the job may take: the rows are written at its end."""
BY_HAND = f"do what its lines say (SET GLOBAL, TRUNCATE TABLE mysql.slow_log) and remove them, {BEGIN!r} to {END!r}"
"""How a person takes back what a window has set."""
_LOOK_EVERY_S = 2
_LOGGED_OF_A_LOOK = 3
"""Of what the client program sends for one statement: how it begins, its look at `@@version_comment`, the statement.

MySQL's newer ones ask `SELECT $$` besides, which is an error of syntax, and such have no row.
"""
_LONG_ROWS = "--max-allowed-packet=1G"
"""For the client program: a text of 16 MiB makes a row of twice that, and by itself it takes half of that."""
_STARTED = "# of the server that was started at"

OTHERS = """(SELECT COUNT(*) FROM information_schema.PROCESSLIST
 WHERE COMMAND NOT IN ('Daemon', 'Binlog Dump', 'Binlog Dump GTID', 'Slave_IO', 'Slave_SQL', 'Slave_worker')
 AND USER <> 'system user' AND ID <> CONNECTION_ID())"""
RUNNING = """(SELECT COUNT(*) FROM information_schema.PROCESSLIST
 WHERE COMMAND IN ('Query', 'Execute') AND USER <> 'system user' AND ID <> CONNECTION_ID())"""
IN_THE_WAY_SQL = """
SELECT 'the slow log is on by now: it is to be off before a window' FROM DUAL WHERE @@GLOBAL.slow_query_log = 1
UNION ALL SELECT 'the general log is on by now: it is to be off' FROM DUAL WHERE @@GLOBAL.general_log = 1
UNION ALL SELECT 'mysql.slow_log has rows by now: a window ends by emptying it' FROM DUAL
 WHERE EXISTS (SELECT 1 FROM mysql.slow_log)"""
NEWEST_SQL = "SELECT MAX(ID) FROM information_schema.PROCESSLIST"
"""The number of the newest session that there is: they grow."""
USED_SQL = "SELECT @@GLOBAL.slow_query_log = 1 AND FIND_IN_SET('TABLE', @@GLOBAL.log_output) > 0"
ROWS_SQL = """
SET time_zone = @@GLOBAL.time_zone; SET @ahead_s = TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW());
SET time_zone = '{zone}';
SELECT {began_s} + {zone_s} - @ahead_s, {seconds}, rows_sent, {rows_changed}, {session}, HEX(db),
  HEX(LEFT(CAST(sql_text AS BINARY), @@max_allowed_packet DIV 2)),
  HEX(SUBSTR(CAST(sql_text AS BINARY), @@max_allowed_packet DIV 2 + 1))
  FROM mysql.slow_log"""
"""The rows, a text in two halves: MariaDB makes no string that is longer than its max_allowed_packet.

The starts are in UTC where their sessions have the server's time zone: a row does not tell its own.

The table's file has a start as text, in the time zone of its session. One that is no time in the zone of who reads it,
as in the hour that a summer's begin leaves out, makes MariaDB give no row at all ("marked as crashed", 1194). So it is
read in a zone that leaves out none, and brought from there to the server's.
"""
ZONES_S = {"+00:00": 0, "-12:59": -46_740, "+13:00": 46_800}
"""The zones to read in, one after the other: a start near 1970 or 2038, which a session has set, is none in some. No
MySQL before 8.0.19 knows one outside of these."""
EMPTY_SQL = "SET SESSION sql_log_bin = 0; TRUNCATE TABLE mysql.slow_log"
"""By itself a TRUNCATE goes to the binary log, and replicas would empty the tables of their own."""


@dataclass(frozen=True)
class SlowLog:
    """What differs between the products: where the server tells of itself, and how its table says what."""

    product: Product
    status: str
    """The table of its counters."""
    session_status: str
    """The table of those of the session."""
    settings_sql: str
    """Its global settings, as `name` in small letters and `value`."""
    began_s: str
    """Of a row of `mysql.slow_log`, in SQL: when its statement began, in seconds since 1970."""
    seconds: str
    """How long it took, with its microseconds."""
    rows_changed: str
    """How many rows it changed, `NULL` where the table does not tell."""
    session: str
    """The number of the session, with `NO_CLIENT` before it where it is an event's or a replica's applier's."""
    kept: str
    """The settings that a session keeps which began in a window, as `name = value, ...`."""
    unlogged: tuple[str, ...] = ()
    """The counters of what clients send and the table has no row of, or not always; all are in `Questions`."""

    @property
    def started(self) -> str:
        """When the server was started, in SQL."""
        return f"({STARTED_SQL.format(status=self.status).strip()})"

    @property
    def questions(self) -> str:
        """What clients sent, but for what is `unlogged`."""
        return self._sum("IF(VARIABLE_NAME = 'Questions', 1, -1)", "Questions", *self.unlogged)

    @property
    def own_questions(self) -> str:
        """What the session has sent, this statement among it."""
        return f"(SELECT VARIABLE_VALUE FROM {self.session_status} WHERE VARIABLE_NAME = 'Questions')"  # noqa: S608

    @property
    def growth(self) -> str:
        """By how much the table grows, about: what clients send, and what a row has besides.

        The server does not tell its size, and its file can be looked at by whoever may enter the data directory.
        """
        return self._sum("IF(VARIABLE_NAME = 'Slow_queries', 250, 1)", "Slow_queries", "Bytes_received")

    @property
    def sessions_keep(self) -> str:
        """What is to be known as a window ends."""
        return (
            f"sessions that began within the window keep its settings ({self.kept}) until they end: a slow log that is"
            " switched on meanwhile gets all of their statements"
        )

    def rows_sql(self, zone: str, zone_s: int) -> str:
        """All rows, as `slow_log.rows` reads them."""
        return ROWS_SQL.format(
            zone=zone, zone_s=zone_s, began_s=self.began_s, seconds=self.seconds, rows_changed=self.rows_changed,
            session=self.session,
        )  # fmt: skip

    def _sum(self, factor: str, *counters: str) -> str:
        named = ", ".join(literal(name) for name in counters)
        return (
            f"(SELECT SUM(CAST(VARIABLE_VALUE AS SIGNED) * {factor}) DIV 1 FROM {self.status}"  # noqa: S608 constants
            f" WHERE VARIABLE_NAME IN ({named}))"
        )


def capture_job(
    log: SlowLog, target: Target, access: DatabaseAccess, settings: Mapping[str, str], *,
    recording: str, end: datetime, longest_s: float, max_log_bytes: int, keep_free_bytes: int,
) -> JobScript:  # fmt: skip
    """Have all statements logged until `end`, by the host's clock and for no longer than `longest_s`.

    Ends earlier where the table grows beyond `max_log_bytes`, where less than `keep_free_bytes` of its disk or of the
    job's are free, where the block is gone from the knobs file or somebody has changed a setting, and where the server
    was restarted. It leaves `LOG_FILE`, and beside it what `capture_block.read_captured` reads.
    """
    in_force = " AND ".join(f"@@GLOBAL.{name} = {_value(value)}" for name, value in settings.items())
    look = f"SELECT CONCAT_WS(' ', {log.started}, {in_force}, {log.growth}, {log.questions})"
    script = f"""{_functions(log, target, access, recording)}
max_log_bytes={max_log_bytes} keep_free_kib={keep_free_bytes // 1024}
end=$(( $(date +%s) + {int(longest_s)} ))
if [ {int(end.timestamp())} -lt $end ]; then end={int(end.timestamp())}; fi
look={quote(look)}
free_kib() {{
  {{ df -Pk -- . {quote(target.data_dir)} 2> /dev/null || true; }} |
    awk 'NR > 1 && (n == "" || $4 < n) {{ n = $4 }} END {{ print n }}'
}}
trap 'exit 143' TERM INT HUP
take_turn
stop_if_other
started=$(must {quote(f"SELECT {log.started}")})
stop_if_left
said=$(must {quote(IN_THE_WAY_SQL)})
if [ -n "$said" ]; then printf '%s\\n' "$said"; exit {capture_block.OVERLAPS}; fi
if [ ! -e "$knobs" ]; then new='; a new file'; else new=; fi
was=$(must {quote(_was_sql(log, settings))})
wanted=$(
  printf '%s%s\\n' {quote(first_line(recording, end))} "$new"
  echo "{_STARTED} $started"
  echo '# at its end, unless the server was restarted, SET GLOBAL what was; and TRUNCATE TABLE mysql.slow_log'
  printf '%s\\n' "$was"
  echo {quote(END)}
)
if [ "$(assignments <<< "$wanted" | wc -l)" != {len(settings)} ]; then
  printf '%s\\n' "what the settings are now cannot be kept:" "$wanted"
  exit 3
fi
block=$wanted
trap put_back EXIT
{{ without_block {quote(BEGIN)}; printf '%s\\n' "$block"; }} | write
end_turn
keep_session
unlogged=$(must {quote(f"SELECT {log.own_questions}")})
unlogged=$(( unlogged > {_LOGGED_OF_A_LOOK} ? unlogged - {_LOGGED_OF_A_LOOK} : 0 ))
before=$(by_kept {quote(f"SELECT CONCAT_WS(' ', {log.questions}, {OTHERS}, {log.growth})")})
read -r questions others sent <<< "$before"
on=$(date +%s.%N)
newest=$(must {quote(f"{_set_sql(settings)}; {NEWEST_SQL}")})
echo "on $on" > {CAPTURED_FILE}
echo "logging of statements is on until $(date -u -d @$end +%H:%M:%S) UTC"
why=end seen=$on asked=$questions looks=1
while [ $(date +%s) -lt $end ]; do
  sleep {_LOOK_EVERY_S} &
  wait $!
  if ! grep -qF -- "$own" "$knobs" 2> /dev/null; then why=replaced; break; fi
  free=$(free_kib)
  if [ -n "$free" ] && [ "$free" -lt $keep_free_kib ]; then why=disk; break; fi
  if ! found=$(sql "$look"); then continue; fi
  looks=$(( looks + 1 ))
  read -r start in_force grown now <<< "$found"
  if [ "$start" != "$started" ]; then why=restarted; break; fi
  if [ "$in_force" != 1 ]; then why=changed; break; fi
  seen=$(date +%s.%N) asked=$now
  if ! bytes=$(stat -c %s -- {quote(target.data_dir)}/mysql/slow_log.CSV 2> /dev/null); then
    bytes=$(( grown - sent ))
  fi
  if [ "$bytes" -gt $max_log_bytes ]; then why=log_size; break; fi
done
off=$(date +%s.%N) running=0
if found=$(sql {quote(f"SELECT CONCAT_WS(' ', {log.started}, {log.questions}, {RUNNING})")}); then
  read -r start now running <<< "$found"
  if [ "$start" = "$started" ]; then asked=$now; else why=restarted running=0; fi
fi
# What came between the last look and a restart may have been lost with it.
if [ $why = restarted ]; then off=$seen; fi
printf '%s\\t' "$started" $(( asked - questions - looks * unlogged )) "$others" "$running" "$newest" > counted
echo >> counted
echo "off $off $why" >> {CAPTURED_FILE}
keep=yes
"""
    return JobScript(script, access.files(), longest_s + SPARE_S, results=(CAPTURED_FILE,))


def put_back_job(log: SlowLog, target: Target, access: DatabaseAccess, recording: str) -> JobScript:
    """Bring back what the recording's block says was, if it is there, empty the table and take the block out."""
    script = f"{_functions(log, target, access, recording)}\nput_back\n"
    return JobScript(script, access.files(), 2 * DOWN_S + 60.0)


WHY = {
    "replaced": "somebody has replaced the knobs file while the load was recorded",
    "changed": "somebody has changed a setting of the slow log while the load was recorded",
    "restarted": "the server was restarted, or was down, while the load was recorded",
    "log_size": "the log grew by more than budget.log_size",
    "disk": "the disk of the log was nearly full",
}


def _value(text: str) -> str:
    """A setting's text as SQL has it."""
    if text in {"ON", "OFF"}:
        return str(int(text == "ON"))
    return text if text.replace(".", "", 1).isdigit() else literal(text)


def _set_sql(settings: Mapping[str, str]) -> str:
    """All of them in one statement: either all are in force then or, but for a crash, none."""
    return "SET " + ", ".join(f"@@GLOBAL.{name} = {_value(value)}" for name, value in settings.items())


def _was_sql(log: SlowLog, settings: Mapping[str, str]) -> str:
    """The block's lines: what each is set to, and what it is now; what was set last comes first."""
    lines = [
        f"SELECT CONCAT('# ', {literal(name)}, ' = ', {literal(value)}, ', was ', value)"  # noqa: S608 quoted
        f" FROM ({log.settings_sql}) AS settings WHERE name = {literal(name)}"
        for name, value in reversed(list(settings.items()))
    ]
    return "\nUNION ALL ".join(lines)


def _functions(log: SlowLog, target: Target, access: DatabaseAccess, recording: str) -> str:
    """The head of a job's script.

    Its functions: `sql` asks, by the kept session where no new one is let in; `restore` brings back what the block says
    was; `empty` empties the table; `put_back` does all that is to be done at the end, and ends the script.
    """
    client = program(target, log.product.client)
    begin = f"{time_limit_sql(0)}, SESSION wait_timeout = 31536000, sql_mode = '{SQL_MODE}', time_zone = '+00:00';"
    rows = " ".join(quote(log.rows_sql(zone, zone_s)) for zone, zone_s in ZONES_S.items())
    return f"""{access.prologue(target.bin_dir)}
{client_functions(log.product, target)}
{block_functions(target, recording)}
sql() {{
  if ask --quick <<< "$1" 2> refused; then return 0; fi
  if by_kept "$1" > by_kept_said; then cat by_kept_said; rm -f by_kept_said; return 0; fi
  rm -f by_kept_said
  return 1
}}
must() {{ sql "$1" || {{ cat refused >&2; return 1; }}; }}
keep_session() {{
  mkfifo -m 600 asked
  : > answered
  exec 7<> asked 6< asked
  (
    trap '' TERM INT HUP
    exec {client} --defaults-file="$client_file" --batch --skip-column-names --raw --quick --unbuffered \\
      --skip-reconnect {_LONG_ROWS} --database=information_schema <&6 >> answered 2> kept_refused 6<&- 7>&-
  ) &
  kept=$!
  exec 6<&-
  echo {quote(begin)} >&7
}}
by_kept() {{
  [ -n "${{kept:-}}" ] && kill -0 "$kept" 2> /dev/null || return 1
  : > answered
  printf '%s;\\nSELECT %s;\\n' "$1" "'otterflow has the answer'" >&7
  while kill -0 "$kept" 2> /dev/null; do
    if [ "$(tail -n 1 answered)" = 'otterflow has the answer' ]; then
      sed '$d' answered
      : > answered
      return 0
    fi
    sleep 0.2
  done
  cat kept_refused >> refused
  return 1
}}
stop_if_left() {{  # what was set before is in its block alone, unless the server was restarted since
  local left recording
  left=$(if [ -e "$knobs" ]; then block_of {quote(BEGIN)}; fi)
  if grep -qxF -- "{_STARTED} $started" <<< "$left"; then
    recording=$(sed -n {quote(f"s/^{BEGIN}; recording //p")} <<< "$left" | head -n 1)
    echo "what the window of recording ${{recording%%,*}} has set was not put back: clear the task put_back of its run,"
    printf 'or in %s %s\n' "$knobs" {quote(BY_HAND)}
    exit {capture_block.OVERLAPS}
  fi
}}
block_of() {{ sed -n "/^$1/,/^"{quote(END)}"/p" -- "$knobs"; }}
value() {{
  case $1 in
    ON) echo 1 ;;
    OFF) echo 0 ;;
    '' | *[!0-9.]*) echo "'$1'" ;;
    *) echo "$1" ;;
  esac
}}
assignments() {{
  local line name new form='^# ([a-z_]+) = ([A-Za-z0-9_,.]*), was ([A-Za-z0-9_,.]*)$'
  while IFS= read -r line; do
    if [[ $line =~ $form ]]; then
      name="@@GLOBAL.${{BASH_REMATCH[1]}}"
      new="IF($name = $(value "${{BASH_REMATCH[2]}}"), $(value "${{BASH_REMATCH[3]}}"), $name)"
      # What IF makes of numbers with and without a sign is decimal, which MySQL takes for no whole one.
      case ${{BASH_REMATCH[3]}} in '' | *[!0-9]*) ;; *) new="CAST($new AS UNSIGNED)" ;; esac
      echo "$name = $new"
    fi
  done
}}
restore() {{
  local now
  now=$(sql {quote(f"SELECT {log.started}")}) || return 1
  if grep -qxF -- "{_STARTED} $now" <<< "$block"; then
    sql "SET $(assignments <<< "$block" | paste -sd,)" > /dev/null || return 1
    sessions_keep=yes
  fi
}}
empty() {{
  local used
  used=$(sql {quote(USED_SQL)}) || return 1
  if [ "$used" = 1 ]; then
    echo "somebody has the slow log written to mysql.slow_log by now: what the window left there stays in it"
  else
    sql {quote(EMPTY_SQL)} > /dev/null
  fi
}}
packed() {{ nice -n 19 gzip -1 > part; }}
take_log() {{
  local rows
  for rows in {rows}; do
    if {{ cat counted; ask --quick {_LONG_ROWS} <<< "$rows"; }} 2> refused | packed ||
      {{ cat counted; by_kept "$rows"; }} | packed; then
      mv -- part {LOG_FILE}
      return 0
    fi
  done
  rm -f part
  return 1
}}
put_back() {{
  local code=$? last=$(( $(date +%s) + {DOWN_S} ))
  trap '' TERM INT HUP
  trap - EXIT
  set +e
  if [ -z "${{block:-}}" ] && [ -e "$knobs" ]; then block=$(block_of "$own"); fi
  if [ -z "${{block:-}}" ]; then exit $code; fi
  until restore; do
    if [ "$(date +%s)" -lt $last ]; then sleep 2; continue; fi
    cat refused
    echo "the server gives no answer, and what it logged in the window is in mysql.slow_log; what was is in $knobs"
    exit $((code ? code : 6))
  done
  if [ -n "${{keep:-}}" ] && ! take_log; then
    cat refused
    echo "what the window logged could not be read, and is removed"
    code=7
  fi
  if ! empty; then
    cat refused
    echo "mysql.slow_log could not be emptied"
    exit $((code ? code : 8))
  fi
  unblock || exit 4
  echo "the settings of the log are as they were"
  if [ -n "${{sessions_keep:-}}" ]; then echo {quote(log.sessions_keep)}; fi
  exit $code
}}
"""

"""How long MariaDB or MySQL worked at each statement, by the digests of the performance schema.

A digest's text is taken for the class of the recording that has its shape; one that is cut, or spelt by the server in
words of its own, is of none. https://dev.mysql.com/doc/refman/8.4/en/performance-schema-statement-digests.html
"""

from __future__ import annotations

from otterflow.workloads.replay.replayer.answers import Link
from otterflow.workloads.replay.replayer.server_times import Counters, ServerTime

OFF = "performance_schema is off; times are the client's. To have the server's, start it with performance_schema = ON"
NO_DIGESTS = "the performance schema's consumer statements_digest is off; times are the client's"
NOT_READ = "performance_schema cannot be read; grant the user SELECT on performance_schema.*"
_CONSUMER = b"SELECT enabled FROM performance_schema.setup_consumers WHERE name = 'statements_digest'"
_LOST = b"SHOW GLOBAL STATUS LIKE 'Performance_schema_digest_lost'"
_PS_PER_MS = 1e9


async def read_times(link: Link, with_texts: bool) -> Counters:
    """What the performance schema has of this database now."""
    rows, error = await link.rows(b"SELECT @@global.performance_schema")
    if error is None and rows and rows[0][0] == "0":
        return Counters(why_not=OFF)
    rows, error = await link.rows(_CONSUMER)
    if error is not None:
        return Counters(why_not=f"{NOT_READ} ({error})")
    if not rows or rows[0][0] != "YES":
        return Counters(why_not=NO_DIGESTS)
    text = "digest_text" if with_texts else "NULL"
    sql = (
        f"SELECT digest, count_star - sum_errors, sum_timer_wait, {text}"  # noqa: S608
        " FROM performance_schema.events_statements_summary_by_digest"
        " WHERE schema_name = DATABASE() AND digest IS NOT NULL"
    )
    rows, error = await link.rows(sql.encode())
    if error is not None:
        return Counters(why_not=f"{NOT_READ} ({error})")
    counters = Counters()
    for digest, calls, waited_ps, shown in rows:
        if digest is not None:
            counters.times[digest] = ServerTime(int(calls or 0), int(waited_ps or 0) / _PS_PER_MS)
            counters.texts[digest] = as_statement(shown or "")
    rows, error = await link.rows(_LOST)
    counters.evicted = int(rows[0][1] or 0) if error is None and rows else 0
    return counters


def as_statement(digest_text: str) -> str:
    """A digest's text as a statement's: `...` stands for values there, and units of time have a longer name."""
    return digest_text.replace("...", "?").replace(" SQL_TSI_", " ")

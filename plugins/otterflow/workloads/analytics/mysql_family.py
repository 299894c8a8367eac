"""A stream for the clients of MariaDB and MySQL: they time nothing that a program could read, so the session does.

`SYSDATE` is the clock of the server at that moment, and each query's time the difference around it: that of its rows'
way to the client is in it. The rows themselves go no further than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from otterflow.dbms.mysql_family import sql_files

MARK = "otterflow stream: "
"""How the lines begin that are none of a query's rows."""


@dataclass(frozen=True)
class Way:
    """One product of the family, by the name of its client program."""

    client: str

    @property
    def PROGRAMS(self) -> tuple[str, ...]:
        """The client, and what parts its lines."""
        return self.client, "sed"

    @property
    def STREAM(self) -> str:
        """Prints a line for the name of each query, and one for its time; `sql_client` is of the job's prologue."""
        client = "sql_client --batch --raw --skip-column-names --unbuffered"
        return f"{client} < stream.sql | sed -u -n 's/^{MARK}//p'"

    def load_steps(self, files: Sequence[Path], scale: int) -> str:
        """Bash that runs the files in the order of their numbers, with `@scale`."""
        return sql_files.load_steps(files, parts=2)

    def session_files(self, session_sql: str, scale: int, limit_s: float) -> dict[str, str]:
        """What each session of the load starts with."""
        return sql_files.session_files({"scale": scale}, session_sql, limit_s=limit_s, parts=2)

    def stream_sql(self, session_sql: str, queries: Sequence[Path], limit_s: float) -> str:
        """One pass, whole: the client reads it as it comes."""
        lines = [*sql_files.session_files({}, session_sql, limit_s=limit_s).values()]
        for path in queries:
            lines += [
                f"SELECT '{MARK}query {path.stem}';",
                "SET @otterflow_begun = SYSDATE(6);",
                path.read_text(),
                f"SELECT CONCAT('{MARK}Time: ',"
                " ROUND(TIMESTAMPDIFF(MICROSECOND, @otterflow_begun, SYSDATE(6)) / 1000, 3), ' ms');",
            ]
        return "\n".join(lines) + "\n"

    def stream_files(self, queries: Sequence[Path]) -> Sequence[Path]:
        """Nothing lies beside the stream."""
        return ()

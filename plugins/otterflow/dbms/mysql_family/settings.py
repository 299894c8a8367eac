"""What the server says of its settings, and whether what was written is what is in force."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otterflow.dbms.mysql_family import cold_start, option_file, overriding, read_back, reading_order, secrets
from otterflow.dbms.mysql_family.option_files import files_read
from otterflow.dbms.mysql_family.origins import Origins
from otterflow.dbms.mysql_family.product import Flavour, Product
from otterflow.dbms.mysql_family.rows import from_row
from otterflow.dbms.mysql_family.versions import major_of, number_of
from otterflow.dbms.values import Query, Version
from otterflow.errors import CommandFailed, InvalidInput, Problem
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value

if TYPE_CHECKING:
    from otterflow.dbms.target import Target
    from otterflow.remote.session import Session

VERSION_SQL = "SELECT @@version AS version, @@version_comment AS comment"
DIRECTORIES_SQL = "SELECT @@datadir AS data_directory, @@port AS port, @@hostname AS host"


@dataclass(frozen=True)
class Asking:
    """How a product is asked: each field is SQL, or makes it from the server's version number."""

    settings: Callable[[int], str]
    """All settings that hold no secret, with the columns of `rows`."""
    identity: str
    """One row at most, with `system`: a name that the server has made for itself."""
    persisted: str | None
    """Rows with `name` and `value` of what the server keeps over its option files, where it can."""


class FamilySettings:
    """The part `settings` for one product; see `otterflow.dbms.base.Settings`."""

    def __init__(self, product: Product, asking: Asking, origins: Origins) -> None:
        self.product, self.asking, self.origins = product, asking, origins

    def version(self, query: Query) -> Version:
        """The server's version. Raises InvalidInput for a server of another product."""
        row = query(VERSION_SQL)[0]
        text, comment = str(row["version"]), str(row["comment"])
        found = flavour(text, comment)
        number = number_of(text)
        if found not in self.product.flavours:
            advice = f"name the DBMS that it is as `dbms` in the target file; this one tunes {self.product.title}"
            raise InvalidInput(Problem("dbms", f"the server is {found.value} {text}", advice))
        return Version(major_of(number), number, f"{found.value} {text} ({comment})")

    def identity(self, query: Query) -> tuple[str, str]:
        """A name that the server has made for itself, and its data directory."""
        place = query(DIRECTORIES_SQL)[0]
        rows = query(self.asking.identity)
        system = rows[0]["system"] if rows and rows[0]["system"] else f"{place['host']}-{place['port']}"
        return str(system), _folder(place["data_directory"])

    def live_settings(self, query: Query) -> dict[str, LiveSetting]:
        """Every setting that holds no secret, by name."""
        number = number_of(str(query(VERSION_SQL)[0]["version"]))
        return {row["name"]: from_row(row) for row in query(self.asking.settings(number))}

    def from_row(self, row: Mapping[str, Any]) -> LiveSetting:
        """A setting from what its `as_row` gave."""
        return from_row(row)

    def major(self, live: Mapping[str, LiveSetting]) -> int:
        """The server's major version."""
        return major_of(number_of(live["version"].text))

    def connections(self, live: Mapping[str, LiveSetting]) -> int:
        """How many connections the server takes."""
        return int(live["max_connections"].value)

    def directories(self, query: Query) -> dict[str, Any]:
        """`data_directory`; the server does not tell its main option file, and `config_file` is empty."""
        return {"data_directory": _folder(query(DIRECTORIES_SQL)[0]["data_directory"]), "config_file": ""}

    def file_problems(self, query: Query, knobs_file: str) -> tuple[list[Problem], list[Problem]] | None:
        """Nothing that SQL could tell: a restart asks the server's program before it stops the server (`preflight`)."""
        return [], []

    def knobs_file_problems(self, text: str, knobs_file: str) -> list[Problem]:
        """Settings of the knobs file that may be secrets. Raises InvalidInput that names lines that are no settings."""
        try:
            lines = option_file.lines_of(text)
        except InvalidInput as error:
            found = [Problem(f"{knobs_file} {p.field}", p.found, p.advice) for p in error.problems]
            raise InvalidInput(found) from None
        return secrets.file_problems([line.name for line in lines if not line.is_include], knobs_file)

    def render(
        self, config: Mapping[str, Value], live: Mapping[str, LiveSetting], *, keep: str = "", header: str
    ) -> str:
        """The knobs file for a configuration; what the text `keep` sets besides goes in before."""
        return option_file.render(config, live, keep=keep, header=header)

    def as_measured(self, text: str) -> str:
        """The knobs file while its configuration is measured: with what has the server begin with an empty pool."""
        return cold_start.as_measured(text)

    def read_back(self, wanted: Mapping[str, Value], live: Mapping[str, LiveSetting], knobs_file: str) -> list[Problem]:
        """Knobs that were overridden; what the server has rounded, clamped or computed is in force, and logged."""
        return read_back.read_back(wanted, live, knobs_file, self.origins)

    def overrides(
        self,
        query: Query,
        session: Session,
        target: Target,
        live: Mapping[str, LiveSetting],
        tuned: Collection[str],
        knobs_text: str,
        *,
        restarts: bool,
    ) -> list[Problem]:
        """Whether the knobs file is read, and what would win over it for the tuned knobs.

        Where the server `restarts`, also what a statement has set and a start would not bring back, and what would have
        it begin with a warm buffer pool.
        """
        persisted = query(self.asking.persisted) if self.asking.persisted else []
        problems = overriding.overriding_settings(live, tuned, self.origins, persisted)
        problems += cold_start.kept_on(live, self.origins, persisted) if restarts else []
        try:
            files = files_read(session, self.product, target)
            reading = reading_order.read_all(session, files, target.knobs_file)
        except CommandFailed as error:
            if restarts:
                at_start = reading_order.Reading([], knobs_at=0).at_start(knobs_text)
                problems += overriding.lost_at_a_start(live, tuned, self.origins, at_start)
            if any(self.origins.from_file(setting, target.knobs_file) for setting in live.values()):
                return problems
            found = f"whether the server reads it cannot be seen: {error.stderr_tail.strip()}"
            advice = "let the SSH user read the server's option files, or put any setting into it and restart"
            return [*problems, Problem("knobs_file", found, advice)]
        if restarts:
            problems += overriding.lost_at_a_start(live, tuned, self.origins, reading.at_start(knobs_text))
        if reading.knobs_at is None:
            return [*problems, overriding.not_read_problem(target.knobs_file, files)]
        problems += overriding.overriding_lines(reading, tuned, target.knobs_file)
        return problems + (cold_start.turned_on_later(reading, target.knobs_file) if restarts else [])

    def own_values(self, query: Query, tuned: Collection[str], database: str) -> list[tuple[str, str]]:
        """None: a user of this family has no settings of its own."""
        return []


def flavour(version: str, comment: str) -> Flavour:
    """Whose server it is."""
    if Flavour.mariadb.value in version:
        return Flavour.mariadb
    return Flavour.percona if "percona" in comment.lower() else Flavour.mysql


def _folder(path: object) -> str:
    return str(path).rstrip("/") or "/"

"""Settings as a live server reports them. All limits of the DBMS come from here, none is typed by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs import units
from otterflow.knobs.space import Value
from otterflow.knobs.units import VarType


@dataclass(frozen=True)
class LiveSetting:
    """One row of `pg_settings`, its texts as the server gives them; `value`, `minimum`, `maximum` are typed."""

    name: str
    setting: str
    unit: str | None
    vartype: VarType
    min_val: str | None
    max_val: str | None
    enumvals: tuple[str, ...]
    context: str
    boot_val: str | None
    reset_val: str | None
    source: str
    sourcefile: str | None
    pending_restart: bool
    category: str
    short_desc: str

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> LiveSetting:
        """A setting from a row of `SELECT * FROM pg_settings` as a mapping; other columns are ignored.

        `enumvals` is a list or None. Raises InvalidInput that names the missing columns.
        """
        missing = [field.name for field in fields(cls) if field.name not in row]
        if missing:
            found = f"a row without {', '.join(missing)}"
            raise InvalidInput(Problem("pg_settings", found, "select all columns of pg_settings"))
        return cls(**{f.name: row[f.name] for f in fields(cls)} | {"enumvals": tuple(row["enumvals"] or ())})

    def as_row(self) -> dict[str, Any]:
        """The setting as JSON takes it; `from_row` gives it back."""
        return asdict(self) | {"enumvals": list(self.enumvals) or None}

    @property
    def value(self) -> Value:
        """The canonical value in force."""
        return self.canonical(self.setting)

    @property
    def minimum(self) -> int | float | None:
        """The server's own lower limit in the setting's unit; None for what is not a number."""
        return self._limit(self.min_val)

    @property
    def maximum(self) -> int | float | None:
        """The server's own upper limit in the setting's unit; None for what is not a number."""
        return self._limit(self.max_val)

    @property
    def needs_restart(self) -> bool:
        """Whether a new value takes a restart (context `postmaster`) rather than a reload."""
        return self.context == "postmaster"

    @property
    def takes_reload(self) -> bool:
        """Whether a reload brings a new value into force in the sessions that are there, not only in new ones."""
        return self.context in ("sighup", "superuser", "user")

    @property
    def is_octal(self) -> bool:
        """Whether the server shows the setting in octal, as it does file modes."""
        return self.vartype == "integer" and re.fullmatch(r"0[0-7]+", self.setting) is not None

    def canonical(self, text: str) -> Value:
        """The canonical value of a text that the server gave for this setting; an enum may show a hidden value."""
        return units.read(text, self.name, self.vartype, self.unit, (*self.enumvals, text))

    def _limit(self, text: str | None) -> int | float | None:
        if text is None:
            return None
        return int(text) if self.vartype == "integer" else float(text)

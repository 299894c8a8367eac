"""Settings as a live server reports them. All limits of the DBMS come from here, none is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from otterflow.knobs.space import Value

SettingType = Literal["bool", "integer", "real", "enum", "string"]


@dataclass(frozen=True)
class LiveSetting:
    """One setting with its canonical value in force and the server's own limits, in the setting's `unit`.

    The DBMS's part `settings` makes it from a row of the server's and reads `row`, which JSON takes, back.
    """

    name: str
    value: Value
    text: str
    """The value as the server shows it."""
    vartype: SettingType
    unit: str | None
    minimum: int | float | None
    """None for what is not a number, as is `maximum`."""
    maximum: int | float | None
    enumvals: tuple[str, ...]
    needs_restart: bool
    """Whether a new value takes a restart rather than a reload."""
    takes_reload: bool
    """Whether a reload brings a new value into force in the sessions that are there, not only in new ones."""
    pending_restart: bool
    """Whether a configuration file has another value, which waits for a restart."""
    source: str
    """Where the value comes from, in the server's words."""
    sourcefile: str | None
    short_desc: str
    row: Mapping[str, Any] = field(repr=False)
    """The server's own row."""

    def as_row(self) -> dict[str, Any]:
        """The setting as JSON takes it."""
        return dict(self.row)

"""Knobs brought into force while the server runs, by SET GLOBAL: option files are read at a start alone.

Only what is global and nothing else: a setting that a session has too (`sort_buffer_size`) would reach new sessions
alone, and those that are there would go on with the former value. The knobs file is written all the same, so a server
that is started again comes up with the same values.

Source: https://mariadb.com/kb/en/set/#global-session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from otterflow.dbms.mysql_family import spelling
from otterflow.dbms.mysql_family.quoting import identifier
from otterflow.dbms.mysql_family.read_back import is_equal, is_rounded
from otterflow.dbms.values import Query, StatementRefused
from otterflow.errors import ServerCrashed
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value

_PASSES = 2
"""Some settings bound one another (`innodb_io_capacity` and its maximum): what one pass could not set, the next can."""


def set_global(
    query: Query, wanted: Mapping[str, Value], live_settings: Callable[[Query], dict[str, LiveSetting]]
) -> None:
    """Set the wanted values of the settings that take it, where others are in force.

    Raises ServerCrashed for a value that the server refuses, or cuts to a limit; one that it rounds is taken.
    """
    for _ in range(_PASSES):
        for name, setting in _differing(wanted, live_settings(query)).items():
            shown = _shown(wanted[name], setting)
            try:
                query(f"SET GLOBAL {identifier(name)} = %s", [shown])
            except StatementRefused as error:
                raise ServerCrashed(f"the server refuses the configuration: {name} = {shown}: {error}") from None
    for name, setting in _differing(wanted, live_settings(query)).items():
        if not is_rounded(wanted[name], setting):
            found = f"{name} = {_shown(wanted[name], setting)}, of which it made {setting.text}"
            raise ServerCrashed(f"the server refuses the configuration: {found}")


def _differing(wanted: Mapping[str, Value], live: Mapping[str, LiveSetting]) -> dict[str, LiveSetting]:
    """The settings that a statement may change, where another value is in force."""
    settable = {name: live[name] for name in wanted if name in live and live[name].takes_reload}
    return {name: setting for name, setting in settable.items() if not is_equal(wanted[name], setting)}


def _shown(value: Value, setting: LiveSetting) -> Value:
    """As PyMySQL is to be given it: numbers as numbers."""
    return spelling.display(value, setting) if isinstance(value, bool) else value

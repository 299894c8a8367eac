"""Knobs brought into force while the server runs, by SET GLOBAL: option files are read at a start alone.

Only what is global and nothing else: a setting that a session has too (`sort_buffer_size`) would reach new sessions
alone, and those that are there would go on with the former value. The knobs file is written all the same, so a server
that is started again comes up with the same values.

Both products round a value, and cut it to a limit, with a warning alone; what came of it is seen when all is read back.
(MySQL refuses either under STRICT_ALL_TABLES, which otterflow's sessions are without.)

Sources: https://mariadb.com/kb/en/set/#global-session, https://dev.mysql.com/doc/refman/8.4/en/set-variable.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from otterflow.dbms.mysql_family import spelling
from otterflow.dbms.mysql_family.quoting import identifier
from otterflow.dbms.mysql_family.read_back import is_equal, is_rounded
from otterflow.dbms.values import Query, StatementRefused
from otterflow.errors import MachineryFault, ServerCrashed
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value

_OF_THE_VALUE = ("1210", "1231", "1232", "1292", "1367")
"""The errors of a value: wrong in itself, for its variable, of the wrong type."""
_PASSES = 2
"""Some settings bound one another (`innodb_io_capacity` and its maximum): what one pass could not set, the next can."""


def set_global(
    query: Query, wanted: Mapping[str, Value], live_settings: Callable[[Query], dict[str, LiveSetting]]
) -> None:
    """Set the wanted values of the settings that take it, where others are in force.

    Raises ServerCrashed for a value that the server refuses, or cuts to a limit (one that it rounds is taken), and
    MachineryFault where it is not the value's fault, or nothing but a restart would do.
    """
    for _ in range(_PASSES):
        differing = _differing(wanted, live_settings(query))
        if not differing:
            return
        for name, setting in differing.items():
            shown = _shown(wanted[name], setting)
            try:
                query(f"SET GLOBAL {identifier(name)} = %s", [shown])
            except StatementRefused as error:
                said = f"{name} = {shown}: {error}"
                if error.code in _OF_THE_VALUE:
                    raise ServerCrashed(f"the server refuses the configuration: {said}") from None
                raise MachineryFault(f"the server could not be changed while it runs: {said}") from None
    for name, setting in _differing(wanted, live_settings(query)).items():
        if not is_rounded(wanted[name], setting):
            found = f"{name} = {_shown(wanted[name], setting)}, of which it made {setting.text}"
            raise ServerCrashed(f"the server refuses the configuration: {found}")


def _differing(wanted: Mapping[str, Value], live: Mapping[str, LiveSetting]) -> dict[str, LiveSetting]:
    """The settings with another value in force. Raises MachineryFault that names those that no statement may change."""
    differing = {name: live[name] for name, value in wanted.items() if name in live and not is_equal(value, live[name])}
    fixed = [
        name for name, setting in differing.items() if not (setting.takes_reload or is_rounded(wanted[name], setting))
    ]
    if fixed:
        raise MachineryFault(
            f"the server has other values than wanted of {', '.join(fixed)}, which this user may not change while it "
            "runs; grant what that takes, or restart it when its users can bear that"
        )
    return {name: setting for name, setting in differing.items() if setting.takes_reload}


def _shown(value: Value, setting: LiveSetting) -> Value:
    """As PyMySQL is to be given it: numbers as numbers."""
    return spelling.display(value, setting) if isinstance(value, bool) else value

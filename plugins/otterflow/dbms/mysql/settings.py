"""What MySQL says of its settings, in its performance schema, which every user may ask.

It tells no type before 9.0, the values of no enum, no default, and not whether a setting can be changed while the
server runs (see `changing`).
"""

from __future__ import annotations

from collections.abc import Iterable

from otterflow.dbms.mysql.changing import changed_while_running, taking_restarts
from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql_family.origins import Origins
from otterflow.dbms.mysql_family.privileges import GLOBAL_SQL
from otterflow.dbms.mysql_family.quoting import literal
from otterflow.dbms.mysql_family.secrets import withheld_sql
from otterflow.dbms.mysql_family.settings import Asking, FamilySettings
from otterflow.dbms.mysql_family.versions import major_of

TYPES_SINCE = 90000
"""The first version with `variables_metadata`."""

IDENTITY_SQL = "SELECT @@server_uuid AS `system`"
"""What a data directory was given when its server was first started; a copy without auto.cnf gets another."""

PERSISTED_SQL = "SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM performance_schema.persisted_variables"

ORIGINS = Origins(
    files=frozenset({"GLOBAL", "SERVER", "EXPLICIT", "EXTRA", "USER"}),
    command_line=frozenset({"COMMAND_LINE"}),
    by_hand=frozenset({"DYNAMIC"}),
    persisted=frozenset({"PERSISTED"}),
    computed=frozenset(),
)


MAY_SET_SQL = f"({' OR '.join(f'{literal(name)} IN ({GLOBAL_SQL})' for name in MYSQL.enough_to_set_global)})"
"""Each is enough for every knob. https://dev.mysql.com/doc/refman/8.4/en/system-variable-privileges.html"""


def settings_sql(number: int) -> str:
    """All settings that hold no secret, with the columns of `rows`, of a server of that version number."""
    major = major_of(number)
    takes = taking_restarts(major)
    changed = _names(changed_while_running(major))
    at_starts, any_time = (_names(name for name, restart in takes.items() if restart is kind) for kind in (True, False))
    typed = number >= TYPES_SINCE
    told = "m.DATA_TYPE AS type, m.DOCUMENTATION" if typed else "NULL AS type, NULL"
    join = "LEFT JOIN performance_schema.variables_metadata AS m ON m.VARIABLE_NAME = i.VARIABLE_NAME" if typed else ""
    return f"""
SELECT i.VARIABLE_NAME AS name, g.VARIABLE_VALUE AS value, i.VARIABLE_SOURCE AS origin, i.VARIABLE_PATH AS path,
       NULL AS default_value, {told} AS description, i.MIN_VALUE AS minimum, i.MAX_VALUE AS maximum, NULL AS block,
       NULL AS members, CASE WHEN i.VARIABLE_NAME IN ({at_starts}) THEN 1
            WHEN i.VARIABLE_NAME IN ({any_time}) THEN 0 END AS read_only,
       COALESCE(i.VARIABLE_NAME IN ({changed}), FALSE) AND {MAY_SET_SQL} AS settable
  FROM performance_schema.variables_info AS i
  JOIN performance_schema.global_variables AS g ON g.VARIABLE_NAME = i.VARIABLE_NAME
  {join}
 WHERE NOT {withheld_sql("i.VARIABLE_NAME")}
 ORDER BY i.VARIABLE_NAME"""  # noqa: S608 constants


def _names(names: Iterable[str]) -> str:
    return ", ".join(literal(name) for name in names) or "NULL"


SETTINGS = FamilySettings(MYSQL, Asking(settings=settings_sql, identity=IDENTITY_SQL, persisted=PERSISTED_SQL), ORIGINS)
"""The part `settings`."""

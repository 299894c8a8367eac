"""Whether what was written is what is in force, and what became of a value that is not.

Four things happen to a value, and are told apart by where the server says that it comes from:

- *rounded*: to a multiple of the setting's block, without a word;
- *clamped*: to a limit, or to what another knob allows; the server says so in its log at most;
- *computed*: the server worked out another value at its start, from limits of the system or because it was asked to;
- *overridden*: by the command line, a later file, a statement, or a value that the server itself keeps.

The first three are the server's answer to the configuration: what is in force is what the trial is recorded with, and
nothing is wrong. The last one means that the configuration was not tried.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from otterflow.dbms.mysql_family import spelling
from otterflow.dbms.mysql_family.origins import Origins
from otterflow.dbms.mysql_family.rows import block_of
from otterflow.errors import Problem
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value

log = logging.getLogger(__name__)


def read_back(
    wanted: Mapping[str, Value], live: Mapping[str, LiveSetting], knobs_file: str, origins: Origins
) -> list[Problem]:
    """Knobs that were overridden, each with both values and by what. What the server made of others is logged."""
    is_read = any(origins.from_file(setting, knobs_file) for setting in live.values())
    problems = []
    for name, value in wanted.items():
        setting = live.get(name)
        if setting is None:
            problems.append(Problem(name, "is unknown to the server", "take it out of the knob set"))
        elif not is_equal(value, setting):
            found = f"wanted {spelling.display(value, setting)}, in force is {spelling.display(setting.value, setting)}"
            by_statement = setting.takes_reload and setting.source in origins.by_hand and is_rounded(value, setting)
            advice = None if by_statement else overridden_by(setting, knobs_file, origins, is_read=is_read)
            if advice:
                problems.append(Problem(name, found, advice))
            else:
                log.warning("%s: %s; the server %s it", name, found, what_became_of(value, setting, origins))
    return problems


def what_became_of(wanted: Value, setting: LiveSetting, origins: Origins) -> str:
    """`rounded`, `clamped` or `computed`, of a value that the server took and changed."""
    if setting.source in origins.computed:
        return "computed"
    return "rounded" if is_rounded(wanted, setting) else "clamped"


def is_rounded(wanted: Value, setting: LiveSetting) -> bool:
    """Whether what is in force is that number, but for the setting's block."""
    in_force = setting.value
    if setting.vartype != "integer" or isinstance(wanted, bool | str) or isinstance(in_force, bool | str):
        return False
    return abs(wanted - in_force) < block_of(setting)


def overridden_by(setting: LiveSetting, knobs_file: str, origins: Origins, *, is_read: bool) -> str | None:
    """What to do about a value that does not come from the knobs file; None where it is the server's answer to it."""
    if setting.source in origins.command_line:
        return "set on the server's command line; remove it there, or exclude the knob"
    if setting.source in origins.persisted:
        return persisted_advice(setting.name)
    if setting.source in origins.by_hand:
        return "set by SET GLOBAL since the server was started; let nobody do that meanwhile, then clear this task"
    if origins.from_file(setting, knobs_file):
        return None
    if setting.source in origins.files:
        return f"{setting.sourcefile} sets it after {knobs_file}; {later_line_advice(knobs_file)}"
    if setting.source in origins.computed and is_read:
        return None
    return (
        f"its source is {setting.source!r}: {knobs_file} was not read; check the !includedir line and the file's mode"
    )


def persisted_advice(name: str) -> str:
    """What to do about a value that the server itself keeps, and reads after all option files."""
    return f"note the value, write it into an option file if you need it, and run RESET PERSIST {name}"


def later_line_advice(knobs_file: str) -> str:
    """What to do about a line that is read after the knobs file."""
    return f"move the line before the one that includes {knobs_file}, or exclude the knob"


def is_equal(wanted: Value, setting: LiveSetting) -> bool:
    """Whether a canonical value is what is in force."""
    in_force = setting.value
    if isinstance(wanted, bool) or isinstance(in_force, bool):
        return wanted == in_force
    if isinstance(wanted, str) or isinstance(in_force, str):
        return str(wanted).lower() == str(in_force).lower()
    # A real value is shown with six digits behind the point.
    return wanted == in_force or (setting.vartype == "real" and abs(wanted - in_force) <= 1e-6 * max(1, abs(wanted)))

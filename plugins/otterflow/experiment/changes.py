"""What a configuration changes, in the DBMS's spelling, for reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.dbms.base import Dbms
from otterflow.knobs.catalog import KnobCatalog
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value


@dataclass(frozen=True)
class Change:
    """One changed knob: its value before and after as the DBMS spells it, and what it does."""

    knob: str
    before: str
    after: str
    does: str
    restart: bool


def changed(
    config: Mapping[str, Value],
    baseline: Mapping[str, Value],
    live: Mapping[str, LiveSetting],
    dbms: Dbms,
    catalog: KnobCatalog | None = None,
) -> list[Change]:
    """The knobs of `config` whose value differs from `baseline`, in the order of `config`.

    `live` holds all of the server's settings. A knob that `baseline` lacks is compared with the server's value. What a
    knob does is the catalog's sentence, or the server's own description without one.
    """
    entries = catalog.tunable(dbms.settings.major(live)) if catalog else {}
    display = dbms.spelling.display
    rows = []
    for name, value in config.items():
        setting = live[name]
        before = baseline.get(name, setting.value)
        if before != value:
            does = entries[name].does if name in entries else setting.short_desc
            rows.append(Change(name, display(before, setting), display(value, setting), does, setting.needs_restart))
    return rows

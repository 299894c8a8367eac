"""Which of MySQL's knobs a statement changes for all sessions at once.

The server tells it nowhere (9.0 and newer tell the sessions' half), so the knob catalog does, and the tests ask a
server whether it is right.
"""

from __future__ import annotations

from collections.abc import Collection

from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql_family.rows import AT_A_START
from otterflow.knobs.catalog import TunableKnob, catalog_for

_ONE_WAY = frozenset({"innodb_doublewrite"})
"""Left to a start as well: one that is ON takes no OFF while the server runs (error 1210)."""


def taking_restarts(major: int) -> dict[str, bool]:
    """Whether a knob of a version can be changed at a start alone, by its name.

    Raises InvalidInput where the catalog cannot be read.
    """
    return {knob.name: knob.restart for knob in _knobs(major)}


def changed_while_running(major: int) -> list[str]:
    """The knobs of a version that are global and dynamic, and may be changed while users work; sorted.

    Raises InvalidInput where the catalog cannot be read.
    """
    return sorted({knob.name for knob in _knobs(major) if not (knob.restart or knob.session)} - AT_A_START - _ONE_WAY)


def _knobs(major: int) -> Collection[TunableKnob]:
    return catalog_for(MYSQL.name, MYSQL.versions).tunable(major).values()

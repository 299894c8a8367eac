"""MySQL's own counters."""

from __future__ import annotations

from otterflow.dbms.mysql_family.metrics import counters as counters
from otterflow.dbms.mysql_family.metrics import remarks as remarks
from otterflow.dbms.mysql_family.metrics import seconds_between as seconds_between
from otterflow.dbms.mysql_family.metrics import window_between as window_between

"""What a good DBA would set on MySQL: the family's rules, for the versions that are known."""

from __future__ import annotations

from collections.abc import Mapping

from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql_family import rules
from otterflow.dbms.values import RuleBased
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.setting import LiveSetting


def rule_based(facts: HostFacts, kind: str, live: Mapping[str, LiveSetting], *, server_version: int) -> RuleBased:
    """What the rules set for a server on a host under a kind of workload; see `mysql_family.rules`."""
    return rules.rule_based(MYSQL, facts, kind, live, server_version=server_version)

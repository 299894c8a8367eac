from __future__ import annotations

import json
from dataclasses import replace

import pytest

from otterflow.errors import InvalidInput
from otterflow.knobs.facts import HostFacts
from tests.knobs.values import GIB


def test_facts_survive_json(facts: HostFacts) -> None:
    assert HostFacts.from_dict(json.loads(json.dumps(facts.as_dict()))) == facts


def test_the_budget_is_a_share_of_the_ram() -> None:
    assert HostFacts(10 * GIB, 2, "ssd", 100, memory_share=0.5).memory_budget_bytes == 5 * GIB


def test_impossible_facts_are_refused_all_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        HostFacts(0, -1, "tape", 100, memory_share=1.5)  # type: ignore[arg-type]
    for word in ("ram_bytes", "cores", "disk: 'tape'", "memory_share: 1.5"):
        assert word in str(caught.value)


def test_unknown_and_missing_fields_are_refused(facts: HostFacts) -> None:
    record = facts.as_dict() | {"gpus": 4}
    del record["cores"]
    with pytest.raises(InvalidInput) as caught:
        HostFacts.from_dict(record)
    assert "gpus: is not a fact" in str(caught.value)
    assert "cores: is missing" in str(caught.value)


def test_the_loads_own_number_of_sessions_counts_where_it_is_known(facts: HostFacts) -> None:
    host = replace(facts, cores=4, max_connections=100)
    assert host.active_sessions == host.plausible_sessions == 16
    assert [replace(host, sessions=n).active_sessions for n in (1, 64, 500)] == [1, 64, 100]
    with pytest.raises(InvalidInput, match="sessions: 0 is not positive"):
        replace(host, sessions=0)

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from otterflow.dbms import registry
from otterflow.dbms.base import Dbms
from otterflow.dbms.values import Capability
from otterflow.errors import InvalidInput, MachineryFault


@pytest.mark.parametrize("name", registry.MODULES)
def test_each_one_that_is_listed_is_there_under_its_name(name: str) -> None:
    dbms = registry.dbms_named(name)
    assert isinstance(dbms, Dbms)
    assert dbms.name == name


def test_one_that_is_not_there_is_told_from_one_that_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="dbms: 'oracle' is not known; use one of postgresql"):
        registry.dbms_named("oracle")
    monkeypatch.setitem(registry.MODULES, "absent_folder", "otterflow.dbms.absent_folder.dbms")
    with pytest.raises(MachineryFault, match=r"'absent_folder' is known, and its module .* is broken: No module named"):
        registry.dbms_named("absent_folder")
    odd = ModuleType("otterflow_odd_dbms")
    odd.DBMS = "a word"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "otterflow_odd_dbms", odd)
    monkeypatch.setitem(registry.MODULES, "odd", "otterflow_odd_dbms")
    with pytest.raises(MachineryFault, match="DBMS in otterflow_odd_dbms is a str, not a Dbms"):
        registry.dbms_named("odd")


def test_capabilities_are_declared_and_asked() -> None:
    dbms = registry.dbms_named("postgresql")
    assert dbms.has(Capability.reload)
    assert all(dbms.has(capability) for capability in dbms.capabilities)

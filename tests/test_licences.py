"""otterflow may be given on: its licence is there, third parties' are named, and nothing that it imports forbids it."""

from __future__ import annotations

import ast
import re
import sys
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import cast

import pytest

PROJECT = Path(__file__).resolve().parents[1]
SOURCES = ("plugins", "dags", "stack")
GPL = re.compile(r"(?<![A-Za-z])A?GPL|(?<!Lesser )(?<!Library or Lesser )(?<!Library )General Public License")


def imported_modules() -> set[str]:
    """The top-level names of all that the code imports, but for Python's own and otterflow's."""
    names: set[str] = set()
    for folder in SOURCES:
        for path in (PROJECT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names.update(alias.name.split(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"otterflow", "stack"}


def required() -> set[str]:
    """The distributions that requirements.in names."""
    lines = (PROJECT / "requirements.in").read_text().splitlines()
    return {re.split(r"[\[<>=~! ;]", line)[0] for line in lines if line and not line.startswith("#")}


def choices(expression: str | None, classifiers: list[str], text: str) -> list[str]:
    """The licences that one may choose from, each as the package says it."""
    if expression:
        return re.split(r" OR ", expression.replace("(", "").replace(")", ""))
    said = [name for line in classifiers if (name := line.split(" :: ")[-1]) not in ("License", "OSI Approved")]
    return said or re.split(r" OR ", text.strip())


def licences_of(distribution: str) -> list[str]:
    found = cast("Message", metadata.metadata(distribution))
    classifiers = [line for line in found.get_all("Classifier") or [] if line.startswith("License ::")]
    return choices(found.get("License-Expression"), classifiers, found.get("License") or "")


@pytest.fixture(scope="module")
def distributions() -> list[str]:
    """What is installed of all that is required or imported."""
    providers = metadata.packages_distributions()  # seconds: it reads the list of files of every package
    modules = imported_modules() - {"airflow"}  # a namespace of many, all Airflow's own
    return sorted(required() | {name for module in modules for name in providers.get(module, ())})


@pytest.mark.slow
def test_the_imports_are_found(distributions: list[str]) -> None:
    assert {"apache-airflow", "numpy", "paramiko", "psycopg", "scikit-learn", "pandas"} <= set(distributions)


@pytest.mark.slow
def test_nothing_that_is_imported_is_under_the_gpl_alone(distributions: list[str]) -> None:
    licences = {name: [licence for licence in licences_of(name) if licence] for name in distributions}
    assert [name for name, said in licences.items() if not said] == [], "these do not say their licence"
    alone = {name: said for name, said in licences.items() if not [each for each in said if not GPL.search(each)]}
    assert alone == {}


@pytest.mark.parametrize(
    ("expression", "classifiers", "text", "free"),
    [
        ("GPL-3.0-only", [], "", False),
        ("MIT AND GPL-2.0-or-later", [], "", False),
        ("AGPL-3.0-only", [], "", False),
        ("EPL-2.0 OR GPL-2.0-or-later", [], "", True),
        ("LGPL-3.0-only", [], "", True),
        (None, ["License :: OSI Approved :: GNU General Public License v2 (GPLv2)"], "", False),
        (None, ["License :: OSI Approved"], "GPL", False),
        (None, [], "GNU General Public License", False),
        (None, ["License :: OSI Approved :: GNU Library or Lesser General Public License (LGPL)"], "", True),
        (None, ["License :: OSI Approved :: MIT License"], "GPL-like", True),
        (None, [], "LGPL with exceptions", True),
    ],
)
def test_what_is_under_the_gpl_alone_is_told(
    expression: str | None, classifiers: list[str], text: str, free: bool
) -> None:
    assert any(not GPL.search(licence) for licence in choices(expression, classifiers, text)) is free


def test_the_licence_is_whole() -> None:
    text = (PROJECT / "LICENSE").read_text()
    assert "Apache License\n" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_notice_names_every_folder_of_third_party_data() -> None:
    notice = (PROJECT / "NOTICE").read_text()
    for folder in (
        "tests/bench/tuner/data",
        *(f"include/experience/{name}" for name in ("postgresql_tpcc.json", "mysql_job.json")),
        "tests/knobs/pg_settings_15.json",
        "tests/tuner/captured",
        "tests/workloads/outputs",
        "tests/ottertune/hand_made_9_6",
        "include/benchmarks/tpcc",
        "include/benchmarks/ycsb",
    ):
        assert (PROJECT / folder).exists(), folder
        assert folder in notice

"""The guides: lines that fit, links and paths that lead somewhere, and every guide to be found from the README."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
LONGEST = 120
WRITTEN_BY_HAND = (".md", ".sh", ".sql", ".yaml", ".in", "Makefile", "Dockerfile", "/run", "/otterflow-free-cache")
FOLDERS = ("dags", "docs", "include", "plugins", "stack", "tests", "docker", "scripts")
NOT_BY_HAND = ("tests/workloads/", "docker-compose.yaml", ".pre-commit-config.yaml")
"""Captured outputs and cases of one line; and addresses and commands that YAML wants in one string."""
OF_ONES_OWN = "include/targets/mydb.yaml"
"""A file that the guides tell the reader to make."""


def _files() -> list[str]:
    """The checkout's files, but for what tools and tests have made."""
    names = []
    for folder, inner, files in os.walk(PROJECT):
        inner[:] = [name for name in inner if (name == ".ci" or not name.startswith(".")) and name != "__pycache__"]
        names += [(Path(folder) / name).relative_to(PROJECT).as_posix() for name in files]
    return sorted(names)


FILES = _files()
TEXTS = [name for name in FILES if name.endswith(WRITTEN_BY_HAND) and not name.startswith(NOT_BY_HAND)]
PAGES = [name for name in FILES if name.endswith(".md")]
GUIDES = [name for name in PAGES if re.fullmatch(r"docs/[^/]+\.md", name)]


def _cannot_be_broken(line: str) -> bool:
    """A row of a table, a line of JSON, or one that is a single word: an address, a path."""
    bare = line.strip()
    return bare.startswith(("|", "{")) or " " not in bare


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them in an address."""
    headings = re.findall(r"^#+ (.*)$", _without_code(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_are_pages_to_look_at() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/tuner.md", "docs/measurements/tuner.md"} <= set(PAGES)
    assert {"Makefile", "stack/setup.sh", ".ci/run", "include/knob_catalogs/postgresql.yaml"} <= set(TEXTS)


@pytest.mark.parametrize("name", TEXTS)
def test_lines_are_no_longer_than_120(name: str) -> None:
    lines = enumerate((PROJECT / name).read_text().splitlines(), 1)
    assert [number for number, line in lines if len(line) > LONGEST and not _cannot_be_broken(line)] == []


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_what_there_is(name: str) -> None:
    page = PROJECT / name
    for link in re.findall(r"\]\(([^)\s]+)\)", _without_code(page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{name}: {link}"
        assert not anchor or anchor in _anchors(found), f"{name}: {link}"


@pytest.mark.parametrize("name", PAGES)
def test_paths_that_are_named_exist(name: str) -> None:
    for path in re.findall(r"`((?:[a-z]+)/[\w./-]+)`", _without_code((PROJECT / name).read_text())):
        if path.split("/")[0] in FOLDERS and path != OF_ONES_OWN:
            assert (PROJECT / path).exists(), f"{name}: {path}"


def test_the_readme_lists_every_guide() -> None:
    readme = (PROJECT / "README.md").read_text()
    assert GUIDES
    assert [guide for guide in GUIDES if f"({guide})" not in readme] == []


def test_a_guide_of_measurements_is_reached_from_its_guide() -> None:
    tables = [Path(name).name for name in PAGES if name.startswith("docs/measurements/")]
    assert tables
    guides = "".join((PROJECT / name).read_text() for name in GUIDES)
    assert [name for name in tables if f"(measurements/{name}" not in guides] == []

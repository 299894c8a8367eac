"""Every row of docs/faults.md names a test that there is."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PAGE = TESTS.parent / "docs" / "faults.md"


def test_every_row_of_the_page_of_faults_has_its_test() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    rows = [line for line in rows if not line.startswith(("| what happens", "|---"))]
    named = [re.findall(r"`(test_\w+)`", row.rpartition("| ")[2]) for row in rows]
    files = [*TESTS.rglob("test_*.py"), *TESTS.rglob("bench_*.py")]
    there = {name for file in files for name in re.findall(r"def (test_\w+)\(", file.read_text())}
    assert len(rows) >= 30
    assert [row for row, names in zip(rows, named, strict=True) if not names] == []
    assert {name for names in named for name in names} - there == set()

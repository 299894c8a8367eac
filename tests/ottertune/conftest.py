"""An empty repository for imports and exports."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from otterflow.repository import Repository
from tests.ottertune.sets import copied


@pytest.fixture(scope="session")
def empty_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated repository without content, to copy."""
    file = tmp_path_factory.mktemp("empty") / "repository.db"
    Repository.open(f"sqlite:///{file}")
    return file


@pytest.fixture
def repository(empty_repository: Path, tmp_path: Path) -> Repository:
    file = tmp_path / "repository.db"
    shutil.copyfile(empty_repository, file)
    return Repository.open(f"sqlite:///{file}", migrate=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The hand-made sets, to be changed."""
    return copied(tmp_path)

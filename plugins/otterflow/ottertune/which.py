"""Which DBMS OtterTune's sets are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from otterflow.ottertune.files import FileSet, read_folder
from otterflow.ottertune.names import DBMS

_TYPES = {"postgres": DBMS, "postgresql": DBMS, "mysql": "mysql", "mariadb": "mariadb"}
"""OtterTune's words and ours. It knew no MariaDB; a MariaDB that it was told was MySQL says so in its version."""


def dbms_of(folder: Path) -> str:
    """The DBMS of most sets in a folder, PostgreSQL where none says. Raises InvalidInput as `read_folder` does."""
    found = Counter(dbms for files in read_folder(folder).sets if (dbms := dbms_of_set(files)) is not None)
    return found.most_common(1)[0][0] if found else DBMS


def dbms_of_set(files: FileSet) -> str | None:
    """The DBMS of one set; None for one that is not read."""
    dbms = _TYPES.get(str(files.summary.get("database_type")).lower())
    settings = files.knobs.get("global")
    texts = settings.get("global") if isinstance(settings, Mapping) else None
    version = str(texts.get("version", "")) if isinstance(texts, Mapping) else ""
    return "mariadb" if dbms == "mysql" and "mariadb" in version.lower() else dbms

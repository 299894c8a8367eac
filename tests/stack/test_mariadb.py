"""A private MariaDB beside others on the same machine."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from pathlib import Path

import pytest

from stack.mariadb import PrivateMariadb
from stack.users import server_user

pytestmark = pytest.mark.integration


def test_one_that_is_made_and_started_leaves_the_temporary_tables_of_others() -> None:
    root = Path(tempfile.mkdtemp(prefix="otterflow-mariadb-"))
    root.chmod(0o755)
    user = server_user()
    others = Path(tempfile.gettempdir()) / f"#sql-temptable-{uuid.uuid4().hex}.MAD"
    user.write_file(others, "")
    server = PrivateMariadb(root / "m", user)
    try:
        server.start()
        assert others.exists()
    finally:
        server.stop()
        others.unlink(missing_ok=True)
        shutil.rmtree(root)

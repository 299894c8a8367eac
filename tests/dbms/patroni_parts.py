"""Patroni's own validators. Importing it closes files to others in the whole process: that is taken back."""

from __future__ import annotations

import os

_before = os.umask(0o077)

from patroni.collections import CaseInsensitiveSet  # noqa: E402
from patroni.postgresql.config import ConfigHandler  # noqa: E402
from patroni.postgresql.validator import transform_postgresql_parameter_value  # noqa: E402

os.umask(_before)

__all__ = ["CaseInsensitiveSet", "ConfigHandler", "transform_postgresql_parameter_value"]

"""SQL string constants, for statements that take no parameters."""

from __future__ import annotations


def literal(text: str) -> str:
    """A string constant, whatever is in it. Raises ValueError for a NUL byte, which PostgreSQL does not store."""
    if "\0" in text:
        raise ValueError(f"a string constant holds a NUL byte: {text!r}")
    quoted = "'" + text.replace("'", "''").replace("\\", "\\\\") + "'"
    return f" E{quoted}" if "\\" in text else quoted

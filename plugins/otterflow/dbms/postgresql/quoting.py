"""SQL string constants and names, for statements that take no parameters and for advice that is to be pasted."""

from __future__ import annotations


def literal(text: str) -> str:
    """A string constant, whatever is in it. Raises ValueError for a NUL byte, which PostgreSQL does not store."""
    if "\0" in text:
        raise ValueError(f"a string constant holds a NUL byte: {text!r}")
    quoted = "'" + text.replace("'", "''").replace("\\", "\\\\") + "'"
    return f" E{quoted}" if "\\" in text else quoted


def identifier(name: str) -> str:
    """A name in double quotes, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'

"""SQL string constants and names, for statements that take no parameters and for advice that is to be pasted."""

from __future__ import annotations


def identifier(name: str) -> str:
    """A name in backticks, whatever is in it. Raises ValueError for a NUL byte, which no name holds."""
    if "\0" in name:
        raise ValueError(f"a name holds a NUL byte: {name!r}")
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A string constant, whatever is in it, and whatever `sql_mode` is in force.

    What a backslash means depends on NO_BACKSLASH_ESCAPES, so a text that holds one is written in hexadecimal.
    """
    if "\\" in text or "\0" in text:
        return f"_utf8mb4 0x{text.encode().hex()}"
    return "'" + text.replace("'", "''") + "'"

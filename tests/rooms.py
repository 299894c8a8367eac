"""Who imports whom: read from the source, and drawn.

`python -m tests.rooms` writes the picture in docs/rooms.md anew.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "rooms.md"
GROUND = "ground"
"""The room of the few loose modules that all others may import: `otterflow.errors`, `otterflow.settings`, ..."""


COMMANDS = "commands"
"""The room of every `__main__`: an entry point, which wires the rooms up as a Dag file does."""

STEPS = (
    {"dags", "otterflow_plugin", COMMANDS},
    {"operators", "web"},
    {"hosts", "learning", "ottertune", "report"},
    {"experiment"},
    {"workloads"},
    {"dbms"},
    {"measures"},
    {"tuner"},
    {"knobs"},
    {"language"},
    {"remote", "repository"},
    {GROUND},
)
"""The rooms from the roof down. A room imports those of lower steps only; none of its own step but itself."""


class Import(NamedTuple):
    """One import, wherever in a module it stands. `imported` is a module, ours or not."""

    importer: str
    imported: str

    def __str__(self) -> str:
        return f"{self.importer} -> {self.imported}"


@cache
def modules() -> dict[str, Path]:
    """Every module of plugins/ by its dotted name, and every Dag file as `dags.<name>`."""
    found = {}
    for folder, prefix in ((ROOT / "plugins", ""), (ROOT / "dags", "dags.")):
        for path in sorted(folder.rglob("*.py")):
            name = prefix + ".".join(path.relative_to(folder).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


@cache
def imports() -> tuple[Import, ...]:
    """All imports of all modules, those within functions and under TYPE_CHECKING too, each once."""
    return tuple(dict.fromkeys(Import(name, what) for name, path in modules().items() for what in _imported(path)))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(), path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}:{node.lineno}: a relative import; write the module's whole name")
            base = node.module or ""
            yield from (whole if (whole := f"{base}.{alias.name}") in modules() else base for alias in node.names)


def room_of(module: str) -> str:
    """The room that one of our modules is in: its folder, `dags`, the plugin, or one of the two above."""
    if module.endswith(".__main__"):
        return COMMANDS
    house, _, rest = module.partition(".")
    if house != "otterflow":
        return house
    room = rest.partition(".")[0]
    return room if (ROOT / "plugins" / "otterflow" / room).is_dir() and room else GROUND


def arrows() -> set[tuple[str, str]]:
    """Which room imports which, as pairs."""
    ours = ((room_of(i.importer), room_of(i.imported)) for i in imports() if i.imported in modules())
    return {(above, below) for above, below in ours if above != below}


def step(room: str) -> int:
    """How far down a room is, from 0 at the roof."""
    return next(i for i, rooms in enumerate(STEPS) if room in rooms)


_HEAD = """\
# Rooms

Who imports whom, from the roof down; written by `python -m tests.rooms` and checked by `tests/test_layers.py`. An arrow
is left out where a longer way says the same. What a change touches, and what it costs to read the Dags, is
[measured](measurements/rooms.md).
"""


def page() -> str:
    """docs/rooms.md: the picture, and what each room is for."""
    below: dict[str, set[str]] = {room_of(module): set() for module in modules()}
    for room, other in arrows():
        if step(room) < step(other):
            below[room].add(other)
    rooms = sorted(below, key=lambda room: (step(room), room))
    direct = [f"    {room} --> {other}" for room in rooms for other in _by_step(_not_implied(below, room))]
    rows = [f"| `{room}` | {_purpose(room)} |" for room in rooms]
    table = ["| room | what it is for |", "|---|---|", *rows]
    return "\n".join([_HEAD, "```mermaid", "graph TD", *direct, "```", "", *table, ""])


def _by_step(rooms: set[str]) -> list[str]:
    return sorted(rooms, key=lambda room: (step(room), room))


def _not_implied(below: dict[str, set[str]], room: str) -> set[str]:
    """The rooms that it imports, without those that one of them imports, be it by way of others."""
    return below[room] - {deeper for other in below[room] for deeper in _reached(below, other)}


def _reached(below: dict[str, set[str]], room: str) -> set[str]:
    return below[room].union(*(_reached(below, other) for other in below[room]))


_PURPOSES = {
    "dags": "one Dag a file, wiring only",
    "otterflow_plugin": "what Airflow's UI gets from us",
    COMMANDS: "what is begun with `python -m`",
    GROUND: "errors, settings from the environment, reading of files",
}


def _purpose(room: str) -> str:
    """The first sentence of the package's docstring."""
    if room in _PURPOSES:
        return _PURPOSES[room]
    said = ast.get_docstring(ast.parse(modules()[f"otterflow.{room}"].read_text())) or ""
    return " ".join(said.partition("\n\n")[0].split()).partition(". ")[0].removesuffix(".")


if __name__ == "__main__":
    PAGE.write_text(page())

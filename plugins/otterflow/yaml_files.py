"""Reading the YAML files under `include/`: one mapping a file, and errors that name the file and what is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from otterflow.errors import InvalidInput, Problem

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where PyYAML was built with it: 10 ms instead of 80 for the knob catalog, which most tasks read."""


def read_mapping(path: Path, *, field: str, plural: str, example: str) -> dict[str, Any]:
    """The file's mapping, not checked further. `example` is where a good one is to be seen.

    Raises InvalidInput: for an absent file it names `field` and the files (`plural`) that are there.
    """
    try:
        record = yaml.load(path.read_text(), Loader=_LOADER)  # noqa: S506 - both are safe loaders
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise InvalidInput(Problem(field, f"{path.stem!r} is unknown", f"known {plural}: {known}")) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(Problem(path.name, "not readable as YAML", str(error))) from None
    if not isinstance(record, dict):
        raise InvalidInput(Problem(path.name, "holds no mapping", f"see {example}"))
    return record

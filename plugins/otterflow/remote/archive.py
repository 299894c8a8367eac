"""Modules of ours as one file to ship: an archive that any python3 on a host runs as it is, without a package."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
_THE_SAME_TIME = (2020, 1, 1, 0, 0, 0)


def python_archive(main: str, rooms: Sequence[str], *, without: Collection[str] = ()) -> bytes:
    """The archive; of the same modules it is the same bytes. Run it with `python3 <file> ARGUMENTS`.

    `main` is the dotted name of the module whose `main(arguments)` gives the exit code. `rooms` are modules and
    packages, as paths beneath the package `otterflow`; `without` are modules in them that stay here.
    """
    files = {"__main__.py": f"import sys\n\nfrom {main} import main\n\nsys.exit(main(sys.argv[1:]))\n"}
    for path in _modules(rooms, without):
        for folder in path.parents:
            files.setdefault(str(Path("otterflow", folder, "__init__.py")), "")
        files[str(Path("otterflow", path))] = (ROOT / path).read_text()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _THE_SAME_TIME), files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _modules(rooms: Sequence[str], without: Collection[str]) -> Iterator[Path]:
    for name in rooms:
        path = ROOT / name
        for found in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            beneath = found.relative_to(ROOT)
            if str(beneath) not in without:
                yield beneath

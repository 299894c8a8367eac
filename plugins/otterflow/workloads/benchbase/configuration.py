"""BenchBase's configuration file, from the benchmark's settings and the way to the database.

BenchBase takes the password from this file only, so the file holds it: it is written with mode 600 into the job's
folder and removed when the job ends. Source: https://github.com/cmu-db/benchbase/wiki/Configuration.
"""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

from otterflow.dbms.values import DatabaseAccess
from otterflow.errors import InvalidInput, Problem
from otterflow.workloads.benchbase.settings import BenchbaseSettings
from otterflow.workloads.benchbase.ways import Way

LARGEST_SEED = 2**31 - 1
"""BenchBase's seed is a Java int; negative means the clock."""

_CHANGED_BY_BENCHBASE = re.compile(r"\$\{|^\s|\s\Z|[\x00-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
"""Variables are replaced, blanks at the ends trimmed, and control characters are no XML."""


def configuration(
    settings: BenchbaseSettings, way: Way, access: DatabaseAccess, *, time_s: float = 1, seed: int = 0
) -> str:
    """The file for one phase of `time_s` seconds, rounded up, without a warm-up of BenchBase's own.

    Its goodput counts what was committed in its warm-up too, over the measured time alone, and so would be too high
    (`Worker.doWork`, `Results.requestsPerSecondGoodput`; https://github.com/cmu-db/benchbase/issues/606).
    Raises InvalidInput for a server reached by a socket, and for names and passwords that BenchBase would not read as
    they are.
    """
    root = ElementTree.Element("parameters")
    elements: dict[str, object] = {
        "type": way.TYPE,
        "driver": way.JDBC_DRIVER,
        "url": way.jdbc_url(access),
        "username": access.user,
        "password": access.password,
        "isolation": f"TRANSACTION_{settings.isolation.upper().replace('-', '_')}",
        "batchsize": settings.batch_size,
        "loaderThreads": settings.load_threads,
        "scalefactor": settings.scale,
        "terminals": settings.terminals,
        "randomSeed": seed % LARGEST_SEED,
    }
    _check(elements)
    _check(settings.options)
    for name, value in (elements | settings.options).items():
        _add(root, name, value)
    work = _add(_add(root, "works"), "work")
    for name, value in (
        ("time", math.ceil(time_s)),
        ("warmup", 0),
        ("rate", settings.rate or "unlimited"),
        ("weights", ",".join(f"{share:g}" for share in settings.transactions.values())),
    ):
        _add(work, name, value)
    types = _add(root, "transactiontypes")
    for name in settings.transactions:
        _add(_add(types, "transactiontype"), "name", name)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _check(values: dict[str, object] | dict[str, str]) -> None:
    for name, value in values.items():
        if _CHANGED_BY_BENCHBASE.search(str(value)):
            shown = "the password" if name == "password" else repr(value)
            raise InvalidInput(
                Problem(
                    f"BenchBase's {name}",
                    f"{shown} holds '${{', a control character or blanks at its ends, which BenchBase would change",
                    "choose another",
                )
            )


def _add(parent: ElementTree.Element, name: str, value: object = None) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, name)
    child.text = None if value is None else str(value)
    return child

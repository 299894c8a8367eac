"""With which option files a running server has begun, told from its command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otterflow.dbms.mysql_family.processes import process_functions
from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.target import OwnServer

if TYPE_CHECKING:
    from otterflow.dbms.target import Target
    from otterflow.remote.session import Session

LOOK_S = 60.0


def files_read(session: Session, product: Product, target: Target) -> list[str]:
    """The files in the order they are read: the one that the server was told, or those that it reads untold."""
    if isinstance(target.service, OwnServer):
        return [target.service.config_file]
    command = f"{process_functions(product, target)}\n{_PRINT_ARGUMENTS}"
    done = session.run(command, what="looking for the server's option files", timeout_s=LOOK_S)
    return told(done.stdout.splitlines(), product)


def told(arguments: list[str], product: Product) -> list[str]:
    """The same from the server's arguments."""
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name == "--defaults-file":
            return [value]
    extra = [value for name, _, value in (a.partition("=") for a in arguments) if name == "--defaults-extra-file"]
    return [*product.option_files, *extra]


_PRINT_ARGUMENTS = """if find_server; then tr '\\0' '\\n' < "/proc/$server/cmdline"; fi
exit 0
"""

"""What one product of the family is called, which programs it brings, and which versions are known of it.

The parts of the family take a `Product` and ask it; none asks which of the two it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from otterflow.dbms.mysql_family.versions import shown


class Flavour(StrEnum):
    """Whose server answers, by what it says of its version."""

    mariadb = "MariaDB"
    mysql = "MySQL"
    percona = "Percona Server"


@dataclass(frozen=True)
class Product:
    """One product of the family: names, programs, versions, and the words that differ."""

    name: str
    """In target files, catalogs and the repository."""
    title: str
    """For people."""
    flavours: tuple[Flavour, ...]
    """Whose servers are taken for it."""
    versions: tuple[int, int]
    """The oldest and the newest version that catalog and rules speak of, as `versions.major_of` numbers them."""
    server: str
    """The server's program, and the name of its process."""
    client: str
    admin: str
    dump: str
    unit: str
    """The systemd unit that the product's packages install."""
    processes: tuple[str, ...]
    """Every name that a server's process goes by: an older package's too."""
    preflight: tuple[str, ...]
    """The options by which the server's program reads its options, says what it would refuse, and ends."""
    option_files: tuple[str, ...]
    """What the server's program reads where it is told nothing else, weakest first, but for its user's own file."""
    without_tls: tuple[str, ...]
    """The options of its client programs for a connection that checks no certificate: to ask whether it is up."""
    to_set_global: tuple[str, ...]
    """The privileges for all that can be changed while it runs; each is enough for some of it."""
    dump_options: tuple[str, ...] = ()
    """What the dump program is told besides, and the other product's does not know."""

    @property
    def enough_to_set_global(self) -> tuple[str, ...]:
        """The privileges of which one is enough to change something while it runs."""
        return tuple(sorted({*self.to_set_global, "SUPER"}))

    @property
    def version_range(self) -> str:
        """The versions for people, as in `10.6 to 11.8`."""
        oldest, newest = self.versions
        return f"{shown(oldest)} to {shown(newest)}"

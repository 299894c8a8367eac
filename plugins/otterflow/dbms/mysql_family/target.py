"""A server of the family as a target file describes it: its kinds of service, and what its database may be called."""

from __future__ import annotations

import posixpath
import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from otterflow.dbms.target import AbsolutePath, CommandService, Service, SystemdService, Target

OWN_DATABASES = ("mysql", "sys", "information_schema", "performance_schema")
"""Databases of the server's own."""


def _database_name(name: str) -> str:
    """Any name that the server stores and its programs can be given."""
    if not 0 < len(name) <= 64:
        raise ValueError("a database's name has 1 to 64 letters")
    if any(unicodedata.category(letter) == "Cc" or ord(letter) > 0xFFFF for letter in name):
        raise ValueError("a database's name has no line break, control character or letter beyond U+FFFF")
    if name.startswith("-"):
        raise ValueError("the server's programs take a name that begins with '-' for an option")
    if name.startswith("#") or name.endswith(" "):
        raise ValueError("the server takes no name that begins with '#' or ends with a space")
    return name


DatabaseName = Annotated[str, AfterValidator(_database_name)]


class OwnServer(Service):
    """The SSH user owns the server, and otterflow starts and stops its program itself.

    Not by a wrapper such as mysqld_safe: that starts a server again and again that does not come up.
    """

    kind: Literal["own_server"]
    config_file: AbsolutePath
    """The one option file that the server is started with (`--defaults-file`)."""


class FamilyTarget(Target):
    """One server of the family; each product has a class of its own that says its `dbms`."""

    service: Annotated[SystemdService | OwnServer | CommandService, Field(discriminator="kind")]
    database: DatabaseName
    """The database the benchmark loads and runs in. It is dropped and restored, unless the server `has_users`."""

    @model_validator(mode="after")
    def _database_may_be_dropped(self) -> FamilyTarget:
        if self.database.lower() in OWN_DATABASES and not self.has_users:
            raise ValueError(
                f"database {self.database!r} is the server's own and cannot be dropped and made anew; name another"
            )
        return self

    @model_validator(mode="after")
    def _knobs_file_is_read_from_a_folder(self) -> FamilyTarget:
        if not posixpath.basename(self.knobs_file).endswith(".cnf"):
            raise ValueError(
                f"knobs_file {self.knobs_file!r} does not end with .cnf; the server reads no other file of a folder "
                "that it includes. Name it so that it comes last there, such as zz-otterflow.cnf"
            )
        return self

"""Where the repository is, by the fields of the connection that leads to it, whoever has read them."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import URL

from otterflow.errors import RepositoryUnavailable

EXPECTED = "use sqlite (the file's path as host) or postgres"


class Address(Protocol):
    """A connection's fields, as Airflow's connections have them."""

    conn_type: str | None
    host: str | None
    schema: str | None
    login: str | None
    password: str | None
    port: int | None


def url_of(conn_id: str, found: Address) -> str | URL:
    """The URL for `Repository.open`. Raises RepositoryUnavailable for a connection of another type."""
    if found.conn_type == "sqlite":
        return f"sqlite:///{found.host or found.schema}"
    if found.conn_type in ("postgres", "postgresql"):
        return URL.create(
            "postgresql+psycopg",
            found.login,
            found.password,
            found.host,
            found.port or 5432,
            found.schema or "otterflow",
        )
    raise RepositoryUnavailable(f"connection {conn_id!r} has the type {found.conn_type!r}; {EXPECTED}")

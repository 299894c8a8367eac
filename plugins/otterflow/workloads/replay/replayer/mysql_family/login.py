"""How a session begins: the server greets, TLS is spoken where it is wanted, and the password is shown."""

from __future__ import annotations

import asyncio

from otterflow.workloads.replay.replayer.answers import (
    LOST,
    Access,
    CannotConnect,
    ConnectionLost,
    tls_context,
    to_bytes,
)
from otterflow.workloads.replay.replayer.mysql_family import passwords, wire

_REFUSED = "28000"
_SUFFICED, _PASSWORD_ITSELF = b"\x01\x03", b"\x01\x04"
"""What `caching_sha2_password` goes on with."""


class Login:
    """One login. The connection gives it each packet that comes until it is done, and tells it of the end."""

    def __init__(self, access: Access, connection: asyncio.Protocol) -> None:
        self._access, self._connection = access, connection
        self._packets: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self._number = 0
        self._at_socket = access.host.startswith("/")

    def take(self, number: int, body: bytes) -> None:
        """A packet has come, with its number."""
        self._packets.put_nowait((number, body))

    def end(self) -> None:
        """The connection is lost."""
        self._packets.put_nowait((0, b""))

    async def connect(self) -> asyncio.Transport:
        """Reach the server. A host that begins with `/` is the path of its socket. Raises OSError."""
        loop, access = asyncio.get_running_loop(), self._access
        if self._at_socket:
            made = await loop.create_unix_connection(lambda: self._connection, access.host)
        else:
            made = await loop.create_connection(lambda: self._connection, access.host, access.port)
        return made[0]

    async def run(self, transport: asyncio.Transport) -> tuple[asyncio.Transport, wire.Greeting]:
        """Log in. Returns what to write to from now on. Raises CannotConnect, ConnectionLost, OSError."""
        access = self._access
        try:
            greeting = wire.read_greeting(await self._next())
        except ValueError as error:
            raise CannotConnect(str(error)) from None
        tls = 0
        if not self._at_socket and access.tls != "disable":
            if greeting.capabilities & wire.TLS:
                tls = wire.TLS
                transport.write(wire.tls_request(greeting, to_bytes(access.database)))
                transport = await self._speak_tls(transport)
                self._number += 1
            elif access.tls != "prefer":
                raise OSError(f"tls: {access.tls!r} is asked for, and the server has no TLS")
        await self._show_password(transport, greeting, tls)
        return transport, greeting

    async def _speak_tls(self, transport: asyncio.Transport) -> asyncio.Transport:
        access = self._access
        context = tls_context(access.tls, access.tls_root)
        upgraded = await asyncio.get_running_loop().start_tls(
            transport, self._connection, context, server_hostname=access.host
        )
        if upgraded is None or not self._packets.empty():
            raise OSError("the server said something in clear when TLS was to begin, or closed the connection")
        return upgraded

    async def _show_password(self, transport: asyncio.Transport, greeting: wire.Greeting, tls: int) -> None:
        access = self._access
        # A server that prefers what is not known here may still have the account by another plugin.
        plugin = greeting.plugin if greeting.plugin in passwords.ANSWERS else passwords.NATIVE
        password = to_bytes(access.password)
        answer = passwords.ANSWERS[plugin](password, greeting.scramble)
        user, database = to_bytes(access.user), to_bytes(access.database)
        transport.write(wire.login(greeting, self._number + 1, user, database, plugin, answer, tls))
        while True:
            body = await self._next()
            if body[0] == wire.OK:
                return
            if body == _SUFFICED:
                continue
            if body[0] == wire.SWITCH:
                plugin, scramble = wire.read_switch(body)
                answer = _answer(plugin, password, scramble)
            elif body == _PASSWORD_ITSELF and plugin == passwords.CACHING_SHA2:
                answer = self._password_itself(password, is_safe=self._at_socket or bool(tls))
            else:
                raise CannotConnect(f"the server goes on with {plugin} as the replayer does not know it", _REFUSED)
            transport.write(wire.packets(answer, self._number + 1))

    def _password_itself(self, password: bytes, *, is_safe: bool) -> bytes:
        """What is sent to a server that does not have the password in its cache."""
        if not is_safe:
            raise CannotConnect(
                f"the server wants the password itself ({passwords.CACHING_SHA2}), which is sent over TLS or a socket "
                "only; let the server have TLS, and tls be 'require'",
                _REFUSED,
            )
        return password + b"\0"

    async def _next(self) -> bytes:
        """The next packet, which is never empty; its number is kept."""
        self._number, body = await self._packets.get()
        if not body:
            raise ConnectionLost(LOST)
        if body[0] == wire.ERROR:
            error = wire.read_error(body)
            raise CannotConnect(error.message, error.sqlstate)
        return body


def _answer(plugin: str, password: bytes, scramble: bytes) -> bytes:
    known = passwords.ANSWERS.get(plugin)
    if known is None:
        raise CannotConnect(
            f"the server wants the authentication plugin {plugin or 'mysql_old_password'!r}, which the replayer lacks; "
            f"let the account be by {passwords.NATIVE}, {passwords.CACHING_SHA2} or ed25519",
            _REFUSED,
        )
    return known(password, scramble)

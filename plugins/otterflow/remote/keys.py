"""Keys as people paste them into an SSH connection, brought into the one form that the SSH client takes.

Each function raises ValueError with a sentence of what was found and what to do; none of them shows a private key.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterator
from pathlib import Path

from otterflow.plain_files import read_plain_file

HOST_KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
"""Types of host keys, the one that is taken first first, where several are given."""
MAX_KEY_BYTES = 64 * 2**10
_AS_SCANNED = "give the host's line of `ssh-keyscan`, or its type and key as in `ssh-ed25519 AAAA...`"


def host_key_of(text: str) -> str:
    """`type key` of a host key given as that, as the key alone, with a comment, or as lines of `ssh-keyscan`."""
    if "SHA256:" in text or "MD5:" in text:
        raise ValueError(f"is a fingerprint, from which the key cannot be told; {_AS_SCANNED}")
    found = dict(_keys_in(text))
    for kind in HOST_KEY_TYPES:
        if kind in found:
            return f"{kind} {found[kind]}"
    if found:
        kinds = ", ".join(HOST_KEY_TYPES)
        raise ValueError(f"is a key of type {', '.join(found)}, which cannot be used; give one of {kinds}")
    raise ValueError(f"{text.strip()[:60]!r} holds no key; {_AS_SCANNED}")


def _keys_in(text: str) -> Iterator[tuple[str, str]]:
    """Type and base64 of each key among the words of the text; its type is the key's own first field."""
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        for word in line.split():
            try:
                blob = base64.b64decode(word, validate=True)
            except binascii.Error:
                continue
            length = int.from_bytes(blob[:4], "big")
            kind = blob[4 : 4 + length]
            if 4 < length < 64 and len(blob) > 4 + length and kind.isascii():
                yield kind.decode(), word


def private_key_of(text: str) -> str:
    r"""A private key's text with real line breaks, where it was given with `\n` or without its last one."""
    lines = text.strip().replace("\\r", "").replace("\\n", "\n").splitlines()
    if len(lines) < 3 or "-----BEGIN" not in lines[0]:
        raise ValueError("is no private key; give the whole file, from -----BEGIN to END-----, with its line breaks")
    return "\n".join(line.strip() for line in lines) + "\n"


def key_file_text(path: str) -> str:
    """The text of a private key's file on this machine."""
    try:
        return read_plain_file(Path(path).expanduser(), MAX_KEY_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ValueError(
            f"{path!r} cannot be read on the machine that runs Airflow's tasks: {reason}; correct the path, or let the "
            "user who runs them read it"
        ) from None


def check_private_key(text: str, passphrase: str | None) -> None:
    """Raise ValueError unless the key can be used with the passphrase."""
    if _opens(text, passphrase):
        return
    if not _is_encrypted(text):
        raise ValueError("is no RSA, ECDSA or Ed25519 key that can be read; make one with `ssh-keygen -t ed25519`")
    if passphrase:
        raise ValueError("does not open with private_key_passphrase; correct the passphrase in the connection's extra")
    raise ValueError("is encrypted; set private_key_passphrase in the connection's extra")


def _opens(text: str, passphrase: str | None) -> bool:
    import paramiko

    for loader in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            key = loader.from_private_key(io.StringIO(text), password=passphrase)
            # A key may load as the wrong type and fail only when it signs.
            key.sign_ssh_data(b"", algorithm="rsa-sha2-512" if key.get_name() == "ssh-rsa" else None)
        except (paramiko.SSHException, ValueError, IndexError):
            continue
        return True
    return False


def _is_encrypted(text: str) -> bool:
    import paramiko

    for loader in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            loader.from_private_key(io.StringIO(text))
        except paramiko.PasswordRequiredException:
            return True
        except (paramiko.SSHException, ValueError, IndexError):
            continue
    return False

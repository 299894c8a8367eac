"""A stop by itself, of which the product only knows the one within a restart."""

from __future__ import annotations


def stop_command(functions: str) -> str:
    """Run the bash function that every restart begins with. `functions` are the service's for the target."""
    return f"{functions}\nstop_server\n"

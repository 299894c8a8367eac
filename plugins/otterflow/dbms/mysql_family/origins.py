"""Where the value of a setting comes from, in a product's words, and what that means for the knobs file."""

from __future__ import annotations

from dataclasses import dataclass

from otterflow.knobs.setting import LiveSetting


@dataclass(frozen=True)
class Origins:
    """A product's words for where a value comes from, by what they mean."""

    files: frozenset[str]
    """An option file."""
    command_line: frozenset[str]
    by_hand: frozenset[str]
    """A statement, since the server was started: lost at the next start."""
    persisted: frozenset[str]
    """A statement, kept by the server itself and read after all option files."""
    computed: frozenset[str]
    """What the server worked out at its start, over what a file says: from limits of the system, from other knobs."""

    def from_file(self, setting: LiveSetting, path: str) -> bool:
        """Whether it comes from that option file."""
        return setting.source in self.files and setting.sourcefile == path

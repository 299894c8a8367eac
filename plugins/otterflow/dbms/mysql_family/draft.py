"""A configuration under repair: reads tuned before live values, writes tuned knobs alone and keeps the reasons."""

from __future__ import annotations

from collections.abc import Mapping

from otterflow.dbms.values import Repair
from otterflow.knobs.space import Config, Value


class Draft:
    """What is wanted, and what it has become so far."""

    def __init__(self, config: Mapping[str, Value], live_values: Mapping[str, Value]) -> None:
        self.wanted: Config = dict(config)
        self.config: Config = dict(config)
        self.live_values = live_values
        self.reasons: dict[str, str] = {}

    def get(self, name: str) -> Value | None:
        """The value that would be in force; None where the server has no such setting."""
        return self.config.get(name, self.live_values.get(name))

    def number(self, name: str) -> float | None:
        """The number that would be in force; None where the server has no such setting."""
        value = self.get(name)
        return None if value is None or isinstance(value, str) else value

    def tuned(self, name: str) -> bool:
        """Whether the knob may be changed."""
        return name in self.config

    def set(self, name: str, value: Value, reason: str) -> None:
        """Change a tuned knob, for a reason that is told; of several the first."""
        if self.config[name] != value:
            self.config[name] = value
            self.reasons.setdefault(name, reason)

    def round(self, name: str, value: Value) -> None:
        """Change a tuned knob to what the server would make of it, which nobody need be told."""
        self.config[name] = value

    def repairs(self) -> list[Repair]:
        """What was changed for a reason."""
        return [
            Repair(name, self.wanted[name], self.config[name], reason)
            for name, reason in self.reasons.items()
            if self.config[name] != self.wanted[name]
        ]

"""A configuration under repair, whatever DBMS it is for."""

from __future__ import annotations

from collections.abc import Mapping

from otterflow.dbms.values import Repair
from otterflow.knobs.space import Config, Value


class Draft:
    """What is wanted, and what it has become so far: reads tuned before live values, and writes tuned knobs alone."""

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
        """Change a tuned knob, for a reason that is told; of several the last."""
        if self.config[name] != value:
            self.config[name] = value
            self.reasons[name] = reason

    def repairs(self) -> list[Repair]:
        """What was changed."""
        return [
            Repair(name, wanted, self.config[name], self.reasons[name])
            for name, wanted in self.wanted.items()
            if self.config[name] != wanted
        ]

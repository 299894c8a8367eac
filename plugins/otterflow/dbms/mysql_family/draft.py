"""A configuration under repair for a server that itself changes what does not fit, without a word."""

from __future__ import annotations

from otterflow.dbms.draft import Draft
from otterflow.dbms.values import Repair
from otterflow.knobs.space import Value


class RoundingDraft(Draft):
    """A draft in which a knob may also be rounded as the server would, which is no repair."""

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

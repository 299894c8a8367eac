"""What is known of a DBMS's knobs: the catalog, the search space, units, rules, and constraints between knobs."""

from otterflow.knobs.space import KnobSpace

__all__ = ["KnobSpace"]

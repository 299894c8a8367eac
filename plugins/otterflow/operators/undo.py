"""Puts a target back to the configuration before otterflow, and takes away what otterflow has made there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow import settings
from otterflow.dbms.registry import load_target
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.connected_host import ConnectedHost
from otterflow.operators.guard import ANYWHEN

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class UndoTuningOperator(OtterflowOperator):
    """Writes the knobs file as it was before an experiment, brings it into force, and removes what was asked for.

    :param target: the target's name (templated).
    :param experiment: the experiment before which it was so; without one, otterflow's first on the target (templated).
    :param remove: "True" to remove snapshots, the benchmark's database and job folders as well (templated).

    Returns `{"before", "file", "removed", "left"}`; `left` is what a person has made and may take away, with how.
    Raises TargetHeld while an experiment holds the target.
    """

    may = ANYWHEN
    template_fields = (*OtterflowOperator.template_fields, "target", "remove")

    def __init__(
        self, *, target: str = "{{ params.target }}", remove: str = "{{ params.remove }}", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.target = target
        self.remove = remove

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Choose, hold, put back, remove, tell what is left."""
        from otterflow.hosts.undo import undo

        target = load_target(settings.targets_dir() / f"{self.target}.yaml")
        remove = str(self.remove) == "True"
        done = undo(repository, target, self.experiment, ConnectedHost, remove=remove)
        self.log.info("%s", done)
        before = done.before
        return {"before": before.name, "file": before.baseline_file, "removed": done.removed, "left": done.left}

"""OtterTune's four files as tasks: a folder of them read into an experiment, and trials written as them.

The folder is one of the machine that runs the task, not of a database host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import ANYWHEN
from otterflow.operators.version import code_version

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class ImportOtterTuneOperator(OtterflowOperator):
    """Stores a folder of OtterTune's sets as a finished experiment; a second time it changes nothing.

    Returns the report: what was read, and by field, value and reason what was not. Raises InvalidInput, with nothing
    stored, if no set can be used or a field of the form is wrong.
    """

    may = ANYWHEN

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Import the folder that the form names."""
        from pathlib import Path

        from otterflow.experiment.plan import catalog_of
        from otterflow.ottertune.importing import import_folder
        from otterflow.ottertune.spec import ImportSpec
        from otterflow.ottertune.which import dbms_of

        spec = ImportSpec.from_params(context["params"])
        catalog = catalog_of(dbms_of(Path(spec.folder)))
        report = import_folder(repository, spec, catalog, code_version=code_version())
        self.log.info("%s", report.table())
        return report.as_dict()


class ExportOtterTuneOperator(OtterflowOperator):
    """Writes the four files of one trial, or of all that have ended; files of the same names are overwritten."""

    may = ANYWHEN

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Export to the folder that the form names."""
        from pathlib import Path

        from otterflow.errors import InvalidInput, Problem
        from otterflow.ottertune.exporting import export

        form = context["params"]
        if not form["folder"]:
            raise InvalidInput(Problem("folder", "is empty", "name a folder of the machine that runs the task"))
        report = export(repository, self.experiment, Path(form["folder"]), iteration=form["iteration"])
        self.log.info("%s", report.table())
        return report.as_dict()

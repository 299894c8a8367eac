"""Stands for a file that is to be a Dag, and is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from otterflow.errors import MachineryFault
from otterflow.operators.guard import ANYWHEN, Guarded

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReadFileOperator(Guarded, BaseOperator):
    """Fails with what is wrong with the file; once it is mended, the Dag is another one.

    :param file: the file's name.
    :param problems: what was wrong when the Dag was parsed.
    """

    may = ANYWHEN
    ui_color = "#e8f4ea"

    def __init__(self, *, file: str, problems: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = file
        self.problems = problems

    def execute(self, context: Context) -> None:
        """Read the file once more: its error is the answer."""
        self.read()
        raise MachineryFault(
            f"{self.file} is right by now; when this Dag was parsed it was not ({self.problems}). Reload the page in a "
            "minute and trigger the Dag again"
        )

    def read(self) -> None:
        """Raise InvalidInput if the file is wrong."""
        raise NotImplementedError

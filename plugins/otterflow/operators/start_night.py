"""Begins a night's experiment."""

from __future__ import annotations

from typing import Any

from otterflow.operators.check_window import CHECK_WINDOW
from otterflow.operators.connections import open_repository
from otterflow.operators.start_experiment import StartExperimentOperator


class StartNightOperator(StartExperimentOperator):
    """Begins it as any other. A night is short, and says so, where the nights before found little and nothing changed.

    :param schedule: the schedule's name.
    """

    def __init__(self, *, schedule: str, **kwargs: Any) -> None:
        super().__init__(check=CHECK_WINDOW, **kwargs)
        self.schedule = schedule

    def form_of(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Decide how long the night is."""
        from otterflow.experiment.nights import SHORT_ITERATIONS, known_nights, why_short

        form, repository = super().form_of(asked), open_repository()
        nights = known_nights(repository, self.schedule)
        before = [night for night in nights if night.experiment != asked["experiment"]]
        recording = form.get("recording")
        manifests = repository.manifests({night.recording for night in before} | {recording})
        reason = why_short(before, form["benchmark"], recording, manifests)
        if reason is not None:
            self.log.info("a short night, which measures what is in force beside the rules: %s", reason)
            form["iterations"] = min(form["iterations"], SHORT_ITERATIONS)
        return form

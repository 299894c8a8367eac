"""The texts that an experiment writes into its target's knobs file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from otterflow.dbms.registry import dbms_named
from otterflow.experiment.typed import live_settings_of

if TYPE_CHECKING:
    from otterflow.repository import Experiment


def text_of(experiment: Experiment, config: Mapping[str, Any]) -> str:
    """The knobs file for a configuration: the one found before the experiment for the baseline.

    For any other, `config` over whatever that file held besides.
    """
    before = experiment.baseline_file or ""
    if dict(config) == experiment.baseline:
        return before
    live = live_settings_of(experiment)
    header = f"otterflow, experiment {experiment.name}"
    return dbms_named(experiment.dbms).settings.render(config, live, keep=before, header=header)


def measured_text(experiment: Experiment, config: Mapping[str, Any], *, is_live: bool) -> str:
    """The knobs file while a configuration is measured: `text_of`, and what keeps one trial from warming the next.

    A live server is never restarted between two, and its file is `text_of` alone.
    """
    text = text_of(experiment, config)
    return text if is_live else dbms_named(experiment.dbms).settings.as_measured(text)


def last_good_text(experiment: Experiment) -> str:
    """The knobs file of the last configuration known to be good."""
    return experiment.last_good.file if experiment.last_good else experiment.baseline_file or ""

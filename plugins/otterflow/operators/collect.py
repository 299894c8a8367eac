"""Turns the counters of the measured window into rates, and completes the trial."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from otterflow.dbms.registry import dbms_named
from otterflow.experiment.loop import METRICS_LEFT_OUT, REMARKS
from otterflow.hosts import knobs_file
from otterflow.hosts.window import rates
from otterflow.measures.names import METRICS
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import IN_TRIAL
from otterflow.repository import TrialState

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class CollectOperator(OtterflowOperator):
    """Records the trial's metrics and ends it as ok. Its configuration becomes the last known to be good.

    All it needs is in the repository; no host is asked. Of a trial that was ended early there is nothing to collect.
    """

    may = replace(IN_TRIAL, trial=frozenset({"running", "ok", "timed_out"}))

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Compute, record, and return a short summary."""
        trial = repository.trial(self.experiment, self.iteration)
        if trial.state == TrialState.timed_out:
            self.log.info("nothing to collect: the trial was %s", trial.message)
            return {"metrics": 0}
        before, after = repository.raw_counters(self.experiment, self.iteration)
        metrics = dbms_named(repository.experiment(self.experiment).dbms).metrics
        found = rates(metrics, before, after, len(trial.repeats))
        own = {METRICS + name: value for name, value in (trial.result or {}).get("metrics", {}).items()}
        repository.record_metrics(
            self.experiment, self.iteration, found.metrics | own, host=found.host, reset=found.reset
        )
        if found.left_out is not None:
            self.log.warning("the counters are left out: %s", found.left_out)
            repository.add_reasons(self.experiment, self.iteration, {METRICS_LEFT_OUT: found.left_out})
        if found.reset:
            self.log.warning(
                "counters that were reset within the window, and so are left out: %s", ", ".join(found.reset)
            )
        if remarks := metrics.remarks(found.metrics):
            self.log.warning("%s", "; ".join(remarks))
            repository.add_reasons(self.experiment, self.iteration, {REMARKS: remarks})
        text = knobs_file.text_of(repository.experiment(self.experiment), trial.wanted)
        repository.end_trial(self.experiment, self.iteration, "ok")
        repository.record_last_good(self.experiment, configuration=trial.wanted, file=text)
        self.log.info(
            "%s metrics over %.1f s; load %.2f, CPU iowait %.0f %%",
            len(found.metrics),
            found.window_s,
            found.host.get("host.load_1m", 0.0),
            100 * found.host.get("host.cpu_iowait_share", 0.0),
        )
        return {"metrics": len(found.metrics), "window_s": round(found.window_s, 3), "reset": found.reset}

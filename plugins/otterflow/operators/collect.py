"""Turns the counters of the measured window into rates, and completes the trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.dbms.postgresql import metrics
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.workbench import Workbench
from otterflow.remote import proc
from otterflow.workloads.measures import METRICS

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class CollectOperator(OtterflowOperator):
    """Records the trial's metrics and ends it as ok. Its configuration becomes the last known to be good.

    All it needs is in the repository; no host is asked.
    """

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Compute, record, and return a short summary."""
        trial = repository.trial(self.experiment, self.iteration)
        before, after = repository.snapshots(self.experiment, self.iteration)
        window = metrics.window(
            metrics.MetricSnapshot.from_dict(before["dbms"]), metrics.MetricSnapshot.from_dict(after["dbms"])
        )
        host = proc.host_rates(proc.HostSample.from_dict(before["host"]), proc.HostSample.from_dict(after["host"]))
        own = {METRICS + name: value for name, value in (trial.result or {}).get("metrics", {}).items()}
        repository.record_metrics(self.experiment, self.iteration, window.metrics | own, host=host, reset=window.reset)
        if window.reset:
            self.log.warning(
                "counters that were reset within the window, and so are left out: %s", ", ".join(window.reset)
            )
        with Workbench(repository, self.experiment) as bench:
            text = bench.config_text(trial.wanted)
        repository.end_trial(self.experiment, self.iteration, "ok")
        repository.record_last_good(self.experiment, configuration=trial.wanted, file=text)
        self.log.info(
            "%s metrics over %.1f s; load %.2f, CPU iowait %.0f %%",
            len(window.metrics),
            window.seconds,
            host.get("host.load_1m", 0.0),
            100 * host.get("host.cpu_iowait_share", 0.0),
        )
        return {"metrics": len(window.metrics), "window_s": round(window.seconds, 3), "reset": window.reset}

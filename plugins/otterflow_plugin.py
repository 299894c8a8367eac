"""Airflow's plugin of otterflow. With OTTERFLOW_PRELOAD=1 it imports the tasks' modules before a task needs them.

Airflow forks a process for each task from a worker that has loaded the plugins. What is imported here is imported once
a worker rather than once a task: `recommend` alone spends 0.8 s on importing scikit-learn. It is off unless asked for,
as every process of Airflow loads the plugins, and costs 200 MB in each. Switch it on where tasks run: for the scheduler
with LocalExecutor, for the workers with CeleryExecutor.
"""

from __future__ import annotations

import importlib
import os

from airflow.plugins_manager import AirflowPlugin

PRELOAD = "OTTERFLOW_PRELOAD"
MODULES = (
    "airflow.providers.ssh.hooks.ssh",
    "psycopg",
    "otterflow.repository",
    "otterflow.hosts.inspection",
    "otterflow.hosts.measurement",
    "otterflow.hosts.turns",
    "otterflow.hosts.workbench",
    "otterflow.operators.connected_host",
    "otterflow.experiment.recommendation",
)


class OtterflowPlugin(AirflowPlugin):
    """Adds nothing to Airflow but its name in the list of plugins."""

    name = "otterflow"


if os.environ.get(PRELOAD) == "1":
    from otterflow.dbms import registry

    for module in (*MODULES, *registry.MODULES.values()):
        importlib.import_module(module)

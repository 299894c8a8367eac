"""Airflow's plugin of otterflow: its pages in Airflow's UI; with OTTERFLOW_PRELOAD=1 the tasks' modules, ahead of them.

Every process of Airflow loads this module. The pages cost it nothing: their application is made in the API server, at
the first request (`otterflow.web.lazily`).

Airflow forks a process for each task from a worker that has loaded the plugins. What is imported here is imported once
a worker rather than once a task: `recommend` alone spends 0.8 s on importing scikit-learn. It is off unless asked for,
as every process of Airflow loads the plugins, and costs 200 MB in each. Switch it on where tasks run: for the scheduler
with LocalExecutor, for the workers with CeleryExecutor.
"""

from __future__ import annotations

import importlib
import os

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from otterflow.places import PREFIX, ROUTE, pages_at
from otterflow.web.lazily import Pages

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


BASE = pages_at(conf.get("api", "base_url", fallback=""))
ICON = {"icon": f"{BASE}/static/icon.svg", "icon_dark_mode": f"{BASE}/static/icon_dark.svg"}


VIEWS = [
    {"name": "Tuning", "href": f"{BASE}/", "destination": "nav", "url_route": ROUTE, "nav_top_level": True, **ICON},
    {
        "name": "Experiment",
        "href": f"{BASE}/run/{{DAG_ID}}/{{RUN_ID}}",
        "destination": "dag_run",
        "url_route": "experiment",
        **ICON,
    },
]
APPS = [{"app": Pages(), "url_prefix": PREFIX, "name": "otterflow"}]


class OtterflowPlugin(AirflowPlugin):
    """*Tuning* in the navigation, and *Experiment* on the Dag runs; see docs/pages.md."""

    name = "otterflow"
    fastapi_apps = APPS
    external_views = VIEWS


if os.environ.get(PRELOAD) == "1":
    from otterflow.dbms import registry

    for module in (*MODULES, *registry.MODULES.values()):
        importlib.import_module(module)

"""A small client of Airflow's REST API (v2): what a user would do in the browser, for the demo and the tests."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import httpx

_LOCKED_S = 120.0


class AirflowClient:
    """Talks to the API server at `base_url`; logs in with name and password on first use, and again when it expires.

    Every method raises `httpx.HTTPStatusError` with the server's own words when it refuses.
    """

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self.base_url = base_url
        self._credentials = {"username": username, "password": password}
        self._http = httpx.Client(base_url=base_url, timeout=120, trust_env=False)

    def is_healthy(self, *components: str) -> bool:
        """Whether the API answers and reports the metadata database and each of `components` as healthy."""
        try:
            health = self._http.get("/api/v2/monitor/health", timeout=5).json()
        except (httpx.HTTPError, ValueError):
            return False
        return all(health.get(part, {}).get("status") == "healthy" for part in ("metadatabase", *components))

    def dags(self) -> dict[str, dict[str, Any]]:
        """All Dags that are known, by id."""
        return {dag["dag_id"]: dag for dag in self._get("/api/v2/dags", limit=100)["dags"]}

    def parse_again(self, dag_id: str) -> None:
        """Have the Dag's file parsed soon: its form then offers target files that have come since."""
        token = self._get(f"/api/v2/dags/{dag_id}")["file_token"]
        self._request("PUT", f"/api/v2/parseDagFile/{token}")

    def import_errors(self) -> list[str]:
        """What went wrong when Dag files were parsed: file and trace."""
        errors = self._get("/api/v2/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace']}" for error in errors]

    def pause(self, dag_id: str) -> None:
        """Have the Dag's runs, and the tasks of those under way, wait."""
        self._request("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": True})

    def unpause(self, dag_id: str) -> None:
        """Let the Dag's runs be scheduled."""
        self._request("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any], run_id: str | None = None) -> str:
        """Start a run with `conf` as its parameters; returns its run id."""
        body = {"logical_date": None, "conf": conf, **({"dag_run_id": run_id} if run_id else {})}
        return str(self._request("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def backfill(self, dag_id: str, begin: datetime, end: datetime) -> int:
        """Begin a backfill of the runs that are due from `begin` to `end`, one at a time; returns its id.

        With SQLite it is refused while anything else writes, and asked for again.
        """
        times = {"from_date": begin.isoformat(), "to_date": end.isoformat()}
        body = {"dag_id": dag_id, **times, "max_active_runs": 1}
        until = time.monotonic() + _LOCKED_S
        while True:
            try:
                return int(self._request("POST", "/api/v2/backfills", json=body)["id"])
            except httpx.HTTPStatusError as error:
                if error.response.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > until:
                    raise
            time.sleep(0.5)

    def dag_run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run."""
        return self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")

    def dag_runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The Dag's newest 100 runs, the oldest of them first."""
        runs = self._get(f"/api/v2/dags/{dag_id}/dagRuns", limit=100, order_by="-id")["dag_runs"]
        return list(reversed(runs))

    def clear(self, dag_id: str, run_id: str) -> None:
        """Have all tasks of a run run again."""
        self._request("POST", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/clear", json={"dry_run": False})

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of one run."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        return list(self._get(path, limit=100)["task_instances"])

    def set_task_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task as `failed` or `success`, as a user does in the browser; a running one is ended."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        self._request("PATCH", path, json={"new_state": state})

    def clear_task(self, dag_id: str, run_id: str, task_id: str, *, downstream: bool = True) -> None:
        """Clear a task, and what follows it unless told otherwise, as a user does in the browser: they run again."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task_id],
            "include_downstream": downstream,
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self._request("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", json=body)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """What a task handed on."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self._get(path, deserialize=True)["value"]

    def question(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """What a task that waits for a person asks: `subject`, `body`, `params`, and the answer once there is one."""
        return self._get(f"{_task(dag_id, run_id, task_id)}/-1/hitlDetails")

    def answer(self, dag_id: str, run_id: str, task_id: str, chosen: str, **params: Any) -> None:
        """Answer it, as a person does in the browser."""
        body = {"chosen_options": [chosen], "params_input": params}
        self._request("PATCH", f"{_task(dag_id, run_id, task_id)}/-1/hitlDetails", json=body)

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> list[str]:
        """The lines of the log of one try of a task; an exception is one line, without its trace."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        return [line for entry in self._get(path)["content"] for line in _log_lines(entry)]

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _get(self, path: str, **query: Any) -> dict[str, Any]:
        try:
            return self._request("GET", path, params=query)
        except httpx.TimeoutException:  # the server shares its processors with what is measured; asking changes nothing
            return self._request("GET", path, params=query)

    def _request(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        response = self._send(method, path, **arguments)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._log_in()
            response = self._send(method, path, **arguments)
        if response.is_error:
            message = f"{method} {path} was answered with {response.status_code}: {response.text[:2000]}"
            raise httpx.HTTPStatusError(message, request=response.request, response=response)
        answer: dict[str, Any] = response.json()
        return answer

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        if "Authorization" not in self._http.headers:
            self._log_in()
        return self._http.request(method, path, headers={"Accept": "application/json"}, **arguments)

    def _log_in(self) -> None:
        response = self._http.post("/auth/token", json=self._credentials)
        response.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {response.json()['access_token']}"


def _task(dag_id: str, run_id: str, task_id: str) -> str:
    return f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"


def _log_lines(entry: dict[str, Any] | str) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    event = " ".join(str(entry[key]) for key in ("event", "reason") if entry.get(key))
    raised = [f"{error['exc_type']}: {error['exc_value']}" for error in entry.get("error_detail") or []]
    return [line for text in ([] if event.startswith("::") else [event], raised) for line in text]

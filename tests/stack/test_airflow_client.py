"""The client of Airflow's REST API on a machine that is busy."""

from __future__ import annotations

import httpx
import pytest

from stack.airflow_client import AirflowClient


class Busy:
    """An API server that does not answer the first `silent` requests in time."""

    def __init__(self, silent: int) -> None:
        self.silent = silent
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        self.asked.append(request.method)
        if len(self.asked) <= self.silent:
            raise httpx.ReadTimeout("timed out", request=request)
        return httpx.Response(200, json={"task_instances": [], "dag_run_id": "r"})


def client_of(server: Busy) -> AirflowClient:
    client = AirflowClient("http://127.0.0.1:1", "admin", "p")
    client._http = httpx.Client(base_url=client.base_url, transport=httpx.MockTransport(server))
    return client


def test_a_question_that_is_not_answered_in_time_is_asked_once_more() -> None:
    server = Busy(silent=1)
    assert client_of(server).task_instances("d", "r") == []
    assert server.asked == ["GET", "GET"]


def test_one_that_is_never_answered_is_said() -> None:
    server = Busy(silent=9)
    with pytest.raises(httpx.ReadTimeout):
        client_of(server).task_instances("d", "r")
    assert server.asked == ["GET", "GET"]


def test_an_order_is_given_once_for_the_first_may_have_been_heard() -> None:
    server = Busy(silent=1)
    with pytest.raises(httpx.ReadTimeout):
        client_of(server).trigger("d", {})
    assert server.asked == ["POST"]

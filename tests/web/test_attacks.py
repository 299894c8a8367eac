"""Attacks on the pages: script and SQL in every field, forged tokens, paths that lead out, posts from elsewhere.

Each kind says how many were tried, and none may be let through. The same against a real Airflow, with tokens that it
has signed: `tests/e2e/test_pages.py`.
"""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jwt
import pytest
from airflow.api_fastapi.app import create_auth_manager
from fastapi.testclient import TestClient

from otterflow.repository import NewExperiment, Repository
from otterflow.web import app
from otterflow.web.headers import HEADERS, WithHeaders
from otterflow.web.rendering import part
from tests.web import made_up
from tests.web.conftest import BASE, Client, mounted

pytestmark = pytest.mark.slow

SCRIPTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title></textarea></pre><script src=//evil.example></script>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "&lt;script&gt;\u2028\u202e",
    "--><!--<style>@import 'http://evil.example'</style>",
    "<a href=javascript:alert(1)>",
)
SQL = (
    "'; DROP TABLE experiments; --",
    "' OR '1'='1",
    "%' UNION SELECT name FROM targets --",
    "\\'; SELECT pg_sleep(5); --",
    "a\x00b",
)
SAFE = "harmless"
ACTIVE = ("script", "iframe", "img", "style", "object", "embed", "base", "form action", "textarea")
FIELDS = (
    "name",
    "target",
    "benchmark",
    "objective",
    "message",
    "log",
    "knob",
    "value",
    "idea",
    "repair",
    "verdict",
    "arm",
)


class Shape(HTMLParser):
    """The elements of a page with the names of their attributes, and every address in it."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[f"{tag} {' '.join(sorted(name for name, _ in attrs))}"] += 1
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action", "srcdoc", "data")]

    handle_startendtag = handle_starttag


def shape(text: str) -> Shape:
    found = Shape()
    found.feed(text)
    return found


def hostile(repository: Repository, **fields: str) -> str:
    """An experiment with these texts in its fields; its name."""
    said = dict.fromkeys(FIELDS, SAFE) | {"name": "attacked"} | fields
    name = said["name"]
    repository.create_experiment(
        NewExperiment(
            name=name, target=said["target"], dbms="postgresql", benchmark=said["benchmark"], seed=0,
            objective=said["objective"], spec={"iterations": 3, "note": said["message"]}, code_version=said["message"],
            run=f"tuning_experiment/{name}",
        )
    )  # fmt: skip
    configuration = {said["knob"]: said["value"]}
    repository.prepare_experiment(
        name, space=[{"name": said["knob"], "type": "enum", "values": [said["value"]]}], baseline=configuration,
        baseline_file=said["message"], rules=configuration, facts={}, versions={said["knob"]: said["value"]},
        hardware={}, catalog_hash="", live={},
    )  # fmt: skip
    moved = {said["knob"]: said["value"] + "!"}
    reasons = {
        "idea": said["idea"], "moved": [{"knob": said["knob"], "gain_percent": 1.0}], "leading_knobs": [said["knob"]],
        "past": [{"experiment": said["name"]}],
        "predicted": {"value": 1.0, "low": 1.0, "high": 1.0, "unit": said["value"]},
    }  # fmt: skip
    repairs = [{"knob": said["knob"], "wanted": said["value"], "used": said["value"], "reason": said["repair"]}]
    for iteration, ends in ((0, True), (1, False)):
        repository.plan_trial(name, iteration, kind="model", wanted=moved, repairs=repairs, reasons=reasons, seed=0)
        repository.begin_try(name, iteration)
        repository.record_metrics(name, iteration, {said["knob"]: 1.0}, host={}, reset=[])
        repository.record_seconds(name, iteration, said["knob"].replace(".", ""), 1.0)
        if ends:
            repository.end_trial(name, iteration, "crashed", message=said["message"], log_tail=said["log"])
    ratios = {said["arm"]: {"ratio": 1.1, "low": 1.0, "high": 1.2, "rounds": 3}}
    repository.record_last_good(name, configuration=moved, file=said["message"])
    repository.record_outcome(
        name,
        {
            "verdict": said["verdict"], "winner": said["arm"], "installed": said["arm"], "unit": said["value"],
            "baseline": 1.0, "best": 1.0, "rules": 1.0, "compared": [said["arm"]], "best_configuration": moved,
            "comparison": {"ratios": ratios, "values": {said["arm"]: [1.0]}}, "knobs": {},
        },
    )  # fmt: skip
    repository.set_experiment_state(name, "failed", said["message"])
    return name


def shown(browser: TestClient, name: str, target: str) -> dict[str, str]:
    """All pages that show the experiment, by their path."""
    paths = [
        "/", f"/experiment/{part(name)}", f"/experiment/{part(name)}?live=true", f"/experiment/{part(name)}/trial/0",
        f"/compare?a={part(name)}&b={part(name)}", "/targets", f"/target/{part(target)}",
        f"/knobs?target={part(target)}", f"/run/tuning_iteration/{part(name)}-x", f"/run/{part(name)}/{part(name)}",
    ]  # fmt: skip
    answers = {path: browser.get(path) for path in paths}
    assert {answer.status_code for answer in answers.values()} <= {200, 303, 422}, "422: longer than any name"
    return {path: answer.text for path, answer in answers.items() if answer.status_code == 200}


def faults(page: str) -> list[str]:
    """What of a page is not the page's own: elements, attributes and addresses that text has become."""
    found = shape(page)
    elements = [e for e in found.elements if e.split()[0] in ACTIVE and e not in ("script src", "script src type")]
    scripts = found.elements["script src"] + found.elements["script src type"]
    attributes = [a for e in found.elements for a in e.split()[1:] if a.startswith("on") or a in ("style", "srcdoc")]
    own = (f"{BASE}/", "/dags/", "#", "?")
    addresses = [address for address in found.addresses if not address.startswith(own) or address.startswith("//")]
    return elements + attributes + addresses + (["a script more"] if scripts not in (0, 2) else [])


def test_no_text_in_any_field_becomes_more_than_text(client: Client, repository: Repository) -> None:
    browser = client({"tuning_experiment"})
    everything = " ".join((*SCRIPTS, *SQL))
    in_addresses = " ".join(text for text in (*SCRIPTS, *SQL) if "/" not in text and "\x00" not in text)
    fields = {field: f"{field} {everything}" for field in FIELDS if field not in ("name", "target")}
    tried = 0
    for name, target in (("attacked", SAFE), (f"name {in_addresses}", f"target {in_addresses}")):
        hostile(repository, **fields, name=name, target=target)
        for path, page in shown(browser, name, target).items():
            assert faults(page) == [], path
            assert "49" not in page or "{{ 7 * 7 }}" in page, "a template within the text was filled in"
            tried += len(FIELDS) * (len(SCRIPTS) + len(SQL))
    seen = "".join(shown(browser, "attacked", SAFE).values())
    assert [field for field in fields if f"{field} &lt;script&gt;alert(1)" not in seen] == [], "each is on some page"
    print(f"{tried} tried, 0 let through")
    assert tried > 2000


REFLECTED = {
    "/": ("q", "state", "target", "page"), "/compare": ("a", "b"), "/knobs": ("dbms", "target"),
    "/experiment/plain": ("drift", "live", "first", "last", "low", "high"), "/experiment/plain/trial/0": ("attempt",),
    "/experiment/plain/export.zip": ("configuration",), f"/target/{SAFE}": ("first", "last", "low", "high"),
}  # fmt: skip


def test_text_in_the_address_stays_text_and_finds_nothing_else(client: Client, repository: Repository) -> None:
    browser = client({"tuning_experiment"})
    hostile(repository, name="plain")
    before = len(repository.experiments())
    tried = 0
    for text in SCRIPTS + SQL:
        for path, field in ((path, field) for path, fields in REFLECTED.items() for field in fields):
            answer = browser.get(path, params={field: text})
            assert answer.status_code in (200, 404, 422), (path, field, answer.status_code)
            assert faults(answer.text) == [], (path, field)
            tried += 1
    print(f"{tried} tried, 0 let through")
    assert tried == 20 * len(SCRIPTS + SQL)
    assert 'href="/otterflow/experiment/plain"' not in browser.get("/", params={"q": SQL[1]}).text
    assert len(repository.experiments()) == before


PATHS = (
    "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static/..%5capp.py", "/static//etc/passwd",
    "/static/style.css%00.py", "/static/style.css/../../app.py", "/nights/..%2f..%2fetc%2fpasswd",
    "/replays/..%2f..%2f..%2fetc%2fpasswd", "/replays/%2e%2e%2f%2e%2e%2fbenchmarks%2flive", "/target/..%2f..%2fetc",
    "/experiment/..%2f..%2fetc%2fpasswd", "/experiment/done/trial/..%2f0", "/experiment/%2e%2e/trial/0",
    "/knobs/../../../etc/passwd", "/knobs/..%2f..%2fetc%2fpasswd", "/templates/base.html", "/static/", "/docs",
    "/experiment/..%2f..%2fetc%2fpasswd/report.html", "/experiment/..%2f../export.zip?configuration=..%2f..%2fetc",
    "/promotion/..%2f1/plot.svg", "/openapi.json", "/redoc", "//evil.example/", "/run/..%2f..%2fetc/passwd",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out(client: Client, path: str) -> None:
    answer = client().get(path)
    assert answer.status_code in (200, 404)
    if answer.status_code == 200:
        assert "belongs to no experiment" in answer.text or "<h1>" in answer.text
    for secret in ("root:x:", "from __future__", "openapi", "driver:"):
        assert secret not in answer.text


def test_a_catalog_is_chosen_from_those_there_are(client: Client) -> None:
    for name in ("../../../etc/passwd", "..%2f", "nosuch", "postgresql/../mysql"):
        assert "Knobs of PostgreSQL" in client().get("/knobs", params={"dbms": name}).text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
def test_nothing_but_reading_is_known_from_wherever_it_comes(
    client: Client, repository: Repository, method: str
) -> None:
    name = "posted-to"
    if repository.opener(name) is None:
        hostile(repository, name=name)
    before = repository.experiment(name)
    browser = client()
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    for path in ("/", f"/experiment/{name}", f"/experiment/{name}/trial/0", "/knobs", "/compare", "/static/page.js"):
        answer = browser.request(method, path, headers=foreign, data={"state": "stopped"})
        assert answer.status_code == 405, path
        assert "access-control-allow-origin" not in answer.headers
    assert repository.experiment(name) == before


def test_every_answer_forbids_what_is_not_otterflows_own(client: Client) -> None:
    browser = client()
    for path in ("/", "/experiment/nosuch", "/static/page.js", "/static/icon.svg", "/compare?a=x&b=y", "/?page=x"):
        headers = browser.get(path).headers
        assert {name: headers[name] for name in HEADERS} == HEADERS
    policy = browser.get("/").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "*" not in policy
    assert browser.get("/").headers["Cache-Control"] == "no-store"


SECRET = "the-key-that-airflow-signs-with-of-64-characters-0123456789abcde"


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"sub": "admin", "role": "ADMIN", "iat": now, "nbf": now, "exp": now + 600, **changes}


def unsigned() -> str:
    parts = [{"alg": "none", "typ": "JWT"}, claims()]
    said = [base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in parts]
    return ".".join([*said, ""])


TOKENS = {
    "none": None,
    "empty": "",
    "no token": "admin",
    "unsigned": unsigned(),
    "another's key": jwt.encode(claims(), "x" * 64, algorithm="HS512"),
    "another's key, for us": jwt.encode(claims(aud="apache-airflow"), "y" * 64, algorithm="HS256"),
    "expired": jwt.encode(claims(exp=1, aud="apache-airflow"), SECRET, algorithm="HS512"),
    "script": "<script>alert(1)</script>",
    "SQL": "' OR '1'='1",
}


@pytest.fixture
def strangers(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A browser of the pages as Airflow mounts them: nothing is answered in Airflow's place."""
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", SECRET)
    create_auth_manager()
    return mounted(WithHeaders(app.pages()))


@pytest.mark.parametrize("token", TOKENS)
def test_without_a_token_that_airflow_has_signed_there_is_nothing(strangers: TestClient, token: str) -> None:
    given = TOKENS[token]
    tried = let_through = 0
    routes: list[Any] = app.pages().routes
    every = [route.path for route in routes if "{path" not in route.path]
    assert len(every) >= 12
    for path in [*every, "/nothing", "/static/style.css"]:
        for way in ({"Authorization": f"Bearer {given}"}, {"Cookie": f"_token={given}"}):
            for accept in ("text/html", "*/*"):
                headers = {**(way if given is not None else {}), "Accept": accept}
                answer = strangers.get(path, headers=headers)
                tried += 1
                let_through += answer.status_code not in (303, 401, 403)
                if answer.status_code == 303:
                    assert answer.headers["location"].startswith("/auth/login?next=%2Fotterflow")
    print(f"{token}: {tried} tried, {let_through} let through")
    assert let_through == 0


def test_whoever_is_not_logged_in_is_led_to_airflows_login_and_back(strangers: TestClient) -> None:
    headers = {"Accept": "text/html", "Host": "evil.example"}
    answer = strangers.get("/?q=a%26b", headers=headers)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/auth/login?next=%2Fotterflow%2F%3Fq%3Da%2526b"


def test_nothing_secret_is_on_a_page(client: Client, repository: Repository, tmp_path: Path) -> None:
    made_up.whole(repository, "secretive", trials=3)
    text = "".join(shown(client(), "secretive", "example_command").values())
    assert str(repository.name) not in text
    assert "conn_id" not in text

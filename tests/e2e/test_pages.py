"""The pages in a real Airflow: who is let in with which token, and what a person sees in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest

from stack.airflow import ADMIN
from stack.checkout import PROJECT
from tests.e2e.pages_lab import OP, USER, VIEWER, PagesLab, chromium, logged_in, pages_lab, tuning
from tests.web import made_up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PATHS = (
    "/otterflow/", "/otterflow/experiment/shop-tpcb", "/otterflow/experiment/shop-tpcb/trial/5", "/otterflow/targets",
    "/otterflow/target/example_command", "/otterflow/knobs?target=example_command", "/otterflow/nights",
    "/otterflow/compare?a=shop-tpcb&b=shop-live", "/otterflow/replays", "/otterflow/static/style.css",
    "/otterflow/static/page.js", "/otterflow/experiment/shop-tpcb/report.html",
    "/otterflow/experiment/shop-tpcb/export.zip", "/otterflow/promotion/1/plot.svg",
)  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> Iterator[PagesLab]:
    with pages_lab() as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def tokens(lab: PagesLab) -> dict[str, str]:
    """A token of each role's user."""
    return {user: lab.token(user) for user in (VIEWER, USER, OP, ADMIN)}


@pytest.mark.parametrize("path", PATHS)
def test_every_role_may_read_the_same_and_nobody_else_anything(
    lab: PagesLab, tokens: dict[str, str], path: str
) -> None:
    token = tokens[VIEWER]
    answer = lab.get(path, token)
    assert answer.status_code == 200, answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for role in (USER, OP, ADMIN):
        assert lab.get(path, tokens[role]).content == answer.content, f"{role} sees another page than a Viewer"
    claims = jwt.decode(token, options={"verify_signature": False})
    forged = jwt.encode(claims, "another key of 64 characters, which Airflow does not sign with...", algorithm="HS512")
    stale = {"nobody": None, "forged": forged, "cut": token[:-3], "of nothing": "a.b.c"}
    let_through = []
    for name, given in stale.items():
        refused = lab.get(path, given)
        if refused.status_code not in (303, 401, 403) or "shop-" in refused.text:
            let_through.append(name)
    assert let_through == []
    assert httpx.post(f"{lab.airflow.url}{path}", headers={"Cookie": f"_token={token}"}, trust_env=False).is_error


@pytest.mark.parametrize(
    ("role", "may_trigger", "may_see_connections"),
    [(VIEWER, False, False), (USER, True, False), (OP, True, True), (ADMIN, True, True)],
)
def test_the_roles_are_those_of_airflow(
    lab: PagesLab, tokens: dict[str, str], role: str, may_trigger: bool, may_see_connections: bool
) -> None:
    """What the pages lead to is refused by Airflow itself. No Dag is known here, so what is allowed finds none."""
    api, headers = f"{lab.airflow.url}/api/v2", {"Authorization": f"Bearer {tokens[role]}"}
    with httpx.Client(headers=headers, timeout=120, trust_env=False) as client:
        begun = client.post(f"{api}/dags/stop_experiment/dagRuns", json={"logical_date": None, "conf": {}})
        connections = client.get(f"{api}/connections")
    assert begun.status_code == (404 if may_trigger else 403)
    assert connections.status_code == (200 if may_see_connections else 403)


def test_a_revoked_token_is_worth_nothing(lab: PagesLab) -> None:
    token = lab.token(VIEWER)
    assert lab.get("/otterflow/", token).status_code == 200
    httpx.get(f"{lab.airflow.url}/api/v2/auth/logout", headers={"Cookie": f"_token={token}"}, trust_env=False)
    assert lab.get("/otterflow/", token).status_code in (303, 401, 403)


def test_airflow_lists_the_pages(lab: PagesLab) -> None:
    token = lab.token("admin")
    answer = httpx.get(
        f"{lab.airflow.url}/api/v2/plugins", headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60
    )
    found = next(plugin for plugin in answer.json()["plugins"] if plugin["name"] == "otterflow")
    assert {view["destination"] for view in found["external_views"]} == {"nav", "dag_run"}
    assert [each["url_prefix"] for each in found["fastapi_apps"]] == ["/otterflow"]


def test_a_person_watches_an_experiment_to_its_next_trial_and_opens_it(lab: PagesLab, browser: Any) -> None:
    page = logged_in(browser, lab, VIEWER)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    shown = tuning(page)
    shown.get_by_role("link", name="shop-live", exact=True).click()
    shown.get_by_role("heading", name="shop-live").wait_for()
    shown.get_by_text("8 of 30").wait_for()
    value = made_up.tried(lab.repository, "shop-live", 8)
    made_up.tried(lab.repository, "shop-live", 9, ends=False)
    assert value is not None
    shown.get_by_text("9 of 30").wait_for()
    shown.get_by_text("Trial 9, and why").wait_for()
    assert "9 trials have ended" in shown.locator("#said").inner_text()
    shown.locator("#all-trials summary").click()
    shown.locator("#all-trials").get_by_role("link", name="8", exact=True).click()
    shown.get_by_role("heading", name="shop-live, trial 8").wait_for()
    shown.get_by_text("Configuration", exact=True).wait_for()
    assert "/plugin/tuning" in page.url
    assert [text for text in said if "Content Security Policy" in text] == []
    page.context.close()


def sees(shown: Any, said: str) -> None:
    """Wait for a plot that says so of itself."""
    shown.locator(".zoom svg desc", has_text=re.compile(said)).wait_for(state="attached")


def test_a_part_of_the_trials_is_looked_at_by_mouse_and_by_keys(lab: PagesLab, browser: Any) -> None:
    page = logged_in(browser, lab, VIEWER)
    shown = tuning(page)
    ENDED(shown).click()
    sees(shown, "^30 trials")
    plot = shown.locator(".zoom svg")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    scale = box["width"] / 720
    for x, y, act in ((265, 200, page.mouse.down), (360, 203, None), (460, 205, page.mouse.up)):
        page.mouse.move(box["x"] + x * scale, box["y"] + y * scale)
        if act:
            act()
    sees(shown, "^Iterations 10 to 20: 11 of 30 trials")
    shown.locator("#zoom-closer").focus()
    page.keyboard.press("+")
    sees(shown, "^Iterations 12 to 17")
    page.keyboard.press("ArrowRight")
    sees(shown, "^Iterations 14 to 19")
    assert "Iterations 14 to 19" in shown.locator("#said").inner_text()
    assert shown.evaluate("document.activeElement.id") == "zoom-closer"
    page.keyboard.press("0")
    sees(shown, "^30 trials")
    page.mouse.move(box["x"] + 350 * scale, box["y"] + 200 * scale)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    sees(shown, r"^Iterations \d+ to \d+")
    page.mouse.dblclick(box["x"] + 85 * scale, box["y"] + 60 * scale)
    sees(shown, "^30 trials")
    page.context.close()


def test_a_live_page_is_watched_to_the_end_and_keeps_the_part_that_is_looked_at(lab: PagesLab, browser: Any) -> None:
    plan = made_up.begun(lab.repository, "shop-short", iterations=4)
    for iteration in range(3):
        made_up.tried(lab.repository, "shop-short", iteration)
    page = logged_in(browser, lab, VIEWER)
    shown = tuning(page)
    link("shop-short")(shown).click()
    shown.get_by_text("3 of 4").wait_for()
    shown.locator("#zoom-closer").click()
    sees(shown, "^Iterations 0 to 1: 2 of 3 trials")
    made_up.tried(lab.repository, "shop-short", 3)
    made_up.finished(lab.repository, "shop-short", plan)
    shown.get_by_text("4 of 4").wait_for()
    shown.locator("h1 .state.finished").wait_for()
    sees(shown, "^Iterations 0 to 1: 2 of 4 trials")
    shown.get_by_text("times better than the baseline").wait_for()
    link("Undo")(shown).wait_for()
    page.context.close()


def test_a_part_is_looked_at_without_script_as_well(lab: PagesLab, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "_token", "value": lab.token(VIEWER), "url": lab.airflow.url}])
    page = context.new_page()
    page.goto(f"{lab.airflow.url}/otterflow/experiment/shop-tpcb?drift=out")
    page.locator("#zoom-numbers summary").click()
    page.get_by_label("First trial").fill("10")
    page.get_by_label("Last trial").fill("20")
    page.locator("#zoom-numbers button").click()
    sees(page, "^Iterations 10 to 20: 11 of 30 trials")
    assert "drift=out" in page.url
    page.locator("#zoom-all").click()
    sees(page, "^30 trials")
    context.close()


def test_a_part_of_a_targets_drift_is_looked_at_by_keys_and_its_figures_stay_open(lab: PagesLab, browser: Any) -> None:
    page = logged_in(browser, lab, VIEWER)
    page.goto(f"{lab.airflow.url}/otterflow/target/example_command")
    sees(page, r"^\d measurements")
    page.locator("#figures-1 summary").click()
    rows = page.locator("#figures-1 tbody tr")
    whole = rows.count()
    page.locator("#zoom-closer").focus()
    page.keyboard.press("+")
    sees(page, r"^Measurements \d to \d: \d of \d measurements")
    assert 0 < rows.count() < whole
    assert rows.first.is_visible()
    assert re.search(r"Measurements \d to \d", page.locator("#said").inner_text())
    page.keyboard.press("0")
    sees(page, r"^\d measurements")
    assert rows.count() == whole
    page.context.close()


def test_a_link_leaves_the_frame_for_airflows_own_page(lab: PagesLab, browser: Any) -> None:
    page = logged_in(browser, lab, VIEWER)
    shown = tuning(page)
    shown.get_by_role("link", name="shop-tpcb", exact=True).click()
    shown.get_by_role("link", name="Tune again").click()
    page.wait_for_url("**/dags/tuning_experiment")
    page.context.close()


def heading(shown: Any, name: str) -> Any:
    return shown.get_by_role("heading", name=name)


Step = Callable[[Any], Any]


def link(name: str) -> Step:
    return lambda shown: shown.get_by_role("link", name=name, exact=True)


ENDED, LIVE = link("shop-tpcb"), link("shop-live")
QUESTIONS: dict[str, tuple[list[Step], Step]] = {
    "Is it better?": ([], lambda shown: shown.get_by_role("row", name="shop-tpcb").get_by_text(re.compile(r"\+3\d\."))),
    "By how much, and how surely?": ([ENDED], lambda shown: shown.get_by_text(re.compile(r"^1\.\d+ to 1\.\d+$")).first),
    "What was changed?": ([ENDED], lambda shown: shown.locator("tr.changed th", has_text="work_mem").first),
    "What does this knob do, and where is its value from?": (
        [ENDED, link("What each knob does")],
        lambda shown: shown.get_by_text("a quarter of the RAM"),
    ),
    "Why was this configuration tried?": (
        [ENDED, lambda shown: shown.locator("dt", has_text="Best measured").locator("xpath=..").get_by_role("link")],
        lambda shown: shown.get_by_text("the largest expected gain of 2000 candidates").first,
    ),
    "Why did that trial fail?": (
        [ENDED, lambda shown: shown.locator('svg.plot a[href$="/trial/5"]')],
        lambda shown: shown.get_by_text("Cannot allocate memory"),
    ),
    "Is there more to be gained?": ([ENDED], lambda shown: shown.get_by_text("% expected").first),
    "What is it doing now, and what comes next?": ([LIVE], lambda shown: heading(shown, "and why")),
    "Is the server free, and can its numbers be trusted?": (
        [lambda shown: shown.get_by_role("link", name="example_command").first],
        lambda shown: shown.get_by_text("against the first value").first,
    ),
    "May I undo it?": ([ENDED, link("Undo")], lambda shown: None),
}
"""The questions of docs/pages.md: the clicks behind *Tuning*, and what answers."""


def test_the_questions_of_the_guide_are_those_that_are_walked() -> None:
    rows = re.findall(r"^\| (.+\?) \| .+ \| (\d) \|$", (PROJECT / "docs" / "pages.md").read_text(), re.MULTILINE)
    assert {question: int(clicks) for question, clicks in rows} == {
        question: 1 + len(steps) for question, (steps, _) in QUESTIONS.items()
    }
    assert len(rows) == 10


def test_a_stranger_finds_each_answer_by_as_many_clicks_as_the_guide_says(lab: PagesLab, browser: Any) -> None:
    page = logged_in(browser, lab, USER)
    for question, (steps, answer) in QUESTIONS.items():
        page.goto(f"{lab.airflow.url}/")
        shown = tuning(page)
        for step in steps:
            step(shown).click()
        if question == "May I undo it?":
            page.wait_for_url("**/dags/undo_tuning")
        else:
            answer(shown).wait_for()
    page.context.close()


def test_the_report_and_the_export_are_downloaded_from_within_airflow(lab: PagesLab, browser: Any) -> None:
    page = logged_in(browser, lab, OP)
    shown = tuning(page)
    ENDED(shown).click()
    for name, file in (("Report", "shop-tpcb-report.html"), ("Export of best", "shop-tpcb-best.zip")):
        with page.expect_download() as download:
            link(name)(shown).click()
        assert download.value.suggested_filename == file
        assert download.value.path().stat().st_size > 1000
    page.context.close()


def test_the_picture_of_a_promotion_is_drawn_by_its_address(lab: PagesLab, browser: Any) -> None:
    """As an image of Airflow's own page, which is how the body of a question shows it."""
    page = logged_in(browser, lab, VIEWER)
    drawn = """path => new Promise(done => {
        const image = new Image();
        image.onload = () => done([image.naturalWidth, image.naturalHeight]);
        image.onerror = () => done([0, 0]);
        image.src = path;
    })"""
    wide, high = page.evaluate(drawn, "/otterflow/promotion/1/plot.svg")
    assert wide > high > 0
    page.context.close()


def test_the_pages_are_dark_where_airflow_is(lab: PagesLab, browser: Any) -> None:
    page = logged_in(browser, lab, VIEWER, dark=True)
    shown = tuning(page)
    shown.get_by_role("heading", name="Experiments").wait_for()
    switch = page.evaluate("document.documentElement.className")
    theme = shown.evaluate("document.documentElement.dataset.theme")
    assert theme in switch
    ground = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(13, 17, 23)" if theme == "dark" else "rgb(255, 255, 255)")
    page.context.close()


def test_a_search_in_a_table_and_a_phone(lab: PagesLab, browser: Any) -> None:
    page = logged_in(browser, lab, VIEWER)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{lab.airflow.url}/otterflow/knobs")
    page.get_by_label("Search").fill("checkpoint spread")
    visible = page.locator("#table-knobs tbody tr:visible")
    assert 0 < visible.count() < 10
    for path in ("/otterflow/", "/otterflow/knobs", "/otterflow/experiment/shop-tpcb"):
        page.goto(f"{lab.airflow.url}{path}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is wider than a phone"
    page.context.close()


def test_nobody_is_led_to_the_login(lab: PagesLab, browser: Any) -> None:
    page = browser.new_page()
    page.goto(f"{lab.airflow.url}/otterflow/experiment/shop-tpcb")
    page.locator("input[name=username]").wait_for()
    assert "/auth/login" in page.url
    assert "shop-tpcb" not in page.content()
    page.locator("input[name=username]").fill(VIEWER)
    page.locator("input[name=password]").fill(lab.airflow.password_of(VIEWER))
    page.locator("button[type=submit]").click()
    page.get_by_role("heading", name="shop-tpcb").wait_for()
    page.close()


def test_what_a_browser_loads_is_small(lab: PagesLab) -> None:
    token, sizes = lab.token(VIEWER), {}
    for path in ("style.css", "theme.js", "page.js", "said.js", "live.js", "zoom.js"):
        sizes[path] = len(lab.get(f"/otterflow/static/{path}", token).content)
    print(sizes, time.strftime("%H:%M"))
    assert sum(sizes.values()) < 40_000

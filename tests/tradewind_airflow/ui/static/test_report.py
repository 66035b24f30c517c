"""The Report tab: what became of each stage, skipping one, and the report below."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

import pages_data as data
from pages_server import NO_ANSWER, PagesServer


def row(page: Page, stage: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=stage, exact=True))


@pytest.fixture
def going_on(page: Page, server: PagesServer) -> Page:
    """A run in its training, with the clock in the test's hand."""
    server.answer("run", 200, data.run_going_on())
    page.clock.install()
    page.goto(server.page("report"))
    expect(row(page, "finetune")).to_be_visible()
    return page


def skip(page: Page, stage: str) -> None:
    page.get_by_role("button", name=f"Skip {stage}").click()
    page.get_by_role("button", name="Skip it").click()


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("extract", f"cached: nothing that decides it has changed since run {data.EARLIER}, whose result stands here"),
        ("prepare", f"skipped: the result of run {data.EARLIER} stands in"),
        ("adapt", "skipped: the recipe has turned it off"),
        ("finetune", "running: "),
        ("baseline", "made: "),
        ("evaluate", "waiting: for the stages before it"),
    ],
)
def test_stage_says_what_became_of_it(going_on: Page, stage: str, words: str) -> None:
    cell = row(going_on, stage).get_by_role("cell").first
    assert (cell.locator("span").first.text_content() or "") == words


@pytest.mark.parametrize(
    ("state", "run_state", "words"),
    [
        ("running", "running", "running"),
        ("queued", "running", "waiting: for a free slot"),
        ("awaiting_input", "running", "waiting: for somebody to approve it"),
        ("up_for_retry", "running", "failed: it is tried once more by itself"),
        ("failed", "failed", "failed: its log in Airflow says why"),
        ("upstream_failed", "failed", "not run: a task before it failed"),
        (None, "failed", "not run"),
        ("a state of tomorrow", "running", "waiting"),
    ],
)
def test_old_result_of_an_unfinished_stage_does_not_count(
    page: Page, server: PagesServer, state: str | None, run_state: str, words: str
) -> None:
    """A cleared task has its earlier result in the folder until it is made anew."""
    outcome = "made" if run_state == "running" else None
    stages = [data.stage("finetune", state, outcome=outcome)]
    server.answer("run", 200, data.run_going_on(state=run_state) | {"stages": stages})
    page.goto(server.page("report"))
    expect(row(page, "finetune")).to_contain_text(words)


def test_settings_of_the_run_are_told(going_on: Page) -> None:
    settings = going_on.locator("#settings")
    for words in ("gemma", "documents/2026", "42", "prepare"):
        expect(settings).to_contain_text(words)


def test_skip_asks_first_and_then_tells_airflow(going_on: Page, server: PagesServer) -> None:
    going_on.get_by_role("button", name="Skip finetune").click()
    dialog = going_on.get_by_role("dialog", name="Skip finetune?")
    expect(dialog).to_contain_text("It is running and is stopped.")
    expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    assert [call for call in server.calls if call.method == "PATCH"] == []
    server.answer("run", 200, data.run_going_on(skip=["finetune"]))
    dialog.get_by_role("button", name="Skip it").click()
    expect(dialog).to_be_hidden()
    expect(going_on.get_by_role("status")).to_contain_text("finetune is skipped.")
    (call,) = [call for call in server.calls if call.method == "PATCH"]
    assert call.path == f"/api/v2/dags/{data.DAG}/dagRuns/{data.RUN_ID}/taskInstances/finetune"
    assert call.body == {"new_state": "skipped"}


def test_skipped_stage_shows_at_once_and_keeps_the_focus_in_the_list(going_on: Page, server: PagesServer) -> None:
    stages = data.run_going_on()["stages"]
    stages[3] |= {"state": "skipped", "skippable": False}
    server.answer("run", 200, data.run_going_on() | {"stages": stages})
    skip(going_on, "finetune")
    expect(row(going_on, "finetune")).to_contain_text("skipped")
    expect(going_on.get_by_role("button", name="Skip finetune")).to_have_count(0)
    expect(going_on.get_by_role("heading", name="Stages")).to_be_focused()


@pytest.mark.parametrize("way", ["Escape", "Keep it"])
def test_skip_can_be_taken_back_by_keyboard(going_on: Page, server: PagesServer, way: str) -> None:
    going_on.get_by_role("button", name="Skip evaluate").focus()
    going_on.keyboard.press("Enter")
    expect(going_on.get_by_role("dialog")).to_be_visible()
    going_on.keyboard.press("Escape" if way == "Escape" else "Enter")
    expect(going_on.get_by_role("dialog")).to_be_hidden()
    expect(going_on.get_by_role("button", name="Skip evaluate")).to_be_focused()
    assert [call for call in server.calls if call.method == "PATCH"] == []


@pytest.mark.parametrize(
    ("status", "detail", "words"),
    [
        (401, "Not authenticated", "You are logged out"),
        (403, "Forbidden", "You may not change the tasks of this DAG."),
        (404, ["The Task Instance was not found"], "Airflow does not know this task any more. The Task Instance"),
        (409, "Task id finetune is already in skipped state", "It is skipped already."),
        (422, [{"loc": ["body", "new_state"], "msg": "not a state"}], "new_state: not a state"),
        (500, {"reason": "database is locked"}, "The server failed (500) database is locked"),
        (NO_ANSWER, None, "the server cannot be reached"),
    ],
)
def test_refused_skip_says_why_and_can_be_tried_again(
    going_on: Page, server: PagesServer, status: int, detail: Any, words: str
) -> None:
    server.patch = lambda _: (status, {"detail": detail})
    skip(going_on, "finetune")
    expect(going_on.get_by_role("dialog").get_by_role("alert")).to_contain_text(words)
    server.patch = lambda _: (200, {})
    going_on.get_by_role("button", name="Skip it").click()
    expect(going_on.get_by_role("dialog")).to_be_hidden()


def test_stage_that_has_ended_while_it_was_asked_about_is_left_as_it_is(going_on: Page, server: PagesServer) -> None:
    """Airflow would make a success a skipped one, and what follows go by an older result."""
    going_on.get_by_role("button", name="Skip finetune").click()
    server.answer("run", 200, data.run_ended())
    going_on.get_by_role("button", name="Skip it").click()
    expect(going_on.get_by_role("alert")).to_contain_text("It has ended meanwhile: success.")
    assert [call for call in server.calls if call.method == "PATCH"] == []


def test_who_may_not_edit_sees_why_the_buttons_are_off(page: Page, server: PagesServer) -> None:
    server.answer("run", 200, data.run_going_on(may_edit=False))
    page.goto(server.page("report"))
    button = page.get_by_role("button", name="Skip finetune")
    expect(button).to_be_disabled()
    expect(button).to_have_accessible_description(re.compile("You may read this run, but not change its tasks"))


def test_plus_in_the_run_id_may_come_unencoded(page: Page, server: PagesServer) -> None:
    page.goto(f"{server.url}/tradewind/pages/report?dag_id={data.DAG}&run_id={data.RUN_ID}")
    expect(page.locator("#run")).to_contain_text(data.RUN_ID)
    assert server.asked("run")[0].query == {"dag_id": data.DAG, "run_id": data.RUN_ID}


def test_report_is_framed_without_scripts(page: Page, server: PagesServer) -> None:
    page.goto(server.page("report"))
    frame = page.get_by_title(f"Report of run {data.RUN_ID}")
    expect(frame).to_have_attribute("sandbox", "")
    expect(frame.content_frame.get_by_role("heading", name="Fine-tuning report")).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_nothing_new_names_the_run_whose_report_it_is(page: Page, server: PagesServer) -> None:
    server.answer("run", 200, data.run_ended() | {"report_of": data.EARLIER})
    page.goto(server.page("report"))
    expect(page.get_by_text(f"Nothing new since run {data.EARLIER}: this is its report.")).to_be_visible()
    expect(page.locator("iframe")).to_be_visible()


def test_report_that_stands_in_for_a_skipped_one_is_not_called_nothing_new(page: Page, server: PagesServer) -> None:
    stages = [data.stage("report", "skipped", outcome="skipped", source_run=data.EARLIER)]
    server.answer("run", 200, data.run_ended() | {"report_of": data.EARLIER, "stages": stages})
    page.goto(server.page("report"))
    expect(page.locator("#report-note")).to_have_text(
        f"The stage “report” was skipped: this is the report of run {data.EARLIER}."
    )


def test_report_of_an_earlier_try_is_said_to_be_that(page: Page, server: PagesServer) -> None:
    """A cleared run shows it until the new one stands there."""
    server.answer("run", 200, data.run_going_on(has_report=True, report_of=data.RUN))
    page.goto(server.page("report"))
    expect(page.locator("#report-note")).to_contain_text("of an earlier try")
    server.answer("run", 200, data.run_ended())
    page.goto(server.page("report"))
    expect(page.locator("iframe.report")).to_be_visible()
    expect(page.locator("#report-note")).to_have_text("")


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (data.run_going_on(), "There is no report yet."),
        (data.run_failed(), "There is no report: the run failed at finetune."),
        (data.run_going_on(state="failed"), "There is no report: the run failed."),
        (data.run_going_on(state="success"), "There is no report: the run ended without one."),
    ],
)
def test_no_report_says_why(page: Page, server: PagesServer, run: data.Json, words: str) -> None:
    server.answer("run", 200, run)
    page.goto(server.page("report"))
    expect(page.get_by_text(words)).to_be_visible()
    assert server.asked("report") == []


@pytest.mark.parametrize(
    "run",
    [
        data.run_ended() | {"run": None, "stages": [], "has_report": False},
        data.run_going_on() | {"run": None, "stages": []},
        data.run_failed() | {"run": None},  # a task of another's happens to be called as one of our stages
    ],
)
def test_foreign_run_is_told_kindly(page: Page, server: PagesServer, run: data.Json) -> None:
    server.answer("run", 200, run)
    page.goto(server.page("report"))
    expect(page.get_by_role("heading", name="No run of Tradewind")).to_be_visible()


def test_run_that_has_not_begun_shows_what_is_to_come(page: Page, server: PagesServer) -> None:
    stages = [data.stage("prepare", None), data.stage("finetune", None)]
    bare = {"run": None, "recipe": None, "data": None, "seed": None, "skip": [], "stages": stages}
    server.answer("run", 200, data.run_going_on(state="queued") | bare)
    page.clock.install()
    page.goto(server.page("report"))
    expect(row(page, "finetune")).to_contain_text("waiting")
    expect(page.locator("#settings dd")).to_have_count(0)
    server.answer("run", 200, data.run_going_on())
    page.clock.run_for(4_000)
    expect(page.locator("#settings")).to_contain_text("documents/2026")


def test_page_follows_the_run_until_it_ends(going_on: Page, server: PagesServer) -> None:
    expect(going_on.locator("iframe")).to_have_count(0)
    server.answer("run", 200, data.run_ended())
    going_on.clock.run_for(4_000)
    expect(going_on.locator("iframe")).to_be_visible()
    expect(going_on.get_by_role("status").last).to_contain_text("finetune: made")
    expect(going_on.get_by_role("status").last).to_contain_text("The run: success")
    asked = len(server.asked("run"))
    going_on.clock.run_for(120_000)
    assert len(server.asked("run")) == asked


def test_refresh_keeps_the_focus(going_on: Page, server: PagesServer) -> None:
    button = going_on.get_by_role("button", name="Skip evaluate")
    button.focus()
    stages = data.run_going_on()["stages"]
    stages[3] |= {"state": "success", "outcome": "made", "skippable": False}
    server.answer("run", 200, data.run_going_on() | {"stages": stages})
    going_on.clock.run_for(4_000)
    expect(row(going_on, "finetune")).to_contain_text("made")
    expect(button).to_be_focused()


def test_hidden_page_asks_nothing_until_it_is_seen_again(going_on: Page, server: PagesServer) -> None:
    turn = "(hidden) => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
    turn += "document.dispatchEvent(new Event('visibilitychange')); }"
    going_on.evaluate(turn, True)
    asked = len(server.asked("run"))
    going_on.clock.run_for(60_000)
    assert len(server.asked("run")) == asked
    server.answer("run", 200, data.run_ended())
    going_on.evaluate(turn, False)
    expect(going_on.locator("iframe")).to_be_visible()


def test_failed_refresh_keeps_what_is_shown_and_asks_again(going_on: Page, server: PagesServer) -> None:
    server.answer("run", NO_ANSWER, None)
    going_on.clock.run_for(4_000)
    alert = going_on.get_by_role("alert").filter(has_text="What stands below may be old.")
    expect(alert).to_contain_text("Asking again in 4 s.")
    expect(row(going_on, "finetune")).to_be_visible()
    going_on.clock.run_for(4_000)
    expect(alert).to_contain_text("Asking again in 8 s.")
    server.answer("run", 200, data.run_ended())
    alert.get_by_role("button", name="Ask now").click()
    expect(going_on.locator("iframe")).to_be_visible()
    expect(alert).to_have_count(0)


def test_login_that_runs_out_meanwhile_is_told(going_on: Page, server: PagesServer) -> None:
    server.answer("run", 401, {"detail": "Not authenticated"})
    going_on.clock.run_for(4_000)
    expect(going_on.get_by_role("alert").first).to_contain_text("Reload Airflow's page to log in again")
    asked = len(server.asked("run"))
    going_on.clock.run_for(120_000)
    assert len(server.asked("run")) == asked

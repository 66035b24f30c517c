"""The Models page: scores over time, the table of runs, two of them compared."""

from __future__ import annotations

import threading

from playwright.sync_api import Locator, Page, expect

import pages_data as data
from pages_server import PagesServer, Query, canned

NEWEST, BEFORE = "scheduled__2026-11-20T02:00:00+00:00", "scheduled__2026-11-19T02:00:00+00:00"


def rows(page: Page) -> Locator:
    return page.locator("#runs tbody tr")


def test_runs_are_told_newest_first(page: Page, server: PagesServer) -> None:
    page.goto(server.page("models"))
    newest, before = rows(page).nth(0), rows(page).nth(1)
    expect(newest).to_contain_text(NEWEST)
    expect(newest).to_contain_text("20 Nov 2026, 11:31")  # Seoul's time
    expect(newest).to_contain_text("nothing new since the run of 19 Nov 2026, 11:31")
    expect(before).to_contain_text("v5")
    expect(before).to_contain_text("in use")
    expect(before).to_contain_text("better")
    expect(before).to_contain_text("gemma")
    expect(page.get_by_text("In use: v5, made by " + BEFORE)).to_be_visible()


def test_times_follow_the_zone_chosen_in_airflow(page: Page, server: PagesServer) -> None:
    page.add_init_script("localStorage.setItem('timezone', JSON.stringify('UTC'))")
    page.goto(server.page("models"))
    expect(rows(page).first).to_contain_text("20 Nov 2026, 02:31")


def test_score_stands_with_its_interval(page: Page, server: PagesServer) -> None:
    known = data.models(30)
    known["runs"][-1]["scores"][0] |= {"tuned": 0.49, "base": 0.13, "difference": 0.36, "low": -0.02, "high": 0.47}
    server.answer("models", 200, known)
    page.goto(server.page("models"))
    expect(rows(page).first).to_contain_text("0.490+0.360 (−0.020 to +0.470)")


def test_another_group_has_other_scores(page: Page, server: PagesServer) -> None:
    page.goto(server.page("models"))
    before = rows(page).first.locator("td.number").inner_text()
    page.get_by_label("Questions and metric").select_option("reworded, Korean, chrF")
    expect(page.get_by_role("img", name="Scores of trade_qa over time: reworded, Korean, chrF")).to_be_visible()
    assert rows(page).first.locator("td.number").inner_text() != before
    page.reload()
    expect(page.get_by_label("Questions and metric").locator("option:checked")).to_have_text("reworded, Korean, chrF")


def test_pipeline_without_runs_says_so(page: Page, server: PagesServer) -> None:
    page.goto(server.page("models"))
    page.get_by_label("Pipeline").select_option("trade_qa_gemma (0 runs)")
    expect(page.get_by_role("heading", name="No scores yet")).to_be_visible()
    expect(page.get_by_role("table")).to_have_count(0)
    page.get_by_label("Pipeline").select_option("trade_qa (30 runs)")
    expect(rows(page)).to_have_count(30)


def test_no_pipeline_says_so(page: Page, server: PagesServer) -> None:
    server.answer("pipelines", 200, {"pipelines": []})
    page.goto(server.page("models"))
    expect(page.get_by_role("heading", name="No pipeline yet")).to_be_visible()


def test_columns_sort_by_keyboard_and_blanks_come_last(page: Page, server: PagesServer) -> None:
    page.goto(server.page("models"))
    page.get_by_role("button", name="Tuned (over base)").focus()
    for order, down in (("descending", True), ("ascending", False)):
        page.keyboard.press("Enter")
        head = page.get_by_role("columnheader", name="Tuned (over base)")
        expect(head).to_have_attribute("aria-sort", order)
        shown = [float(text[:5]) for text in page.locator("#runs td.number").all_inner_texts()]
        assert shown == sorted(shown, reverse=down)
        assert len(set(shown)) > 10
    page.get_by_role("button", name="Version").click()
    assert rows(page).first.locator("td").last.inner_text() == "v1"
    assert rows(page).last.locator("td").last.inner_text() == ""


def test_plot_is_read_off_by_keyboard(page: Page, server: PagesServer) -> None:
    page.goto(server.page("models"))
    reader = page.get_by_role("slider", name="Run read off the plot")
    expect(page.locator(".readout")).to_contain_text(NEWEST)
    reader.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".readout")).to_contain_text(BEFORE)
    expect(page.locator(".readout")).to_contain_text("v5, in use")
    spoken = reader.get_attribute("aria-valuetext") or ""
    assert spoken.startswith(BEFORE)
    assert "Tuned 0.4" in spoken
    page.keyboard.press("Home")
    expect(page.locator(".readout")).to_contain_text("22 Oct 2026")


def test_plot_is_read_off_by_pointer(page: Page, server: PagesServer) -> None:
    page.goto(server.page("models"))
    plot = page.get_by_role("img", name="Scores of trade_qa")
    box = plot.bounding_box()
    assert box
    plot.hover(position={"x": 60, "y": 100})
    expect(page.locator(".readout")).to_contain_text("22 Oct 2026")
    plot.hover(position={"x": box["width"] - 20, "y": 100})
    expect(page.locator(".readout")).to_contain_text(NEWEST)


def test_plot_has_a_line_for_each_model_and_names_versions(page: Page, server: PagesServer) -> None:
    page.goto(server.page("models"))
    figure = page.get_by_role("figure", name="Scores over time")
    for name in ("tuned", "champion", "base", "floor", "interval of tuned over base"):
        expect(figure.get_by_role("listitem").filter(has_text=name).first).to_be_visible()
    assert figure.locator("svg.plot text.name").all_text_contents() == ["★ v5", "v4", "v3", "v2", "v1"]
    assert "In use is v5" in (figure.locator("svg desc").text_content() or "")


def test_only_one_run(page: Page, server: PagesServer) -> None:
    server.answers |= canned(1)
    page.goto(server.page("models"))
    expect(page.get_by_role("slider")).to_be_disabled()
    expect(page.locator(".readout")).to_contain_text("0.430")
    expect(page.get_by_label("Pipeline")).to_contain_text("1 run)")


def test_two_ticked_runs_are_compared_older_first(page: Page, server: PagesServer) -> None:
    page.goto(server.page("models"))
    page.get_by_label("Compare " + NEWEST).check()
    expect(page.get_by_text("Tick a second run to compare it with.")).to_be_visible()
    compare = page.get_by_role("button", name="Compare", exact=True)
    expect(compare).to_be_disabled()
    page.get_by_label("Compare " + BEFORE).check()
    compare.click()
    expect(page.get_by_role("heading", name="Comparison")).to_be_focused()
    section = page.locator("#comparison")
    expect(section.get_by_role("row").nth(1)).to_contain_text("+0.022")
    expect(section).to_contain_text("no difference shown: no interval excludes 0")
    expect(section).to_contain_text("12 questions in Korean are few")
    asked = server.asked("compare")[0].query
    assert asked["first"].startswith("scheduled__2026-11-19")
    assert asked["second"].startswith("scheduled__2026-11-20")
    page.get_by_role("button", name="Close the comparison").click()
    expect(section).to_be_hidden()


def test_comparison_asked_for_twice_is_shown_once(page: Page, server: PagesServer) -> None:
    page.goto(server.page("models"))
    for at in (0, 1):
        page.get_by_role("checkbox").nth(at).check()
    page.get_by_role("button", name="Compare", exact=True).dblclick()
    expect(page.locator("#comparison table")).to_have_count(1)
    page.get_by_role("button", name="Untick both").click()
    expect(page.get_by_role("button", name="Compare", exact=True)).to_be_hidden()


def test_slow_answer_of_another_pipeline_comes_too_late(page: Page, server: PagesServer) -> None:
    """Chosen and left again before it came."""
    page.goto(server.page("models"))
    expect(rows(page)).to_have_count(30)
    whole, may_answer = server.answers["models"], threading.Event()

    def late(query: Query) -> tuple[int, object]:
        if query["dag_id"] != data.DAG:
            may_answer.wait(10)
        return whole(query)

    server.answers["models"] = late
    with page.expect_response("**/models?dag_id=trade_qa_gemma"):
        page.get_by_label("Pipeline").select_option("trade_qa_gemma (0 runs)")
        page.get_by_label("Pipeline").select_option("trade_qa (30 runs)")
        may_answer.set()
    expect(rows(page)).to_have_count(30)
    expect(page.get_by_role("heading", name="No scores yet")).to_have_count(0)


def test_third_tick_replaces_the_first(page: Page, server: PagesServer) -> None:
    page.goto(server.page("models"))
    boxes = page.get_by_role("checkbox")
    for at in (0, 1, 2):
        boxes.nth(at).check()
    expect(boxes.nth(0)).not_to_be_checked()
    expect(boxes.nth(1)).to_be_checked()
    expect(boxes.nth(2)).to_be_focused()


def test_runs_that_cannot_be_compared_say_why(page: Page, server: PagesServer) -> None:
    server.answer("compare", 409, {"detail": "the runs' encoder differs: a in one, b in the other"})
    page.goto(server.page("models"))
    for at in (0, 1):
        page.get_by_role("checkbox").nth(at).check()
    page.get_by_role("button", name="Compare", exact=True).click()
    alert = page.get_by_role("alert")
    expect(alert.get_by_role("heading", name="These runs cannot be compared")).to_be_visible()
    expect(alert).to_contain_text("the runs' encoder differs")


def test_run_leads_to_its_report_and_back(page: Page, server: PagesServer) -> None:
    page.goto(server.page("models"))
    with page.expect_response(lambda answer: "/api/run?" in answer.url):  # the heading stands before it is asked
        page.get_by_role("link", name=BEFORE).click()
    expect(page.get_by_role("heading", name="Report", exact=True)).to_be_visible()
    assert server.asked("run")[0].query["run_id"] == BEFORE
    page.get_by_role("link", name="Models of trade_qa").click()
    expect(rows(page)).to_have_count(30)


def test_run_that_airflow_forgot_is_no_link(page: Page, server: PagesServer) -> None:
    page.goto(server.page("models"))
    expect(rows(page).last).to_contain_text("scheduled__2026-10-22T02-00-00")
    expect(rows(page).last.get_by_role("link")).to_have_count(0)


MARK_FIRST_ROW = """new MutationObserver((_, watch) => {
  if (!document.querySelector("#runs tbody tr")) return;
  watch.disconnect();
  requestAnimationFrame(() => setTimeout(() => performance.mark("shown")));
}).observe(document, {childList: true, subtree: true})"""


FIRST_ROW_SHOWN = """async () => {
  while (!performance.getEntriesByName("shown").length) await new Promise(requestAnimationFrame);
  return performance.getEntriesByName("shown")[0].startTime;
}"""


def test_a_thousand_runs_stay_quick(page: Page, server: PagesServer) -> None:
    server.answers |= canned(1000)
    page.add_init_script(MARK_FIRST_ROW)
    page.goto(server.page("models"))
    expect(rows(page)).to_have_count(100)
    assert page.evaluate("document.querySelectorAll('figure svg *').length") < 150
    shown = page.evaluate(FIRST_ROW_SHOWN)
    print(f"the table of 1,000 runs stood after {shown:.0f} ms")
    assert shown < 5_000  # about a second where others use the machine as well
    page.get_by_role("button", name="Show all 1,000").click()
    expect(rows(page)).to_have_count(1000)
    expect(rows(page).nth(100).get_by_role("checkbox")).to_be_focused()

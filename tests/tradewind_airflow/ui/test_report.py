"""The report as the browser gets it: drawn, and nothing in it runs."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from airflow_pages import DAG_ID, RUN_ID
from tradewind.files import write_atomically
from tradewind.reporting.contract import Report
from tradewind.reporting.render import html
from tradewind.run_dir import RunDir

REPORT = "/tradewind/api/report"
ATTACKS = (
    "<script>fetch('/api/v2/dags')</script>", "<img src=x onerror=alert(1)>", "</td></table><svg onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>", "<a href='javascript:alert(1)'>x</a>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>", "<form action=//evil.example><button>x</button></form>",
    "{{ 7*7 }}{% raw %}", "<style>@import '//evil.example/x.css'</style>", "<base href=//evil.example>",
    "<object data=x></object>", "\"' onmouseover=alert(1) x='",
)  # fmt: skip


class _Seen(HTMLParser):
    """Which elements and attributes a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")


@pytest.fixture
def hostile(run: RunDir, report: Report) -> str:
    """A real report whose every answer means harm, in the run's folder."""
    example = report.best[0]
    examples = tuple(
        example.model_copy(
            update={"question": attack, "reference": attack, "answers": {"base": attack, "tuned": attack}}
        )
        for attack in ATTACKS
    )
    said = report.model_copy(
        update={"best": examples, "worst": examples, "warnings": ATTACKS, "recipe": ATTACKS[0], "data": ATTACKS[1]}
    )
    predictions = [
        {"kind": "reworded", "language": "en", "scores": {"semscore": {"base": 0.1 * at, "adapted": 0.5, "tuned": 0.9}}}
        for at in range(5)
    ]
    page = html(said, predictions, {})
    write_atomically(run.published("report") / "report.html", page)
    return page


def test_the_report_of_the_run_is_shown(run: RunDir, get: Any) -> None:
    answer = get(REPORT, dag_id=DAG_ID, run_id=RUN_ID)
    assert (answer.status_code, answer.text) == (200, "<!doctype html><title>report</title>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "content-disposition" not in answer.headers


def test_its_policy_lets_the_browser_draw_and_nothing_else(run: RunDir, hostile: str, get: Any) -> None:
    headers = get(REPORT, dag_id=DAG_ID, run_id=RUN_ID).headers
    policy = {part.split()[0]: part.split()[1:] for part in headers["content-security-policy"].split("; ")}
    assert policy == {
        "sandbox": [], "default-src": ["'none'"], "style-src": ["'unsafe-inline'"], "img-src": ["data:"],
        "frame-ancestors": ["'self'"],
    }  # fmt: skip
    assert headers["x-content-type-options"] == "nosniff"


def test_harm_in_answers_is_text_in_the_page_itself(run: RunDir, hostile: str, get: Any) -> None:
    """The policy is the second wall; already the first holds."""
    page = get(REPORT, dag_id=DAG_ID, run_id=RUN_ID).text
    assert page == hostile
    seen = _Seen()
    seen.feed(page)
    assert not {"script", "iframe", "form", "button", "object", "base", "img"} & seen.tags
    assert not [name for name in seen.attributes if name.startswith("on")]
    assert not [value for values in seen.attributes.values() for value in values if "javascript:" in value]
    assert "refresh" not in seen.attributes.get("http-equiv", set())
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_there_is_none_yet(run: RunDir, get: Any) -> None:
    (run.published("report") / "report.html").unlink()
    answer = get(REPORT, dag_id=DAG_ID, run_id=RUN_ID)
    assert (answer.status_code, answer.json()) == (404, {"detail": "there is no report yet"})


def test_a_foreign_dag_has_no_report(home: Any, get: Any) -> None:
    answer = get(REPORT, dag_id="foreign", run_id=RUN_ID)
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("no run of Tradewind")


def test_a_report_that_is_a_link_to_elsewhere_is_none(run: RunDir, get: Any) -> None:
    secret = run.path.parent / "secret.html"
    secret.write_text("nothing of this may be seen")
    file = run.published("report") / "report.html"
    for target in (secret, run.published("report") / "gone.html"):
        file.unlink()
        file.symlink_to(target)
        answer = get(REPORT, dag_id=DAG_ID, run_id=RUN_ID)
        assert (answer.status_code, answer.json()) == (404, {"detail": "there is no report yet"})

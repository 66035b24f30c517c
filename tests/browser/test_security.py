"""What somebody tries who means ill: climbing out of a run's folder, markup where a text is, a page of another site."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest
from playwright.sync_api import expect

from airflow_stack import hostile
from airflow_stack.hostile import HostileSite
from airflow_stack.page import AirflowPage
from airflow_stack.site import Site
from browser.conftest import AsUser
from finished_run import finished_run
from tradewind.files import write_atomically
from tradewind.reporting.contract import Example, Report
from tradewind.reporting.render import html
from tradewind.reporting.summary import SUMMARY, Summary
from tradewind.run_dir import RunDir
from tradewind_airflow.local.run import DAG_ID, DagRun

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SECRET = "what-stands-outside-of-the-run"
OUTSIDE = "outside.txt"
LAST = "end"  # after which nothing goes on, whatever its state


@pytest.fixture(scope="module")
def other_site() -> Iterator[HostileSite]:
    with hostile.started() as found:
        yield found


@pytest.fixture(scope="module")
def markup(other_site: HostileSite) -> str:
    """Markup that would run a script, ask the other site, or lead the reader there."""
    there = other_site.same_site
    script = f"alert(1);fetch('{there}/script');top.document.title='taken over'"
    return (
        f'<script>{script}</script><img src=\'{there}/picture\' onerror="{script}"><svg onload="{script}"></svg>'
        f"<iframe src='{there}/frame'></iframe><link rel=stylesheet href='{there}/style'>"
        f"<meta http-equiv=refresh content='0;url={there}/refresh'><form action='{there}/form'></form>"
        f"<base href='{there}/'>\"'><a href=\"javascript:{script}\">click</a>"
    )


@pytest.fixture(scope="module")
def victim(site: Site, markup: str) -> Iterator[DagRun]:
    """A run that Airflow knows and whose folder holds what a finished one would, each text of it with markup.

    It goes with the last test: else it would be the newest to stand in for what later runs skip.
    """
    run = site.trigger(unknown_key=1)
    states = site.end(run)
    assert states["configure"] == "failed", states
    run_dir = finished_run(site.run_dir(run.run_id))
    folder = run_dir.published("report")
    report = Report.model_validate_json((folder / "report.json").read_bytes())
    example = Example(
        kind="reworded", language="en", question=markup, reference=markup, answers={"base": markup, "tuned": markup},
        metric="semscore", score={"base": 0.1, "tuned": 0.9}, difference=0.8,
    )  # fmt: skip
    report = report.model_copy(
        update={"recipe": markup, "data": markup, "model": markup, "warnings": (markup,), "best": (example,),
                "scores": report.scores.model_copy(update={"verdict_reason": markup})}
    )  # fmt: skip
    write_atomically(folder / "report.json", report.model_dump_json())
    write_atomically(folder / "report.html", html(report, [], {}))
    write_atomically(folder / SUMMARY, Summary.of(report).model_dump_json())
    (run_dir.path / f"<img src=x onerror=alert(1)>{'.txt'}").write_text(markup, encoding="utf-8")
    (run_dir.path / "page.html").write_text(markup, encoding="utf-8")
    _plant_secrets(site, run_dir)
    yield run
    shutil.rmtree(run_dir.path)


def _plant_secrets(site: Site, run_dir: RunDir) -> None:
    """Beside the run, above it, in what is hidden within it, and behind links that stand in it."""
    neighbour = run_dir.path.parent / "neighbour"
    hidden = run_dir.path / ".finetune.work"
    for folder in (neighbour, run_dir.path.parent, site.home, hidden):
        folder.mkdir(exist_ok=True)
        (folder / OUTSIDE).write_text(SECRET, encoding="utf-8")
    (run_dir.path / "link.txt").symlink_to(site.home / OUTSIDE)
    (run_dir.path / "folder").symlink_to(neighbour)
    (run_dir.path / "chain").symlink_to("folder")


# Each stands for "..", "/" or both.
UP = ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%252f", "%252e%252e%252f", "..%5c", "..\\", "%2e%2e%5c", "....//",
      "..;/", "%c0%ae%c0%ae/", "%c0%ae%c0%ae%c0%af", "..%c0%af", "%e0%80%ae%e0%80%ae/", "%uff0e%uff0e/",
      "prepare/../../", "prepare/..%2f..%2f", "./.././", ".%00./", "..%00/", "..%0a/", "%20../")  # fmt: skip


def _climbing(run_dir: Path, home: Path) -> Iterator[str]:
    for up in UP:
        for depth in range(1, 5):
            yield up * depth + OUTSIDE
            yield f"{up * depth}neighbour/{OUTSIDE}"
        yield up
    yield from (
        str(home / OUTSIDE),
        quote(str(home / OUTSIDE), safe=""),
        f"//{home}/{OUTSIDE}",
        f"file://{home}/{OUTSIDE}",
    )
    yield from ("/etc/passwd", "%2fetc%2fpasswd", "/proc/self/environ", "~/.ssh", "prepare%00/../../" + OUTSIDE)
    yield from ("link.txt", "folder", f"folder/{OUTSIDE}", f"chain/{OUTSIDE}", "link.txt/", "./link.txt")
    yield from (
        f".finetune.work/{OUTSIDE}",
        f"%2efinetune.work/{OUTSIDE}",
        ".finetune.work",
        f"./.finetune.work/{OUTSIDE}",
    )
    yield from (f"../{run_dir.name}/../{OUTSIDE}", "a" * 5000, "%", "%2", "%zz", "\x7f", "..")


class Wire:
    """Requests as they are written: a client of HTTP would tidy the address up."""

    def __init__(self, site: Site, who: str) -> None:
        self._place = urlsplit(site.url.replace("localhost", "127.0.0.1")).netloc
        with site.client(who) as client:
            self._headers = {"Authorization": client.headers["Authorization"]}

    def get(self, target: str) -> tuple[int, str]:
        connection = HTTPConnection(self._place, timeout=30)
        connection._validate_path = lambda url: None  # type: ignore[attr-defined]
        connection.request("GET", target, headers=self._headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        connection.close()
        return answer.status, text


def test_no_spelling_of_a_path_leads_out_of_the_run(site: Site, victim: DagRun) -> None:
    wire = Wire(site, "admin")
    of_run = f"dag_id={DAG_ID}&run_id={quote(victim.run_id, safe='')}"
    assert wire.get(f"/tradewind/api/files/download?{of_run}&path=page.html")[0] == 200  # a plain one is there
    tried = 0
    for path in _climbing(site.run_dir(victim.run_id), site.home):
        for route in ("files", "files/download"):
            status, text = wire.get(f"/tradewind/api/{route}?{of_run}&path={path}")
            assert status in (400, 404, 422) or _is_within(status, text), f"{route} {path!r}: {status} {text[:300]}"
            assert SECRET not in text, f"{route} {path!r}"
            assert str(site.home) not in text or str(site.home) in unquote(path), f"{route} {path!r}: {text[:300]}"
            tried += 1
    assert tried > 400


def _is_within(status: int, text: str) -> bool:
    """Whether it is the list of a folder of the run: some spellings are plain names, or nothing at all."""
    return status == 200 and not json.loads(text)["path"].strip("./")


def test_no_spelling_of_a_dag_or_run_leads_to_another_folder(site: Site, victim: DagRun) -> None:
    wire = Wire(site, "admin")
    slug = site.run_dir(victim.run_id).name
    ours = victim.run_id
    for up in UP:
        for dag_id, run_id in ((f"{up}{DAG_ID}", ours), (DAG_ID, up), (DAG_ID, f"{up}neighbour"), (up * 2, ".")):
            compare = f"compare?first={up}neighbour&second={slug}"
            for route in (
                "files?path=",
                f"files/download?path={OUTSIDE}",
                "run?",
                "report?",
                "progress?task_id=adapt",
                compare,
            ):
                status, text = wire.get(f"/tradewind/api/{route}&dag_id={dag_id}&run_id={quote(run_id, safe='%;')}")
                assert status in (400, 403, 404, 409, 422), f"{route} {dag_id} {run_id}: {status} {text[:300]}"
                assert SECRET not in text


def test_no_spelling_of_a_page_or_script_leads_out_of_their_folder(site: Site) -> None:
    wire = Wire(site, "admin")
    assert wire.get("/tradewind/static/models.js")[0] == 200
    for up in UP:
        for depth in (1, 2, 3):
            for route in ("static", "pages"):
                for name in ("plugin.py", "ui/app.py", "app.py", "__init__.py", "etc/passwd"):
                    status, text = wire.get(f"/tradewind/{route}/{up * depth}{name}")
                    assert "from __future__" not in text, f"{route} {up * depth}{name}"
                    assert "root:" not in text
                    # Airflow answers with its own page where the spelling leaves our routes.
                    assert status in (400, 404, 405, 422) or "<title>Airflow</title>" in text, f"{up}{name}: {status}"


def test_markup_in_what_a_model_wrote_is_a_text_in_every_tab(
    site: Site, victim: DagRun, markup: str, other_site: HostileSite, as_user: AsUser
) -> None:
    airflow = as_user("admin")
    spoken = _listen(airflow)
    other_site.asked.clear()
    airflow.open_run(victim.run_id)
    report = airflow.tab("Report").frame_locator("iframe.report").locator("body")
    expect(report).to_contain_text("top.document.title")  # as words
    _is_quiet(airflow, spoken, other_site)
    files = airflow.tab("Files")
    expect(files.get_by_role("link", name="<img src=x onerror=alert(1)>.txt")).to_be_visible()
    _is_quiet(airflow, spoken, other_site)
    airflow.page.get_by_role("link", name="Models", exact=True).click()
    models = airflow.embedded()
    expect(models.get_by_role("link", name=victim.run_id)).to_be_visible()
    expect(models.locator("body")).to_contain_text("onerror")  # the recipe's name
    _is_quiet(airflow, spoken, other_site)


def test_a_report_that_was_tampered_with_can_do_nothing(
    site: Site, victim: DagRun, markup: str, other_site: HostileSite, as_user: AsUser
) -> None:
    """Escaping is one wall, the frame's sandbox and policy are another: this page has no escaping."""
    file = RunDir(site.run_dir(victim.run_id)).published("report") / "report.html"
    kept = file.read_text(encoding="utf-8")
    airflow = as_user("admin")
    spoken = _listen(airflow)
    other_site.asked.clear()
    try:
        write_atomically(file, f"<!doctype html><title>x</title><h1>tampered with</h1>{markup}")
        airflow.open_run(victim.run_id)
        report = airflow.tab("Report").frame_locator("iframe.report")
        expect(report.get_by_role("heading", name="tampered with")).to_be_visible()
        report.get_by_role("link", name="click").click()
        _is_quiet(airflow, spoken, other_site)
        # The same by its own address, outside of any frame of ours.
        query = f"dag_id={DAG_ID}&run_id={quote(victim.run_id, safe='')}"
        airflow.open(f"/tradewind/api/report?{query}")
        expect(airflow.page.get_by_role("heading", name="tampered with")).to_be_visible()
        _is_quiet(airflow, spoken, other_site)
    finally:
        write_atomically(file, kept)


def test_a_page_among_the_files_is_handed_out_and_never_shown(site: Site, victim: DagRun, as_user: AsUser) -> None:
    airflow = as_user("admin")
    airflow.open_run(victim.run_id)
    with airflow.page.expect_download() as download:
        airflow.tab("Files").get_by_role("link", name="page.html").press("Enter")
    assert download.value.suggested_filename == "page.html"
    query = {"dag_id": DAG_ID, "run_id": victim.run_id, "path": "page.html"}
    with site.client("admin") as client:
        headers = client.get("/tradewind/api/files/download", params=query).headers
    assert headers["content-disposition"].startswith("attachment")
    assert headers["x-content-type-options"] == "nosniff"
    assert "html" not in headers["content-type"]


ATTACKS = (Path(__file__).with_name("attacks.js")).read_text(encoding="utf-8")
POSTED_FORM = (Path(__file__).with_name("posted_form.js")).read_text(encoding="utf-8")


@pytest.mark.parametrize("where", ["same_site", "cross_site"])
def test_a_page_of_another_site_changes_nothing_and_reads_nothing(
    site: Site, victim: DagRun, other_site: HostileSite, as_user: AsUser, where: str
) -> None:
    run = quote(victim.run_id, safe="")
    task = f"{site.url}/api/v2/dags/{DAG_ID}/dagRuns/{run}/taskInstances/{LAST}"
    runs, clear = f"{site.url}/api/v2/dags/{DAG_ID}/dagRuns", f"{site.url}/api/v2/dags/{DAG_ID}/clearTaskInstances"
    query = f"dag_id={DAG_ID}&run_id={run}"
    ours = [f"{site.url}/tradewind/{path}" for path in
            (f"pages/report?{query}", f"api/run?{query}", f"api/report?{query}", f"api/models?{query}",
             "api/pipelines", f"api/files/download?{query}&path=page.html")]  # fmt: skip
    airflow = as_user("admin")
    before = _state(site, victim)
    airflow.page.goto(f"{getattr(other_site, where)}/page")
    addresses = {"task": task, "runs": runs, "clear": clear, "ours": ours}
    learnt = airflow.page.evaluate(ATTACKS, addresses)
    assert learnt == dict.fromkeys(learnt, "refused")
    assert len(learnt) > 25
    for address, body in ((runs, '{"logical_date": null, "conf": {}}'), (task, '{"new_state": "skipped"}')):
        airflow.page.goto(f"{getattr(other_site, where)}/page")
        with airflow.page.expect_navigation():
            airflow.page.evaluate(POSTED_FORM, {"address": address, "body": body})
    assert _state(site, victim) == before


def test_the_same_call_from_airflows_own_page_does_it(site: Site, victim: DagRun, as_user: AsUser) -> None:
    """Else the test above would show nothing: the login and the addresses are good."""
    airflow = as_user("admin")
    airflow.open_run(victim.run_id)
    task = f"/api/v2/dags/{DAG_ID}/dagRuns/{quote(victim.run_id, safe='')}/taskInstances/{LAST}"
    status = airflow.page.evaluate(
        """async (task) => (await fetch(task, {method: "PATCH", headers: {"Content-Type": "application/json"},
        body: JSON.stringify({new_state: "skipped"})})).status""",
        task,
    )
    assert status == 200
    assert site.task(victim.run_id, LAST)["state"] == "skipped"


def _state(site: Site, run: DagRun) -> tuple[int, list[tuple[str, str]]]:
    """How many runs there are, and the states of one's tasks."""
    runs = site.stack.server.get(f"/dags/{DAG_ID}/dagRuns?limit=1").json()["total_entries"]
    return int(runs), sorted((str(task["task_id"]), str(task["state"])) for task in run.tasks())


def _listen(airflow: AirflowPage) -> list[str]:
    """What scripts say with `alert`."""
    spoken: list[str] = []

    def heard(dialog: object) -> None:
        spoken.append(str(dialog))

    airflow.page.on("dialog", heard)
    return spoken


def _is_quiet(airflow: AirflowPage, spoken: list[str], other_site: HostileSite) -> None:
    """No script ran, nobody was asked, the page is Airflow's; what was to load has loaded."""
    airflow.page.wait_for_load_state("networkidle")
    assert spoken == []
    assert other_site.asked == []
    assert airflow.page.title() != "taken over"
    assert airflow.page.url.startswith(airflow.site.url)
    assert not [frame.url for frame in airflow.page.frames if str(other_site.port) in frame.url]

"""Who may see what of a run, on every route of ours: nobody without a login, nobody without the right."""

from __future__ import annotations

import re
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import expect

from airflow_stack.page import AirflowPage
from airflow_stack.site import FOREIGN_DAG, Site
from browser.conftest import AsUser
from tradewind.run_dir import run_path
from tradewind_airflow.local.run import DAG_ID, DagRun

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
PAGES = ("models", "report", "files", "progress")
OTHER_METHODS = ("POST", "PUT", "PATCH", "DELETE")
# What any signed-in user of some DAG gets: code of the pages, and what is sorted out by rights inside.
OF_NO_DAG = ("/tradewind/static/", "/tradewind/api/pipelines")

# Its recipe, its metric, files of it, what its page calls things.
OF_THE_RUN = ("quick", "SemScore", "semscore", "config.json", "report.html", "embedded:en", "Epoch")


def _addresses(site: Site, run_id: str) -> list[str]:
    """Every route of ours, asked for this run with all that any of them takes."""
    slug = run_path(site.home, DAG_ID, run_id).name
    query = httpx.QueryParams(
        dag_id=DAG_ID, run_id=run_id, task_id="finetune", map_index="-1", path="", first=slug, second=slug
    )
    found = []
    for path, methods in site.routes():
        assert methods in (["GET"], ["GET", "HEAD"]), f"{path}: {methods}: no route of ours may change anything"
        names = re.findall(r"{(\w+)", path)
        filled = [path]
        if names == ["page"]:
            filled = [path.replace("{page}", page) for page in PAGES]
        elif names:
            assert names == ["name"], f"{path}: a parameter that this test does not know"
            filled = [re.sub(r"{.+}", "models.js", path)]
        found += [f"{one}?{query}" for one in filled]
    assert len(found) >= 10, found
    return found


def _answers(site: Site, who: str | None, addresses: list[str]) -> dict[str, httpx.Response]:
    with site.client(who) as client:
        return {address.partition("?")[0]: client.get(address) for address in addresses}


def _codes(answers: dict[str, httpx.Response]) -> dict[str, int]:
    return {path: answer.status_code for path, answer in answers.items()}


@pytest.fixture(scope="module")
def addresses(site: Site, first: DagRun) -> list[str]:
    return _addresses(site, first.run_id)


def test_the_admin_and_a_reader_get_what_every_route_has(site: Site, addresses: list[str]) -> None:
    for who in ("admin", "reader"):
        codes = _codes(_answers(site, who, addresses))
        # A folder is no file to download; a run is not compared with itself everywhere.
        refused = {path: code for path, code in codes.items() if code != 200}
        assert set(refused) <= {"/tradewind/api/files/download"}, f"{who}: {refused}"


def test_nobody_gets_anything_without_a_login(site: Site, addresses: list[str]) -> None:
    codes = _codes(_answers(site, None, addresses))
    assert codes == dict.fromkeys(codes, 401)


def test_a_login_that_was_made_up_is_none(site: Site, addresses: list[str]) -> None:
    for token in ("made-up", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."):  # the second says that it needs no signature
        for where in ({"headers": {"Authorization": f"Bearer {token}"}}, {"cookies": {"_token": token}}):
            with httpx.Client(base_url=site.url.replace("localhost", "127.0.0.1"), **where) as client:  # type: ignore[arg-type]
                for address in addresses:
                    assert client.get(address).status_code in (401, 403), address


def test_who_may_read_no_dag_is_refused_on_every_route(site: Site, addresses: list[str]) -> None:
    answers = _answers(site, "outsider", addresses)
    codes = _codes(answers)
    assert codes == dict.fromkeys(codes, 403)
    for path, answer in answers.items():
        assert set(answer.json()) == {"detail"}
        _tells_nothing(site, path, answer)


def test_who_may_read_another_dag_is_refused_on_every_route_of_this_one(site: Site, addresses: list[str]) -> None:
    answers = _answers(site, "neighbour", addresses)
    of_dag = {path: answer for path, answer in answers.items() if not path.startswith(OF_NO_DAG)}
    codes = _codes(of_dag)
    assert codes == dict.fromkeys(codes, 403)
    for path, answer in of_dag.items():
        _tells_nothing(site, path, answer)
    assert DAG_ID not in answers["/tradewind/api/pipelines"].text


def test_the_dag_that_a_user_may_read_opens_no_run_of_another(site: Site, first: DagRun, addresses: list[str]) -> None:
    """The permission is asked for the DAG that the request names: the run must be that DAG's."""
    with site.client("neighbour") as client:
        for address in addresses:
            if address.startswith(OF_NO_DAG) or "/pages/" in address:
                continue  # they hold nothing of any run
            asked = address.replace(f"dag_id={DAG_ID}", f"dag_id={FOREIGN_DAG}")
            assert client.get(asked).status_code in (200, 404), asked
            for one in (asked, f"{asked}&dag_id={DAG_ID}", f"{address}&dag_id={FOREIGN_DAG}"):
                _tells_nothing(site, one, client.get(one))
        for climbing in (f"../{DAG_ID}", f"{FOREIGN_DAG}/../{DAG_ID}", f"./{DAG_ID}", f"{DAG_ID}/", DAG_ID.upper()):
            for address in addresses:
                asked = address.replace(f"dag_id={DAG_ID}", f"dag_id={quote(climbing, safe='')}")
                if not asked.startswith(OF_NO_DAG):
                    assert client.get(asked).status_code in (403, 404), asked


def test_no_route_takes_anything_but_a_question(site: Site, addresses: list[str]) -> None:
    with site.client("admin") as client:
        for address in addresses:
            for method in OTHER_METHODS:
                code = client.request(method, address, json={"new_state": "skipped"}).status_code
                assert code == 405, f"{method} {address}: {code}"


def test_a_reader_may_look_but_not_skip(site: Site, first: DagRun, as_user: AsUser) -> None:
    task = f"/api/v2/dags/{DAG_ID}/dagRuns/{quote(first.run_id, safe='')}/taskInstances/finetune"
    with site.client("reader") as client:
        assert client.patch(task, json={"new_state": "skipped"}).status_code == 403
        query = {"dag_id": DAG_ID, "run_id": first.run_id}
        assert client.get("/tradewind/api/run", params=query).json()["may_edit"] is False
    airflow = as_user("reader")
    airflow.open_run(first.run_id)
    expect(airflow.tab("Report").get_by_role("row", name="finetune").first).to_contain_text("made")
    assert site.task(first.run_id, "finetune")["state"] == "success"


@pytest.mark.parametrize("who", ["outsider", "neighbour"])
def test_the_tabs_show_nothing_to_who_may_not_read_the_dag(
    site: Site, first: DagRun, as_user: AsUser, who: str
) -> None:
    airflow = as_user(who)
    run = quote(first.run_id, safe="")
    for path in ("plugin/tradewind-report", "plugin/tradewind-files", "tasks/finetune/plugin/tradewind-progress"):
        airflow.open(f"/dags/{DAG_ID}/runs/{run}/{path}")
        expect(airflow.embedded().locator("body")).to_have_text(re.compile("Forbidden|may not"))
        _shows_nothing_of_the_run(airflow, path)
    for page in PAGES:
        query = httpx.QueryParams(dag_id=DAG_ID, run_id=first.run_id, task_id="finetune", map_index="-1")
        answer = airflow.page.goto(f"{site.url}/tradewind/pages/{page}?{query}")
        assert answer is not None
        assert answer.status == 403
        _shows_nothing_of_the_run(airflow, page)


def test_a_tab_beside_a_foreign_dag_says_that_it_has_no_run(site: Site, as_user: AsUser) -> None:
    with site.client("neighbour") as client:
        made = client.post(f"/api/v2/dags/{FOREIGN_DAG}/dagRuns", json={"logical_date": None, "conf": {}})
        run_id = made.raise_for_status().json()["dag_run_id"]
    airflow = as_user("neighbour")
    airflow.open(f"/dags/{FOREIGN_DAG}/runs/{quote(run_id, safe='')}")
    for tab in ("Report", "Files"):
        expect(airflow.tab(tab).get_by_text(re.compile("no run of Tradewind", re.IGNORECASE)).first).to_be_visible()


def _tells_nothing(site: Site, where: str, answer: httpx.Response) -> None:
    assert not [word for word in (*OF_THE_RUN, str(site.home)) if word in answer.text], f"{where}: {answer.text}"


def _shows_nothing_of_the_run(airflow: AirflowPage, where: str) -> None:
    for frame in airflow.page.frames:
        text = frame.locator("body").inner_text()
        assert not [word for word in OF_THE_RUN if word in text], f"{where}: {frame.url}: {text}"

"""Registration, the question and the pointer's move as tasks; a real Airflow asks in `tests/e2e`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from markdown_it import MarkdownIt

from finished_run import HOSTILE, finished_run
from hub_server import HubServer
from tradewind.recipes import resolve
from tradewind.registry.promotion import rollback
from tradewind.registry.store import Registry
from tradewind.reporting.contract import read_report
from tradewind.run_settings import RunSettings, write_settings
from tradewind_airflow.operators.promotion import (
    ApprovePromotionOperator,
    PromoteModelOperator,
    RegisterModelOperator,
    scores_in_markdown,
)

APPROVAL = {"gate.approval": True}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models" / "trade_qa")


def _register(registry: Registry, run: Path, context: Any, **settings: Any) -> dict[str, Any]:
    task = RegisterModelOperator(task_id="register", run_dir=str(run), models_dir=str(registry.path), **settings)
    return task.execute(context)


def test_a_better_model_is_champion_at_once_and_the_xcom_is_small(
    registry: Registry, tmp_path: Path, context: dict[str, Any], events: list[Any]
) -> None:
    run = finished_run(tmp_path / "run").path
    xcom = _register(registry, run, context)
    assert len(json.dumps(xcom)) < 2000
    assert xcom.pop("reasons") == list(registry.version("v1").record.decision.reasons)
    assert xcom == {
        "version": "v1", "promoted": True, "let_through": True, "asks": False, "predecessor": None,
        "said": "v1 is champion (the first)",
    }  # fmt: skip
    assert registry.champion_name() == "v1"
    assert registry.history()[0].who == f"task trade_qa.a_task of {context['run_id']}"
    assert "v1 is champion (the first)" in [event["event"] for event in events]


def test_an_equal_model_is_kept_and_the_reason_told(
    registry: Registry, tmp_path: Path, context: dict[str, Any]
) -> None:
    _register(registry, finished_run(tmp_path / "one").path, context)
    equal = finished_run(tmp_path / "two", gain=0.0, champion=registry.champion(), weights="two").path
    xcom = _register(registry, equal, context)
    assert (xcom["promoted"], xcom["let_through"], xcom["asks"], xcom["predecessor"]) == (False, False, False, "v1")
    assert xcom["said"].startswith(
        "v2 is not promoted: SemScore on reworded questions (en, n=40): the interval holds 0"
    )
    assert registry.champion_name() == "v1"


def test_what_was_taken_back_is_told_as_such(registry: Registry, tmp_path: Path, context: dict[str, Any]) -> None:
    _register(registry, finished_run(tmp_path / "one").path, context)
    run = finished_run(tmp_path / "two", champion=registry.champion(), weights="bad").path
    assert _register(registry, run, context)["promoted"]
    rollback(registry, who="a human", why="it swears")
    xcom = _register(registry, run, context)
    told = (
        "these weights were champion before, as v2, and were taken back or replaced; "
        "tradewind models promote --force promotes them all the same"
    )
    assert (xcom["said"], xcom["reasons"], xcom["asks"]) == (f"v2 is not promoted: {told}", [told], False)


def test_a_run_without_a_model_is_skipped_with_the_reason(
    registry: Registry, tmp_path: Path, context: dict[str, Any]
) -> None:
    run = finished_run(tmp_path / "run")
    changes = {"status": "skipped", "reason": "finetune.enabled is false", "outputs": {}}
    off = run.result("finetune").model_copy(update=changes)
    run.result_file("finetune").write_text(off.model_dump_json())
    with pytest.raises(AirflowSkipException, match=r"finetune was skipped: finetune.enabled is false"):
        _register(registry, run.path, context)


def test_a_fault_of_the_run_fails_the_task_in_one_line(
    registry: Registry, tmp_path: Path, context: dict[str, Any]
) -> None:
    with pytest.raises(AirflowFailException, match="absent: no such run"):
        _register(registry, tmp_path / "absent", context)
    run = finished_run(tmp_path / "run")
    (run.published("finetune") / "model" / "model.safetensors").write_text("spoilt")
    with pytest.raises(AirflowFailException, match="is not what finetune published"):
        _register(registry, run.path, context)


def test_a_run_that_leaves_registration_out_is_skipped(
    registry: Registry, tmp_path: Path, context: dict[str, Any]
) -> None:
    run = finished_run(tmp_path / "run")
    settings = RunSettings(
        job_id=f"trade_qa/{context['run_id']}", config=resolve("tiny", "embedded:en"), skip=("register",),
        version="1", resolved_at="2026-11-20T02:00:00+00:00",
    )  # fmt: skip
    write_settings(run, settings)
    with pytest.raises(AirflowSkipException, match="register: left out on request"):
        _register(registry, run.path, context)
    write_settings(run, settings.model_copy(update={"job_id": "trade_qa/another"}))
    assert _register(registry, run.path, context)["version"] == "v1"


def test_the_finished_model_is_an_asset_with_its_scores(
    registry: Registry, tmp_path: Path, context: dict[str, Any]
) -> None:
    model, event = Asset("trade_qa.model"), SimpleNamespace(extra={})
    context["outlet_events"] = {model: event}
    run = finished_run(tmp_path / "run", overrides=APPROVAL)
    registered = _register(registry, run.path, context, outlets=[model])
    facts = json.loads(json.dumps(event.extra))
    record = registry.version("v1").record
    assert (facts["version"], facts["is_champion"], facts["verdict"]) == ("v1", False, record.verdict)
    assert (facts["model_sha256"], facts["run"]) == (record.model_sha256, "run")
    assert Path(facts["model"]) == registry.version("v1").model
    first = facts["scores"][0]
    group = read_report(registry.version("v1").path / "report.json").scores.groups[0]
    headline = group.metric(group.headline)
    gain = headline.comparisons["base"]
    assert (first["difference"], first["low"], first["high"]) == (gain.difference, gain.low, gain.high)
    assert (first["kind"], first["metric"], first["n"]) == (group.kind, headline.metric, headline.scored)
    assert first["tuned"] == headline.mean["tuned"]

    promote = PromoteModelOperator(
        task_id="promote", registered=registered, models_dir=str(registry.path), outlets=[model]
    )
    promote.execute(context)  # type: ignore[arg-type]
    assert event.extra == facts | {"is_champion": True}


def test_registration_goes_on_after_a_skipped_report_unless_the_dag_says_otherwise() -> None:
    assert RegisterModelOperator(task_id="register").trigger_rule == "none_failed"
    assert RegisterModelOperator(task_id="register", trigger_rule="all_done").trigger_rule == "all_done"


def test_nobody_is_asked_where_the_gate_refuses_or_the_recipe_does_not_ask(
    registry: Registry, tmp_path: Path, context: dict[str, Any]
) -> None:
    promoted = _register(registry, finished_run(tmp_path / "one").path, context)
    run = finished_run(tmp_path / "two", gain=0.0, champion=registry.champion(), overrides=APPROVAL).path
    refused = _register(registry, run, context)
    for registered in (promoted, refused):
        task = ApprovePromotionOperator(task_id="approve", registered=registered, models_dir=str(registry.path))
        with pytest.raises(AirflowSkipException) as skipped:
            task.execute(context)  # type: ignore[arg-type]
        assert str(skipped.value) == registered["said"]


def test_silence_is_a_no_within_a_day(registry: Registry) -> None:
    task = ApprovePromotionOperator(task_id="approve", registered=None)
    assert task.defaults == ["Reject"]
    assert task.response_timeout is not None
    assert task.response_timeout < timedelta(hours=24)


def test_what_is_shown_has_reasons_and_scores_and_none_of_a_document_s_markup(
    registry: Registry, tmp_path: Path, context: dict[str, Any]
) -> None:
    _register(registry, finished_run(tmp_path / "run", overrides=APPROVAL).path, context)
    version = registry.version("v1")
    report = read_report(version.path / "report.json")
    hostile = report.scores.model_copy(update={"verdict_reason": HOSTILE})
    (version.path / "report.json").write_text(report.model_copy(update={"scores": hostile}).model_dump_json())
    page = MarkdownIt("commonmark").enable("table").render(scores_in_markdown(version))
    assert "<script>" not in page
    assert "<a " not in page
    assert "{{ 7*7 }}" in page
    assert "<td>reworded (en)</td>" in page
    assert "tuned is above base, +0.200 (95% interval +0.150 to +0.250)</li>" in page


def test_promote_moves_the_pointer_and_notes_who_approved(
    registry: Registry, tmp_path: Path, context: dict[str, Any]
) -> None:
    asked = _register(registry, finished_run(tmp_path / "run", overrides=APPROVAL).path, context)
    assert (asked["promoted"], asked["asks"], asked["said"]) == (False, True, "v1 waits for approval (the first)")
    approval = {"chosen_options": ["Approve"], "responded_by_user": {"id": "7", "name": "mina"}}
    task = PromoteModelOperator(task_id="promote", registered=asked, approval=approval, models_dir=str(registry.path))
    xcom = task.execute(context)  # type: ignore[arg-type]
    assert (xcom["version"], xcom["promoted"], xcom["asks"]) == ("v1", True, False)
    assert registry.champion_name() == "v1"
    assert registry.history()[0].who.startswith("mina, in task trade_qa.a_task")


def test_promote_refuses_a_version_that_is_damaged(registry: Registry, tmp_path: Path, context: dict[str, Any]) -> None:
    asked = _register(registry, finished_run(tmp_path / "run", overrides=APPROVAL).path, context)
    (registry.version("v1").model / "model.safetensors").write_text("spoilt")
    task = PromoteModelOperator(task_id="promote", registered=asked, models_dir=str(registry.path))
    with pytest.raises(AirflowFailException, match="has changed since it was registered"):
        task.execute(context)  # type: ignore[arg-type]
    assert registry.champion_name() is None


_WITHOUT_TRAINING_PACKAGES = """
import sys
from types import SimpleNamespace
for name in ("torch", "transformers", "matplotlib", "datasets", "huggingface_hub", "sentence_transformers", "mlflow"):
    sys.modules[name] = None  # as in an Airflow that trains in containers
from tradewind_airflow.operators.promotion import RegisterModelOperator
ti = SimpleNamespace(dag_id="trade_qa", task_id="register", run_id="r")
task = RegisterModelOperator(task_id="register", run_dir=sys.argv[1], models_dir=sys.argv[2])
print(task.execute({"ti": ti})["said"])
"""


def test_a_worker_without_the_training_s_packages_can_register(registry: Registry, tmp_path: Path, python: Any) -> None:
    run = finished_run(tmp_path / "run").path
    done = python(_WITHOUT_TRAINING_PACKAGES, str(run), str(registry.path))
    assert done.stdout.splitlines()[-1] == "v1 is champion (the first)"


_PUSHING = """
import sys
from types import SimpleNamespace
from tradewind_airflow.operators.promotion import RegisterModelOperator
ti = SimpleNamespace(dag_id="trade_qa", task_id="register", run_id="r")
task = RegisterModelOperator(
    task_id="register", run_dir=sys.argv[1], models_dir=sys.argv[2], secrets={"HF_TOKEN": "env:TEAM_TOKEN"}
)
print(task.execute({"ti": ti})["said"])
"""
_PUSH = {"registry.push_to_hub": True, "registry.hub_model_id": "team/trade"}


def _pushing(script: str, hub: HubServer, *arguments: object) -> subprocess.CompletedProcess[str]:
    settings = {"HF_ENDPOINT": hub.endpoint, "TEAM_TOKEN": "hf_team", "HF_HUB_OFFLINE": "0"}
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=os.environ | settings, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


_NOT_PUSHED = (
    "not pushed: registry.push_to_hub: 'team/trade' cannot be written (HfHubHTTPError); "
    "check HF_TOKEN and the name, or turn registry.push_to_hub off"
)


def test_a_push_that_fails_after_the_promotion_is_told_and_fails_nothing(registry: Registry, tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", overrides=_PUSH).path
    with HubServer(refuse=True) as hub:
        done = _pushing(_PUSHING, hub, run, registry.path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"v1 is champion (the first); {_NOT_PUSHED}"
    assert registry.champion_name() == "v1"
    with HubServer() as hub:  # cleared, once the hub takes it
        again = _pushing(_PUSHING, hub, run, registry.path)
    assert again.stdout.splitlines()[-1] == "v1 is champion (the first)"
    assert len(hub.commits) == len(registry.history()) == 1


_PROMOTING = """
import sys
from types import SimpleNamespace
from tradewind_airflow.operators.promotion import PromoteModelOperator
ti = SimpleNamespace(dag_id="trade_qa", task_id="promote", run_id="r")
task = PromoteModelOperator(task_id="promote", registered={"version": "v1"}, models_dir=sys.argv[1])
print(task.execute({"ti": ti})["said"])
"""


def test_a_push_that_fails_after_an_approval_is_told_and_fails_nothing(
    registry: Registry, tmp_path: Path, context: dict[str, Any]
) -> None:
    _register(registry, finished_run(tmp_path / "run", overrides=APPROVAL | _PUSH).path, context)
    with HubServer(refuse=True) as hub:
        done = _pushing(_PROMOTING, hub, registry.path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"v1 is champion (the first); {_NOT_PUSHED}"


def test_a_tracking_that_fails_is_told_and_fails_nothing(registry: Registry, tmp_path: Path, python: Any) -> None:
    run = finished_run(tmp_path / "run", overrides={"registry.mlflow_tracking_uri": "http://127.0.0.1:9"}).path
    done = python(_WITHOUT_TRAINING_PACKAGES, str(run), str(registry.path))
    assert done.stdout.splitlines()[-1] == (
        "v1 is champion (the first); not tracked: registry.mlflow_tracking_uri: MLflow is not installed here; "
        "pip install mlflow-skinny"
    )


@pytest.mark.parametrize("gain", [0.2, 0.0])
def test_what_becomes_champion_is_pushed_with_the_referred_token_and_nothing_else(
    registry: Registry, tmp_path: Path, gain: float
) -> None:
    run = finished_run(tmp_path / "run", gain=gain, overrides=_PUSH).path
    with HubServer() as hub:
        done = _pushing(_PUSHING, hub, run, registry.path)
    assert done.returncode == 0, done.stderr
    assert "hf_team" not in done.stdout + done.stderr
    assert hub.tokens == ({"Bearer hf_team"} if gain else set())
    assert hub.commits == (["/api/models/team/trade/commit/main"] if gain else [])

"""transformers' own server behind `tradewind serve`: checked, handed over, followed, and gone."""

from __future__ import annotations

import json
import signal
import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest

from documents import Cli, complaint
from served import (
    QUESTIONS,
    log_of,
    processes_of,
    registered,
    served_run,
    serving,
    wait_for_line,
)
from tradewind.registry.serving import served_now
from tradewind.registry.store import Registry
from tradewind.serving.engine_process import free_port
from tries import wait_for

pytestmark = pytest.mark.slow
Model = tuple[Path, list[str]]
QUICK = ("--stop-timeout", "5")


def _answers(port: int, count: int = 3, temperature: float = 0.0) -> list[str]:
    """Through the client that users have."""
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none") as client:
        assert [model.id for model in client.models.list().data] == ["trade_qa"]
        replies = [
            client.chat.completions.create(
                model="trade_qa",
                messages=[{"role": "user", "content": question}],
                max_tokens=16,
                temperature=temperature,
            )
            for question in QUESTIONS[:count]
        ]
    return [str(reply.choices[0].message.content).strip() for reply in replies]


def _status(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_run_is_served_checked_and_ended(tmp_path: Path, first: Model, second: Model, cli: Cli) -> None:
    registered(tmp_path, "night-1", *first)
    registry, port = Registry(tmp_path / "models" / "trade_qa"), free_port()
    run = tmp_path / "runs" / "trade_qa" / "night-1"
    with serving(tmp_path, run, "--port", port, *QUICK) as process:
        wait_for(lambda: _listens(port), "the front")
        assert _status(port) == 503, "nobody gets in before the smoke test"
        assert served_now(registry.serving()) is None
        wait_for_line(tmp_path, "serving trade_qa v1", process)
        assert "10 of 10 answers are those of the evaluation" in log_of(tmp_path)
        assert _answers(port) == first[1][:3]
        now = served_now(registry.serving())
        assert now is not None
        assert (now.version, now.url, now.equal) == ("v1", f"http://127.0.0.1:{port}/v1", 10)
        shown = cli("models", "served", registry.path).stdout.splitlines()
        assert shown[0].startswith(f"served: v1 as trade_qa at http://127.0.0.1:{port}/v1, since 20")

        # The smoke test alone, of a server that runs: one that is another model's is told from it.
        url = f"http://127.0.0.1:{port}/v1"
        assert cli("serve", run, "--check", url, "--min-equal", "10").returncode == 0
        other = served_run(tmp_path / "runs" / "trade_qa" / "other", *second)
        refused = cli("serve", other.path, "--check", url)
        assert refused.returncode == 2
        assert "answers are those of the evaluation, 7 must be; the first other one is of question i" in refused.stderr
        assert "does not list 'mine' but trade_qa" in complaint(cli("serve", run, "--check", url, "--name", "mine"))

        busy = cli("serve", run, "--port", port)
        assert complaint(busy) == (
            f"127.0.0.1:{port}: the port is taken by another process; end that, or name another --port"
        )
        assert served_now(registry.serving()) == now, "none of these has the alias"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert served_now(registry.serving()) is None
    assert [move.action for move in registry.serving()] == ["serve", "stop"]
    assert processes_of(tmp_path) == []
    assert not _listens(port)


def test_requests_at_once_share_the_steps_and_are_answered_alike(tmp_path: Path, first: Model) -> None:
    registered(tmp_path, "night-1", *first)
    port = free_port()
    run = tmp_path / "runs" / "trade_qa" / "night-1"
    with serving(tmp_path, run, "--port", port, "--continuous-batching", *QUICK) as process:
        wait_for_line(tmp_path, "serving trade_qa v1", process)
        assert "10 of 10 answers are those of the evaluation" in log_of(tmp_path)
        with ThreadPoolExecutor(8) as clients:
            asked = list(clients.map(lambda _: _answers(port, len(QUESTIONS)), range(8)))
        assert asked == [first[1][: len(QUESTIONS)]] * 8
        assert "CB: True" in log_of(tmp_path)
        assert _answers(port, temperature=1.0) == first[1][:3], "as docs/serving.md says"


def test_the_champion_is_followed(tmp_path: Path, first: Model, second: Model) -> None:
    models, port = tmp_path / "models" / "trade_qa", free_port()
    registry = Registry(models)
    with serving(tmp_path, models, "--follow", "--port", port, *QUICK) as process:
        wait_for_line(tmp_path, "there is no champion yet", process)
        registered(tmp_path, "night-1", *first)
        wait_for_line(tmp_path, "serving trade_qa v1", process)
        registered(tmp_path, "night-2", *second)
        wait_for_line(tmp_path, "serving trade_qa v2", process)
        assert _answers(port) == second[1][:3]
        assert [(move.action, move.version) for move in registry.serving()] == [("serve", "v1"), ("serve", "v2")]
        wait_for(lambda: len(processes_of(tmp_path, "serving.keeper")) == 1, "v1's engine is gone")
        # Killed without a word: the engine goes with it.
        process.send_signal(signal.SIGKILL)
        wait_for(lambda: not processes_of(tmp_path), "no server is left")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_tampered_answer_is_refused(tmp_path: Path, first: Model, cli: Cli) -> None:
    version = registered(tmp_path, "night-1", *first)
    file = version.path / "smoke.json"
    smoke = json.loads(file.read_text())
    smoke["questions"][0]["answer"] = "another"
    file.unlink()
    file.write_text(json.dumps(smoke))
    told = f"{file}: has changed since it was registered; v1 cannot be used, choose another version"
    assert complaint(cli("serve", tmp_path / "models" / "trade_qa")) == told
    predictions = tmp_path / "runs" / "trade_qa" / "night-1" / "evaluate" / "predictions.jsonl"
    predictions.write_text(predictions.read_text().replace(first[1][0], "another"))
    refused = complaint(cli("serve", tmp_path / "runs" / "trade_qa" / "night-1"))
    assert refused == f"{predictions}: is not what evaluate published; run the stage 'evaluate' again"

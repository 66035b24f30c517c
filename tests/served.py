"""Runs with a real model and its real answers, to be served; and a program in the place of vLLM."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from safetensors.torch import load_file, save_file

from documents import REPOSITORY
from finished_run import finished_run
from tradewind.files import write_atomically, write_jsonl
from tradewind.kinds import KINDS
from tradewind.registry.register import register
from tradewind.registry.store import Registry
from tradewind.registry.version import Version
from tradewind.results import Artifact
from tradewind.run_dir import RunDir
from tries import wait_for

TINY = REPOSITORY / "include" / "tradewind" / "models" / "tiny-gemma2"
LIMIT = 16
GATE = "loading"
QUESTIONS = tuple(f"What is {what}?" for what in ("a harbour", "bread", "rain", "the sea", "a letter", "a lamp",
                  "winter", "a road", "milk", "a song", "a garden", "the moon"))  # fmt: skip
Answers = Sequence[str]


def tiny_model(folder: Path, *, turned: float = 0.0) -> Path:
    """The embedded model, its stop tokens in order as a training leaves them; `turned` makes it another one."""
    shutil.copytree(TINY, folder)
    if turned:
        weights = load_file(folder / "model.safetensors")
        weights["model.norm.weight"] += turned * weights["model.norm.weight"].roll(1)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def answers_of(model: Path) -> list[str]:
    """What the evaluation would have the model answer to `QUESTIONS`."""
    from tradewind.config import EvaluateConfig, ModelConfig
    from tradewind.training.generate import answer_all
    from tradewind.training.generation.plan import Plan
    from tradewind.training.load import load_tokenizer
    from tradewind.training.tokens import chat_prompt

    tokenizer = load_tokenizer(model)
    prompts = [chat_prompt(tokenizer, question) for question in QUESTIONS]
    made = answer_all(
        "tuned", model, prompts, tokenizer=tokenizer, model_config=ModelConfig(model_name_or_path=str(model)),
        config=EvaluateConfig(max_new_tokens=LIMIT), plan=Plan("batches", 8, "a test"),
    )  # fmt: skip
    return [answer.text for answer in made.answers]


def served_run(path: Path, model: Path, answers: Answers, **settings: Any) -> RunDir:
    """A run that trained `model` and evaluated these answers; settings as `finished_run`'s."""
    run = finished_run(path, overrides={"evaluate.max_new_tokens": LIMIT}, **settings)
    place = run.published("finetune") / "model"
    shutil.rmtree(place)
    shutil.copytree(model, place)
    rows = [
        {"id": f"i{at}", "kind": KINDS[at % 3], "question": question, "answers": {"base": "another", "tuned": answer}}
        for at, (question, answer) in enumerate(zip(QUESTIONS, answers, strict=True))
    ]
    write_jsonl(run.published("evaluate") / "predictions.jsonl", rows)
    made = Artifact.of(place, run.path)
    finetune, evaluate = run.result("finetune"), run.result("evaluate")
    finetune = finetune.model_copy(update={"outputs": {"model": made}})
    predictions = Artifact.of(run.published("evaluate") / "predictions.jsonl", run.path)
    evaluate = evaluate.model_copy(
        update={
            "inputs": evaluate.inputs | {"finetune/model": made},
            "outputs": evaluate.outputs | {"predictions.jsonl": predictions},
        }
    )
    for result in (finetune, evaluate):
        write_atomically(run.result_file(result.stage), result.model_dump_json())
    return run


def registered(home: Path, name: str, model: Path, answers: Answers) -> Version:
    """A version of such a run, below `home` as Airflow has it, and champion if it is better than the one before."""
    registry = Registry(home / "models" / "trade_qa")
    run = served_run(home / "runs" / "trade_qa" / name, model, answers, champion=registry.champion())
    return register(registry, run, who="test").version


@contextmanager
def serving(folder: Path, *arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`tradewind serve ...`, its log in `folder/serve.log`; killed at the end, if it still runs.

    It and all that it starts can be told by `folder`, see `processes_of`.
    """
    environment["TMPDIR"] = str(folder)
    with (folder / "serve.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tradewind", "serve", *map(str, arguments)],
            cwd=folder, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def log_of(folder: Path) -> str:
    """What it said so far."""
    return (folder / "serve.log").read_text(encoding="utf-8")


def complaint_of(folder: Path) -> str:
    """The one line that it ended with."""
    told = [line for line in log_of(folder).splitlines() if line.startswith("tradewind: ")]
    assert len(told) == 1, log_of(folder)
    assert "Traceback" not in log_of(folder)
    return told[0].removeprefix("tradewind: ")


def wait_for_line(folder: Path, text: str, process: subprocess.Popen[str], times: int = 1, limit: float = 60) -> None:
    """Return once the log has `text` so often; fail where the process ends before."""

    def said() -> bool:
        if log_of(folder).count(text) >= times:
            return True
        assert process.poll() is None, log_of(folder)
        return False

    wait_for(said, f"'{text}' in the log", limit)


def processes_of(folder: Path, word: str = "") -> list[psutil.Process]:
    """Every process that `serving` in this folder started, itself included.

    Args:
        word: only those with this on their command line.
    """
    found = []
    for process in psutil.process_iter():
        try:
            line, environment = process.cmdline(), process.environ()
            ours = str(folder) in environment.get("TMPDIR", "") or any(str(folder) in one for one in line)
            if ours and any(word in one for one in line) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


VLLM = '''#!{python}
"""In the place of `vllm`: what it does says FAKE_VLLM."""
import http.server, json, os, subprocess, sys, time

how = os.environ["FAKE_VLLM"]
options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
if how == "dies":
    sys.exit("ValueError: the KV cache does not fit")
if how == "sleeps":
    # As vLLM has its workers; this one hears no SIGTERM and left the group.
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
    print("loading", flush=True)
    time.sleep(600)
while os.path.exists("{gate}"):
    time.sleep(0.05)
answers = json.loads(how)

class Handler(http.server.BaseHTTPRequestHandler):
    def reply(self, body, status=200):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/health":
            return self.reply({{}})
        if self.headers["Authorization"] != "Bearer " + os.environ["VLLM_API_KEY"]:
            return self.reply({{"error": {{"message": "no: " + self.headers["Authorization"]}}}}, 401)
        self.reply({{"object": "list", "data": [{{"id": options["--served-model-name"], "object": "model"}}]}})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert asked["temperature"] == 0 and asked["max_tokens"] == {limit}
        said = answers[asked["messages"][-1]["content"]]
        choice = {{"index": 0, "finish_reason": "stop", "message": {{"role": "assistant", "content": said}}}}
        shape = {{"id": "1", "object": "chat.completion", "created": 1}}
        self.reply({{**shape, "model": asked["model"], "choices": [choice]}})

http.server.ThreadingHTTPServer(("127.0.0.1", int(options["--port"])), Handler).serve_forever()
'''


def with_vllm(folder: Path, does: str) -> Mapping[str, str]:
    """Environment variables that put such a program on PATH; it is not healthy while there is a `GATE` in the folder.

    Args:
        does: `dies`, `sleeps`, or as JSON the answer to each question.
    """
    program = folder / "bin" / "vllm"
    program.parent.mkdir(exist_ok=True)
    program.write_text(VLLM.format(python=sys.executable, limit=LIMIT, gate=folder / GATE), encoding="utf-8")
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "FAKE_VLLM": does, "VLLM_API_KEY": "sk-secret-of-the-test"}

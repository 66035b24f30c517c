"""A served model under load: requests and tokens a second, and how long an answer takes, by requests at once.

    python benchmarks/serve.py
    python benchmarks/serve.py --model tiny --rounds 1 --requests 16 --out /tmp/results

`tradewind serve` starts transformers' own server, on a CPU, and lets nobody in before its smoke test; then so many
clients of the `openai` package ask one question after another, greedily. Starting and the smoke test are told apart.
A second server, by `--continuous-batching`, is asked in turn with the first; whichever is not asked does nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from setting.machine import machine
from setting.places import RESULTS, environment
from setting.results import Table, result, show_and_keep
from setting.rows import pairs_of
from setting.run_to_serve import run_to_serve
from setting.scale import SCALES, Scale, described
from setting.stopping import stopping_model_folder
from setting.timing import FEWEST, Spread, counted, interleaved

AT_ONCE = (1, 2, 4, 8)
_WAYS: dict[str, tuple[str, ...]] = {"one after another": (), "continuous batching": ("--continuous-batching",)}
_MODELS = ("bench", "tiny", "trial")
"""Those for a CPU."""
_QUESTIONS = 40
_NAME = "bench"
_START_LIMIT = 600.0
_POLL = 0.1
HEAD = ("", "requests at once", "requests/s", "median s", "95th percentile s", "tokens/s", "errors")


@dataclass(frozen=True)
class Load:
    """What one round at one level of concurrency came to."""

    seconds: float
    latencies: tuple[float, ...]
    """Of the requests that were answered, in seconds."""
    tokens: int
    errors: int


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=_MODELS, default="bench", help="trial: seconds")
    parser.add_argument("--rounds", type=int, default=FEWEST)
    parser.add_argument("--requests", type=int, default=16, help="of each round at each level")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    os.environ.update(environment())
    scale, found_on = SCALES[arguments.model], machine()
    questions = [pair.question for pair in pairs_of(scale, _QUESTIONS, seed=9)]
    with tempfile.TemporaryDirectory(prefix="bench-serve-") as folder, ExitStack() as servers:
        run = run_to_serve(Path(folder) / "run", scale, stopping_model_folder(scale), questions)
        let_in: list[str] = []
        levels: dict[str, Callable[[], Load]] = {}
        for way, options in _WAYS.items():
            url, seconds = servers.enter_context(served(run.path, Path(folder) / f"{way}.log", *options))
            let_in.append(f"{seconds:.0f} s")
            ask = partial(load, url, questions, scale, arguments.requests)
            ask(AT_ONCE[-1])  # the first requests are slower everywhere
            levels |= {f"{way}, {level}": partial(ask, level) for level in AT_ONCE}
        runs = interleaved(levels, arguments.rounds)
    note = (
        f"{arguments.requests} requests a round; {counted(arguments.rounds)}. Clients were let in "
        f"{' and '.join(let_in)} after the commands' starts, the smoke test included."
    )
    setting = {"model": described(scale)["model"], "engine": "transformers serve, float32, CPU",
               "questions": str(len(questions)), "max_new_tokens": str(scale.max_new_tokens)}  # fmt: skip
    show_and_keep(
        result(
            question=f"serve{scale.suffix}", title=f"Serving, the {scale.name} model",
            command="python benchmarks/serve.py" + ("" if scale.name == "bench" else f" --model {scale.name}"),
            setting=setting, raw={level: [vars(one) for one in found] for level, found in runs.items()},
            found_on=found_on,
            tables=[Table(title="Under load", head=HEAD, rows=tuple(itertools.starmap(row, runs.items())),
                          note=note)],
        ),
        arguments.out,
    )  # fmt: skip


def row(level: str, found: Sequence[Load]) -> tuple[str, ...]:
    """One way to serve at one level of concurrency, over its rounds."""
    return (
        *level.split(", "),
        str(Spread.of([len(one.latencies) / one.seconds for one in found])),
        str(Spread.of([statistics.median(one.latencies) for one in found])),
        str(Spread.of([percentile(one.latencies, 0.95) for one in found])),
        str(Spread.of([one.tokens / one.seconds for one in found])),
        str(sum(one.errors for one in found)),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of them does not pass; ValueError without values."""
    if not values:
        raise ValueError("no request was answered")
    return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]


def load(url: str, questions: Sequence[str], scale: Scale, requests: int, level: int) -> Load:
    """Send so many requests from `level` clients, each with one under way at a time."""
    return asyncio.run(_load(url, questions, scale, requests, level))


async def _load(url: str, questions: Sequence[str], scale: Scale, requests: int, level: int) -> Load:
    import openai

    latencies: list[float] = []
    tokens = errors = 0
    waiting = iter(list(itertools.islice(itertools.cycle(questions), requests)))

    async def ask(client: openai.AsyncOpenAI) -> None:
        nonlocal tokens, errors
        for question in waiting:
            began = time.perf_counter()
            try:
                reply = await client.chat.completions.create(
                    model=_NAME, messages=[{"role": "user", "content": question}], temperature=0,
                    max_tokens=scale.max_new_tokens,
                )  # fmt: skip
            except openai.OpenAIError:
                errors += 1
                continue
            latencies.append(time.perf_counter() - began)
            tokens += reply.usage.completion_tokens if reply.usage else 0

    http = openai.DefaultAsyncHttpxClient(trust_env=False)
    # max_retries: an error counts as one, and does not hide in a latency.
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, http_client=http) as client:
        began = time.perf_counter()
        await asyncio.gather(*(ask(client) for _ in range(level)))
        return Load(time.perf_counter() - began, tuple(latencies), tokens, errors)


@contextmanager
def served(run: Path, log: Path, *options: str) -> Iterator[tuple[str, float]]:
    """Its address, and the seconds from the command until clients were let in; ended with the block."""
    command = [sys.executable, "-m", "tradewind", "serve", str(run), "--name", _NAME, "--port", "0", *options]
    with log.open("wb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    try:
        while not (found := re.search(rf"serving {_NAME} at (\S+)", log.read_text(encoding="utf-8"))):
            if process.poll() is not None or time.perf_counter() - began > _START_LIMIT:
                raise SystemExit(f"tradewind serve did not come up:\n{log.read_text(encoding='utf-8')[-2000:]}")
            time.sleep(_POLL)
        yield found[1], time.perf_counter() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


if __name__ == "__main__":
    main()

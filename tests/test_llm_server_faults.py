"""Each fault of the tests' LLM server, as the real OpenAI client meets it, and what it puts on the bill."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from llm_server import Fault, Faults, LlmServer, Usage
from llm_server.faults import NAMES
from llm_server.requests import fence, in_schema, messages, pairs_format

ENGLISH = "A tariff is a tax on imports. Quotas limit volumes."


def ask(server: LlmServer, text: str = ENGLISH, *, retries: int = 0, timeout: float = 20.0, **parameters: Any) -> Any:
    with openai.OpenAI(base_url=server.base_url, api_key="k", max_retries=retries, timeout=timeout) as client:
        return client.chat.completions.create(model="m", messages=messages(fence(text)), **parameters)


def said(completion: Any) -> str:
    """The content, which must be charged as the completion says."""
    content = completion.choices[0].message.content
    assert isinstance(content, str)
    return content


@contextmanager
def playing(fault: Fault, **settings: Any) -> Iterator[LlmServer]:
    with LlmServer(Faults(always={"": fault}, **settings)) as server:
        yield server
        assert [one.fault for one in server.served] == [fault] * len(server.served)


def charged(server: LlmServer) -> Usage | None:
    (served,) = server.served
    assert server.bill.requests == (served.usage is not None)
    return served.usage


STATUSES: list[tuple[Fault, type[openai.APIStatusError], str | None]] = [
    ("rate_limit", openai.RateLimitError, "rate_limit_exceeded"),
    ("quota", openai.RateLimitError, "insufficient_quota"),
    ("server_error", openai.InternalServerError, None),
    ("unauthorized", openai.AuthenticationError, "invalid_api_key"),
    ("bad_request", openai.BadRequestError, None),
]


@pytest.mark.parametrize(("fault", "kind", "code"), STATUSES)
def test_a_status_raises_the_client_s_error_and_costs_nothing(
    fault: Fault, kind: type[openai.APIStatusError], code: str | None
) -> None:
    with playing(fault) as server:
        with pytest.raises(kind) as raised:
            ask(server)
        assert raised.value.code == code
        assert charged(server) is None
        assert server.served[0].status == raised.value.status_code


def test_an_overloaded_server_answers_500_and_503_in_turn() -> None:
    with playing("server_error") as server:
        with pytest.raises(openai.InternalServerError):
            ask(server, retries=1)
        assert [one.status for one in server.served] == [500, 503]


@pytest.mark.parametrize(("header", "text"), [("retry-after", "0.25"), ("retry-after-ms", "250"), ("none", None)])
def test_a_rate_limit_says_how_long_to_wait(header: Any, text: str | None) -> None:
    with playing("rate_limit", retry_after=0.25, retry_after_header=header) as server:
        with pytest.raises(openai.RateLimitError) as raised:
            ask(server)
        assert raised.value.response.headers.get(header) == text


def test_it_tells_who_came_back_too_soon_after_a_rate_limit() -> None:
    with LlmServer(Faults(always={"": ["rate_limit"]}, retry_after=0.1)) as server:
        assert said(ask(server, retries=1))
        assert [(one.status, one.too_soon) for one in server.served] == [(429, False), (200, False)]
    with LlmServer(Faults(always={"": ["rate_limit"]}, retry_after=1000)) as server:
        with pytest.raises(openai.RateLimitError):
            ask(server)
        assert said(ask(server))
        assert [(one.status, one.too_soon) for one in server.served] == [(429, False), (200, True)]


def test_json_cut_in_its_middle_is_charged() -> None:
    with playing("broken_json") as server:
        completion = ask(server, response_format=pairs_format())
        with pytest.raises(json.JSONDecodeError):
            json.loads(said(completion))
        assert completion.choices[0].finish_reason == "stop"
        assert charged(server) == Usage(completion.usage.prompt_tokens, completion.usage.completion_tokens)


def test_json_in_prose_is_charged() -> None:
    with playing("prose") as server:
        content = said(ask(server))
        assert json.loads(content.partition("```json\n")[2].partition("\n```")[0])["qa_pairs"]
        with pytest.raises(json.JSONDecodeError):
            json.loads(content)
        assert charged(server) is not None


def test_faults_of_json_leave_a_summary_alone() -> None:
    with (
        LlmServer(Faults(always={"": "prose"})) as server,
        openai.OpenAI(base_url=server.base_url, api_key="k") as client,
    ):
        sent = messages(fence(ENGLISH), "Summarise the passage.")
        assert said(client.chat.completions.create(model="m", messages=sent)) == ENGLISH
        assert server.served[0].fault is None


def test_a_refusal_has_no_content() -> None:
    with playing("refusal") as server:
        message = ask(server, response_format=pairs_format()).choices[0].message
        assert (message.content, bool(message.refusal)) == (None, True)
        assert charged(server) is not None


@pytest.mark.parametrize("fault", ["length", "content_filter"])
def test_cut_content_says_why(fault: Fault) -> None:
    with playing(fault) as server:
        completion = ask(server)
        assert completion.choices[0].finish_reason == fault
        assert not said(completion).endswith("}")
        assert charged(server) is not None


def test_a_completion_may_have_no_choice() -> None:
    with playing("empty_choices") as server:
        completion = ask(server)
        assert completion.choices == []
        assert charged(server) == Usage(completion.usage.prompt_tokens, completion.usage.completion_tokens)


def test_an_error_may_come_with_200() -> None:
    with playing("error_body") as server:
        completion = ask(server)
        assert (completion.choices, completion.usage) == (None, None)
        assert completion.error["type"] == "server_error"
        assert (charged(server), server.served[0].status) == (None, 200)


def test_a_page_may_come_with_200() -> None:
    with playing("html") as server:
        assert str(ask(server)).startswith("<!DOCTYPE html>")
        assert (charged(server), server.served[0].status) == (None, 200)


@pytest.mark.parametrize(("fault", "status"), [("truncated", 200), ("garbage", None), ("disconnect", None)])
def test_a_broken_connection_is_the_client_s_connection_error(fault: Fault, status: int | None) -> None:
    with playing(fault) as server:
        with pytest.raises(openai.APIConnectionError):
            ask(server)
        assert (charged(server), server.served[0].status, server.served[0].outcome) == (None, status, "answered")


def test_a_hanging_request_ends_when_the_client_gives_up() -> None:
    with playing("hang") as server:
        with pytest.raises(openai.APITimeoutError):
            ask(server, timeout=0.5)
        server.wait_for(lambda: server.served[0].outcome == "abandoned")
        assert (charged(server), server.served[0].status) == (None, None)


def test_a_hanging_request_of_the_asynchronous_client_ends_when_it_is_cancelled() -> None:
    async def cancel(server: LlmServer) -> None:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="k") as client:
            task = asyncio.create_task(client.chat.completions.create(model="m", messages=messages("hello")))
            await asyncio.to_thread(server.wait_for, lambda: [one.fault for one in server.served] == ["hang"])
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.to_thread(server.wait_for, lambda: server.served[0].outcome == "abandoned")

    with playing("hang") as server:
        asyncio.run(cancel(server))


def test_a_slow_answer_is_right_and_late() -> None:
    with playing("slow", slow_seconds=0.2) as server:
        started = time.monotonic()
        assert json.loads(said(ask(server)))["qa_pairs"]
        assert time.monotonic() - started >= 0.2
        assert charged(server) is not None


def test_faults_are_forced_by_a_text_in_the_passage_once_or_always() -> None:
    with LlmServer(Faults(always={"quota": "refusal", "Quota": ["bad_request", None, "refusal"]})) as server:
        for _ in range(4):
            try:
                ask(server, "Quota.")
            except openai.BadRequestError:
                continue
        ask(server, "No quota here.")
        ask(server, "Nothing here.")
        assert [one.fault for one in server.served] == ["bad_request", None, "refusal", None, "refusal", None]


def test_random_faults_are_those_of_the_seed_whatever_the_order() -> None:
    faults = Faults(rate_limit=0.3, broken_json=0.3)
    texts = [f"Text number {number}." for number in range(12)]

    def run(order: list[str], seed: int) -> dict[str | None, Fault | None]:
        with LlmServer(faults, seed=seed) as server:
            for text in order:
                try:
                    ask(server, text)
                except openai.RateLimitError:
                    continue
            return {one.key: one.fault for one in server.served}

    assert run(texts, 1) == run(texts[::-1], 1) != run(texts, 2)
    assert set(run(texts, 1).values()) == {None, "rate_limit", "broken_json"}


def test_random_faults_come_as_often_as_asked_for() -> None:
    faults = Faults(rate_limit=0.2, broken_json=0.1, hang=0.05)
    drawn = Counter(faults.choose(0, f"key {number}", 1, "") for number in range(20_000))
    assert [drawn[name] / 20_000 for name in ("rate_limit", "broken_json", "hang")] == pytest.approx(
        [0.2, 0.1, 0.05], abs=0.01
    )


def test_no_passage_is_spoilt_by_chance_more_often_than_allowed() -> None:
    with LlmServer(Faults(refusal=1.0, max_faults_per_passage=2)) as server:
        for _ in range(4):
            ask(server)
        assert [one.fault for one in server.served] == ["refusal", "refusal", None, None]


def test_impossible_faults_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 1"):
        Faults(hang=0.6, slow=0.6)
    with pytest.raises(ValueError, match="no such fault: nope"):
        Faults(always={"": "nope"})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="no such fault: nope"):
        Faults(always={"": [None, "nope"]})  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("feature", "parameters", "code"),
    [
        ("temperature", {"temperature": 0.2}, "unsupported_value"),
        ("max_completion_tokens", {"max_completion_tokens": 500}, "unsupported_parameter"),
        ("response_format.json_schema", {"response_format": pairs_format()}, "unsupported_value"),
        ("response_format.json_object", {"response_format": {"type": "json_object"}}, "unsupported_value"),
    ],
)
def test_a_feature_is_refused_by_a_server_without_it(feature: str, parameters: Any, code: str) -> None:
    param = feature.partition(".")[0]
    with LlmServer(refuse={feature}) as server:
        with pytest.raises(openai.BadRequestError, match=param) as refused:
            ask(server, **parameters)
        assert (refused.value.param, refused.value.code, refused.value.type) == (param, code, "invalid_request_error")
        assert said(ask(server))
        assert [one.attempt for one in server.served] == [0, 1]
    with LlmServer(refuse={feature}, refusal_style="bare") as server:
        with pytest.raises(openai.BadRequestError, match=param) as refused:
            ask(server, **parameters)
        assert (refused.value.param, refused.value.code) == (None, None)


def _schema(**changes: Any) -> Any:
    whole = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    return in_schema("pairs", whole | changes)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (_schema(type="thing"), "not valid under any of the given schemas"),
        (_schema(type="array"), "must be a JSON Schema of 'type"),
        (_schema(additionalProperties=True), "'additionalProperties' is required to be supplied and to be false"),
        (_schema(required=[]), "Missing 'a'"),
        (_schema(properties={"a": {"type": "object", "properties": {}}}), r"In context=\('properties', 'a'\)"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "Missing required parameter"),
        ({"type": "json_schema", "json_schema": {"name": "a b", "schema": {"type": "object"}}}, "does not match"),
        ({"type": "yaml"}, "Invalid value: 'yaml'"),
    ],
)
def test_a_malformed_response_format_is_refused(form: Any, text: str) -> None:
    with LlmServer() as server, pytest.raises(openai.BadRequestError, match=text):
        ask(server, response_format=form)


def test_json_mode_needs_the_word_in_the_messages() -> None:
    with LlmServer() as server, openai.OpenAI(base_url=server.base_url, api_key="k") as client:
        create, sent = client.chat.completions.create, messages("hello", "Extract.")
        with pytest.raises(openai.BadRequestError, match="must contain the word 'json'"):
            create(model="m", messages=sent, response_format={"type": "json_object"})


def test_the_bill_is_what_a_client_adds_up_under_faults_and_sixty_four_at_once() -> None:
    faults = Faults(rate_limit=0.2, broken_json=0.1, disconnect=0.05, truncated=0.05, server_error=0.05)
    paid: list[int] = []

    async def run(server: LlmServer) -> None:
        turn = asyncio.Semaphore(64)
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="k", max_retries=0, timeout=60) as client:

            async def extract(number: int) -> None:
                async with turn:
                    for _ in range(4):  # three faults at most
                        try:
                            sent = messages(fence(f"Passage number {number}."))
                            completion = await client.chat.completions.create(model="m", messages=sent)
                        except (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError):
                            continue
                        assert completion.usage is not None
                        paid.append(completion.usage.total_tokens)
                        if (completion.choices[0].message.content or "").endswith("}"):
                            return

            await asyncio.gather(*map(extract, range(200)))

    with LlmServer(faults) as server:
        asyncio.run(run(server))
        bill = server.bill
    assert (bill.requests, bill.prompt_tokens + bill.completion_tokens) == (len(paid), sum(paid))
    assert (server.ledger.passages, server.ledger.well_answered) == (200, 200)
    assert not any(one.repeated for one in server.served)
    assert server.ledger.faults.keys() == {"rate_limit", "broken_json", "disconnect", "truncated", "server_error"}


def test_every_fault_has_a_test_here() -> None:
    own = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in NAMES if f'"{name}"' not in own] == []


def test_as_a_process_it_writes_its_account_before_it_answers(tmp_path: Path) -> None:
    account, journal, port_file = tmp_path / "account.json", tmp_path / "journal.jsonl", tmp_path / "port"
    command = [sys.executable, "-m", "llm_server", "--port-file", str(port_file), "--account", str(account)]
    command += ["--journal", str(journal), "--faults", "max_faults_per_passage=1,retry_after=0", "--price", "1,2"]
    command += ["--always", "quota=refusal", "--pause-after", "2", "--refuse", "temperature,seed"]
    with subprocess.Popen(command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            base_url = process.stdout.readline().strip()
            assert base_url == f"http://127.0.0.1:{int(port_file.read_text())}/v1"
            with openai.OpenAI(base_url=base_url, api_key="k", max_retries=0, timeout=20) as client:
                for text in ("A quota.", "A tariff."):
                    client.chat.completions.create(model="m", messages=messages(fence(text)))
                now = json.loads(account.read_text())
                assert (now["bill"]["requests"], now["faults"], now["passages"]) == (2, {"refusal": 1}, 2)
                assert (now["well_answered"], now["statuses"], now["repeated"]) == (1, {"200": 2}, 0)
                with pytest.raises(openai.APITimeoutError):
                    client.with_options(timeout=0.5).chat.completions.create(model="m", messages=messages("held"))
                os.kill(process.pid, signal.SIGUSR1)
                client.chat.completions.create(model="m", messages=messages("not held"))
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
    end = json.loads(account.read_text())
    assert (end["bill"]["requests"], end["outcomes"]) == (3, {"answered": 3, "abandoned": 1})
    lines = [json.loads(row) for row in journal.read_text().splitlines()]
    assert sum(row["usage"]["prompt_tokens"] for row in lines if row["usage"]) == end["bill"]["prompt_tokens"]


@pytest.mark.parametrize(
    "option", [["--faults", "nope=1"], ["--faults", "hang=2"], ["--always", "hang"], ["--batching", "polls=x"]]
)
def test_as_a_process_it_refuses_settings_that_it_lacks(option: list[str]) -> None:
    command = [sys.executable, "-m", "llm_server", *option]
    run = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert "llm_server: error: " in run.stderr

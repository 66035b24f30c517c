"""Files and batches of the tests' LLM server, through the real OpenAI clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import openai
import pytest
from openai.types import Batch

from llm_server import Batching, Faults, LlmServer, Price
from llm_server.requests import fence, messages, pairs_format

URL: Literal["/v1/chat/completions"] = "/v1/chat/completions"
TEXTS = [f"물품 번호 {number}에는 관세가 붙는다." for number in range(10)]


def row(number: int, text: str, **changes: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": messages(fence(text)), "response_format": pairs_format()}
    return {"custom_id": f"passage-{number}", "method": "POST", "url": URL, "body": body} | changes


def rows(texts: list[str] = TEXTS) -> bytes:
    return b"".join(json.dumps(row(*pair), ensure_ascii=False).encode() + b"\n" for pair in enumerate(texts))


@contextmanager
def started(content: bytes, options: Batching | None = None, **settings: Any) -> Iterator[tuple[Any, Any, Batch]]:
    """A server, its client, and a batch of the content."""
    with (
        LlmServer(batching=options, **settings) as server,
        openai.OpenAI(base_url=server.base_url, api_key="k", max_retries=0) as client,
    ):
        stored = client.files.create(file=("input.jsonl", content), purpose="batch")
        batch = client.batches.create(
            input_file_id=stored.id, endpoint=URL, completion_window="24h", metadata={"run": "one"}
        )
        yield server, client, batch


def finished(client: openai.OpenAI, batch: Batch) -> Batch:
    for _ in range(20):
        if batch.status in {"completed", "failed", "expired", "cancelled"}:
            return batch
        batch = client.batches.retrieve(batch.id)
    raise AssertionError(batch.status)


def lines_of(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    if file_id is None:
        return []
    return [json.loads(line) for line in client.files.content(file_id).text.splitlines()]


def test_a_file_comes_back_as_it_was_uploaded() -> None:
    content = "한글\r\n\x0b\x85 \u2028 end\n".encode() + bytes(range(256))
    with LlmServer() as server, openai.OpenAI(base_url=server.base_url, api_key="k") as client:
        stored = client.files.create(file=("이름.jsonl", content), purpose="batch")
        assert (stored.filename, stored.bytes, stored.purpose) == ("이름.jsonl", len(content), "batch")
        assert client.files.content(stored.id).read() == content
        assert client.files.retrieve(stored.id) == stored
        assert client.files.delete(stored.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.files.content(stored.id)
        with pytest.raises(openai.BadRequestError, match="purpose"):
            client.files.create(file=b"x", purpose="vision")


def test_a_batch_goes_through_its_stages_and_answers_in_another_order() -> None:
    with started(rows(), Batching(polls=4)) as (_, client, batch):
        seen = [batch, *(client.batches.retrieve(batch.id) for _ in range(4))]
        assert [(one.status, one.request_counts.completed) for one in seen] == [
            ("validating", 0),
            ("in_progress", 5),
            ("in_progress", 5),
            ("finalizing", 5),
            ("completed", 10),
        ]
        assert {one.output_file_id for one in seen[:-1]} == {None}
        assert (seen[-1].error_file_id, seen[-1].errors, seen[-1].metadata) == (None, None, {"run": "one"})
        answers = lines_of(client, seen[-1].output_file_id)
        asked = [f"passage-{number}" for number in range(10)]
        assert [line["custom_id"] for line in answers] != asked
        assert sorted(line["custom_id"] for line in answers) == asked
        for line in answers:
            assert (line["error"], line["response"]["status_code"]) == (None, 200)
            content = json.loads(line["response"]["body"]["choices"][0]["message"]["content"])
            assert content["qa_pairs"][0]["answer"] == TEXTS[int(line["custom_id"].removeprefix("passage-"))]


def test_a_batch_costs_half() -> None:
    with started(rows(), price=Price(prompt=2.0, completion=4.0, batch_discount=0.5)) as (server, client, batch):
        done = finished(client, batch)
        usages = [line["response"]["body"]["usage"] for line in lines_of(client, done.output_file_id)]
        prompt, completion = (sum(usage[name] for usage in usages) for name in ("prompt_tokens", "completion_tokens"))
        bill = server.bill
        assert (bill.requests, bill.prompt_tokens, bill.completion_tokens) == (10, prompt, completion)
        assert bill.money == pytest.approx((prompt * 2 + completion * 4) / 2e6)
        assert {one.batch for one in server.served if one.key} == {done.id}


def test_the_asynchronous_client_can_do_the_same() -> None:
    async def run(server: LlmServer) -> str:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="k") as client:
            stored = await client.files.create(file=("input.jsonl", rows()), purpose="batch")
            made = await client.batches.create(input_file_id=stored.id, endpoint=URL, completion_window="24h")
            batch = await client.batches.retrieve(made.id)
            assert batch.status == "completed"
            assert [one.id async for one in client.batches.list()] == [made.id]
            return (await client.files.content(cast("str", batch.output_file_id))).text

    with LlmServer(batching=Batching(polls=1)) as server:
        assert len(asyncio.run(run(server)).splitlines()) == 10


def test_batches_are_listed_from_the_newest_in_pages() -> None:
    with started(rows()) as (_, client, first):
        same = {"input_file_id": first.input_file_id, "endpoint": URL, "completion_window": "24h"}
        made = [first, *(client.batches.create(**same) for _ in range(4))]
        page = client.batches.list(limit=2)
        assert ([one.id for one in page.data], page.has_more) == ([made[4].id, made[3].id], True)
        assert [one.id for one in client.batches.list(limit=2)] == [one.id for one in made[::-1]]
        assert client.batches.list().data[-1].status == "validating", "a look at the list moves nothing on"


@pytest.mark.parametrize(("file", "status"), [("error_file", 500), ("output_file", 400)])
def test_a_share_of_the_lines_fails(file: Any, status: int) -> None:
    options = Batching(fail_share=0.4, fail_status=status, fail_in=file)
    with started(rows(), options) as (server, client, batch):
        done = finished(client, batch)
        files = {name: lines_of(client, getattr(done, f"{name}_id")) for name in ("output_file", "error_file")}
        failed = [line for line in files[file] if line["response"]["status_code"] == status]
        assert 0 < len(failed) < 10
        assert all(line["error"] is None and line["response"]["body"]["error"]["message"] for line in failed)
        assert len(files["output_file"] + files["error_file"]) == 10
        assert done.request_counts is not None
        assert (done.status, done.request_counts.failed) == ("completed", len(failed))
        assert server.bill.requests == 10 - len(failed)


def test_a_batch_of_which_all_lines_failed_has_no_output_file() -> None:
    with started(rows(), Batching(fail_share=1)) as (_, client, batch):
        done = finished(client, batch)
        assert (done.status, done.output_file_id) == ("completed", None)
        assert len(lines_of(client, done.error_file_id)) == 10


def test_an_expired_batch_has_answered_half() -> None:
    with started(rows(), Batching(outcome="expired")) as (server, client, batch):
        done = finished(client, batch)
        assert done.status == "expired"
        assert len(lines_of(client, done.output_file_id)) == server.bill.requests == 5
        rest = lines_of(client, done.error_file_id)
        assert {line["error"]["code"] for line in rest} == {"batch_expired"}
        assert {line["response"] for line in rest} == {None}
        assert len(rest) == 5


def test_a_batch_may_fail_as_a_whole() -> None:
    with started(rows(), Batching(outcome="failed")) as (server, client, batch):
        done = finished(client, batch)
        assert (done.status, done.output_file_id, done.error_file_id) == ("failed", None, None)
        assert done.errors is not None
        assert done.errors.data is not None
        assert [error.code for error in done.errors.data] == ["token_limit_exceeded"]
        assert server.bill.requests == 0


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"", "empty_file", None),
        (rows(TEXTS[:2]) + b'{"custom_id": "x", ', "invalid_json_line", 3),
        (rows(TEXTS[:1]) + b"[1]\n", "invalid_json_line", 2),
        (b"\xff\xfe\n", "invalid_json_line", 1),
        (rows(TEXTS[:2]) + rows(TEXTS[:1]), "duplicate_custom_id", 3),
        (json.dumps(row(0, "a", url="/v1/embeddings")).encode(), "url_mismatch", 1),
        (rows(TEXTS[:1]) + json.dumps(row(1, "a", body={"model": "other"})).encode(), "model_mismatch", 2),
        (b'{"custom_id": "x"}\n', "missing_required_parameter", 1),
    ],
)
def test_a_faulty_input_file_fails_its_batch_with_code_and_line(content: bytes, code: str, line: int | None) -> None:
    with started(content) as (server, client, batch):
        done = finished(client, batch)
        assert done.status == "failed"
        assert done.errors is not None
        assert done.errors.data is not None
        assert [(error.code, error.line) for error in done.errors.data] == [(code, line)]
        assert server.bill.requests == 0


def test_a_cancelled_batch_keeps_what_it_had_answered() -> None:
    with started(rows()) as (server, client, batch):
        assert client.batches.retrieve(batch.id).status == "in_progress"
        assert client.batches.cancel(batch.id).status == "cancelling"
        done = finished(client, batch)
        assert done.status == "cancelled"
        assert len(lines_of(client, done.output_file_id)) == server.bill.requests == 5
        with pytest.raises(openai.ConflictError, match="Cannot cancel"):
            client.batches.cancel(done.id)


def test_a_batch_may_be_out_of_reach_for_a_while() -> None:
    with started(rows(), Batching(polls=1, unavailable_polls=1)) as (_, client, batch):
        with pytest.raises(openai.InternalServerError):
            client.batches.retrieve(batch.id)
        assert client.batches.retrieve(batch.id).status == "completed"


def test_lines_are_spoilt_by_the_same_faults_but_not_by_those_of_a_connection() -> None:
    forced: dict[str, Any] = {"번호 0": "refusal", "번호 1": "rate_limit", "번호 2": "hang", "번호 3": "error_body"}
    with started(rows(), faults=Faults(always=forced)) as (server, client, batch):
        done = finished(client, batch)
        answered = {line["custom_id"]: line["response"] for line in lines_of(client, done.output_file_id)}
        (failed,) = lines_of(client, done.error_file_id)
        assert answered["passage-0"]["body"]["choices"][0]["message"]["content"] is None
        assert (failed["custom_id"], failed["response"]["status_code"]) == ("passage-1", 429)
        assert "qa_pairs" in answered["passage-2"]["body"]["choices"][0]["message"]["content"]
        assert "error" in answered["passage-3"]["body"]
        assert server.bill.requests == 8


def test_a_line_that_the_api_would_refuse_is_refused() -> None:
    body = {"model": "m", "messages": messages("hello"), "temperature": 0.1}
    with started(json.dumps(row(0, "a", body=body)).encode(), refuse={"temperature"}) as (_, client, batch):
        (line,) = lines_of(client, finished(client, batch).error_file_id)
        assert line["response"]["status_code"] == 400
        assert line["response"]["body"]["error"]["param"] == "temperature"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"endpoint": "/v1/embeddings"}, "Supported values are: '/v1/chat/completions'"),
        ({"completion_window": "1h"}, "Supported values are: '24h'"),
        ({"input_file_id": "file-999999"}, "No such File object"),
    ],
)
def test_a_batch_that_asks_for_something_else_is_not_made(changes: Any, text: str) -> None:
    with started(rows()) as (_, client, batch):
        wanted = {"endpoint": URL, "completion_window": "24h", "input_file_id": batch.input_file_id} | changes
        with pytest.raises(openai.APIStatusError, match=text):
            client.batches.create(**wanted)
        with pytest.raises(openai.NotFoundError, match="No batch found"):
            client.batches.retrieve("batch_999999")


def test_the_gate_holds_batches_too() -> None:
    with started(rows()) as (server, client, batch):
        server.pause_after(1)
        assert client.batches.retrieve(batch.id).status == "in_progress"
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.5).batches.retrieve(batch.id)
        server.resume()
        server.wait_for(lambda: server.served[-1].outcome == "abandoned")
        assert server.bill.requests == 5

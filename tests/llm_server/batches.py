"""The Batch API: batches made, moved on by each retrieval, cancelled and listed."""

from __future__ import annotations

import json
import random

from llm_server.batch import DONE, Answerer, Batch, Batching, succeeded
from llm_server.errors import ApiError, Json, overloaded
from llm_server.files import Files

_ENDPOINT = "/v1/chat/completions"


class Batches:
    """All batches by their ids; lines are answered as requests over HTTP are, at the discount."""

    def __init__(self, files: Files, answer: Answerer, options: Batching, seed: int) -> None:
        self._files, self._answer, self._options = files, answer, options
        self._order = random.Random(seed)
        self._batches: dict[str, Batch] = {}

    @property
    def offered(self) -> bool:
        """Whether the API has them."""
        return self._options.offered

    def create(self, request: Json) -> Json:
        """Make a batch of an uploaded file; what the file holds is looked at later, as by the API."""
        for param, wanted in (("endpoint", _ENDPOINT), ("completion_window", "24h")):
            if request.get(param) != wanted:
                text = f"Invalid value: '{request.get(param)}'. Supported values are: '{wanted}'."
                raise ApiError(400, text, param=param, code="invalid_value")
        stored = self._files.get(request.get("input_file_id", ""))
        if stored.purpose != "batch":
            raise ApiError(400, "The input file's purpose is not 'batch'.", param="input_file_id")
        batch = Batch(f"batch_{len(self._batches) + 1:06d}", request, stored.content)
        batch.unavailable = self._options.unavailable_polls
        self._batches[batch.batch_id] = batch
        if len(self._batches) <= self._options.lost_replies:
            raise overloaded()
        return batch.to_json()

    def retrieve(self, batch_id: str) -> Json:
        """Show a batch, one step further than the last time."""
        batch = self._get(batch_id)
        if batch.unavailable:
            batch.unavailable -= 1
            raise overloaded()
        self._move_on(batch)
        return batch.to_json()

    def cancel(self, batch_id: str) -> Json:
        """Cancel a batch that is not done; the next retrieval shows it cancelled, with what it had answered."""
        batch = self._get(batch_id)
        if batch.status in DONE:
            raise ApiError(409, f"Cannot cancel a batch with status '{batch.status}'.")
        batch.become("cancelling")
        return batch.to_json()

    def page(self, after: str | None, limit: int) -> Json:
        """A page of batches, the newest first, from the one after `after` on."""
        ids = sorted(self._batches, reverse=True)
        ids = ids[ids.index(after) + 1 :] if after else ids
        page = [self._batches[batch_id].to_json() for batch_id in ids[:limit]]
        first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
        return {"object": "list", "data": page, "first_id": first, "last_id": last, "has_more": len(ids) > limit}

    def _get(self, batch_id: str) -> Batch:
        if batch_id not in self._batches:
            raise ApiError(404, f"No batch found with id '{batch_id}'.")
        return self._batches[batch_id]

    def _move_on(self, batch: Batch) -> None:
        if batch.status in DONE:
            return
        if batch.status == "cancelling":
            self._end(batch, "cancelled")
            return
        batch.polls += 1
        if batch.status == "validating":
            self._start(batch)
        elif batch.polls == self._options.polls - 1:
            batch.become("finalizing")
        if batch.polls >= self._options.polls and batch.status not in DONE:
            if self._options.outcome == "completed":
                batch.answer(len(batch.lines), self._answer, self._options)
            else:
                batch.expire_rest()
            self._end(batch, self._options.outcome)

    def _start(self, batch: Batch) -> None:
        batch.validate()
        if not batch.errors and self._options.outcome == "failed":
            text = "Enqueued token limit reached. Please try again once some in_progress batches have been completed."
            batch.errors.append({"code": "token_limit_exceeded", "message": text, "param": None, "line": None})
        if batch.errors:
            batch.lines.clear()
            batch.become("failed")
            return
        batch.become("in_progress")
        batch.answer(len(batch.lines) // 2, self._answer, self._options)

    def _end(self, batch: Batch, status: str) -> None:
        """Write the files: answers and failures apart, in another order than the input's, as the API may."""
        rows = list(batch.results)
        self._order.shuffle(rows)
        if rows == batch.results:
            rows.reverse()
        contents: dict[str, list[Json]] = {"output_file": [], "error_file": []}
        for row in rows:
            failed_to = self._options.fail_in if row["error"] is None else "error_file"
            contents["output_file" if succeeded(row) else failed_to].append(row)
        for name, kept in contents.items():
            if kept:  # the API makes no empty file
                text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
                stored = self._files.add(f"{batch.batch_id}_{name}.jsonl", "batch_output", text.encode())
                batch.files[name] = stored.file_id
        batch.become(status)

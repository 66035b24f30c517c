"""Chat completions: checked, counted, answered by the model, and spoilt where a fault says so."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from llm_server.checks import RefusalStyle, check_request, refuse_features
from llm_server.errors import ApiError, Json
from llm_server.faults import OF_THE_WIRE, UNREADABLE, Fault, Faults
from llm_server.ledger import Ledger, Served, Usage
from llm_server.messages import key_of, last_user_text
from llm_server.reply import Reply, completion, usage_of, within_limit
from llm_server.spoil import applies, spoilt, spoilt_body

Answer = Callable[[Json], Reply]


@dataclass(frozen=True)
class Completion:
    """A body to send, and what it will have cost; no usage: the client cannot see any."""

    body: Json
    usage: Usage | None
    content: str | None


@dataclass(frozen=True)
class Completions:
    """The same for requests over HTTP and for lines of a batch."""

    ledger: Ledger
    model: Answer
    faults: Faults
    seed: int
    refuse: Collection[str]
    refusal_style: RefusalStyle

    def ask(self, served: Served, body: Json) -> None:
        """Take a request in: count the attempt and choose its fault. Raises ApiError if it is refused."""
        check_request(body)
        refuse_features(body, self.refuse, self.refusal_style)
        key = key_of(body["messages"])

        def choose(attempt: int) -> Fault | None:
            fault = self.faults.choose(self.seed, key, attempt, last_user_text(body))
            return None if served.batch is not None and fault in OF_THE_WIRE else fault

        self.ledger.ask(served, key, choose)

    def answer(self, served: Served, body: Json) -> Completion:
        """Answer a request taken in. Raises ApiError where that is the fault."""
        if error := self.faults.error(served.fault, served.attempt):
            if served.fault == "rate_limit" and error.headers:
                self.ledger.wait(served, self.faults.retry_after)
            raise error
        reply = within_limit(body, self.model(body))
        if not applies(served.fault, reply):
            served.fault = None
        reply = spoilt(served.fault, reply)
        sent = spoilt_body(served.fault, completion(body, reply, served.number))
        readable = served.fault not in UNREADABLE and served.fault != "error_body"
        content = None if served.fault in {"empty_choices", "error_body"} else reply.content
        return Completion(sent, usage_of(body, reply) if readable else None, content)

    def line(self, body: Json, batch: str) -> tuple[int, Json]:
        """Answer a line of a batch: the status and body of its response."""
        served = self.ledger.open("POST", "/v1/chat/completions", {}, body, batch)
        try:
            self.ask(served, body)
            answered = self.answer(served, body)
        except ApiError as error:
            self.ledger.close(served, "answered", error.status)
            return error.status, error.body
        self.ledger.close(served, "answered", 200, answered.usage, answered.content)
        return 200, answered.body

"""The smoke test: a server has the model's name, and answers ten held-out questions as the evaluation did.

Which answers must be equal, character for character:

- All ten where nothing in the arithmetic differs but the size of a batch: transformers on a CPU, in float32, after an
  evaluation on a CPU. There a tie between two tokens is next to impossible.
- Seven of ten elsewhere. In half precision, or by other kernels, two tokens that are nearly tied may change places, and
  all that follows is other text. Where 95 of 100 answers come out the same, seven of ten do so in 999 tests of 1000.
  Another model is not let through by that: of each kind the questions are taken that only this model answered so, so
  that its base, or the champion before it, has next to none of them right.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tradewind.config.serve import ServeConfig
from tradewind.errors import UserError, without_secret
from tradewind.serving.engines import API_KEY
from tradewind.serving.questions import SmokeQuestion, SmokeSet
from tradewind.serving.target import Target

if TYPE_CHECKING:
    from openai import OpenAI

log = logging.getLogger("tradewind")
_ELSEWHERE = 0.7
_NOT_YET = (502, 503, 504)
NO_KEY = "none"


class SmokeTestError(UserError):
    """The server is not one to hand over to."""


class UnreachableError(SmokeTestError):
    """It does not answer at all, or not yet."""


@dataclass(frozen=True)
class Passed:
    """Answers that were the evaluation's, of those asked for."""

    equal: int
    asked: int


def needed(smoke: SmokeSet, config: ServeConfig, *, external: bool = False) -> int:
    """How many answers must be equal.

    Args:
        external: the server was not started here, so nothing is known of its arithmetic.
    """
    if config.min_equal is not None:
        return min(config.min_equal, len(smoke.questions))
    alike = config.engine == "transformers" and not external and not config.gpus
    if alike and smoke.dtype == "float32" and not smoke.on_gpu:
        return len(smoke.questions)
    return round(_ELSEWHERE * len(smoke.questions))


def smoke_test(url: str, target: Target, *, must: int, timeout: float, key: str | None = None) -> Passed:
    """Ask the server at `url`, an OpenAI-compatible `.../v1`.

    Args:
        must: see `needed`.
        timeout: seconds for each request.

    Raises:
        SmokeTestError: it does not answer, does not have the model, or answers other text than the evaluation's; the
            questions and answers themselves stand in the log only.
    """
    import openai

    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise SmokeTestError(f"{API_KEY}: holds white space or other signs than ASCII's; set it to the key alone")
    # Proxies of the environment are for other hosts than this one's servers; no second try hides a fault.
    with openai.OpenAI(
        base_url=url, api_key=key or NO_KEY, timeout=timeout, max_retries=0,
        http_client=openai.DefaultHttpxClient(trust_env=False),
    ) as client:  # fmt: skip
        try:
            _check_name(client, url, target.name)
            return _compare(client, url, target, must)
        except openai.APITimeoutError as error:
            raise SmokeTestError(f"{url}: no answer in {timeout:g} s; is the model too large for this host?") from error
        except openai.APIStatusError as error:
            said = " ".join(without_secret(str(error.message), key or "").split())[:200]
            kind = UnreachableError if error.status_code in _NOT_YET else SmokeTestError
            raise kind(f"{url}: refused with HTTP {error.status_code}: {said}") from error
        except openai.APIConnectionError as error:
            raise UnreachableError(f"{url}: cannot be reached ({_kind(error)})") from error
        except (openai.OpenAIError, ValueError) as error:
            raise SmokeTestError(f"{url}: does not answer as an OpenAI-compatible server ({_kind(error)})") from error


def _check_name(client: OpenAI, url: str, name: str) -> None:
    listed = client.models.list()
    names = [str(model.id) for model in getattr(listed, "data", None) or ()]
    if name not in names:
        there = ", ".join(names[:5]) or "none"
        raise SmokeTestError(f"{url}/models: does not list '{name}' but {there}; another server, or another --name?")


def _compare(client: OpenAI, url: str, target: Target, must: int) -> Passed:
    questions, different = target.smoke.questions, []
    for question in questions:
        said = _answer(client, target, question)
        if said != question.answer:
            different.append(question)
            log.warning("smoke test: %s: the evaluation has %r, the server says %r", question.id, question.answer, said)
    equal = len(questions) - len(different)
    if equal < must:
        raise SmokeTestError(
            f"{url}: {equal} of {len(questions)} answers are those of the evaluation, {must} must be; the first other "
            f"one is of question {different[0].id} ({different[0].kind}): another model, or another precision?"
        )
    log.info("smoke test: %d of %d answers are those of the evaluation", equal, len(questions))
    return Passed(equal, len(questions))


def _answer(client: OpenAI, target: Target, question: SmokeQuestion) -> str:
    """As the evaluation asks: the question alone as the user's turn, greedily, to its token limit."""
    reply: Any = client.chat.completions.create(
        model=target.name, messages=[{"role": "user", "content": question.question}], temperature=0,
        max_tokens=target.smoke.max_new_tokens,
    )  # fmt: skip
    if isinstance(reply, str) or not getattr(reply, "choices", None) or reply.choices[0].message is None:
        raise ValueError("a reply without an answer")
    return str(reply.choices[0].message.content or "").strip()


def _kind(error: BaseException) -> str:
    cause = error.__cause__
    return type(error).__name__ if cause is None else f"{type(error).__name__}: {type(cause).__name__}"

"""Truthfulness from 1 to 5, graded against the reference by a model behind an OpenAI-compatible server."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tradewind.config import JudgeConfig
from tradewind.errors import UserError
from tradewind.preflight import server_key

if TYPE_CHECKING:
    from openai import OpenAI

log = logging.getLogger("tradewind")
RUBRIC = Path(__file__).with_name("truthfulness.prompt.txt")
_SCHEMA: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "verdict",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"reasoning": {"type": "string"}, "score": {"type": "integer", "enum": [1, 2, 3, 4, 5]}},
            "required": ["reasoning", "score"],
            "additionalProperties": False,
        },
    },
}


def truthfulness(
    questions: Sequence[str], answers: Sequence[str], references: Sequence[str], config: JudgeConfig
) -> npt.NDArray[np.float64]:
    """A grade for each answer; NaN where the judge gave no usable one, never the lowest grade.

    Raises:
        UserError: the variable that holds the key is not set, or the server refuses the key or model.
    """
    from openai import APIStatusError, OpenAI

    client = OpenAI(api_key=server_key(config, "evaluate.judge"), base_url=config.base_url, timeout=config.timeout)

    def grade(item: tuple[str, str, str]) -> float:
        return _grade(client, config.model, *item)

    try:
        with ThreadPoolExecutor(max_workers=8) as pool:
            grades = list(pool.map(grade, zip(questions, answers, references, strict=True)))
    except APIStatusError as error:
        where = config.base_url or "the default server"
        raise UserError(
            f"evaluate.judge: {where} refused '{config.model}' with HTTP {error.status_code}; "
            f"check base_url, model and {config.api_key_env}"
        ) from error
    return np.asarray(grades, dtype=np.float64)


def _grade(client: OpenAI, model: str, question: str, answer: str, reference: str) -> float:
    from openai import APIError, APIStatusError

    data = json.dumps({"question": question, "reference": reference, "answer": answer}, ensure_ascii=False)
    try:
        reply = client.chat.completions.create(  # type: ignore[call-overload]
            model=model,
            messages=[
                {"role": "system", "content": RUBRIC.read_text(encoding="utf-8")},
                {"role": "user", "content": f"<data>\n{data}\n</data>"},
            ],
            response_format=_SCHEMA,
        )
        score = json.loads(reply.choices[0].message.content or "")["score"]
    except APIStatusError as error:
        if error.status_code in (400, 401, 403, 404):
            raise  # the same for every item: stop
        log.warning("judge: %s; the item stays unscored", error.message)
        return float("nan")
    except (APIError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        log.warning("judge: unusable reply (%s); the item stays unscored", type(error).__name__)
        return float("nan")
    return float(score) if score in (1, 2, 3, 4, 5) and not isinstance(score, bool) else float("nan")

"""What a model is asked, and the form of its answer: instructions in one message, data in another."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """One request to the model, whole but for the server's own options."""

    instruction: str
    data: str
    """The document, between marks that it cannot hold."""
    schema: Schema | None
    """JSON schema of the answer; None: the answer is text."""
    occasion: str = ""
    """Tells it apart from the same question asked before, which it must not share the answer with; not sent."""

    @property
    def messages(self) -> list[dict[str, str]]:
        """The document travels in a message of its own, so that no text of it stands among the instructions."""
        return [{"role": "system", "content": self.instruction}, {"role": "user", "content": self.data}]

    @property
    def single_message(self) -> list[dict[str, str]]:
        """For models that know no system message; the document still stands between its marks."""
        return [{"role": "user", "content": f"{self.instruction}\n\n{self.data}"}]

    def key(self, model: str, temperature: float | None) -> str:
        """A hash of all that decides the answer: model, prompt and data, and the occasion if there is one."""
        asked = [model, temperature, self.messages, self.schema, *filter(None, [self.occasion])]
        return hashlib.sha256(json.dumps(asked, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def fenced(name: str, text: str) -> str:
    """The text between marks made from its own hash, which it therefore cannot hold."""
    mark = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return f"<{mark}>\n{text}\n</{mark}>"


def object_of(**properties: Schema) -> Schema:
    """The schema of an object with exactly these members, as strict structured outputs want it."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }

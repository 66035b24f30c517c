"""The list or object that a model was asked for, out of JSON that stands alone, in code fences, in prose, or twice."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

_START = re.compile(r"[{\[]|<think>|</think>")
_AROUND = re.compile(r"`{3,}(?:json)?|\s")
_OTHER_SIGNS = str.maketrans("，：［］｛｝", ",:[]{}")


class UnusableAnswerError(ValueError):
    """The answer is not of the form that was asked for; its text says why."""


def is_whole(text: str) -> bool:
    """Whether a text is one JSON document and nothing else.

    Some models fill what room is left with white space: such an answer is whole, whatever the server says.
    """
    try:
        _decoder.decode(text.strip())
    except (ValueError, RecursionError):
        return False
    return True


def objects(text: str) -> list[dict[str, Any]]:
    """Every JSON object of a text that stands in no other and not among what a model thinks aloud; none is mended."""
    return [document for document in _documents(text)[0] if isinstance(document, dict)]


def members(text: str, name: str, keys: Collection[str]) -> list[Any]:
    """The members of the list `name` in all documents of a text, or of a list without that name.

    What a model thinks aloud, in <think>...</think>, is not its answer. Where only the form of the JSON is
    wrong it is mended, but never where mending would make up an end, a key or a member, or lose a part.

    Args:
        keys: what a member is made of. One of them outside all documents tells of a part that cannot be read.

    Raises:
        UnusableAnswerError: no such list, or one that cannot be read whole.
    """
    documents, rest = _documents(text)
    found = _listed(documents, name)
    if documents == [[]] and not _AROUND.sub("", rest):
        found = []
    if not re.search(rf"[\"'](?:{'|'.join([name, *keys])})[\"']\s*:", rest):
        if found is not None:
            return found
        if documents:
            raise UnusableAnswerError(f'no list "{name}"')
    return _mended(_outside_of_thoughts(text), name, keys)


def _documents(text: str) -> tuple[list[Any], str]:
    """Every JSON object and list that stands in a text and in no other, and the text without them and thoughts."""
    try:
        return [_decoder.decode(text.strip())], ""
    except (ValueError, RecursionError):
        pass
    documents: list[Any] = []
    rest: list[str] = []
    at = 0
    while (start := _START.search(text, at)) is not None:
        rest.append(text[at : start.start()])
        if start[0] == "<think>":
            end = text.find("</think>", start.end())
            at = len(text) if end < 0 else end + len("</think>")
        elif start[0] == "</think>":  # the mark of the beginning stands in the prompt
            documents, rest, at = [], [], start.end()
        else:
            try:
                document, at = _decoder.raw_decode(text, start.start())
                documents.append(document)
            except RecursionError:  # nor can what stands inside be read in reasonable time
                return [], text
            except ValueError:
                rest.append(start[0])
                at = start.end()
    return documents, "".join([*rest, text[at:]])


def _listed(documents: list[Any], name: str) -> list[Any] | None:
    """The members of all lists of that name; None where there is none."""
    found: list[Any] | None = None
    for document in documents:
        inner = _named(document, name)
        if inner is None and isinstance(document, list) and any(isinstance(member, dict) for member in document):
            # A list of documents, or of the members themselves; what is neither is told as a member that is none.
            inner = []
            for member in document:
                deeper = _named(member, name)
                inner += [member] if deeper is None else deeper
        if inner is not None:
            found = (found or []) + inner
    return found


def _named(document: Any, name: str) -> list[Any] | None:
    """The list of that name in an object or, as some models wrap it, in the one object of it that has such a list."""
    if not isinstance(document, dict):
        return None
    inner = [value for value in document.values() if isinstance(value, dict)]
    found = [part[name] for part in [document, *inner] if isinstance(part.get(name), list)]
    return list(found[0]) if len(found) == 1 else None


def _mended(text: str, name: str, keys: Collection[str]) -> list[Any]:
    start = re.search(rf"[{{\[]\s*[\"'“]?{name}", text) or re.search(r"[{\[]", text)
    if start is None:
        raise UnusableAnswerError("no JSON")
    broken = text[start.start() : max(text.rfind("}"), text.rfind("]")) + 1]
    signs = _signs(broken)
    # Mending a text that was cut off would make up the end of its last answer.
    if sum(map(signs.count, "{[")) > sum(map(signs.count, "}]")) or not signs:
        raise UnusableAnswerError("JSON that is cut off")
    from json_repair import repair_json

    try:
        mended = repair_json(broken, return_objects=True, skip_json_loads=True)
        written = json.dumps(mended, ensure_ascii=False)
    except (RecursionError, ValueError) as error:
        raise UnusableAnswerError("broken JSON") from error
    if _signs(written) != signs:
        raise UnusableAnswerError("broken JSON, of which mending would lose a part")
    found = _listed([mended], name)
    if found is None:
        raise UnusableAnswerError(f'no list "{name}"')
    if any(isinstance(member, dict) and not set(member) <= set(keys) for member in found):
        raise UnusableAnswerError("broken JSON, of which mending would make up a key")
    return found


def _signs(text: str) -> str:
    """What mending the form of a JSON document keeps: letters, brackets, and what divides names and values."""
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text).translate(_OTHER_SIGNS)
    plain = re.sub(r"\\[bfnrt]|[^\w\[\]{},:]|_", "", plain)
    return re.sub(r"(?<=[\[\]{}]),|,(?=[\[\]{}])", "", plain).lower()


def _outside_of_thoughts(text: str) -> str:
    return re.sub(r"<think>.*?(?:</think>|\Z)", "", text, flags=re.DOTALL).rpartition("</think>")[2]


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("one key twice: a part would be lost")
    return found


_decoder = json.JSONDecoder(strict=False, object_pairs_hook=_once_each)

"""JSON schemas of a request: whether the API would take one, and what it demands of pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema  # type: ignore[import-untyped]

from llm_server.errors import ApiError, Json

Path = tuple[str, ...]


def schema_of(body: Json) -> Json | None:
    """The schema that the answer must fit; None where the request states none."""
    form = body.get("response_format") or {}
    return form["json_schema"]["schema"] if form.get("type") == "json_schema" else None


def check_response_format(form: Json) -> None:
    """Raise what the API answers to a form, or a schema, that it cannot work with."""
    if form.get("type") in {"text", "json_object"}:
        return
    if form.get("type") != "json_schema":
        values = "'json_object', 'json_schema', and 'text'"
        text = f"Invalid value: '{form.get('type')}'. Supported values are: {values}."
        raise ApiError(400, text, param="response_format.type", code="invalid_value")
    stated: Any = form.get("json_schema")
    for name in ("name", "schema"):
        if not isinstance(stated, dict) or name not in stated:
            at = f"response_format.json_schema{'.' + name if isinstance(stated, dict) else ''}"
            raise ApiError(400, f"Missing required parameter: '{at}'.", param=at, code="missing_required_parameter")
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", stated["name"]):
        at = "response_format.json_schema.name"
        text = f"Invalid '{at}': string does not match pattern. Expected a string that matches '^[a-zA-Z0-9_-]+$'."
        raise ApiError(400, text, param=at, code="invalid_value")
    if fault := _fault_of(stated["schema"], strict=bool(stated.get("strict"))):
        text = f"Invalid schema for response_format '{stated['name']}': {fault}"
        raise ApiError(400, text, param="response_format")


def _fault_of(schema: Json, *, strict: bool) -> str | None:
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return f"In context={tuple(error.absolute_path)}, {error.message}"
    if schema.get("type") != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: {schema.get('type')!r}'."
    return next(_lax(schema, ()), None) if strict else None


def _lax(schema: Json, at: Path) -> Iterator[str]:
    """What strict mode forbids: objects that may have other members, and members that may be missing."""
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            yield f"In context={at}, 'additionalProperties' is required to be supplied and to be false."
        if missing := [name for name in schema.get("properties", {}) if name not in schema.get("required", [])]:
            rule = "'required' is required to be supplied and to be an array including every key in properties."
            yield f"In context={at}, {rule} Missing '{missing[0]}'."
    for word in ("properties", "$defs", "definitions"):
        for name, inner in schema.get(word, {}).items():
            yield from _lax(inner, (*at, word, name))
    if "items" in schema:
        yield from _lax(schema["items"], (*at, "items"))
    for number, inner in enumerate(schema.get("anyOf", [])):
        yield from _lax(inner, (*at, "anyOf", str(number)))


def require_fit(answer: Json, schema: Json) -> None:
    """Raise jsonschema's ValidationError for an answer that the schema does not allow."""
    jsonschema.validate(answer, schema)


def member(root: Json | None, *path: str) -> Json:
    """The schema under these property names and "items", its `$ref`s followed; empty where it says nothing of them."""
    node = root or {}
    for step in path:
        node = _resolved(node, root or {})
        node = node.get("items", {}) if step == "items" else node.get("properties", {}).get(step, {})
    return _resolved(node, root or {})


def _resolved(node: Json, root: Json) -> Json:
    while "$ref" in node:
        target = root
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node

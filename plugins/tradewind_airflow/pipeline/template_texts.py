"""Texts of a pipeline that are templates of Airflow's: what is none is told when the file is read, not in the night."""

from __future__ import annotations

from collections.abc import Iterator

from tradewind.pipeline.read import Document
from tradewind.yaml_file import Key


def check_templates(document: Document) -> None:
    """UserError with the line of the first text that cannot be a template."""
    from jinja2 import Environment, TemplateSyntaxError

    reader = Environment(extensions=["jinja2.ext.do"], autoescape=True)  # nothing is rendered
    for key, text in _templates(document):
        try:
            reader.parse(text)
        except TemplateSyntaxError as error:
            raise document.file.fault(
                key, f"'{key[-1]}' is no template: {error.message}; write braces as {{{{ '{{{{' }}}}"
            ) from error


def _templates(document: Document) -> Iterator[tuple[Key, str]]:
    pipeline = document.pipeline
    for name, text in pipeline.environment.items():
        yield ("environment", name), text
    for index, task in enumerate(pipeline.tasks):
        for name, text in task.environment.items():
            yield ("tasks", index, "environment", name), text
        for name, value in task.arguments.items():
            if isinstance(value, str):
                yield ("tasks", index, "with", name), value

"""The recipe and the documents: what `tradewind validate` looks at."""

from __future__ import annotations

from tradewind.dataset.survey import survey
from tradewind.doctor.check import Finding, ok
from tradewind.doctor.subject import Subject
from tradewind.preflight import check_recipe


def look_at_recipe(subject: Subject) -> Finding:
    """Its models are there, its trackers and generator are installed."""
    check_recipe(subject.config, in_image=bool(subject.image))
    return ok(f"{subject.config.recipe}: {subject.config.model.model_name_or_path}, {subject.config.model.dtype}")


def look_at_documents(subject: Subject) -> Finding:
    """They can be read, and are enough."""
    first, *more = survey(subject.config).splitlines()
    rest = f" ({len(more)} lines more: tradewind validate)" if more else ""
    return ok(f"{subject.config.data_dir}: {first}{rest}")

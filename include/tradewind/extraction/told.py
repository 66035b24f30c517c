"""What an extraction did and cost, in a line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def counts_line(metrics: Mapping[str, Any]) -> str:
    """Of one shard's metrics; short enough for a column of a page."""
    return f"{metrics['answered']}/{metrics['passages']} passages, {metrics['pairs']} pairs"


def bill_line(bill: Mapping[str, Any]) -> str:
    """What a run has spent so far, all its shards and tries together."""
    cost = f", {bill['cost']:.4f} {bill['currency']}" if "cost" in bill else ""
    return f"{bill['requests']} requests, {bill['prompt_tokens'] + bill['completion_tokens']} tokens{cost}"

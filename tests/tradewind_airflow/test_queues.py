"""The names of queues: one each, from the environment."""

from __future__ import annotations

import pytest

from tradewind.errors import UserError
from tradewind_airflow.queues import cpu_queue, gpu_queue


@pytest.mark.parametrize("stated", ["", "  "])
def test_without_a_name_it_is_airflows_own(monkeypatch: pytest.MonkeyPatch, stated: str) -> None:
    monkeypatch.setenv("TRADEWIND_GPU_QUEUE", stated)
    assert (gpu_queue(), cpu_queue()) == ("default", "default")


@pytest.mark.parametrize("stated", ["gpu,cpu", "gpu cpu", "gpu,"])
def test_a_list_of_queues_is_refused_as_no_worker_listens_to_it(monkeypatch: pytest.MonkeyPatch, stated: str) -> None:
    monkeypatch.setenv("TRADEWIND_GPU_QUEUE", stated)
    with pytest.raises(UserError, match=rf"^TRADEWIND_GPU_QUEUE: '{stated}' is not one queue; write a name such as"):
        gpu_queue()

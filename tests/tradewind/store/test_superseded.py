"""A result of a try that was given up, on a worker that made it nevertheless."""

from __future__ import annotations

import pytest

from published import RUN, publish_stage, tree, weights
from shared_home import Worker

EARLIER, LATER = "2026-11-23T02:00:00+00:00", "2026-11-23T02:10:00+00:00"
FIRST, SECOND = {"model/weights.bin": weights(0.2, 1)}, {"model/weights.bin": weights(0.2, 2)}


def test_a_later_trys_result_takes_its_place_when_it_is_seen(worker: Worker) -> None:
    lost, other = worker("lost"), worker("other")
    publish_stage(lost.root / RUN, "finetune", FIRST, task_id="finetune/1", started_at=EARLIER)
    made = publish_stage(other.root / RUN, "finetune", SECOND, task_id="finetune/2", started_at=LATER)
    other.publish_run(made.path)
    lost.refresh("runs/trade_qa")
    lost.complete(lost.root / RUN)
    assert tree(lost.root / RUN / "finetune") == tree(made.published("finetune"))


def test_a_later_trys_result_is_not_replaced_where_it_was_not_seen(worker: Worker) -> None:
    lost, other = worker("lost"), worker("other")
    made = publish_stage(other.root / RUN, "finetune", SECOND, task_id="finetune/2", started_at=LATER)
    other.publish_run(made.path)
    late = publish_stage(lost.root / RUN, "finetune", FIRST, task_id="finetune/1", started_at=EARLIER)
    lost.publish_run(late.path)
    for one in (lost, worker("third")):
        one.refresh("runs/trade_qa")
        one.complete(one.root / RUN)
        assert tree(one.root / RUN / "finetune") == tree(made.published("finetune"))


@pytest.mark.parametrize(
    ("task_id", "started_at", "why"),
    [("finetune/1", LATER, "a run that was deleted in Airflow, and made again under its id"),
     ("finetune/3", EARLIER, "a worker whose clock is slow"), ("trial/1", EARLIER, "another task's")],
)  # fmt: skip
def test_what_is_made_anew_is_sent(worker: Worker, task_id: str, started_at: str, why: str) -> None:
    first, second = worker("first"), worker("second")
    before = "2026-11-23T02:05:00+00:00"
    made = publish_stage(first.root / RUN, "finetune", FIRST, task_id="finetune/2", started_at=before)
    first.publish_run(made.path)
    second.refresh("runs/trade_qa")
    again = publish_stage(second.root / RUN, "finetune", SECOND, task_id=task_id, started_at=started_at)
    second.publish_run(again.path)
    first.refresh("runs/trade_qa")
    first.complete(first.root / RUN)
    assert tree(first.root / RUN / "finetune") == tree(again.published("finetune")), why

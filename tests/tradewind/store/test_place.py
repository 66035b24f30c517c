from __future__ import annotations

from pathlib import Path

import pytest

from bucket_server import BUCKET
from finished_run import finished_run
from published import RUN, publish_stage
from shared_home import Worker
from tradewind.__main__ import main
from tradewind.errors import UserError
from tradewind.registry.register import register
from tradewind.registry.store import Registry
from tradewind.store.place import place_of

HOME = f"s3://{BUCKET}/home"


def test_a_run_of_a_bucket_is_named_by_its_address(worker: Worker) -> None:
    first = worker("first")
    first.publish_run(publish_stage(first.root / RUN, "finetune", {"log.jsonl": b"a"}).path)
    second = worker("second")
    found = place_of(f"{HOME}/{RUN}")
    assert found == second.root / RUN
    assert (found / "finetune/log.jsonl").read_bytes() == b"a"
    assert place_of("/a/folder") == Path("/a/folder")


def test_models_of_a_bucket_are_listed_and_moved(worker: Worker, capsys: pytest.CaptureFixture[str]) -> None:
    first = worker("first")
    registry = Registry(first.root / "models/trade_qa")
    for number in (1, 2):
        run = finished_run(first.root / f"runs/trade_qa/n{number}", champion=registry.champion(), weights=str(number))
        register(registry, run, who="test")
    worker("second")
    assert main(["models", "rollback", f"{HOME}/models/trade_qa"]) == 0
    assert capsys.readouterr().out == "champion: v1 (before: v2)\n"
    registry.refresh()
    assert registry.champion_name() == "v1"
    assert main(["models", "list", f"{HOME}/models/none"]) == 2


@pytest.mark.parametrize(
    "stated",
    [
        HOME,
        f"{HOME}/runs",
        f"{HOME}/models",
        f"{HOME}/else/x",
        f"{HOME}/models/trade_qa/champion",
        f"{HOME}/models/trade_qa/versions/v1",
    ],
)
def test_an_address_that_names_no_place(stated: str) -> None:
    with pytest.raises(UserError, match="names no run and no models"):
        place_of(stated)

"""Nights of one pipeline, each on a machine that has nothing of the nights before."""

from __future__ import annotations

from pathlib import Path

import pytest

from bucket_server import BUCKET, FaultyProxy, client, keys
from documents import SAMPLES
from published import weights
from quick_run import QuickRun
from shared_home import Worker
from tradewind.stages import UPSTREAM, Stage
from tradewind.store.mirror import Mirror

_LARGE = weights(0.2)


class _LargeRun(QuickRun):
    """Its models are too large to be sent with the small files."""

    def _content(self, stage: Stage, name: str, inputs: object) -> str:
        text = super()._content(stage, name, inputs)  # type: ignore[arg-type]
        return text + _LARGE.hex() if name.startswith("model/model") else text


def _night(mirror: Mirror, name: str, **more: bool) -> tuple[_LargeRun, dict[Stage, str]]:
    run = _LargeRun(mirror.root / "runs/dag" / name, SAMPLES["en"])
    mirror.refresh("runs/dag")
    ended = {}
    for stage in ("prepare", "baseline", "adapt", "finetune", "evaluate", "report"):
        for before in UPSTREAM[stage]:
            if run.dir.published(before).is_dir():
                mirror.complete(run.dir.published(before))
        ended[stage] = run.task(stage, **more)  # type: ignore[arg-type]
        mirror.publish_run(run.dir.path)
    return run, ended  # type: ignore[return-value]


def test_a_night_elsewhere_takes_the_results_of_the_night_before(worker: Worker, endpoint: str) -> None:
    _, first = _night(worker("first"), "night-1")
    assert set(first.values()) == {"made"}
    before = set(keys(endpoint, "home/blobs/"))
    run, second = _night(worker("second"), "night-2")
    assert set(second.values()) == {"cached"}
    assert run.consistent()
    assert (run.dir.published("finetune") / "model/model.safetensors").read_text().endswith(_LARGE.hex()[-64:])
    assert set(keys(endpoint, "home/blobs/")) == before, "nothing was sent twice"


@pytest.mark.parametrize("how", ["gone", "changed"])
def test_what_the_bucket_lost_is_made_again(worker: Worker, endpoint: str, how: str) -> None:
    _night(worker("first"), "night-1")
    for key in keys(endpoint, "home/blobs/"):
        if how == "gone":
            client(endpoint).delete_object(Bucket=BUCKET, Key=key)
        else:
            client(endpoint).put_object(Bucket=BUCKET, Key=key, Body=b"x" * len(_LARGE) * 2)
    run, ended = _night(worker("second"), "night-2")
    assert (ended["prepare"], ended["finetune"]) == ("cached", "made")
    assert run.consistent()


def test_a_stage_that_is_skipped_elsewhere_has_its_stand_in(worker: Worker, proxy: FaultyProxy) -> None:
    _night(worker("first"), "night-1")
    second = worker("second")
    second.refresh("runs/dag")
    run = _LargeRun(second.root / "runs/dag/night-2", SAMPLES["en"])
    assert run.task("prepare") == "cached"
    assert run.task("adapt", skip=True) == "stand-in"
    assert Path(run.dir.published("adapt") / "model/model.safetensors").is_file()

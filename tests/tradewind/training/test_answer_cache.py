"""A model's answers are made once for a set of questions, and anew where anything that decides them has changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tradewind.config import EvaluateConfig, ModelConfig
from tradewind.files import write_jsonl
from tradewind.models import EMBEDDED
from tradewind.training import answer_cache, generate
from tradewind.training.answer_cache import answers_of
from tradewind.training.generation.plan import Plan, plan

pytestmark = pytest.mark.timeout(300)
QUESTIONS = ["What does the trade term 'FOB' mean?", "무역이란 무엇인가요?", "Who pays the freight?"]
SHORT = EvaluateConfig(max_new_tokens=8)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADEWIND_ANSWERS", str(tmp_path / "answers"))
    return Path(shutil.copytree(EMBEDDED / "tiny-gemma2", tmp_path / "model"))


def test_the_second_time_nothing_is_generated_and_the_answers_are_the_same(model: Path) -> None:
    first = answers_of("base", model, QUESTIONS, ModelConfig(), SHORT)
    second = answers_of("base", model, QUESTIONS, ModelConfig(), SHORT)
    assert (first.generated, second.generated) == (3, 0)
    assert first.answers == second.answers
    assert len({answer.text for answer in first.answers}) > 1


def test_the_same_model_in_another_folder_is_the_same_model(model: Path, tmp_path: Path) -> None:
    answers_of("base", model, QUESTIONS, ModelConfig(), SHORT)
    other = Path(shutil.copytree(model, tmp_path / "elsewhere" / "model"))
    assert answers_of("champion", other, QUESTIONS, ModelConfig(), SHORT).generated == 0


@pytest.mark.parametrize("change", ["question", "order", "limit", "batch", "template", "weights"])
def test_whatever_decides_an_answer_has_them_made_anew(model: Path, change: str) -> None:
    answers_of("base", model, QUESTIONS, ModelConfig(), SHORT)
    questions, config = list(QUESTIONS), SHORT
    if change == "question":
        questions[0] += " Why?"
    elif change == "order":
        questions.reverse()
    elif change == "limit":
        config = EvaluateConfig(max_new_tokens=9)
    elif change == "batch":
        config = EvaluateConfig(max_new_tokens=8, per_device_eval_batch_size=1)
    elif change == "template":
        template = model / "chat_template.jinja"
        template.write_text(template.read_text().replace("start_of_turn>' + (", "start_of_turn>' + 'dear ' + ("))
    else:
        weights = next(model.glob("*.safetensors"))
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    assert answers_of("base", model, questions, ModelConfig(), config).generated == 3


def test_the_number_at_once_that_auto_comes_to_decides_and_not_the_word(model: Path) -> None:
    planned = plan(model, [[2]], ModelConfig(), SHORT).batch_size
    answers_of("base", model, QUESTIONS, ModelConfig(), SHORT)
    stated = SHORT.model_copy(update={"per_device_eval_batch_size": planned})
    assert answers_of("base", model, QUESTIONS, ModelConfig(), stated).generated == 0


def test_another_generators_answers_are_kept_apart(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Continuous batching was planned and failed: what batches made instead is not taken for its own."""

    def fails(*_: object, **__: object) -> list[list[int] | None]:
        raise RuntimeError("no graphs here")

    size = plan(model, [[2]], ModelConfig(), SHORT).batch_size
    monkeypatch.setattr(generate, "continuously", fails)
    monkeypatch.setattr(answer_cache, "plan", lambda *_, **__: Plan("continuous", size, "test"))
    for _ in range(2):
        assert answers_of("base", model, QUESTIONS, ModelConfig(), SHORT).generated == 3
    monkeypatch.undo()
    monkeypatch.setenv("TRADEWIND_ANSWERS", str(model.parent / "answers"))
    assert answers_of("base", model, QUESTIONS, ModelConfig(), SHORT).generated == 0


@pytest.mark.parametrize("damage", ["half", "fewer", "other"])
def test_damaged_answers_are_made_again(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    first = answers_of("base", model, QUESTIONS, ModelConfig(), SHORT)
    (kept,) = (tmp_path / "answers" / "models").iterdir()
    text = kept.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    kept.write_text({"half": text[:-9], "fewer": "".join(lines[:-1]), "other": '{"answer": 1}\n'}[damage])
    again = answers_of("base", model, QUESTIONS, ModelConfig(), SHORT)
    assert (again.generated, again.answers) == (3, first.answers)
    assert kept.read_text(encoding="utf-8") == text
    assert "is damaged" in caplog.text


def test_line_separators_of_unicode_within_an_answer_are_no_damage(model: Path, tmp_path: Path) -> None:
    first = answers_of("base", model, QUESTIONS, ModelConfig(), SHORT)
    (kept,) = (tmp_path / "answers" / "models").iterdir()
    odd = [{"text": f"one\u2028two\u2029three\x85{number}", "hit_token_limit": False} for number in range(3)]
    write_jsonl(kept, odd)
    again = answers_of("base", model, QUESTIONS, ModelConfig(), SHORT)
    assert again.generated == 0
    assert [answer.text for answer in again.answers] == [row["text"] for row in odd] != first.answers

"""Statistics, rows, arithmetic and models of the benchmarks, on tiny sizes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from setting import places
from setting.flops import peak, training_flops
from setting.machine import machine, versions
from setting.models import model_folder
from setting.rows import counts, pairs_of, train_and_held_out
from setting.scale import SCALES, chosen
from setting.stopping import run_ends, stopping_model_folder
from setting.timing import Spread, counted, interleaved, ratio, run_process
from setting.vocabulary import FIRST_WORD, words
from tradewind.training.tokens import pair_tokens

TRIAL = SCALES["trial"]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_BENCHMARKS", str(tmp_path / "cache"))


def test_medians_lie_between_the_least_and_the_most() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0, 3)
    assert str(Spread.of([12.34, 10.0, 11.0])) == "11.0 (10.0 to 12.3)"
    assert str(Spread.of([0.5])) == "0.500"
    with pytest.raises(ValueError, match="no runs"):
        Spread.of([])


def test_a_ratio_is_of_runs_that_stood_side_by_side() -> None:
    # A round in which the machine was ten times slower counts as any other.
    assert ratio([2.0, 20.0, 2.2], [1.0, 10.0, 1.0]) == 2.0


def test_rounds_go_in_turn_and_begin_with_another_each() -> None:
    order: list[str] = []
    interleaved({name: lambda name=name: order.append(name) for name in "abc"}, 3, tell=False)  # type: ignore[misc]
    assert "".join(order) == "abc" + "bca" + "cab"


def test_few_runs_are_said_to_be_few() -> None:
    assert counted(5) == "medians of 5 runs in turn"
    assert "only 3" in counted(3)
    assert "one run" in counted(1)


def test_a_process_is_timed_and_its_failure_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run_process([sys.executable, "-c", "pass"])
    assert done.seconds > 0
    assert done.mib > 1
    with pytest.raises(subprocess.CalledProcessError):
        run_process([sys.executable, "-c", "raise SystemExit('no such flag')"], tmp_path / "log.txt")
    assert "no such flag" in capsys.readouterr().err


def test_the_mix_is_the_originals() -> None:
    assert counts(100) == {"glossary": 60, "transcript": 34, "exam": 6}
    assert counts(48) == {"glossary": 29, "transcript": 16, "exam": 3}
    assert Counter(pair.kind for pair in pairs_of(TRIAL, 100)) == counts(100)
    assert Counter(pair.kind for pair in pairs_of(SCALES["tiny"], 100)) == counts(100)


def test_rows_are_the_same_for_a_seed_and_held_out_ones_are_others() -> None:
    assert pairs_of(TRIAL, 20, seed=1) == pairs_of(TRIAL, 20, seed=1) != pairs_of(TRIAL, 20, seed=2)
    for name in ("trial", "tiny"):
        train, held_out = train_and_held_out(SCALES[name])
        assert (len(train), len(held_out)) == (SCALES[name].rows, SCALES[name].held_out)
        assert not set(train) & set(held_out)


def test_exams_are_long_and_glossaries_short() -> None:
    pairs = pairs_of(SCALES["bench"], 200)
    length = {kind: [len(f"{p.question} {p.answer}".split()) for p in pairs if p.kind == kind] for kind in counts(1)}
    assert max(length["glossary"]) < max(length["transcript"]) < min(length["exam"])


def test_the_model_is_built_once_with_a_tokenizer_that_keeps_the_rules() -> None:
    folder = model_folder(TRIAL)
    made = (folder / "model.safetensors").stat().st_mtime_ns
    assert model_folder(TRIAL) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == made
    assert folder.is_relative_to(places.cache("models"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer) == TRIAL.vocabulary
    pair = pairs_of(TRIAL, 1)[0]
    row = pair_tokens(tokenizer, pair.question, pair.answer)  # which asserts the rules
    assert len(row["input_ids"]) == len(f"{pair.question} {pair.answer}".split()) + 12


def test_the_bench_model_is_of_some_eighty_million_parameters() -> None:
    shape = SCALES["bench"].architecture
    row = {"input_ids": [1], "labels": [-100]}
    a_token = training_flops(shape, 0, 0, [row]) + 2 * shape["hidden_size"] * 2 * 512
    assert 75e6 < a_token / 4 + 32_000 * shape["hidden_size"] < 85e6


def test_words_differ() -> None:
    assert len(set(words(32_000))) == 32_000 - FIRST_WORD


def test_arithmetic_is_counted_by_hand() -> None:
    shape = {"hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
             "num_key_value_heads": 1, "head_dim": 2}  # fmt: skip
    frozen = 4 * 4 + 2 * (4 * 2) + 4 * 4 + 3 * (4 * 8)
    adapter = (4 + 4) + 2 * (4 + 2) + (4 + 4) + 3 * (4 + 8)
    first = 4 * 4 + 2 * (4 * 2)
    row = {"input_ids": [1, 2, 3], "labels": [-100, 2, 3]}
    expected = 3 * (4 * frozen + 6 * adapter - 2 * first + 6 * 4 * 3) + 2 * 4 * 4 * 10
    assert training_flops(shape, 10, 1, [row]) == expected


def test_the_peak_is_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("setting.flops._SIZES", {"cpu": (64,), "cuda": (64,)})
    assert peak("float32") > 1e6


def test_answers_of_the_stopping_model_are_runs_of_words() -> None:
    folder = stopping_model_folder(TRIAL)
    model = AutoModelForCausalLM.from_pretrained(folder)
    output = model.get_output_embeddings().weight
    given = model.get_input_embeddings().weight
    ends = run_ends(TRIAL.vocabulary, TRIAL.max_new_tokens)
    assert ends[-1] == TRIAL.vocabulary - 1
    word = next(at for at in range(FIRST_WORD, TRIAL.vocabulary) if at not in ends)
    stop = AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids("<end_of_turn>")
    assert int(torch.argmax(output @ given[word])) == word + 1
    assert int(torch.argmax(output @ given[ends[1]])) == stop
    assert stop in model.generation_config.eos_token_id  # by which a server ends an answer


def test_a_gpu_that_is_not_there_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        chosen("gemma-2-2b")
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("tradewind: no GPU")
    assert told.count("\n") == 1


def test_the_machine_is_described_without_its_name() -> None:
    import platform

    told = str(machine() | versions())
    assert "cores" in told
    assert platform.node() not in told

"""The split's proof: what is right passes, and each way of breaking it is found, in the files themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from documents import SAMPLES, Cli
from documents import rows as read_rows
from prepared_rows import NAMES, Rows, prepared_rows, row
from tradewind.dataset.split_proof import Check, SplitProof, assert_kept
from tradewind.text_keys import text_key


def _checks(rows: Rows) -> tuple[Check, ...]:
    proof = SplitProof()
    for heldout in rows["heldout.jsonl"]:
        proof.add_pair(heldout["kind"], heldout, text_key(heldout["question"]))
    for trained in rows["train.jsonl"]:
        proof.add_pair("train", trained, text_key(trained["question"]))
    for text in rows["corpus.jsonl"]:
        proof.add_text(text["text"])
    return proof.checks()


def test_a_right_split_holds_and_each_claim_says_how_much_was_checked() -> None:
    checks = _checks(prepared_rows())
    assert_kept(checks)
    assert [check.checked for check in checks] == [6, 1, 1, 1, 1, 1, 2, 2, 1]
    assert not any(check.violations for check in checks)


def _same_pair_twice(rows: Rows) -> None:
    rows["train.jsonl"].append(rows["train.jsonl"][1])


def _fact_not_trained_on(rows: Rows) -> None:
    rows["heldout.jsonl"].append(row("FCA", 2, "Which term means free carrier?", "FCA", kind="reworded"))


def _reworded_question_trained_on(rows: Rows) -> None:
    rows["train.jsonl"].append(row("FOB", 3, "which term means: Free on Board", "FOB"))


def _read_record_trained_on(rows: Rows) -> None:
    rows["train.jsonl"].append(row("DDP", 2, "Which term means delivered, duty paid?", "DDP"))


def _read_question_reworded(rows: Rows) -> None:
    rows["heldout.jsonl"].append(row("FOB", 3, "What is DDP?", "FOB", kind="reworded"))


def _read_text_not_in_corpus(rows: Rows) -> None:
    rows["corpus.jsonl"].pop()


def _unseen_record_read(rows: Rows) -> None:
    pair = row("EXW", 3, "Who pays under EXW?", "The buyer.", kind="read")
    rows["heldout.jsonl"].append(pair | {"context": rows["corpus.jsonl"][0]["text"]})


def _unseen_question_trained_on(rows: Rows) -> None:
    rows["train.jsonl"].append(row("CIF", 2, "What is EXW?", "Not CIF."))


def _unseen_text_in_corpus(rows: Rows) -> None:
    rows["corpus.jsonl"].append({"text": rows["heldout.jsonl"][2]["context"].upper()})


def _unseen_sentence_in_corpus(rows: Rows) -> None:
    secret = "The seller hands the goods over at its own gate."
    rows["heldout.jsonl"][2]["context"] = f"It is short. {secret} No more."
    rows["corpus.jsonl"].append({"text": f"A lecture. {secret} It goes on."})


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_same_pair_twice, "1 of 7: each pair stands once, in one kind"),
        (_fact_not_trained_on, "1 of 2: reworded: the fact is trained on, first: reworded pair 2"),
        (_reworded_question_trained_on, "1 of 1: reworded: the question is not trained on, first: reworded pair 1"),
        (_read_record_trained_on, "1 of 1: read: nothing of the record is trained on or reworded, first: read pair 1"),
        (_read_question_reworded, "1 of 1: read: the question is neither trained on nor reworded, first: read pair 1"),
        (_read_text_not_in_corpus, "1 of 1: read: the text is in the corpus"),
        (_unseen_record_read, "2 of 2: unseen: nothing of the record is of another kind, first: unseen pair 1"),
        (_unseen_question_trained_on, "1 of 2: unseen: the question is of no other kind, first: unseen pair 1"),
        (_unseen_text_in_corpus, "1 of 1: unseen: no text, and no longer sentence of one, is in the corpus"),
        (_unseen_sentence_in_corpus, "unseen: no text, and no longer sentence of one, is in the corpus, first: corpus"),
    ],
)
def test_a_broken_split_is_told(spoil: Callable[[Rows], None], told: str) -> None:
    rows = prepared_rows()
    spoil(rows)
    with pytest.raises(AssertionError) as raised:
        assert_kept(_checks(rows))
    assert told in str(raised.value)


def test_a_short_sentence_that_many_documents_have_gives_nothing_away() -> None:
    rows = prepared_rows()
    rows["heldout.jsonl"][2]["context"] = "That is all. And the seller hands the goods over at its own gate."
    rows["corpus.jsonl"].append({"text": "A lecture. That is all."})
    assert_kept(_checks(rows))


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_what_prepare_makes_of_the_samples_holds(cli: Cli, tmp_path: Path, language: str) -> None:
    made = cli("prepare", "--recipe", "tiny", "--data", f"embedded:{language}", "--run-dir", tmp_path / "run")
    assert made.returncode == 0, made.stderr
    checks = _checks({name: read_rows(tmp_path / "run" / "prepare" / name) for name in NAMES})
    assert_kept(checks)
    assert min(check.checked for check in checks) > 3

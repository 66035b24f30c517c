"""Running text to question/answer pairs, by a model behind an OpenAI-compatible server."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tradewind.asking.asker import Asker
from tradewind.asking.batch import Batches
from tradewind.asking.each import each
from tradewind.asking.server import most_tokens
from tradewind.asking.store import AnswerStore, answers_file
from tradewind.config import ExtractConfig
from tradewind.errors import TemporaryError, UserError
from tradewind.extraction.documents import digest, unextracted
from tradewind.extraction.draw import Drawn, Unanswered, asking, draw, fill_by_batch, fill_checks, verify
from tradewind.extraction.keep import Kept, doubted, keep, ungrounded
from tradewind.extraction.nearness import Vectors
from tradewind.extraction.passages import Chunk, check_groups, chunks, cut_digest
from tradewind.extraction.prompts import extraction
from tradewind.extraction.reply import Candidate
from tradewind.files import write_jsonl
from tradewind.models import base_source
from tradewind.preflight import server_key
from tradewind.reuse.documents import DOCUMENTS, texts_of
from tradewind.reuse.hashes import FileHashes
from tradewind.reuse.index import results_folder
from tradewind.shard import WHOLE
from tradewind.sources.location import locate_documents
from tradewind.stages.stage_run import StageRun, StageSkipped

_NOT_ASKED, _NOT_CHECKED = "not asked: ", "not checked: "


def run(stage: StageRun) -> None:
    """Write `pairs.jsonl`, `rejected.jsonl` and, where there is any, `failed/` with what could not be read."""
    config = stage.config.extract
    if config is None:
        raise StageSkipped("the recipe draws no pairs from running text (it has no block extract)")
    server_key(config, "extract")
    data_dir = locate_documents(stage.config.data_dir)
    with FileHashes(results_folder(stage.run_dir)) as hashes:
        documents = texts_of(stage.config, hashes)
    cut = list(_chunks(stage, config, data_dir))
    check_groups(cut, stage.config, data_dir)
    mine = [chunk for place, chunk in enumerate(cut) if stage.shard.holds(place)]
    store = AnswerStore(answers_file())
    try:
        before = _sent(store, stage)
        passages, kept, counts = asyncio.run(_extract(stage, config, mine, store))
        has_asked = _sent(store, stage) > before
        bill = _bill(store, stage, config)
    finally:
        store.close()
    if digest(data_dir) != documents.sha256:
        raise UserError(f"{data_dir}: the texts changed while they were read; clear the task: no answer is lost")
    stage.inputs[DOCUMENTS] = documents
    unanswered = [passage for passage in passages if isinstance(passage, Unanswered)]
    _write(stage, kept, unanswered)
    answered = len(passages) - len(unanswered)
    if not answered and stage.shard == WHOLE:  # a shard may hold a single passage
        _stop_if_refused(stage, unanswered, has_asked=has_asked)
    stage.metrics = {
        "documents": documents.sha256,
        "cut": cut_digest(cut),
        "passages": len(mine),
        "answered": answered,
        "unanswered": len(unanswered),
        "pairs": kept.pairs,
        "rejected": len(kept.rejected),
        "rejected_reasons": dict(Counter(item.kind for item in kept.rejected)),
        **counts,
        "bill": bill,
    }


def _chunks(stage: StageRun, config: ExtractConfig, data_dir: Path) -> Iterator[Chunk]:
    passages = unextracted(data_dir, stage.config.data)
    if not passages:
        return
    from transformers import AutoTokenizer  # `load_tokenizer` would bring torch along

    model = stage.config.model
    source = base_source(model)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            source, revision=model.model_revision if isinstance(source, str) else None
        )
    except (OSError, ValueError) as error:
        raise UserError(f"model '{source}': its tokenizer cannot be had; passages are cut by its tokens") from error
    yield from chunks(passages, config, lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"]))


async def _extract(
    stage: StageRun, config: ExtractConfig, mine: Sequence[Chunk], store: AnswerStore
) -> tuple[list[Drawn | Unanswered], Kept, dict[str, int]]:
    """What became of each passage, what may be trained on, and how often store and server were asked."""
    async with asking(config, store, stage.run_name) as (asker, batches):
        await fill_by_batch(mine, asker, batches, config)
        found, reached = await each(
            mine, lambda chunk: draw(chunk, asker, config), at_once=config.concurrency, what="extract", unit="passage"
        )
        left = [chunk for chunk, item in zip(mine, found, strict=True) if item is None]
        _stop_or_warn(stage, config, reached, len(left), _most(left, config))
        _stop_if_silent(found)
        passages = [
            item or Unanswered(chunk, f"{_NOT_ASKED}{reached}") for chunk, item in zip(mine, found, strict=True)
        ]
        drawn = [passage for passage in passages if isinstance(passage, Drawn)]
        unchecked: list[Unanswered] = []
        unsupported = ungrounded(drawn, stage.config, lambda texts: _embed(texts, stage))
        if config.grounding.judge:
            unchecked = await _judge(stage, config, asker, batches, drawn=drawn, unsupported=unsupported)
    left_to_ask = sum(_may_be_answered(passage, config) for passage in [*passages, *unchecked])
    asked = {"requests": asker.counts["requests"], "from_store": asker.counts["from the store"]}
    counts = asked | {"left_to_ask": left_to_ask}
    return passages, keep(passages, unsupported), counts


async def _judge(
    stage: StageRun,
    config: ExtractConfig,
    asker: Asker,
    batches: Batches,
    *,
    drawn: Sequence[Drawn],
    unsupported: Sequence[dict[Candidate, str]],
) -> list[Unanswered]:
    """Have the model check what passed the cheap tests, and enter what it doubts; returns what it did not check."""
    left = [
        (replace(passage, facts=tuple(fact for fact in passage.facts if fact not in out)), out)
        for passage, out in zip(drawn, unsupported, strict=True)
    ]
    asked = [(passage, out) for passage, out in left if passage.facts]
    await fill_checks([passage for passage, _ in asked], batches)
    verdicts, reached = await each(
        asked, lambda item: verify(item[0], asker), at_once=config.concurrency, what="verify", unit="passage"
    )
    _stop_or_warn(stage, config, reached, sum(verdict is None for verdict in verdicts))
    unchecked = []
    for (passage, out), verdict in zip(asked, verdicts, strict=True):
        found = verdict or Unanswered(passage.chunk, f"{_NOT_CHECKED}{reached}")
        out.update(doubted(passage, found))
        if isinstance(found, Unanswered):
            unchecked.append(found)
    return unchecked


def _embed(texts: Sequence[str], stage: StageRun) -> Vectors:
    from tradewind.metrics.semscore import embed

    return embed(texts, stage.config.evaluate.encoder, stage.config.evaluate.encoder_revision).vectors


def _sent(store: AnswerStore, stage: StageRun) -> int:
    """How many requests this run has sent so far, in all its tries."""
    return store.bill(stage.run_name).usage.requests + store.unknown(stage.run_name)[1]


def _stop_if_silent(found: Sequence[Drawn | Unanswered | None]) -> None:
    """A server that gave no answer at all is one to try again later, not a reason to leave every passage out."""
    silent = [item for item in found if isinstance(item, Unanswered) and item.passing]
    if silent and len(silent) == len([item for item in found if item is not None]):
        raise TemporaryError(f"extract: no passage got an answer; the last: {silent[-1].reason}; check base_url")


def _stop_if_refused(stage: StageRun, unanswered: Sequence[Unanswered], *, has_asked: bool) -> None:
    """Where no passage at all has a usable answer, going on would train on nothing of the texts."""
    refused = [passage for passage in unanswered if not passage.reason.startswith(_NOT_ASKED)]
    if not refused:
        return
    remembered = "" if has_asked else " (all remembered from an earlier run or try: nothing was asked)"
    raise UserError(
        f"extract: none of {len(unanswered)} passages got a usable answer{remembered}; the first: {refused[0].reason}; "
        f"what came is in {stage.work / 'failed'}; mend that, then set extract.retry_failed: true to ask again"
    )


def _may_be_answered(passage: Drawn | Unanswered, config: ExtractConfig) -> bool:
    """Whether a later run may have the answer that is missing, or is told to ask again what the model refused."""
    if isinstance(passage, Drawn):
        return False
    return passage.passing or passage.reason.startswith((_NOT_ASKED, _NOT_CHECKED)) or config.retry_failed


def _stop_or_warn(stage: StageRun, config: ExtractConfig, reached: str | None, missing: int, most: str = "") -> None:
    if reached is None:
        return
    most = "" if "budget.requests" in reached else most
    if config.budget.when_reached == "stop":
        raise UserError(
            f"{reached}: the next request could pass it{most}, {missing} passages are left; "
            "raise it, clear configure, then the task: answers so far are kept, none is paid for twice"
        )
    stage.warn(f"{reached}: the next request could pass it{most}; {missing} passages are left out")


def _most(left: Sequence[Chunk], config: ExtractConfig) -> str:
    """What the largest request for pairs of these passages is entered with in the ledger."""
    if not left:
        return ""
    questions = (extraction(chunk.text, chunk.language, config) for chunk in left)
    most = max(
        (most_tokens(question, config.max_completion_tokens) for question in questions),
        key=lambda usage: usage.prompt_tokens,
    )
    money = f", {most.cost(config.price):.2g} {config.price.currency}" if config.price else ""
    return f" (it may cost up to {most.prompt_tokens + most.completion_tokens:,} tokens{money})"


def _write(stage: StageRun, kept: Kept, unanswered: Sequence[Unanswered]) -> None:
    write_jsonl(stage.work / "pairs.jsonl", kept.rows)
    write_jsonl(stage.work / "rejected.jsonl", (asdict(item) for item in kept.rejected))
    stage.outputs += ["pairs.jsonl", "rejected.jsonl"]
    _keep_raw(stage.work / "failed", unanswered)
    if unanswered:
        stage.warn(f"{len(unanswered)} passages got no usable answer; rejected.jsonl says why, failed/ what came")


def _keep_raw(folder: Path, unanswered: Sequence[Unanswered]) -> None:
    """One file a passage, which names it; the file's own name is short, however long the document's is."""
    if folder.exists():
        shutil.rmtree(folder)  # of a try that was killed
    for number, passage in enumerate(unanswered, 1):
        folder.mkdir(exist_ok=True)
        short = hashlib.sha256(passage.chunk.name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        rows: list[dict[str, Any]] = [{"passage": passage.chunk.name, "reason": passage.reason}]
        rows += [{"raw": text} for text in passage.raw]
        # Half of a character, which no file can hold, stays readable as its number.
        told = [{key: text.encode("utf-8", "backslashreplace").decode() for key, text in row.items()} for row in rows]
        write_jsonl(folder / f"{number:04}-{short}.jsonl", told)


def _bill(store: AnswerStore, stage: StageRun, config: ExtractConfig) -> dict[str, Any]:
    """What the whole run, with the shards and tries so far, has spent."""
    billed, (unknown, open_requests) = store.bill(stage.run_name), store.unknown(stage.run_name)
    usage = billed.usage
    bill: dict[str, Any] = asdict(usage)
    if config.price is not None:
        bill |= {"cost": round(billed.cost, 6), "currency": config.price.currency}
    if open_requests:
        at_most = unknown.usage.prompt_tokens + unknown.usage.completion_tokens
        bill["without_a_bill"] = {"requests": open_requests, "tokens_at_most": at_most}
    return bill

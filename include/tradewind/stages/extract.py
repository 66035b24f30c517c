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
from tradewind.asking.store import AnswerStore, answers_file
from tradewind.config import ExtractConfig
from tradewind.errors import TemporaryError, UserError
from tradewind.extraction.documents import digest, unextracted
from tradewind.extraction.draw import Drawn, Unanswered, asking, draw, fill_by_batch, fill_checks, verify
from tradewind.extraction.keep import Kept, doubted, keep, ungrounded
from tradewind.extraction.nearness import Vectors
from tradewind.extraction.passages import Chunk, check_groups, chunks, cut_digest
from tradewind.extraction.reply import Candidate
from tradewind.files import write_jsonl
from tradewind.models import base_source
from tradewind.preflight import server_key
from tradewind.sources.location import locate_documents
from tradewind.stages.stage_run import StageRun, StageSkipped


def run(stage: StageRun) -> None:
    """Write `pairs.jsonl`, `rejected.jsonl` and, where there is any, `failed/` with what could not be read."""
    config = stage.config.extract
    if config is None:
        raise StageSkipped("the recipe draws no pairs from running text (it has no block extract)")
    server_key(config, "extract")
    data_dir = locate_documents(stage.config.data_dir)
    documents = digest(data_dir)
    cut = list(_chunks(stage, config, data_dir))
    check_groups(cut, stage.config, data_dir)
    mine = [chunk for place, chunk in enumerate(cut) if stage.shard.holds(place)]
    store = AnswerStore(answers_file())
    try:
        passages, kept, counts = asyncio.run(_extract(stage, config, mine, store))
        bill = _bill(store, stage, config)
    finally:
        store.close()
    if digest(data_dir) != documents:
        raise UserError(f"{data_dir}: the texts changed while they were read; clear the task: no answer is lost")
    _write(stage, kept, [passage for passage in passages if isinstance(passage, Unanswered)])
    answered = sum(isinstance(passage, Drawn) for passage in passages)
    stage.metrics = {
        "documents": documents,
        "cut": cut_digest(cut),
        "passages": len(mine),
        "answered": answered,
        "unanswered": len(mine) - answered,
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
        _stop_or_warn(stage, config, reached, found)
        _stop_if_silent(found)
        passages = [item or Unanswered(chunk, f"not asked: {reached}") for chunk, item in zip(mine, found, strict=True)]
        drawn = [passage for passage in passages if isinstance(passage, Drawn)]
        unsupported = ungrounded(drawn, stage.config, lambda texts: _embed(texts, stage))
        if config.grounding.judge:
            await _judge(stage, config, asker, batches, drawn=drawn, unsupported=unsupported)
    counts = {"requests": asker.counts["requests"], "from_store": asker.counts["from the store"]}
    return passages, keep(passages, unsupported), counts


async def _judge(
    stage: StageRun,
    config: ExtractConfig,
    asker: Asker,
    batches: Batches,
    *,
    drawn: Sequence[Drawn],
    unsupported: Sequence[dict[Candidate, str]],
) -> None:
    """Have the model check what passed the cheap tests, and enter what it doubts."""
    left = [
        (replace(passage, facts=tuple(fact for fact in passage.facts if fact not in out)), out)
        for passage, out in zip(drawn, unsupported, strict=True)
    ]
    asked = [(passage, out) for passage, out in left if passage.facts]
    await fill_checks([passage for passage, _ in asked], batches)
    verdicts, reached = await each(
        asked, lambda item: verify(item[0], asker), at_once=config.concurrency, what="verify", unit="passage"
    )
    _stop_or_warn(stage, config, reached, verdicts)
    for (passage, out), verdict in zip(asked, verdicts, strict=True):
        out.update(doubted(passage, verdict or Unanswered(passage.chunk, f"not checked: {reached}")))


def _embed(texts: Sequence[str], stage: StageRun) -> Vectors:
    from tradewind.metrics.semscore import embed

    return embed(texts, stage.config.evaluate.encoder, stage.config.evaluate.encoder_revision).vectors


def _stop_if_silent(found: Sequence[Drawn | Unanswered | None]) -> None:
    """A server that gave no answer at all is one to try again later, not a reason to leave every passage out."""
    silent = [item for item in found if isinstance(item, Unanswered) and item.passing]
    if silent and len(silent) == len([item for item in found if item is not None]):
        raise TemporaryError(f"extract: no passage got an answer; the last: {silent[-1].reason}; check base_url")


def _stop_or_warn(stage: StageRun, config: ExtractConfig, reached: str | None, found: Sequence[object | None]) -> None:
    if reached is None:
        return
    missing = sum(item is None for item in found)
    if config.budget.when_reached == "stop":
        raise UserError(
            f"{reached}: the next request could pass it, {missing} passages are left; "
            "raise it and clear the task: answers so far are kept, none is paid for twice"
        )
    stage.warn(f"{reached}: the next request could pass it; {missing} passages are left out")


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

"""A run that has come to its report, small and consistent, for tests to register or to spoil."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tradewind.files import write_atomically, write_jsonl
from tradewind.kinds import KINDS
from tradewind.recipes import resolve
from tradewind.registry.register import Registered
from tradewind.registry.version import CHAMPION_INPUT, Version
from tradewind.reporting.contract import Report
from tradewind.results import Artifact, StageResult
from tradewind.reuse.documents import DOCUMENTS, documents_of
from tradewind.reuse.hashes import FileHashes
from tradewind.run_dir import RunDir
from tradewind.scores import Comparison, GroupScore, MetricScore, Scores
from tradewind.stages import Stage

HOSTILE = "<script>alert(1)</script> [x](http://y) | {{ 7*7 }} <!channel>"
N = 40
PREPARED = ["train.jsonl", "heldout.jsonl", "corpus.jsonl"]
Night = Callable[..., Registered]


def comparison(difference: float, half: float = 0.05) -> Comparison:
    """A difference with an interval of this half width."""
    return Comparison(
        difference=difference, low=difference - half, high=difference + half, confidence_level=0.95, p=0.01,
        wins=20, ties=10, losses=10, n=N,
    )  # fmt: skip


def metric(name: str, comparisons: Mapping[str, Comparison] | None = None, **more: Any) -> MetricScore:
    """A metric with a plain mean for each model."""
    means = {"base": 0.5, "adapted": 0.6, "tuned": 0.75}
    return MetricScore(metric=name, mean=means, scored=N, comparisons=dict(comparisons or {}), **more)


def group(kind: Any, *metrics: MetricScore, language: str = "en", n: int = N, headline: str = "") -> GroupScore:
    """A group of held-out questions; the first metric is the headline unless one is named."""
    return GroupScore(
        kind=kind, language=language, n=n, records=n // 2, headline=headline or metrics[0].metric, metrics=metrics
    )


def scores_of(*groups: GroupScore, judge: str = "no judge is configured") -> Scores:
    """Scores with these groups."""
    return Scores(
        models=("base", "adapted", "tuned"), groups=groups, encoder="embedded:all-MiniLM-L6-v2",
        encoder_max_length=256, encoder_truncated=0.0, hit_token_limit={"base": 0.1, "adapted": 0.0, "tuned": 0.0},
        judge=judge, verdict="better", verdict_reason="tuned is above base",
    )  # fmt: skip


def gain_of(difference: float, *against: str) -> Scores:
    """The same difference on every kind, against each of these models."""
    found = {other: comparison(difference) for other in against}
    return scores_of(*(group(kind, metric("semscore", found)) for kind in KINDS))


def finished_run(
    path: Path,
    *,
    gain: float = 0.2,
    champion: Version | None = None,
    weights: str = "weights",
    overrides: Mapping[str, Any] | None = None,
    warnings: tuple[str, ...] = (),
    same_answers: bool = False,
    adapted: bool = False,
) -> RunDir:
    """Publish what prepare, finetune, evaluate and report would have left.

    Args:
        gain: tuned minus base, and minus the champion.
        champion: what the run was compared with besides the base.
        adapted: whether it was trained on the running text before.
    """
    run = RunDir(path)
    config = resolve("tiny", "embedded:en", 42, dict(overrides or {}))
    run.write_config(config)

    def publish(
        stage: Stage, outputs: list[str], inputs: Mapping[str, Artifact], **metrics: Any
    ) -> dict[str, Artifact]:
        made = {name: Artifact.of(run.published(stage) / name, run.path) for name in outputs}
        result = StageResult(
            stage=stage, started_at="2026-11-23T02:00:00+00:00", seconds=1.0, seed=42,
            config=config.model_dump(mode="json"), versions={"tradewind": "0.1.0"}, inputs=dict(inputs), outputs=made,
            metrics=metrics,
        )  # fmt: skip
        write_atomically(run.result_file(stage), result.model_dump_json())
        return {f"{stage}/{name}": artifact for name, artifact in made.items()}

    stages: tuple[Stage, ...] = ("prepare", "adapt", "finetune", "evaluate", "report")
    for stage in stages if adapted else stages[:1] + stages[2:]:
        run.published(stage).mkdir(parents=True)
    pair = {"question": "FOB?", "answer": "Free on board.", "context": "FOB: free on board."}
    write_jsonl(run.published("prepare") / "train.jsonl", [pair])
    write_jsonl(run.published("prepare") / "corpus.jsonl", [{"text": pair["context"]}])
    write_jsonl(run.published("prepare") / "heldout.jsonl", [{"question": "CIF?", "answer": "Cost and freight."}])
    with FileHashes() as hashes:
        documents = {DOCUMENTS: documents_of(config, hashes)}
    found = publish("prepare", PREPARED, documents, files=2, train=100, heldout=dict.fromkeys(KINDS, N))

    if adapted:
        (run.published("adapt") / "model").mkdir()
        (run.published("adapt") / "model" / "model.safetensors").write_text("adapted")
        found |= publish("adapt", ["model"], found)
    model = run.published("finetune") / "model"
    (model / "extra").mkdir(parents=True)
    (model / "config.json").write_text('{"model_type": "gemma2"}')
    (model / "model.safetensors").write_text(weights)
    (model / "extra" / "notes.txt").write_text("notes")
    found |= publish("finetune", ["model"], found, tensors=30, changed_tensors=14, probe_logit_change=1.5)

    compared = {} if champion is None else {CHAMPION_INPUT: Artifact.of(champion.model, champion.path)}
    scores = gain_of(gain, "base", *(["champion"] if champion else []))
    answers = {"base": "a", "tuned": "a" if same_answers else "b"}
    rows = [{"id": f"i{at}", "kind": KINDS[at % 3], "question": f"q{at}?", "answers": answers} for at in range(N)]
    write_jsonl(run.published("evaluate") / "predictions.jsonl", rows)
    write_atomically(run.published("evaluate") / "scores.json", scores.model_dump_json())
    found |= publish("evaluate", ["predictions.jsonl", "scores.json"], found | compared)

    report = Report(
        run=path.name, recipe=config.recipe, model=config.model.model_name_or_path, data=config.data_dir, seed=42,
        finished_at="2026-11-23T02:04:00+00:00", scores=scores, stages=(), warnings=warnings, best=(), worst=(),
        versions={"tradewind": "0.1.0", "torch": "2.13.0"},
    )  # fmt: skip
    write_atomically(run.published("report") / "report.json", report.model_dump_json())
    write_atomically(run.published("report") / "report.html", "<!doctype html><title>report</title>")
    publish("report", ["report.json", "report.html"], found)
    return run


def report_again(run: RunDir, *, finished_at: str) -> None:
    """Have the report as if its stage had been cleared: all but its time is the same."""
    file = run.published("report") / "report.json"
    report = Report.model_validate_json(file.read_bytes()).model_copy(update={"finished_at": finished_at})
    write_atomically(file, report.model_dump_json())

"""Plots as SVG text, to stand inside the report's page, and one as a picture; colours fit the colour-blind.

Palette: Okabe and Ito, "Color Universal Design" (2008).
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from tradewind.metrics.item_scores import is_fair_to
from tradewind.scores import METRIC_NAMES, Scores

COLOURS = {"base": "#999999", "adapted": "#56B4E9", "tuned": "#D55E00", "champion": "#009E73"}
_SOURCES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
_BINS_PER_DECADE = 12
_PANELS = 3  # side by side
_INKS = {"#000000": "currentColor", "#ffffff": "var(--paper)"}
"""Black and white as the page has them, light or dark: page.css."""
_LABEL = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}  # readable where the floor runs
_STYLE = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.alpha": 0.3,
    "svg.fonttype": "none",
    "svg.hashsalt": "tradewind",
}


def score_bars(scores: Scores) -> str:
    """The headline metric by kind and model, the floor as a line, n below each kind."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.4, 3.4), layout="constrained")
        axes = figure.subplots()
        width = 0.8 / len(scores.models)
        for place, group in enumerate(scores.groups):
            metric = group.metric(group.headline)
            for offset, model in enumerate(name for name in scores.models if name in metric.mean):
                at = place - 0.4 + width * (offset + 0.5)
                height = metric.mean[model]
                axes.bar(at, height, width * 0.92, color=COLOURS[model], label=model if place == 0 else None)
                axes.annotate(f"{height:.2f}", (at, height), ha="center", va="bottom", fontsize=9, bbox=_LABEL)
            if "tuned" in metric.floor:
                label = "floor of tuned" if place == 0 else "_none"
                axes.hlines(
                    metric.floor["tuned"], place - 0.42, place + 0.42, color="black", linestyle=":", lw=1.2, label=label
                )
        axes.set_xticks(range(len(scores.groups)), _group_names(scores))
        axes.set_ylim(0, 1.08)
        axes.set_ylabel("mean score")
        axes.grid(visible=False, axis="x")
        figure.legend(loc="outside upper center", ncols=len(scores.models) + 1, frameon=False)
        return _svg(figure, "Mean scores by kind of question and model")


def score_picture(scores: Scores) -> bytes:
    """A PNG for a chat, readable on a phone: means on the left, what tuned gained and its interval on the right."""
    shown = [name for name in ("base", "champion", "tuned") if name in scores.models]
    with mpl.rc_context(_STYLE | {"font.size": 12, "axes.grid.axis": "x"}):
        figure = Figure(figsize=(7.0, 1.7 + 0.85 * len(scores.groups)), layout="constrained")
        means, gains = figure.subplots(1, 2, sharey=True)
        level = 0.95
        for place, group in enumerate(scores.groups):
            metric = group.metric(group.headline)
            for offset, name in enumerate(name for name in shown if name != "tuned" and name in metric.mean):
                at, compared = place + 0.24 * offset, metric.comparisons.get(name)
                own = metric.mean | (compared.means if compared else {})
                pair = [model for model in (name, "tuned") if model in own]
                means.plot([own[model] for model in pair], [at] * len(pair), color="#CCCCCC", lw=2, zorder=1)
                means.scatter(
                    [own[model] for model in pair], [at] * len(pair), s=70, color=[COLOURS[m] for m in pair], zorder=2
                )
                if compared:
                    level = compared.confidence_level
                    reach = [[compared.difference - compared.low], [compared.high - compared.difference]]
                    gains.errorbar(
                        [compared.difference], [at], xerr=reach, fmt="o", color=COLOURS[name], capsize=4, lw=2
                    )
        labels = [
            f"{group.kind} ({group.language})\n{METRIC_NAMES[group.headline]}, n = {group.n}" for group in scores.groups
        ]
        means.set_yticks(range(len(labels)), labels)
        means.set_ylim(len(labels) - 0.4, -0.6)
        means.set_xlim(0, 1.03)
        means.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])  # the two panels' numbers must not touch
        means.set_xlabel("mean score")
        gains.axvline(0, color="black", lw=1, linestyle=":")
        gains.set_xlabel(f"gain of tuned, {level:.0%} interval\nright of the line: better".replace("%", " %"))
        handles = [Line2D([], [], marker="o", linestyle="", color=COLOURS[name], label=name) for name in shown]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(shown), frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
        return buffer.getvalue()


def distributions(scores: Scores, predictions: Sequence[Mapping[str, Any]]) -> str:
    """How the items' headline scores are spread: a box and every item, by kind and model."""
    with mpl.rc_context(_STYLE):
        rows = math.ceil(len(scores.groups) / _PANELS)
        figure = Figure(figsize=(8.4, 3.2 * rows), layout="constrained")
        panels = figure.subplots(rows, min(_PANELS, len(scores.groups)), sharey=True, squeeze=False)
        for axes in panels.flat[len(scores.groups) :]:
            axes.set_axis_off()
        for axes, group in zip(panels.flat, scores.groups, strict=False):
            items = [item for item in predictions if (item["kind"], item["language"]) == (group.kind, group.language)]
            for at, model in enumerate(scores.models):
                fair = [item["scores"][group.headline][model] for item in items if is_fair_to(model, item)]
                values = [value for value in fair if value is not None]
                spread = [at + 0.24 * ((index * 0.618) % 1 - 0.5) for index in range(len(values))]
                axes.scatter(spread, values, s=7, alpha=0.4, color=COLOURS[model], linewidths=0)
                axes.boxplot(
                    values,
                    positions=[at],
                    widths=0.55,
                    showfliers=False,
                    medianprops={"color": "black"},
                    manage_ticks=False,
                )
            axes.set_xticks(range(len(scores.models)), scores.models, fontsize=9)
            axes.set_title(f"{group.kind} ({group.language}), {METRIC_NAMES[group.headline]}", fontsize=10)
            axes.set_xlim(-0.6, len(scores.models) - 0.4)
        for row in panels:
            row[0].set_ylabel("score of an item")
        return _svg(figure, "Spread of the items' scores by kind of question and model")


def grade_histogram(scores: Scores) -> str:
    """How many answers of base, tuned and champion were graded 1 to 5, the counts above the bars."""
    models = [name for name in ("base", "tuned", "champion") if name in scores.grades]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.4, 3.0), layout="constrained")
        axes = figure.subplots()
        width = 0.8 / len(models)
        for offset, model in enumerate(models):
            places = [grade - 0.4 + width * (offset + 0.5) for grade in range(1, 6)]
            bars = axes.bar(places, scores.grades[model], width * 0.92, color=COLOURS[model], label=model)
            axes.bar_label(bars, fontsize=9)
        axes.set_xlabel("grade: 1 says something else than the reference, 5 says the same")
        axes.set_ylabel("answers")
        axes.grid(visible=False, axis="x")
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
        return _svg(figure, "How many answers of each model have which grade")


def loss_curves(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Training loss over steps, one panel a training."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.4, 2.6), layout="constrained")
        panels = figure.subplots(1, len(curves), squeeze=False)[0]
        for axes, (name, curve) in zip(panels, curves.items(), strict=True):
            axes.plot([entry["step"] for entry in curve], [entry["loss"] for entry in curve], color="#0072B2", lw=1.5)
            axes.set_title(name, fontsize=10)
            axes.set_xlabel("step")
            axes.set_ylim(bottom=0)
        panels[0].set_ylabel("training loss")
        return _svg(figure, "Training loss by step")


def length_histograms(lengths: Mapping[str, Mapping[str, Mapping[int, int]]]) -> str:
    """How many texts are how long, one panel a field, stacked by source; the axis of characters is logarithmic.

    Args:
        lengths: by field and source, how many texts there are of each length.
    """
    sources = sorted({source for by_source in lengths.values() for source in by_source})
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.4, 2.8), layout="constrained")
        panels = figure.subplots(1, len(lengths), squeeze=False)[0]
        for axes, (field, by_source) in zip(panels, lengths.items(), strict=True):
            seen = [length for counts in by_source.values() for length in counts if length]
            first = math.floor(_BINS_PER_DECADE * math.log10(min(seen, default=1)) - 1e-9)
            last = int(_BINS_PER_DECADE * math.log10(max(seen, default=1))) + 1
            edges = [10 ** (at / _BINS_PER_DECADE) for at in range(first, last + 1)]
            present = [source for source in sources if source in by_source]
            axes.hist(
                [list(by_source[source]) for source in present],
                bins=edges,
                weights=[list(by_source[source].values()) for source in present],
                stacked=True,
                color=[_SOURCES[sources.index(source) % len(_SOURCES)] for source in present],
                label=present,
            )
            axes.set_xscale("log")
            axes.set_xlim(edges[0], edges[-1])
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
            axes.xaxis.set_major_formatter("{x:,.0f}")
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_title(field, fontsize=10)
            axes.set_xlabel("characters")
        panels[0].set_ylabel("pairs")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(_SOURCES), frameon=False)
        return _svg(figure, "How many texts are how long, by field and source")


def _group_names(scores: Scores) -> list[str]:
    return [
        f"{group.kind} ({group.language})\n{METRIC_NAMES[group.headline]}, n = {group.n}" for group in scores.groups
    ]


def _svg(figure: Figure, name: str) -> str:
    """`name` is for who does not see it; its figures stand in the page's tables."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{name}"', 1)
    for drawn, of_page in _INKS.items():
        text = text.replace(drawn, of_page)
    return text

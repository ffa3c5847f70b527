"""Figures of what numbers are worth: reliability, predictive values over prevalence, decision
curves, people. See :mod:`cxrlib.plots` for the style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from cxrlib import metrics
from cxrlib.plots import _LOOKS, _WIDTH, style

CELLS = {  # of natural frequencies: words, colour, marker
    "TP": ("ill, called positive", "#D55E00", "o"),
    "FN": ("ill, missed", "#000000", "X"),
    "FP": ("well, called positive (false alarm)", "#56B4E9", "s"),
    "TN": ("well, called negative", "#BBBBBB", "."),
}


@style(formulas=False)
def reliability(
    curves: Mapping[str, pd.DataFrame],
    ax: Axes | None = None,
    what: str = "positive",
    corner: str = "upper left",
) -> Axes:
    """Observed share against mean probability, a point per bin with its interval; each curve as
    `calibration.reliability` gives it, under its name.

    The dotted line is that of a probability that is true; ``corner`` is where the legend covers
    least.
    """
    ax = ax or plt.subplots(figsize=(5.6, 5.4))[1]
    ax.plot([0, 1], [0, 1], color="0.45", linestyle=":", linewidth=1.2, label="True probabilities")
    for (name, table), (color, line, marker) in zip(curves.items(), _LOOKS, strict=False):
        ax.vlines(table["p"], table["low"], table["high"], color=color, linewidth=1.5)
        ax.plot(
            table["p"],
            table["share"],
            color=color,
            linestyle=line,
            marker=marker,
            markersize=6,
            linewidth=1.2,
            label=name,
        )
    ax.set(
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        xlabel="Mean probability in the bin",
        ylabel=f"Share that is {what}",
    )
    ax.grid(color="0.9")
    ax.legend(loc=corner)
    return ax


@style(formulas=False)
def predictive_values(
    points: Mapping[str, Sequence[float]], marks: Mapping[str, float] | None = None
) -> np.ndarray:
    """PPV, and false alarms per true positive, over the prevalence from 0.1 to 50 %, of operating
    points (sensitivity, specificity): two axes.

    ``marks`` are prevalences to name by a vertical line. A point without false alarms has no line
    on the right: it would have none at any prevalence.
    """
    prevalence = np.geomspace(0.001, 0.5, 200)
    axes = plt.subplots(1, 2, figsize=(_WIDTH, 4.9))[1]
    for (name, (sensitivity, specificity)), (color, line, _) in zip(
        points.items(), _LOOKS, strict=False
    ):
        ppv, _ = metrics.at_prevalence(sensitivity, specificity, prevalence)
        axes[0].plot(100 * prevalence, 100 * ppv, color=color, linestyle=line, label=name)
        if specificity < 1 and sensitivity > 0:
            axes[1].plot(100 * prevalence, (1 - ppv) / ppv, color=color, linestyle=line)
    for ax in axes:
        for place, (name, value) in enumerate((marks or {}).items()):
            ax.axvline(
                100 * value,
                color="0.45",
                linestyle=(0, (2 + 3 * place, 2)),
                linewidth=1.2,
                label=name,
            )
        ax.set(xscale="log", xlabel="Prevalence (%)", xlim=(0.1, 50))
        ax.grid(color="0.9")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes[0].set(ylabel="PPV (%)", ylim=(-2, 102))
    axes[1].set(ylabel="False alarms per true positive", yscale="log")
    axes[1].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes[0].figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncol=2, frameon=False
    )
    return axes


@style(formulas=False)
def decision_curve(curves: Mapping[str, pd.DataFrame], ax: Axes | None = None) -> Axes:
    """Net benefit over the threshold, with its interval as a band, beside calling everybody and
    nobody; tables as `calibration.net_benefit` gives them, of one prevalence, which is the most
    that a net benefit can be. The axis ends half as far below nought.
    """
    ax = ax or plt.subplots(figsize=(_WIDTH, 4.6))[1]
    for (name, table), (color, line, _) in zip(curves.items(), _LOOKS, strict=False):
        ax.fill_between(
            100 * table.index, table["low"], table["high"], color=color, alpha=0.18, linewidth=0
        )
        ax.plot(100 * table.index, table["benefit"], color=color, linestyle=line, label=name)
    ax.plot(
        100 * table.index,
        table["treat_all"],
        color="0.35",
        linestyle=(0, (1, 1)),
        linewidth=1.5,
        label="Call everybody positive",
    )
    ax.axhline(0, color="0.35", linewidth=1, label="Call nobody positive")
    top = (
        float((table["treat_all"] * (1 - table.index) + table.index).max()) or 1
    )  # treat_all = (prevalence - t) / (1 - t)
    ax.set(
        xscale="log",
        xlim=(100 * table.index.min(), 100 * table.index.max()),
        ylim=(-top / 2, 1.05 * top),
    )
    ax.set(xlabel="Threshold probability (%)", ylabel="Net benefit (true positives per person)")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.grid(color="0.9")
    ax.figure.legend(loc="outside lower center", ncol=3, frameon=False)
    return ax


@style(formulas=False)
def people(
    cells: Mapping[str, int], ax: Axes | None = None, columns: int = 40, title: str = ""
) -> Axes:
    """One mark per person, as `metrics.natural_frequencies` counts them: the ill first, then false
    alarms, then those rightly left alone.
    """
    total = sum(cells.values())
    rows = -(-total // columns)
    ax = ax or plt.subplots(figsize=(_WIDTH, 1.45 + 0.155 * rows))[1]
    start = 0
    for name in ("TP", "FN", "FP", "TN"):
        words, color, marker = CELLS[name]
        at = np.arange(start, start + cells[name])
        ax.plot(
            at % columns,
            -(at // columns),
            marker,
            color=color,
            markersize=6,
            markeredgewidth=0,
            label=f"{cells[name]:,} {words}",
        )
        start += cells[name]
    ax.set(xlim=(-1, columns), ylim=(-rows, 1), title=title)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.figure.legend(loc="outside lower center", ncol=2, frameon=False)
    return ax

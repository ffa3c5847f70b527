"""plots.py: what is drawn is what the tables say, no text is cut, nothing leaks into
matplotlib's settings.
"""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from frames import made_up

from cxrlib import metrics, plots
from cxrlib.metrics import calibration

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.usefixtures("no_traces")]


def inside(figure) -> bool:
    """Nothing drawn is cut, and all text is 12 pixels or more at 100 pixels an inch."""
    figure.canvas.draw()
    tight, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    sizes = [
        text.get_fontsize()
        for text in figure.findobj(plt.Text)
        if text.get_visible() and text.get_text().strip()
    ]
    return (
        min(sizes) * 100 / 72 >= 12
        and min(tight.x0, tight.y0) >= -0.01
        and tight.x1 <= width + 0.01
        and tight.y1 <= height + 0.01
    )


def legend(ax) -> list[str]:
    found = ax.get_legend() or ax.figure.legends[0]
    return [text.get_text() for text in found.get_texts()]


def test_reliability_draws_the_bins():
    tables = {by: calibration.reliability(made_up(), "viral", by=by) for by in ("width", "count")}
    ax = plots.reliability(tables, what="viral")
    assert (
        legend(ax) == ["True probabilities", "width", "count"]
        and ax.get_ylabel() == "Share that is viral"
    )
    for line, table in zip(ax.lines[1:], tables.values(), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), table[["p", "share"]])
    ends = np.array([path.vertices[:, 1] for path in ax.collections[0].get_paths()])
    np.testing.assert_array_equal(ends, tables["width"][["low", "high"]])
    assert inside(ax.figure)


def test_predictive_values_over_the_prevalence():
    axes = plots.predictive_values(
        {"A": (0.773, 0.718), "perfect": (1.0, 1.0), "blind": (0.0, 0.9)}, {"here": 0.0257}
    )
    x, y = axes[0].lines[0].get_data()
    assert (x.min(), x.max()) == pytest.approx((0.1, 50))
    np.testing.assert_allclose(y / 100, metrics.at_prevalence(0.773, 0.718, x / 100)[0])
    ratio = axes[1].lines[0].get_ydata()
    np.testing.assert_allclose(ratio, (1 - y / 100) / (y / 100))
    # One curve and the mark: no false alarms without false positives, no ratio without true ones.
    assert len(axes[1].lines) == 2
    assert legend(axes[0]) == ["A", "perfect", "blind", "here"] and inside(axes[0].figure)


def test_decision_curve_draws_the_table_within_the_prevalence():
    table = calibration.net_benefit(
        made_up(), "viral", np.geomspace(0.01, 0.9, 20), 0.05, replicates=20
    )
    ax = plots.decision_curve({"viral": table})
    np.testing.assert_allclose(ax.lines[0].get_ydata(), table["benefit"])
    np.testing.assert_allclose(ax.lines[1].get_ydata(), table["treat_all"])
    assert ax.get_ylim() == pytest.approx((-0.025, 0.0525)) and inside(ax.figure)


@pytest.mark.parametrize("people", [1, 37, 1000])
def test_people_are_counted(people):
    cells = metrics.natural_frequencies(0.773, 0.718, 0.1, people)
    ax = plots.people(cells, title="Thousand")
    drawn = {
        name: len(line.get_xdata())
        for name, line in zip(("TP", "FN", "FP", "TN"), ax.lines, strict=True)
    }
    assert drawn == cells
    places = np.concatenate([line.get_xydata() for line in ax.lines])
    assert len(np.unique(places, axis=0)) == people, "nobody stands on another"
    assert [text.split()[0] for text in legend(ax)] == [
        f"{cells[name]:,}" for name in ("TP", "FN", "FP", "TN")
    ] and inside(ax.figure)

"""The page of ``cxr evaluate``: one self-contained HTML file, figures inside, no script. The
template ``report.html`` escapes everything.
"""

from __future__ import annotations

import base64
import io
import warnings
from pathlib import Path

import jinja2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from cxrlib import __version__, metrics, plots
from cxrlib.evaluate.measures import PREVALENCES, STATISTIC_NAMES, Measures, at_prevalences
from cxrlib.evaluate.reading import Predictions
from cxrlib.files import isolated, printable
from cxrlib.formatting import interval, number, with_interval
from cxrlib.metrics import calibration
from cxrlib.metrics.bootstrap import REPLICATES

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
)
SHOWN = [name for name in metrics.METRICS if name in STATISTIC_NAMES]  # of every class


def page(measured: Measures, name: str = "predictions.csv") -> str:
    """The whole report on what was measured of the file ``name``."""
    found, point = measured.found, measured.point
    tables = {
        "methods": _methods(measured.compared),
        "classes": _every_class(measured.cells, measured.bounds),
        "prevalences": _prevalences(point, measured.prevalence),
        "calibration": _calibration(measured),
        "errors": _surest_errors(found),
    }
    return TEMPLATES.get_template("report.html").render(
        name=name,
        found=found,
        measured=measured,
        sizes=found.frame["y_true"].value_counts(),
        patients=found.frame["patient_id"].nunique(),
        shown=isolated(found.positive),
        point=point,
        tables=tables,
        figures=figures(measured),
        replicates=REPLICATES,
        version=__version__,
        number=number,
        isolated=isolated,
    )


def _text(value: float, low: float, high: float) -> str:
    """``0.853 (0.812–0.889)``; a dash for what cannot be computed."""
    return number(value) if np.isnan(low) else with_interval(value, low, high)


def _methods(rows: pd.DataFrame) -> pd.DataFrame:
    """The statistics at the threshold, a column each, and their intervals, a row for each
    method.
    """
    shown = {"": ["Estimate", "Images", *rows["method"].unique()]}
    for name, part in rows.groupby("statistic", sort=False):
        ends = {row.method: interval(row.low, row.high) for row in part.itertuples()}
        head = [number(part["estimate"].iloc[0]), f"{part['n'].iloc[0]:,}"]
        shown[STATISTIC_NAMES[name]] = head + [ends.get(method, "–") for method in shown[""][2:]]
    return pd.DataFrame(shown)


def _every_class(cells: pd.DataFrame, bounds: pd.DataFrame) -> pd.DataFrame:
    """Each class against the rest: estimates with their intervals."""
    bounds = bounds.loc[cells.index]
    shown = {"Class": cells.index, "Images": [f"{size:,}" for size in cells["size"]]}
    for key in SHOWN:
        ends = zip(cells[key], bounds[key, "low"], bounds[key, "high"], strict=True)
        texts = [_text(*each) for each in ends]  # a line ends before an interval, not within
        shown[STATISTIC_NAMES[key]] = [text.replace("–", "\u2060–\u2060") for text in texts]
    return pd.DataFrame(shown)


def _prevalences(point: dict, prevalence: float | None) -> pd.DataFrame:
    """PPV, NPV, false alarms and whole people over the prevalence."""
    shares = {*PREVALENCES, *([prevalence] if prevalence else []), point["prevalence"]}
    rows = at_prevalences(point["sensitivity"], point["specificity"], sorted(shares - {0.0, 1.0}))
    heads = ["Prevalence", "PPV", "NPV", "False alarms per true positive"]
    heads += ["Of 1,000: found", "missed", "false alarms", "rightly left alone"]
    shown = []
    for share, ppv, npv, alarms, *people in rows.itertuples(index=False):
        of_test = " (test set)" if share == point["prevalence"] else ""
        rates = [f"{100 * share:.3g} %{of_test}", number(ppv), number(npv), number(alarms, 1)]
        shown.append(rates + [number(count, 0) for count in people])
    return pd.DataFrame(shown, columns=heads)


def _calibration(measured: Measures) -> pd.DataFrame:
    """Brier score, its skill and the calibration errors beside what true probabilities give."""
    frame, cls, brier = measured.found.frame, measured.found.positive, measured.brier
    rows = [
        ("Brier score", _text(*brier.loc["brier"]), ""),
        ("Brier skill", _text(*brier.loc["skill"]), ""),
    ]
    for by, value in measured.ece.items():
        mean, high = calibration.chance_ece(frame, cls, by=by)
        true = f"{number(mean)} on average, {number(high)} in 5 of 100"
        rows.append((f"ECE, 10 bins of equal {by}", number(value), true))
    heads = ["Measure", "Value (95 % interval)", "If the probabilities were true"]
    return pd.DataFrame(rows, columns=heads)


def _surest_errors(found: Predictions, most: int = 10) -> pd.DataFrame | None:
    """The images called wrongly with the highest probability."""
    names = np.array(found.classes, object)
    p, truth = found.frame[[f"p_{name}" for name in names]].to_numpy(), found.frame["y_true"]
    called = names[p.argmax(axis=1)]
    wrong = np.flatnonzero(called != truth.to_numpy())
    rows = wrong[np.argsort(-p.max(axis=1)[wrong], kind="stable")[:most]]
    if not len(rows) or found.ids is None:
        return None
    shown = {"Image": found.ids.iloc[rows], "Is": truth.iloc[rows], "Called": called[rows]}
    shown["Probability"] = [number(value) for value in p.max(axis=1)[rows]]
    return pd.DataFrame({name: list(cells) for name, cells in shown.items()})


def figures(measured: Measures) -> dict[str, dict | None]:
    """The figures of the page; None for what needs images of both sides, or fewer classes."""
    found, point, share = measured.found, measured.point, measured.share
    (drawn, short), k = _shortened(found), len(found.classes)
    lines = None if 2 < k <= 7 else [short]  # of two classes either curve says all
    curves = {f"Bins of equal {by}": table for by, table in measured.reliability.items()}
    made = {
        "roc": _picture(plots.roc_curves, drawn, lines),
        "confusion": _picture(plots.confusion, metrics.confusion(drawn)) if k <= 12 else None,
        "reliability": _picture(plots.reliability, curves, what=short),
    }
    rates = point["sensitivity"], point["specificity"]
    if np.isnan(rates).any():
        return made | dict.fromkeys(["prevalences", "people", "benefit"])
    marks = {"Test set": point["prevalence"], "Prevalence asked for": measured.prevalence or 0}
    marks = {name: value for name, value in marks.items() if 0.001 <= value <= 0.5}
    points = {f"{short} at {measured.threshold:g}": rates}
    thresholds = np.geomspace(0.001, 0.99, 120)
    benefit = calibration.net_benefit(found.frame, found.positive, thresholds, measured.prevalence)
    return made | {
        "prevalences": _picture(plots.predictive_values, points, marks),
        "people": _picture(plots.people, metrics.natural_frequencies(*rates, share)),
        "benefit": _picture(plots.decision_curve, {short: benefit}),
    }


def _picture(draw, *arguments, **options) -> dict:
    """What ``draw`` draws, as a picture within the page; names are no formulas."""
    with plots.style(formulas=False), warnings.catch_warnings():
        # a square stands there; the tables have the letters
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        drawn = np.ravel(draw(*arguments, **options))[0].figure
        file = io.BytesIO()
        drawn.savefig(file, format="png", dpi=150, facecolor="white")
        plt.close(drawn)
    text = base64.b64encode(file.getvalue()).decode()
    return {"source": f"data:image/png;base64,{text}", "width": int(drawn.get_figwidth() * 100)}


def _shortened(found: Predictions) -> tuple[pd.DataFrame, str]:
    """The predictions and the positive class with names that fit a figure; whole names stand in the
    tables.
    """
    names, labels = {}, [plots.label(name) for name in found.classes]
    for k, name in enumerate(found.classes, 1):
        short = printable(name if len(name) <= 30 else f"{name[:24]}… ({k})")
        short = f"“{short}”" if short.startswith("_") else short  # which a legend would leave out
        twice = labels.count(plots.label(name)) > 1 or short in names.values()
        names[name] = f"{short} ({k})" if twice else short
    made = found.frame.rename(columns={f"p_{name}": f"p_{short}" for name, short in names.items()})
    return made.assign(y_true=made["y_true"].map(names)), names[found.positive]

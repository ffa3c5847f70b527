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
from cxrlib.formatting import DASH, interval, number, with_interval
from cxrlib.metrics import calibration
from cxrlib.metrics.bootstrap import REPLICATES

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
)
BRIER = {"score": "brier", "skill": "skill"}
SHOWN = [name for name in metrics.METRICS if name in STATISTIC_NAMES]  # of every class


def page(measured: Measures, name: str = "predictions.csv") -> str:
    """The whole report on what was measured of the file ``name``."""
    found = measured.found
    return TEMPLATES.get_template("report.html").render(
        name=name,
        found=found,
        measured=measured,
        sizes=found.frame["y_true"].value_counts(),
        patients=found.frame["patient_id"].nunique(),
        shown=isolated(found.positive),
        point=measured.point,
        tables={
            "methods": _methods(measured.compared),
            "classes": _every_class(measured.bounds),
            "prevalences": _prevalences(measured.point, measured.prevalence),
            "calibration": _calibration(measured),
            "errors": _surest_errors(found),
        },
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
    ends = rows.assign(text=list(map(interval, rows["low"], rows["high"])))
    methods, statistics = rows["method"].unique(), rows["statistic"].unique()
    ends = ends.pivot(index="method", columns="statistic", values="text")
    first = rows.groupby("statistic").first()
    heads = {"Estimate": first["estimate"].map(number), "Images": first["n"].map("{:,}".format)}
    shown = pd.concat([pd.DataFrame(heads).T, ends.loc[methods].fillna(DASH)])[statistics]
    return shown.rename(columns=STATISTIC_NAMES).rename_axis("").reset_index()


def _every_class(bounds: pd.DataFrame) -> pd.DataFrame:
    """Each class against the rest: estimates with their intervals."""
    sizes = bounds["size", "estimate"].astype(int)
    shown = {"Class": bounds.index, "Images": sizes.map("{:,}".format)}
    for key in SHOWN:  # a line ends before an interval, not within
        texts = [_text(*ends).replace("–", "\u2060–\u2060") for ends in bounds[key].to_numpy()]
        shown[STATISTIC_NAMES[key]] = texts
    return pd.DataFrame(shown)


def _prevalences(point: dict, prevalence: float | None) -> pd.DataFrame | None:
    """PPV, NPV, false alarms and whole people over the prevalence."""
    test, rates = point["prevalence"], (point["sensitivity"], point["specificity"])
    if np.isnan(rates).any():
        return None
    shares = sorted({*PREVALENCES, prevalence or test, test} - {0.0, 1.0})
    rows = at_prevalences(*rates, shares)
    notes = np.where(rows["prevalence"] == test, " (test set)", "")
    shown = {"Prevalence": rows["prevalence"].map(lambda x: f"{100 * x:.3g} %") + notes}
    shown |= {"PPV": rows["ppv"].map(number), "NPV": rows["npv"].map(number)}
    shown["False alarms per true positive"] = [number(value, 1) for value in rows["alarms"]]
    heads = ["Of 1,000: found", "missed", "false alarms", "rightly left alone"]
    people = [metrics.natural_frequencies(*rates, share).values() for share in shares]
    return pd.DataFrame(shown).join(pd.DataFrame(people, columns=heads))


def _calibration(measured: Measures) -> pd.DataFrame:
    """Brier score, its skill and the calibration errors beside what true probabilities give."""
    frame, cls, brier = measured.found.frame, measured.found.positive, measured.brier
    rows = [(f"Brier {name}", _text(*brier.loc[row]), "") for name, row in BRIER.items()]
    for by, value in measured.ece.items():
        mean, high = calibration.chance_ece(frame, cls, by=by)
        true = f"{number(mean)} on average, {number(high)} in 5 of 100"
        rows.append((f"ECE, 10 bins of equal {by}", number(value), true))
    heads = ["Measure", "Value (95 % interval)", "If the probabilities were true"]
    return pd.DataFrame(rows, columns=heads)


def _surest_errors(found: Predictions, most: int = 10) -> pd.DataFrame | None:
    """The images called wrongly with the highest probability."""
    p = found.frame.filter(regex="^p_").set_axis(found.classes, axis=1)
    shown = pd.DataFrame({"Image": found.ids, "Is": found.frame["y_true"].astype(object)})
    shown["Called"], shown["Probability"] = p.idxmax(axis=1), p.max(axis=1)
    wrong = shown[shown["Is"] != shown["Called"]]
    wrong = wrong.sort_values("Probability", ascending=False, kind="stable")[:most]
    wrong["Probability"] = wrong["Probability"].map(number)
    return None if wrong.empty or found.ids is None else wrong


def figures(measured: Measures) -> dict[str, dict | None]:
    """The figures of the page; None for what needs images of both sides, or fewer classes."""
    found, point, share = measured.found, measured.point, measured.share
    drawn, short = _shortened(found)
    lines = None if 2 < len(found.classes) <= 7 else [short]  # of two classes either says all
    curves = {f"Bins of equal {by}": table for by, table in measured.reliability.items()}
    made: dict[str, dict | None] = dict.fromkeys(["confusion", "prevalences", "people", "benefit"])
    made["roc"] = _picture(plots.roc_curves, drawn, lines)
    made["reliability"] = _picture(plots.reliability, curves, what=short)
    if len(found.classes) <= 12:
        made["confusion"] = _picture(plots.confusion, metrics.confusion(drawn))
    rates = point["sensitivity"], point["specificity"]
    if np.isnan(rates).any():
        return made
    marks = {"Test set": point["prevalence"], "Prevalence asked for": measured.prevalence or 0}
    marks = {name: value for name, value in marks.items() if 0.001 <= value <= 0.5}
    points = {f"{short} at {measured.threshold:g}": rates}
    thresholds = np.geomspace(0.001, 0.99, 120)
    benefit = calibration.net_benefit(found.frame, found.positive, thresholds, measured.prevalence)
    made["prevalences"] = _picture(plots.predictive_values, points, marks)
    made["people"] = _picture(plots.people, metrics.natural_frequencies(*rates, share))
    made["benefit"] = _picture(plots.decision_curve, {short: benefit})
    return made


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
    """The predictions and the positive class with names that fit a figure, numbered if one is long,
    has letters for no figure, or is another's; whole names stand in the tables.
    """
    names = [printable(name[:24]) for name in found.classes]
    if names != found.classes or len({*map(plots.label, names)}) < len(names):
        names = [f"{name} ({k})" for k, name in enumerate(names, 1)]
    # a legend leaves out what begins with _
    names = [f"“{name}”" if name.startswith("_") else name for name in names]
    new = dict(zip(found.classes, names, strict=True))
    made = found.frame.rename(columns={f"p_{name}": f"p_{short}" for name, short in new.items()})
    return made.assign(y_true=made["y_true"].map(new)), new[found.positive]

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
from cxrlib.evaluate.measures import STATISTIC_NAMES, Measures
from cxrlib.formatting import number, with_interval
from cxrlib.metrics.bootstrap import REPLICATES

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
)
PREVALENCES = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]


def page(measured: Measures, name: str = "predictions.csv") -> str:
    """The whole report on what was measured of the file ``name``."""
    found = measured.found
    return TEMPLATES.get_template("report.html").render(
        name=name,
        found=found,
        measured=measured,
        sizes=found.frame["y_true"].value_counts(),
        patients=found.frame["patient_id"].nunique(),
        point=measured.point,
        rates=_rates(pd.concat([measured.rates, measured.brier])),
        classes=_every_class(measured.classes),
        prevalences=_prevalences(measured),
        figures=_figures(measured),
        replicates=REPLICATES,
        version=__version__,
        number=number,
    )


def in_words(value: float, low: float, high: float) -> str:
    """``0.853 (0.812–0.889)``; a dash for what cannot be computed."""
    return number(value) if np.isnan(low) else with_interval(value, low, high)


def _rates(rows: pd.DataFrame) -> pd.DataFrame:
    """The statistics of the positive class, a row each."""
    texts = [in_words(*row) for row in rows.to_numpy()]
    return pd.DataFrame({"Measure": rows.index.map(STATISTIC_NAMES), "Value": texts})


def _every_class(bounds: pd.DataFrame) -> pd.DataFrame:
    """Each class against the rest: estimates with their intervals."""
    sizes = bounds["size", "estimate"].astype(int)
    shown = {"Class": bounds.index, "Images": sizes.map("{:,}".format)}
    for key in [key for key in metrics.METRICS if key in STATISTIC_NAMES]:
        # a line ends before an interval, not within
        texts = [in_words(*ends).replace("–", "\u2060–\u2060") for ends in bounds[key].to_numpy()]
        shown[STATISTIC_NAMES[key]] = texts
    return pd.DataFrame(shown)


def _prevalences(measured: Measures) -> pd.DataFrame:
    """PPV, NPV and false alarms over the prevalence."""
    rows, test = [], measured.point["prevalence"]
    for share in sorted({*PREVALENCES, measured.share, test} - {0.0, 1.0}):
        ppv, npv = measured.at(share)
        alarms = number((1 - ppv) / ppv if ppv else np.inf, 1)
        where = " (test set)" if share == test else ""
        rows.append([f"{100 * share:.3g} %{where}", number(ppv), number(npv), alarms])
    heads = ["Prevalence", "PPV", "NPV", "False alarms per true positive"]
    return pd.DataFrame(rows, columns=heads)


def _figures(measured: Measures) -> dict[str, dict]:
    """The figures of the page."""
    found, cls = measured.found, measured.found.positive
    lines = None if 2 < len(found.classes) <= 7 else [cls]  # of two classes either says all
    bins = {cls: metrics.reliability(found.frame, cls)}
    made = {
        "roc": picture(plots.roc_curves, found.frame, lines),
        "reliability": picture(plots.reliability, bins, what=cls),
    }
    if len(found.classes) <= 12:
        made["confusion"] = picture(plots.confusion, metrics.confusion(found.frame))
    return made


def picture(draw, *arguments, **options) -> dict:
    """What ``draw`` draws, as a picture within the page; names are no formulas."""
    with plots.style(formulas=False), warnings.catch_warnings():
        # a square stands there; the tables have the letters
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        drawn = draw(*arguments, **options).figure
        file = io.BytesIO()
        drawn.savefig(file, format="png", dpi=150, facecolor="white")
        plt.close(drawn)
    text = base64.b64encode(file.getvalue()).decode()
    return {"source": f"data:image/png;base64,{text}", "width": int(drawn.get_figwidth() * 100)}

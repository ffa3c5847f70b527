"""The page of ``cxr evaluate``: one self-contained HTML file, figures inside, no script. Everything
from the file of predictions is escaped.
"""

from __future__ import annotations

import base64
import io
import warnings
from html import escape

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from cxrlib import __version__, evaluate, metrics, plots
from cxrlib.evaluate.measures import STATISTIC_NAMES, Measures
from cxrlib.evaluate.reading import Predictions
from cxrlib.files import isolated, printable
from cxrlib.formatting import interval, number, with_interval
from cxrlib.metrics import calibration
from cxrlib.metrics.bootstrap import REPLICATES

CSS = """
:root {
  color-scheme: light dark;
  --ink: #1a1a1a;
  --paper: #fff;
  --line: #d5d5d5;
  --soft: #f4f4f4;
  --quiet: #555;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #181a1b; --line: #444; --soft: #24272a; --quiet: #aaa; }
}
* { box-sizing: border-box; }
body {
  margin: 0;
  background: var(--paper);
  color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif;
  overflow-wrap: anywhere;
}
main { max-width: 52rem; margin: 0 auto; padding: 1.2rem; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { margin-top: 2.4rem; font-size: 1.25rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
caption { text-align: left; color: var(--quiet); padding-bottom: .3rem; }
th, td {
  padding: .3rem .6rem;
  border-bottom: 1px solid var(--line);
  text-align: right;
  white-space: nowrap;
}
.words td { white-space: normal; min-width: 6rem; }
.two td { white-space: normal; min-width: 6.2rem; padding: .3rem .4rem; }
.two td:nth-child(2) { min-width: 3rem; }
th { background: var(--soft); font-weight: 600; }
thead th { white-space: normal; min-width: 4rem; overflow-wrap: break-word; }
td:first-child, th:first-child {
  text-align: left;
  white-space: normal;
  min-width: 6.5rem;
  max-width: 20rem;
}
figure { margin: 1.2rem 0; }
img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
figcaption, .quiet { color: var(--quiet); font-size: .9rem; }
.note { border-left: 4px solid #E69F00; padding: .2rem .9rem; background: var(--soft); }
.wide {
  background: linear-gradient(to left, var(--paper) 30%, transparent)
    right / 2rem 100% no-repeat local,
    linear-gradient(to left, #8889, transparent) right / .7rem 100% no-repeat scroll;
}
@media (max-width: 600px) {
  figure .wide::before {
    content: "Scroll sideways for the whole figure.";
    position: sticky;
    left: 0;
    display: block;
    width: max-content;
    color: var(--quiet);
    font-size: .8rem;
  }
  figure img { max-width: none; width: 34rem; }
}
@media print {
  :root { --ink: #000; --paper: #fff; --line: #999; --soft: #eee; --quiet: #333; }
  main { max-width: none; padding: 0; }
  figure, tr { break-inside: avoid; }
  h2 { break-after: avoid; }
  .wide { overflow: visible; }
}
"""


def table(frame: pd.DataFrame, caption: str = "", *, kind: str = "") -> str:
    """A table that scrolls inside itself, of a ``kind`` that the style sheet knows; every cell and
    head is escaped.
    """
    made = frame.to_html(index=False, border=0, escape=True, na_rep="–")
    made = (
        made.replace("<thead>", f"<caption>{escape(caption)}</caption><thead>", 1)
        if caption
        else made
    )
    return (
        f'<div class="wide {kind}" tabindex="0" role="region"'
        f' aria-label="{escape(caption or "Table")}">{made}</div>'
    )


def figure(draw, alt: str, caption: str) -> str:
    """What ``draw`` draws, as a picture within the page; names are no formulas."""
    with plots.style(formulas=False):
        drawn = np.ravel(draw())[0].figure
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "Glyph .* missing from"
            )  # a square stands there; the tables have the letters
            drawn.savefig(buffer, format="png", dpi=150, facecolor="white")
        width = int(drawn.get_figwidth() * 100)
        plt.close(drawn)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        '<figure><div class="wide" tabindex="0" role="region" aria-label="Figure"><img'
        f' width="{width}" alt="{escape(alt)}"'
        f' src="data:image/png;base64,{data}"></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def text(value: float, low: float = np.nan, high: float = np.nan) -> str:
    """``0.853 (0.812–0.889)``; a dash for what cannot be computed."""
    return number(value) if np.isnan(low) else with_interval(value, (low, high))


def by_method(rows: pd.DataFrame) -> str:
    """The statistics at the threshold, a column each, and their intervals, a row for each
    method.
    """
    names = rows["statistic"].unique()
    cells = rows.assign(cell=[interval(row.low, row.high) for row in rows.itertuples()]).pivot(
        index="method", columns="statistic", values="cell"
    )
    cells = cells.reindex(index=rows["method"].unique(), columns=names).fillna("–")
    first = rows.drop_duplicates("statistic").set_index("statistic").loc[names]
    head = pd.DataFrame(
        [[number(value) for value in first["estimate"]], [f"{n:,}" for n in first["n"]]],
        ["Estimate", "Images"],
        names,
    )
    shown = (
        pd.concat([head, cells])
        .rename(columns=STATISTIC_NAMES)
        .rename_axis("", axis=0)
        .reset_index()
    )
    return table(shown.rename_axis(None, axis=1), "95 % intervals by every method")


def per_class(cells: pd.DataFrame, bounds: pd.DataFrame) -> str:
    """Each class against the rest: estimates with their intervals."""
    names = ["recall", "precision", "specificity", "f1", "auc"]
    rows = [
        (
            name,
            f"{cells.loc[name, 'size']:,}",
            *(
                text(
                    cells.loc[name, key], *bounds.loc[name, [(key, "low"), (key, "high")]]
                ).replace("–", "\N{WORD JOINER}–\N{WORD JOINER}")
                for key in names  # so that a line ends before an interval, not within
            ),
        )
        for name in cells.index
    ]
    return table(
        pd.DataFrame(
            rows, columns=["Class", "Images", *(STATISTIC_NAMES.get(key, key) for key in names)]
        ),
        "Each class against the rest, called where most probable",
        kind="two",  # lines: intervals below their estimates
    )


def at_prevalences(point: dict, prevalence: float | None) -> str:
    """PPV, NPV, false alarms and whole people over the prevalence."""
    shares = sorted(
        {*evaluate.PREVALENCES, *([prevalence] if prevalence else []), point["prevalence"]}
        - {0.0, 1.0}
    )
    rows = evaluate.at_prevalences(point["sensitivity"], point["specificity"], shares)
    whole = {name: [number(value, 0) for value in rows[name]] for name in ("TP", "FN", "FP", "TN")}
    shown = pd.DataFrame(
        {
            "Prevalence": [
                f"{100 * value:.3g} %" + (" (test set)" if value == point["prevalence"] else "")
                for value in shares
            ],
            "PPV": rows["ppv"].map(number),
            "NPV": rows["npv"].map(number),
            "False alarms per true positive": rows["alarms"].map(lambda value: number(value, 1)),
            "Of 1,000: found": whole["TP"],
            "missed": whole["FN"],
            "false alarms": whole["FP"],
            "rightly left alone": whole["TN"],
        }
    )
    return table(
        shown,
        "The same test among other patients: sensitivity and specificity kept, prevalence changed",
    )


def wrong(found: Predictions, most: int = 10) -> str:
    """The images called wrongly with the highest probability."""
    frame = found.frame
    p = frame[[f"p_{name}" for name in found.classes]].to_numpy()
    guess = p.argmax(axis=1)
    score = np.where(
        np.array(found.classes, object)[guess] == frame["y_true"].to_numpy(), -1.0, p.max(axis=1)
    )
    rows = [row for row in np.argsort(-score, kind="stable")[:most] if score[row] >= 0]
    if not rows or found.ids is None:
        return ""
    names = [found.ids.iloc[row] for row in rows]
    shown = pd.DataFrame(
        {
            "Image": names,
            "Is": [frame["y_true"].iloc[row] for row in rows],
            "Called": [found.classes[guess[row]] for row in rows],
        }
    )
    return "<h2>Surest errors</h2>" + table(
        shown.assign(Probability=[number(score[row]) for row in rows]),
        "Images called wrongly, by the probability of the class called",
        kind="words",
    )


def shortened(found: Predictions) -> tuple[pd.DataFrame, str]:
    """The predictions and the positive class with names that fit a figure; whole names stand in the
    tables.
    """
    names, labels = {}, [plots.label(name) for name in found.classes]
    for k, name in enumerate(found.classes, 1):
        short = printable(name if len(name) <= 30 else f"{name[:24]}… ({k})")
        short = f"“{short}”" if short.startswith("_") else short  # which a legend would leave out
        names[name] = (
            f"{short} ({k})"
            if labels.count(plots.label(name)) > 1 or short in names.values()
            else short
        )
    made = found.frame.rename(columns={f"p_{name}": f"p_{short}" for name, short in names.items()})
    return made.assign(y_true=made["y_true"].map(names)), names[found.positive]


def page(measured: Measures, name: str = "predictions.csv") -> str:
    """The whole report on what was measured of the file ``name``."""
    found, threshold, prevalence, point = (
        measured.found,
        measured.threshold,
        measured.prevalence,
        measured.point,
    )
    frame, cls, (drawn, short) = found.frame, found.positive, shortened(found)
    share = point["prevalence"] if prevalence is None else prevalence
    counts, shown = (
        "; ".join(
            f"{isolated(each)} {(frame['y_true'] == each).sum():,}" for each in found.classes
        ),
        isolated(cls),
    )
    known = not np.isnan([point["sensitivity"], point["specificity"]]).any()
    at = f"{100 * share:.3g} %" + (" (the test set's)" if prevalence is None else "")
    say = lambda *lines: "".join(f"<p>{escape(line)}</p>" for line in lines)  # noqa: E731
    body = [f"<h1>Predictions in {escape(isolated(name))}</h1>"]
    body.append(
        say(
            f"{len(frame):,} images of {frame['patient_id'].nunique():,} patients. Classes:"
            f" {counts}. The positive class is “{shown}”, called where its probability is"
            f" {threshold:g} or more."
        )
    )
    body += [f'<p class="note">{escape(note)}</p>' for note in found.notes]
    body.append(
        '<p class="note">This report is about research. It is not a medical device, and nothing in'
        " it may guide the care of a patient.</p>"
    )
    body.append(f"<h2>{escape(shown)} against the rest</h2>")
    body.append(
        say(
            f"Of {point['TP'] + point['FN']:,} positive images {point['TP']:,} are called; of"
            f" {point['FP'] + point['TN']:,} negative ones {point['FP']:,}. Accuracy"
            f" {number(point['accuracy'])}; always answering the commoner side would reach"
            f" {number(point['null_accuracy'])}."
        )
    )
    body.append(by_method(measured.compared))
    body.append(
        say(
            "Images of one patient are alike, so the methods over images are too narrow where"
            " patients have several; Wilson's over patients is as if a patient's images all said"
            f" the same. The bootstrap draws patients anew {REPLICATES:,} times, within classes. It"
            " shows a dash where it cannot tell: an estimate of exactly 0 or 1 no resample"
            " changes, and fewer than four patients are too few to draw from. Of a share of 0 or 1"
            " Wilson's interval counts each patient once."
        )
    )
    lines = None if 2 < len(found.classes) <= 7 else [short]  # of two classes either curve says all
    body.append(
        figure(
            lambda: plots.roc_curves(drawn, lines),
            "ROC curves, one for each class; the areas are in the table above or below.",
            "ROC curves of each class against the rest.",
        )
    )
    body += ["<h2>Every class</h2>", per_class(measured.cells, measured.bounds)]
    body.append(
        say(
            "Intervals from patients drawn anew; where that cannot tell, Wilson's over patients for"
            " a share, none for the rest. An average's is too narrow where a class has exactly 0 or"
            " 1: that is taken for certain."
        )
    )
    if len(found.classes) <= 12:
        body.append(
            figure(
                lambda: plots.confusion(metrics.confusion(drawn)),
                "Confusion matrix: rows true class, columns called class.",
                "Confusion matrix, called where most probable: counts, and shares of the row.",
            )
        )
    body.append("<h2>At another prevalence</h2>")
    if known:
        marks = {"Test set": point["prevalence"]} | (
            {"Prevalence asked for": prevalence} if prevalence else {}
        )
        body.append(at_prevalences(point, prevalence))
        body.append(
            say(
                "This holds for patients like those tested. Among others, with milder disease or"
                " other diseases, sensitivity and specificity change too."
            )
        )
        points = {f"{short} at {threshold:g}": (point["sensitivity"], point["specificity"])}
        body.append(
            figure(
                lambda: plots.predictive_values(
                    points, {key: value for key, value in marks.items() if 0.001 <= value <= 0.5}
                ),
                "Two line charts over the prevalence: PPV, and false alarms per true positive; the"
                " numbers are in the table above.",
                "PPV and false alarms over the prevalence.",
            )
        )
        cells = metrics.natural_frequencies(point["sensitivity"], point["specificity"], share)
        body.append(
            figure(
                lambda: plots.people(cells),
                "A thousand marks, one per person, by what the test says and what is true; the"
                " numbers are in the legend.",
                f"1,000 people, prevalence {at}.",
            )
        )
    else:
        body.append(say("Needs images of both sides."))
    body.append("<h2>Calibration</h2>")
    brier = measured.brier
    chance = {by: calibration.chance_ece(frame, cls, by=by) for by in ("width", "count")}
    rows = [
        ("Brier score", text(*brier[["brier", "low", "high"]]), ""),
        ("Brier skill", text(*brier[["skill", "skill_low", "skill_high"]]), ""),
    ]
    rows += [
        (
            f"ECE, 10 bins of equal {by}",
            number(measured.ece[by]),
            f"{number(chance[by][0])} on average, {number(chance[by][1])} in 5 of 100",
        )
        for by in chance
    ]
    body.append(
        table(
            pd.DataFrame(
                rows, columns=["Measure", "Value (95 % interval)", "If the probabilities were true"]
            ),
            f"Probability of {shown}",
        )
    )
    body.append(
        say(
            "Brier: mean squared distance from 0 or 1. Skill: 1 less its ratio to that of always"
            " saying the share of positives; below 0 is worse than that. ECE: mean distance of a"
            " bin's share of positives from its mean probability, above 0 by chance even for true"
            " probabilities."
        )
    )
    curves = {f"Bins of equal {by}": table for by, table in measured.reliability.items()}
    body.append(
        figure(
            lambda: plots.reliability(curves, what=short),
            "Share of positives against mean probability, by bins, with intervals, and the diagonal"
            " of true probabilities.",
            "Reliability. Intervals: Wilson's, as if a patient's images all said the same.",
        )
    )
    if known:
        benefit = calibration.net_benefit(frame, cls, np.geomspace(0.001, 0.99, 120), prevalence)
        body.append("<h2>Decision curve</h2>")
        body.append(
            figure(
                lambda: plots.decision_curve({short: benefit}),
                "Net benefit over the threshold probability with its interval, beside calling"
                " everybody and nobody positive.",
                f"Net benefit at a prevalence of {at}. To act at a threshold t is to hold that"
                " missing one ill person weighs (1 − t)/t times acting on one who is well.",
            )
        )
        if prevalence is None:
            body.append(
                say(
                    "The share of positives in a test set is its design. A net benefit at it is no"
                    " clinic's; give the clinic's prevalence with --prevalence."
                )
            )
    body.append(wrong(found))
    body.append(
        f'<p class="quiet">Made by cxr {escape(__version__)} evaluate; seed 0. Formulas and sources'
        " stand in cxrlib: metrics, intervals, resamples, calibration.</p>"
    )
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}"><meta'
        ' name="viewport" content="width=device-width, initial-scale=1">'
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}<title>Predictions in'
        f" {escape(name)}</title><style>{CSS}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )

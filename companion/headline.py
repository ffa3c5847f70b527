"""The headline numbers of README and first page: what each study printed, what came out, and one
figure of all of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from companion import ledger, studies
from companion.clone import between_marks, clone_folder, filled
from companion.studies.printed import texts
from cxrlib import formatting, metrics
from cxrlib.data import radiographs
from cxrlib.files import write_text
from cxrlib.metrics.bootstrap import Resamples

STUDY_A = "Study A"
# by model: name of each number, and its metric of cxrlib.metrics.rates.per_class
MEASURES = texts("heads")["measures"]
FOUR, TWO = MEASURES
RUNS = {FOUR: ("zhu-fourclass", "Table 4.2"), TWO: ("zhu-binary", "Table 4.1")}


def numbers() -> list[dict]:
    """Every headline number that is recorded, one row each: ``model``, ``title``, ``said`` (as
    printed), ``rebuilt``, ``low`` and ``high`` (95 % interval), and ``again``, the values of the
    re-draws.
    """
    return [row for model in RUNS for row in study_b(model)] + study_a()


def study_b(model: str) -> list[dict]:
    """The rows of one of Study B's models."""
    name, table = RUNS[model]
    if not studies.recorded(name):
        return []
    predictions, redraws = studies.run(name).predictions, studies.family(f"{name}-redraws")[0]
    rates, bounds = metrics.per_class(predictions), metrics.bootstrap_by_patient(predictions)
    redrawn = [metrics.per_class(other.predictions) for other in redraws]
    titles, cells = list(MEASURES[model]), list(MEASURES[model].values())
    again = [[other.loc[*cell.split(".")] for other in redrawn] for cell in cells]
    rows = ledger.compare(studies.printed("zhu2020", table), rates, bounds)
    rows = rows.set_index("metric").loc[cells].rename(columns={"printed": "said"})
    return rows.assign(model=model, title=titles, again=again).to_dict("records")


def study_a() -> list[dict]:
    """The rows of Study A: its AUC, and its specificity at the sensitivity that it prints. The
    threshold that gives this sensitivity is chosen on the test images.
    """
    ids = [f"azemin-3-{name}" for name in ("auc", "specificity", "sensitivity")]
    rows = ledger.claims(ids).set_index("id").loc[ids]
    records, sensitivity = rows["records"].iloc[0], rows.iloc[2]
    if not records:
        return []
    predictions, wanted = studies.run(records[0]).predictions, float(sensitivity["printed"]) / 100
    curve = metrics.roc(predictions, "covid")
    threshold = curve.loc[curve["tpr"] >= wanted, "threshold"].max()
    point = metrics.operating_point(predictions, "covid", threshold)["specificity"]
    found = [point, *specificity_interval(predictions, wanted)]
    rows.loc[ids[1], ["rebuilt", "low", "high"]] = found
    titles = ["AUC", f"Specificity at a sensitivity of {sensitivity['said']}"]
    return rows[:2].assign(model=STUDY_A, title=titles, again=[[], []]).to_dict("records")


def specificity_interval(predictions: pd.DataFrame, sensitivity: float) -> tuple[float, float]:
    """The 95 % interval of the specificity at a sensitivity, whose threshold is chosen again in
    each resample of patients within classes.
    """
    ordered = predictions.sort_values("p_covid", ascending=False)
    ill = (ordered["y_true"] == "covid").to_numpy()
    resamples, found = Resamples(ordered["patient_id"], ill.astype(int)), []
    for counts in resamples.counts.T:
        weight = counts[resamples.patient].astype(float)  # how often each image is drawn
        reached = np.cumsum(weight * ill) >= sensitivity * (weight * ill).sum()
        called = np.cumsum(weight * ~ill)[reached.argmax()]
        found.append(1 - called / (weight * ~ill).sum())
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def facts() -> dict:
    """What README's table and the first page are filled with: the names of the models (``four``,
    ``two``, ``a``); :func:`numbers` in words, as ``rows`` and ``by`` model and title; ``stand_in``,
    whether Study A is compared by a stand-in, and if so the ``areas`` of all its runs, that of the
    headline first; and :func:`circumstances`.
    """
    found: dict = {"four": FOUR, "two": TWO, "a": STUDY_A, "rows": [], "by": {}}
    found["stand_in"] = not studies.recorded(studies.AZEMIN_ADJUDICATED.name)
    if found["stand_in"] and studies.recorded(name := studies.AZEMIN_STANDIN.name):
        runs = [studies.run(name), *studies.family(f"{name}-variants")[0]]
        found["areas"] = [metrics.per_class(x.predictions).loc["covid", "auc"] for x in runs]
    for row in numbers():
        found["rows"].append(shown := in_words(row))
        found["by"][row["model"], row["title"].partition(" at ")[0]] = shown
    return found | (circumstances() if studies.recorded("zhu-fourclass") else {})


def in_words(row: dict) -> dict[str, str]:
    """A row of :func:`numbers` for a table; in per cent where it was printed so."""
    again, percent = row["again"] or [np.nan], row["said"].endswith("%")
    number, *ends = (row[key] * (100 if percent else 1) for key in ("rebuilt", "low", "high"))
    digits = 1 if percent else 3
    return row | {
        "printed": row["said"],
        "rebuilt": f"{number:.{digits}f}" + " %" * percent,
        "interval": formatting.interval(*ends, decimals=digits),
        "range": formatting.interval(min(again), max(again)),
    }


def circumstances() -> dict:
    """What the sentences under the tables need: test images, patients, what was missing, and what
    the frame alone gives away.
    """
    record, frame = studies.run("zhu-fourclass"), "zhu-fourclass-shown/frame"
    lost = record.split[record.split["missing"]]
    found = {
        "images": record.info["metrics"]["images"],
        "patients": record.info["metrics"]["patients"],
        "lost": len(lost),
        "lost_of_test": int((lost["split"] == "test").sum()),
        "redraws": len(studies.family("zhu-fourclass-redraws")[0]),
        "replicates": f"{metrics.REPLICATES:,}",
        "frame": f"{100 * radiographs.FRAME:g}",
        "covid": metrics.confusion(record.predictions).loc["covid"].to_dict(),
    }
    if studies.recorded("zhu-binary"):
        two = metrics.overall(studies.run("zhu-binary").predictions)
        found["two_wrong"], found["two_images"] = two["images"] - two["correct"], two["images"]
    if studies.recorded(frame):
        matrix = metrics.confusion(studies.run(frame).predictions)
        found["framed"] = {"ill": matrix.loc["covid"], "others": matrix.drop("covid").sum()}
    return found


def readme(file: Path = Path("README.md")) -> None:
    """Rewrite the headline table in README.md from the records.

    file: the README (default README.md)
    """
    made = filled(clone_folder() / "book" / "_headline.md.jinja", facts())
    write_text(file, between_marks(file, "headline", made))

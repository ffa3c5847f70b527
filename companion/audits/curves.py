"""How much of a result is left as the lungs go: what the audits' tables of probabilities say, and
the figure of the first page.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from companion import studies
from companion.audits import record
from companion.audits.pictures import ARMS
from cxrlib import metrics, plots
from cxrlib.data import radiographs
from cxrlib.metrics import intervals

MODELS = {  # what a probe was made for: its name, and its colour (Okabe and Ito)
    studies.ZHU_BINARY.name: ("Study B, two classes", "#0072B2"),
    studies.ZHU_FOURCLASS.name: ("Study B, four classes", "#E69F00"),
    studies.AZEMIN_STANDIN.name: ("Study A, by a stand-in", "#CC79A7"),
}
BINARY, FOURCLASS, STANDIN = MODELS
AXES = {"lungs": "Lungs left in the picture (median, %)", "size": "Side of the square (%)"}
FINETUNED = ("blackout", "one-pipeline", "permuted-labels")  # curves of results/audits/finetuned
CHANCE = "0.45"  # the grey of what knows nothing


def against_rest(rows: pd.DataFrame, ill: pd.Series | None = None) -> pd.DataFrame:
    """Predictions of COVID-19 against the rest, as cxrlib takes them, from rows of ``p_covid`` and
    whether each image shows it, ``ill``; by default by its label, or by opacity's, which stands for
    it where the stand-in is trained.
    """
    ill = rows["y_true"].isin({"covid", "opacity"}) if ill is None else ill
    table = rows[["image_id", "patient_id", "p_covid"]].assign(p_other=1 - rows["p_covid"])
    return table.assign(y_true=ill.map({True: "covid", False: "other"}), source="", split="test")


def measured(
    table: pd.DataFrame, by: Sequence[str], level: float = 0.95, threshold: float = 0.5
) -> pd.DataFrame:
    """What each group of rows of a table of probabilities says of COVID-19, a row each.

    ``table`` has a row per image and the columns ``by``, ``image_id``, ``patient_id``, ``y_true``
    and ``p_covid``. Columns: ``auc`` with ``low`` and ``high``, DeLong's interval over patients;
    ``found`` ``of`` the COVID-19 images at a probability of ``threshold`` or more, and ``taken`` of
    the ``others``.
    """
    rows = []
    for key, group in table.groupby(list(by), sort=False):
        rest = against_rest(group)
        auc = intervals.auc_interval(rest, "covid", level)
        point = metrics.operating_point(rest, "covid", threshold)
        found, taken = point["TP"], point["FP"]
        rows.append([*key, *auc, found, found + point["FN"], taken, taken + point["TN"]])
    heads = ["auc", "low", "high", "found", "of", "taken", "others"]
    return pd.DataFrame(rows, columns=[*by, *heads])


def over_draws(found: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The rows of :func:`measured` with the draws of a training taken together.

    ``auc`` is their mean, ``least`` and ``most`` the lowest and highest of them, ``low`` the lowest
    and ``high`` the highest end of their intervals over patients; an area of 1 has none and counts
    as 1. Counts are sums.
    """
    ends = found.assign(**{end: found[end].fillna(found["auc"]) for end in ("low", "high")})
    how = {"auc": ("auc", "mean"), "least": ("auc", "min"), "most": ("auc", "max")}
    how |= {"low": ("low", "min"), "high": ("high", "max"), "draws": ("auc", "size")}
    how |= {name: (name, "sum") for name in ("found", "of", "taken", "others")}
    return ends.groupby(list(by), sort=False).agg(**how).reset_index()


def blackout(level: float = 0.95, threshold: float = 0.5) -> pd.DataFrame:
    """The probes' curves, and the networks fine-tuned to their end: :func:`over_draws` by
    ``model``, ``how`` (``probe`` or ``fine-tuned``), ``arm`` and ``size``, with ``lungs``, the
    median share of the lungs left in the COVID-19 test images that have a mask or a box.
    """
    _, tables = record.read("blackout-probes")
    by = ["model", "how", "arm", "size", "draw"]
    parts = [tables[name].assign(model=name, how="probe") for name in MODELS]
    for network in (finetuned("blackout"), finetuned("permuted-labels"), *_shown()):
        parts.append(network.assign(model=BINARY, how="fine-tuned"))
    found = pd.concat([measured(part, by, level, threshold) for part in parts])
    found = over_draws(found, by[:-1]).merge(_left(tables), "left", ["model", "arm", "size"])
    found.loc[found["arm"] == "unchanged", "lungs"] = 1.0
    return found


def finetuned(audit: str) -> pd.DataFrame:
    """Test predictions of the networks trained for an audit, those alone that trained to the end of
    their schedule, as ``arm, size, draw, image_id, patient_id, y_true, p_covid``.
    """
    file = record.folder("finetuned") / audit / "predictions.csv.gz"
    ended = runs(audit).query("finished")[["arm", "size", "seed"]]
    return pd.read_csv(file, dtype=record.NAMES).merge(ended).rename(columns={"seed": "draw"})


def _shown() -> list[pd.DataFrame]:
    """The recorded runs on the frame alone and without it, which are points of the two curves."""
    size = round(1 - 2 * radiographs.FRAME, 6)
    arms = {f"{BINARY}-shown/frame": "square-black", f"{BINARY}-shown/centre": "rest-black"}
    family, _ = studies.family(f"{BINARY}-shown")
    named = {"size": size, "draw": "recorded"}
    return [run.predictions.assign(arm=arms[run.name], **named) for run in family]


def runs(audit: str) -> pd.DataFrame:
    """The trainings of a curve, a row each; not ``finished`` are those that the clock stopped."""
    file = record.folder("finetuned") / audit / "run.json"
    return pd.DataFrame(json.loads(file.read_text(encoding="utf-8"))["runs"])


def _left(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Median share of the lungs that is left, ``lungs``, by ``model``, ``arm`` and ``size``."""
    columns, found = {arm.replace("-", "_"): arm for arm in ARMS}, {}
    for name in MODELS:
        covid = tables[name]["y_true"] == "covid"
        known = tables["lung-left"]["image_id"].isin(tables[name].loc[covid, "image_id"])
        median = tables["lung-left"][known].groupby("size")[[*columns]].median()
        found[name] = median.rename(columns=columns).stack()
    return pd.concat(found, names=["model", "size", "arm"]).rename("lungs").reset_index()


def draw(curves: pd.DataFrame, arm: str, ax: plt.Axes, x: str = "lungs") -> None:
    """The curves of an arm against the share of ``lungs`` left, or the ``size`` of the square.

    Lines go through the mean AUC of the probes' draws, with a band from the lowest to the highest
    end of their intervals; points are fine-tuned networks. Also drawn: what permuted labels give,
    and chance.
    """
    chance = curves[curves["arm"] == "permuted-labels"]
    ax.axhspan(chance["least"].min(), chance["most"].max(), color="0.92", zorder=0)
    ax.axhline(0.5, color=CHANCE, linestyle=":", zorder=1)
    for name, (label, color) in MODELS.items():
        of = curves[(curves["model"] == name) & curves["arm"].isin([arm, "unchanged"])]
        if x == "size" and arm == "rest-black":  # unchanged: all of the picture is left
            of = of.assign(size=of["size"].where(of["arm"] == arm, 1.0))
        line = of[of["how"] == "probe"].sort_values(x)
        ax.plot(100 * line[x], line["auc"], color=color, label=label, marker=".")
        ax.fill_between(100 * line[x], line["low"], line["high"], color=color, alpha=0.15)
        points = of[of["how"] == "fine-tuned"]
        if len(points):
            mark = {"marker": "D", "facecolors": "none", "edgecolors": color, "zorder": 4}
            ax.scatter(100 * points[x], points["auc"], label=f"{label}, fine-tuned", **mark)
    ax.set(xlim=(103, -3) if x == "lungs" else (-3, 103), ylim=(0.15, 1.02), title=ARMS[arm])
    ax.set_xlabel(AXES[x])


def hero(file: Path) -> None:
    """Draw how much of the result is left as the lungs go into an SVG file; empty axes where that
    is not recorded.
    """
    with plots.style(), plt.rc_context({"svg.hashsalt": "cxr", "svg.fonttype": "path"}):
        fig, ax = plt.subplots(figsize=(7, 4.2))
        if (record.folder("blackout-probes") / "run.json").is_file():
            draw(blackout(), "square-black", ax)
            ax.legend(loc="center left", bbox_to_anchor=(0.02, 0.52), frameon=False)
        ax.set(title="", ylabel="AUC of COVID-19 against the rest")
        fig.savefig(file, metadata={"Date": None})
        plt.close(fig)

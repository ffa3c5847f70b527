# ---
# jupyter:
#   cxr:
#     records:
#     - zhu-fourclass
#     - zhu-binary
#     families:
#     - zhu-fourclass-redraws
#     - zhu-binary-redraws
#     - zhu-fourclass-cv
#     - zhu-binary-cv
#     - zhu-fourclass-variants
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: cxr
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How sure? Other draws, cross-validation, and what it would take
#
# The tables of {cite:t}`zhu2020` come from one draw of about 60 COVID-19 test images, one seed and one choice of everything that the thesis leaves open. An interval over
# test patients covers the first only in part and the others not at all. So the runs were repeated: with other draws and seeds, in cross-validation, and with one thing changed at a time.

# %% tags=["remove-cell"]
# In Colab, fetch the companion first; anywhere else this does nothing.
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("cxrlib") is None:
    address = "https://github.com/cxr-companion/cxr-companion"
    subprocess.run(["git", "clone", "-q", "--depth", "1", address, "companion"], check=True)
    os.chdir("companion/notebooks")
    sys.path.insert(0, "..")

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the runs", "code_prompt_hide": "Load the runs"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display

from cxrlib import book, claims, intervals, metrics, pages, plots, runs, studies
from cxrlib.pages import say

headline = {name: runs.read(name) for name in studies.EXPERIMENTS}
families = {name: runs.family(name) for name in studies.families()}  # recorded runs, and names of those that are missing
printed = claims.reported("zhu2020").set_index(["run", "metric"])["printed"]
base = headline["zhu-fourclass"]
for name, (found, _) in families.items():
    say(f"note-{name}", pages.schedule(found))


def times(found):
    """Device, training time and number format of a family, in a sentence."""
    if not found:
        return "–"
    minutes = sorted({f"{run.info['seconds']['training'] / 60:.0f}" for run in found}, key=int)
    devices = sorted({run.info["device"]["name"].replace("cpu", "CPU") for run in found})
    formats = pd.Series([run.info["config"]["precision"] for run in found]).value_counts()
    kinds = formats.index[0] if len(formats) == 1 else " and ".join(f"{count} of them in {name}" for name, count in formats.items())
    return f"{', '.join(devices)}; {'–'.join(dict.fromkeys([minutes[0], minutes[-1]]))} minutes of training each, pauses for other work included; {'in ' if len(formats) == 1 else ''}{kinds}"


# %% [markdown]
# ## Other draws of the test patients
#
# Study B has {glue:text}`covid-images` COVID-19 images; about 60 are tested, and which is a random draw by patient. Each re-draw takes another seed for this draw, for the validation fold,
# for the new last layer and for the order of images. Kermany's test images stay the same, so the runs are not independent. Seed 0 is the headline run's own draw: where the schedule is
# shortened, its row among the re-draws is what the others must be compared with. Four classes: {glue:text}`note-zhu-fourclass-redraws`.
# Two classes: {glue:text}`note-zhu-binary-redraws`.

# %% tags=["remove-cell"]
say("covid-images", int((base.split["y_true"] == "covid").sum()))
again, missing = families["zhu-fourclass-redraws"]
again_two, missing_two = families["zhu-binary-redraws"]

# %% tags=["remove-input"]
display(pages.absent([*missing, *missing_two]))

# %% tags=["remove-input"] mystnb={"image": {"alt": "Dot chart of the main measures of Table 4.2: printed value, rebuilt value with its interval, and every re-draw."}}
rows = []
bounds, table = intervals.table(base.predictions), metrics.per_class(base.predictions)
for text, cell in book.HEADLINE.items():
    row, key = cell.rsplit(".", 1)
    rows.append((text, "Printed", float(printed["zhu-fourclass", cell]), np.nan, np.nan))
    rows.append((text, "Rebuilt, with 95 % interval", table.loc[row, key], *bounds.loc[row, [(key, "low"), (key, "high")]]))
    for run in again:
        own = run.info["seed"] == base.info["seed"]
        rows.append((text, "Re-draw of seed 0" if own else "Other draws", metrics.per_class(run.predictions).loc[row, key], np.nan, np.nan))
plots.ladder(pd.DataFrame(rows, columns=["label", "kind", "value", "low", "high"]), "Value (the axis does not begin at 0)")
plt.show()

# %% [markdown]
# *Four classes: the measures of the headline table, printed, rebuilt and re-drawn. The other draws are to be compared with the re-draw of seed 0, which has their schedule.*

# %% tags=["remove-input"]
rows = []
for run in [base, *again]:
    matrix, overall = metrics.confusion(run.predictions), metrics.overall(run.predictions)
    covid = run.predictions["y_true"] == "covid"
    false = int(matrix["covid"].sum() - matrix.loc["covid", "covid"])
    rows.append((
        run.info["seed"], f"{run.info['epochs']['run']}, kept {run.info['epochs']['kept']}", run.predictions.loc[covid, "patient_id"].nunique(),
        f"{matrix.loc['covid', 'covid']} of {covid.sum()}", false, f"{overall['accuracy']:.3f}", f"{overall['macro_recall']:.3f}",
    ))  # fmt: skip
draws = pd.DataFrame(rows, columns=["Seed", "Epochs", "COVID-19 patients", "COVID-19 found", "False COVID-19", "Accuracy", "Macro recall"])
pages.table(draws)

# %% tags=["remove-cell"]
found = [metrics.confusion(run.predictions).loc["covid"] for run in [base, *again]]
say("runs", len(found))
say("all-found", sum(int(row["covid"] == row.sum()) for row in found))
say("accuracy-range", f"from {draws['Accuracy'].min()} to {draws['Accuracy'].max()}")
say("printed-accuracy", printed["zhu-fourclass", "weighted avg.recall"])
reach = sum(float(value) >= float(printed["zhu-fourclass", "weighted avg.recall"]) - 0.005 for value in draws["Accuracy"])
say("reach", reach)
say("time-redraws", times(again))


def difference(run, other):
    """Accuracy of ``run`` less that of ``other`` on their common test images, with the interval from resampled patients; None if the images differ."""
    right = []
    for one in (run, other):
        frame = one.predictions.set_index("image_id")
        guess = frame[[f"p_{name}" for name in one.classes]].idxmax(axis=1).str.removeprefix("p_")
        right.append((guess == frame["y_true"]).astype(float))
    if set(right[0].index) != set(right[1].index):
        return None
    patients = run.predictions.set_index("image_id")["patient_id"]
    return intervals.patient_mean((right[0] - right[1].loc[right[0].index]).to_numpy(), patients.loc[right[0].index].to_numpy())


def redrawn(name):
    """The re-draw that draws nothing anew, by a headline run's name: its own draw on the schedule of the others; None while it is not recorded."""
    seed = headline[name].info["seed"]
    return next((run for run in families[f"{name}-redraws"][0] if run.info["seed"] == seed), None)


same_draw, text = redrawn("zhu-fourclass"), "not yet known"
if same_draw is not None:
    accuracy = metrics.overall(same_draw.predictions)["accuracy"]
    text = f"{accuracy:.3f}, {book.signed(*difference(same_draw, base))} against the headline run (95 % interval, patients drawn anew)"
say("same-draw", text)

# %% [markdown]
# *Four classes, one run per row; the first is the headline run, on its full schedule. Re-draws: {glue:text}`time-redraws`.*
#
# Every COVID-19 test image was found in {glue:text}`all-found` of {glue:text}`runs` runs (where seed 0 was drawn again, the headline's draw counts twice). The accuracy went {glue:text}`accuracy-range`; {glue:text}`reach` of the runs
# reach the printed {glue:text}`printed-accuracy`. On the headline's draw, seed 0, the re-draw has an accuracy of {glue:text}`same-draw`.
# How long a run trains is one more choice that its own interval does not cover. For two classes the same count is on [its page](03_study_b_binary.ipynb).
#
# ## Cross-validation
#
# The thesis used five-fold cross-validation and does not report it. Here all images, Kermany's test images too, are cut into five folds by patient, with the classes spread evenly, **before**
# any copying; each fold is tested once by a network trained on the other four. (Kermany's training and test images are mixed by this, and the two are unlike, see [Four classes](04_study_b_four_classes.ipynb): the last columns set the fixed test set beside it, by the re-draw of seed 0, which trained on the folds' schedule.) So more COVID-19 patients are tested than those of one draw: {glue:text}`cv-tested` (four classes), {glue:text}`cv-tested-two` (two); the images of the others are not on disk.
# Four classes: {glue:text}`note-zhu-fourclass-cv`. Two classes: {glue:text}`note-zhu-binary-cv`.


# %% tags=["remove-cell"]
for suffix, name in (("", "zhu-fourclass-cv"), ("-two", "zhu-binary-cv")):
    found, missing = families[name]
    whole = base.split.loc[base.split["y_true"] == "covid", "patient_id"].nunique()
    tested = {patient for run in found for patient in run.predictions.loc[run.predictions["y_true"] == "covid", "patient_id"]}
    say(f"cv-tested{suffix}", f"{len(tested)} of {whole}")
    together = f"{len(found)} of {len(found) + len(missing)} folds together" if missing else f"all {len(found)} folds together"
    if found:
        together += f", accuracy {metrics.overall(pd.concat([run.predictions for run in found]))['accuracy']:.3f}"
    say(f"folds{suffix}", f"{together}. Each fold's run: {times(found)}" if found else "no fold is recorded yet")


# %% tags=["remove-input"]
def pooled(name):
    """Recall of each class over all recorded folds, and lowest and highest AUC of the folds; where there is none, that."""
    found, missing = families[name]
    if not found:
        return pages.absent(missing)
    display(pages.absent(missing))
    together = pd.concat([run.predictions for run in found], ignore_index=True)
    ends, matrix = intervals.table(together), metrics.confusion(together)
    folds = [metrics.per_class(run.predictions)["auc"] for run in found]
    base = name.removesuffix("-cv")
    one = redrawn(base) or headline[base]  # on the schedule of the folds, if it is recorded
    fixed, fixed_ends = metrics.per_class(one.predictions), intervals.table(one.predictions)
    rows = []
    for cls in found[0].classes:
        patients = together.loc[together["y_true"] == cls, "patient_id"].nunique()
        rows.append((plots.label(cls), f"{matrix.loc[cls, cls]:,} of {matrix.loc[cls].sum():,}", f"{patients:,}", f"{matrix.loc[cls, cls] / matrix.loc[cls].sum():.3f}",
                     book.interval(*ends.loc[cls, [("recall", "low"), ("recall", "high")]]),
                     book.interval(min(auc[cls] for auc in folds), max(auc[cls] for auc in folds), decimals=4),
                     f"{fixed.loc[cls, 'recall']:.3f} ({book.interval(*fixed_ends.loc[cls, [('recall', 'low'), ('recall', 'high')]])})", f"{fixed.loc[cls, 'auc']:.4f}"))  # fmt: skip
    heads = [
        "Class",
        "Images right",
        "Patients",
        "Recall",
        "95 % interval",
        "AUC, lowest–highest fold",
        "Recall, fixed test set",
        "AUC, fixed test set",
    ]
    return pages.table(pd.DataFrame(rows, columns=heads))


# %% tags=["remove-input"]
pooled("zhu-fourclass-cv")

# %% [markdown]
# *Four classes: {glue:text}`folds`.*

# %% tags=["remove-input"]
pooled("zhu-binary-cv")

# %% [markdown]
# *Two classes: {glue:text}`folds-two`.*
#
# ## What would it take?
#
# The thesis prints a weighted accuracy of {glue:text}`printed-accuracy`. Which of its silences, or which misprint, could make up the difference to the rebuilt run? One thing is changed at a time,
# everything else stays ({glue:text}`note-zhu-fourclass-variants`). "Nothing" is the unchanged run on the same schedule (the re-draw of seed 0), which the others must be compared with; the full-length run is above it.
# The column after the accuracy has its difference from that run on the same test images, with the interval from resampled patients; a dash where the test images are others. One seed was run of each:
# how far another draw and seed together move the accuracy is in the table of re-draws above, and a smaller difference cannot be told from that.
#
# This rebuild has departures of its own, which are no rows because they cannot be undone with what is at hand: weights that are in part reconstructed, images reduced and stored anew, and a tenth of the training images
# held out ([the list](04_study_b_four_classes.ipynb)). They are suspects as much as the thesis is.

# %% tags=["remove-cell"]
CHANGES = {
    "as-printed": ("Nothing (the schedule of the others)", ""),
    "batch-64": ("Batch of 64 images, not 256", "stated; tests a misprint"),
    "lr-0.0003": ("Learning rate 0.0003, not 0.003", "stated; tests a misprint"),
    "weight-decay-0.01": ("Weight decay 0.01, not 0.1", "stated; tests a misprint"),
    "weight-decay-0.0001": ("Weight decay 0.0001, not 0.1", "stated; tests a misprint"),
    "no-oversampling": ("No copies of COVID-19 images", "stated; tests an omission"),
    "no-augmentation": ("No augmentation", "stated; tests an omission"),
    "split-by-image": ("COVID-19 images, not patients, drawn at random", "stated otherwise; tests a slip"),
    "epoch-by-test": ("Epoch chosen by the loss on the test set", "not stated"),
}
variants, missing_variants = families["zhu-fourclass-variants"]
by_name = {run.name.rpartition("/")[2]: run for run in variants}
if same_draw is not None:
    by_name["as-printed"] = same_draw
chosen, text = by_name.get("epoch-by-test"), "not yet recorded"
if chosen is not None:  # one training, and both choices of its epoch
    epochs = chosen.history.set_index("epoch")
    by_test, by_validation = (epochs.loc[epochs[f"{part}_loss"].idxmin()] for part in ("test", "val"))
    text = (f"in {chosen.info['config']['precision']}; the test set chose epoch {by_test.name:.0f} (test accuracy {by_test['test_accuracy']:.3f}),"
            f" the validation set would have chosen epoch {by_validation.name:.0f} ({by_validation['test_accuracy']:.3f})")  # fmt: skip
say("epoch-chosen", text)
repeated = (
    chosen
    if chosen is not None and same_draw is not None and chosen.info["config"]["precision"] != same_draw.info["config"]["precision"]
    else None
)
text = ""
if repeated is not None:  # "Nothing" once more, in another number format
    accuracy = metrics.overall(same_draw.predictions)["accuracy"]
    text = (f"And “Nothing” differs from it in the arithmetic alone ({same_draw.info['config']['precision']}); it kept epoch {same_draw.info['epochs']['kept']}, with {accuracy:.3f}: "
            "rounding moves the accuracy, too.")  # fmt: skip
say("rounding", text)
say(
    "epoch-range",
    "not yet recorded" if chosen is None else f"from {epochs['test_accuracy'].min():.3f} to {epochs['test_accuracy'].max():.3f}",
)

# %% tags=["remove-input"]
display(pages.absent(missing_variants))

# %% tags=["remove-input"]
rows, ladder = [], []
shown = {"headline": ("Headline run, full schedule", ""), **CHANGES}
for name, (text, standing) in shown.items():
    run = base if name == "headline" else by_name.get(name)
    if run is None:
        rows.append((text, standing, "not yet recorded", *[""] * 5))
        continue
    ends, overall, recall = (
        intervals.table(run.predictions),
        metrics.overall(run.predictions),
        metrics.per_class(run.predictions)["recall"],
    )
    low, high = ends.loc["overall", [("accuracy", "low"), ("accuracy", "high")]]
    ladder.append((text, "Accuracy, with 95 % interval", overall["accuracy"], low, high))
    change = difference(run, by_name["as-printed"]) if name not in ("headline", "as-printed") and "as-printed" in by_name else None
    rows.append((text, standing, f"{overall['accuracy']:.3f} ({book.interval(low, high)})", "–" if change is None else book.signed(*change),
                 f"{overall['macro_recall']:.3f}", f"{recall['covid']:.3f}", f"{recall['viral']:.3f}", run.info["config"]["precision"]))  # fmt: skip
    if name == "as-printed" and repeated is not None:  # its predictions at this epoch were not kept
        label = f"Nothing, once more (the last row's training, epoch {by_validation.name:.0f})"
        rows.append((label, "", f"{by_validation['test_accuracy']:.3f}", *["–"] * 4, repeated.info["config"]["precision"]))
heads = [
    "Changed",
    "Standing in the thesis",
    "Accuracy (95 % interval)",
    "Difference from “Nothing” (95 % interval)",
    "Macro recall",
    "COVID-19 recall",
    "Viral recall",
    "Trained in",
]
pages.table(pd.DataFrame(rows, columns=heads))

# %% tags=["remove-input"] mystnb={"image": {"alt": "Dot chart of the accuracy of the headline run and of each recorded variant with 95 percent intervals, beside the printed accuracy as a dotted line."}}
plots.ladder(
    pd.DataFrame(ladder, columns=["label", "kind", "value", "low", "high"]),
    "Accuracy (share of test images right)",
    line=float(printed["zhu-fourclass", "weighted avg.recall"]),
)
plt.show()

# %% tags=["remove-cell"]
half = 0.005
target = float(printed["zhu-fourclass", "weighted avg.recall"])
inside = [row[0] for row in ladder if row[3] <= target + half and row[4] >= target - half]
say("compatible", "; ".join(inside) if inside else "none yet, of the runs recorded")
say("incompatible", "; ".join(row[0] for row in ladder if row[0] not in inside) or "none")
size = int(metrics.overall(base.predictions)["images"])
printed_ends = intervals.wilson(target * size, size)
say("printed-low", f"{printed_ends[0]:.2f}")
say("printed-high", f"{printed_ends[1]:.2f}")
say("time-variants", times(variants) if variants else "none recorded yet")

# %% [markdown]
# *Dotted: the printed value. Variants: {glue:text}`time-variants`.*
#
# Intervals that reach the printed value as it was rounded: {glue:text}`compatible`. That do not: {glue:text}`incompatible`. A change whose interval reaches it could explain the difference to the printed value; that is no evidence that it does,
# and a wide interval reaches further than a narrow one. The printed value has an uncertainty of its own, {glue:text}`printed-low`–{glue:text}`printed-high` if its images were independent, so that not to reach it is no contradiction either.
#
# The training of the last row is that of "Nothing" once more, and its record knows both choices: {glue:text}`epoch-chosen`. Over its epochs the test accuracy went {glue:text}`epoch-range`.
# So one and the same training can be reported with either number: which epoch is kept, and by what, is a silence of its own. {glue:text}`rounding`
#
# ## Make the missing runs
#
# ```bash
# make records
# ```
#
# trains what is missing, most important first: on a GPU at full length, without one on the shortened schedule, which takes hours. A family that was begun on the shortened schedule is
# better completed on it, so that its runs can be compared; one of them:
#
# ```bash
# .venv/bin/cxr train zhu-fourclass-variants/batch-64 \
#     --resume --short
# ```

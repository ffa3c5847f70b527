# ---
# jupyter:
#   cxr:
#     families:
#     - zhu-fourclass-redraws
#     records:
#     - zhu-fourclass
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
# # Four classes: COVID-19, viral, bacterial, normal
#
# {cite:t}`zhu2020` fine-tuned a ResNet-18 to tell four kinds of chest radiograph apart: {glue:text}`covid-images` labelled COVID-19,
# collected from the web {cite}`cohen2020`, nearly all of adults where the age is known, and {glue:text}`kermany-images` of children of one to five
# years from one hospital, with viral pneumonia, bacterial pneumonia or neither {cite}`kermany2018`. (The ages are those that the collections give; the thesis does
# not speak of them.) This page rebuilds its Table 4.2 and its Figures 4.3 and 4.4.

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

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
# recorded: read results/<run>; phantom: train in seconds on synthetic images; images: train on real
# ones
origin = "recorded"
run_name = "zhu-fourclass"
data = None  # folder of the image collections, for origin = "images"; default CXR_DATA, else data/

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the run", "code_prompt_hide": "Load the run"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from companion import ledger, pages, studies
from companion.pages import say
from cxrlib import formatting, metrics, plots
from cxrlib.data import kermany
from cxrlib.metrics import intervals

run = studies.run(run_name, origin, data)
redraws, missing_redraws = (
    studies.family("zhu-fourclass-redraws") if origin == "recorded" else ([], [])
)
experiment = studies.experiment(
    run.info["experiment"]
)  # as printed; what the run changed is in its configuration
table, bounds = metrics.per_class(run.predictions), metrics.bootstrap_by_patient(run.predictions)
table_4_2 = studies.printed("zhu2020", "Table 4.2")
claim = ledger.compare(table_4_2, table, bounds).set_index("metric")
cell = lambda metric: claim.loc[metric]  # noqa: E731

# %% [markdown]
# ## What the thesis reports
#
# The abstract gives an "average accuracy, precision, sensitivity, specificity, and F1-score" of
# {glue:text}`printed-accuracy`, {glue:text}`printed-precision`, {glue:text}`printed-recall`, {glue:text}`printed-specificity` and
# {glue:text}`printed-f1`. These are the macro averages of Table 4.2, plain means over the four classes, in which the rarest class counts as much
# as the commonest; the "accuracy" among them is the mean recall. The share of test images classified correctly is in the row of weighted averages,
# in which a class counts by its size: {glue:text}`printed-weighted`. All {glue:text}`covid-test-printed` COVID-19 test images were recognised.
#
# The thesis speaks of {glue:text}`printed-images` images of {glue:text}`printed-patients` patients, but its own Table 2.1 adds to
# {glue:text}`table-images` images, which is what was found. It counts each of the children's images as a patient; here images are grouped by the
# patient number in the file name.

# %% tags=["remove-cell"]
for name, metric in {
    "accuracy": "macro avg.accuracy_as_printed",
    "precision": "macro avg.precision",
    "recall": "macro avg.recall",
    "specificity": "macro avg.specificity",
    "f1": "macro avg.f1",
    "weighted": "weighted avg.recall",
}.items():
    say(f"printed-{name}", cell(metric)["printed"])
say("covid-test-printed", cell("covid.size")["printed"])
printed = studies.printed(experiment.study).set_index("id")["printed"]
say("printed-images", int(printed["zhu-2.1-images"]))
say("printed-patients", int(printed["zhu-2.1-patients"]))
say("table-images", len(run.split))
per_class = run.split["y_true"].value_counts()
say("covid-images", int(per_class["covid"]))
say("kermany-images", int(per_class.drop("covid").sum()))
say("copies", experiment.oversample["covid"])

# %% [markdown]
# ## What was run

# %% tags=["remove-input"]
pages.items(run.info["lacked"], "What this run lacked")

# %% [markdown]
# The settings beside those the thesis prints, with the section that prints them. The thesis tuned them; nothing was tuned here.

# %% tags=["remove-input"]
pages.settings(run)

# %% [markdown]
# What the thesis leaves open had to be decided here:

# %% tags=["remove-input"]
pages.items(experiment.assumptions)

# %% [markdown]
# The images, as split. COVID-19 patients were assigned whole, at random; Kermany's own test set was kept. Numbers are images on disk;
# the {glue:text}`copies`-fold copies of COVID-19 training images are not counted.

# %% tags=["remove-input"]
pages.images(run)

# %% tags=["remove-cell"]
leaks = kermany.count_leakage(run.split, run.split["split"])
say("shared-best", int(leaks.loc["class and number", "shared_patients"]))
say("shared-other", int(leaks.loc["number alone", "shared_patients"]))
say("shared-images", int(leaks.loc["number alone", "test_images_of_shared"]))
pages.say_training(run)

# %% [markdown]
# No COVID-19 patient is in both training and test. Kermany's pneumonia files carry a number after "person". If the numbers are used anew in each class,
# {glue:text}`shared-best` children are in both; if the same number is the same child in every class, {glue:text}`shared-other` are, with
# {glue:text}`shared-images` test images. We assume the former; under the latter the estimates below would be too high and their intervals too narrow.
#
# ## Learning curves
#
# Training ran {glue:text}`epochs-run` of {glue:text}`epochs-planned` epochs, {glue:text}`reason`, and took
# {glue:text}`minutes` minutes on {glue:text}`device`, pauses included; recorded {glue:text}`recorded`. Epoch {glue:text}`epochs-kept` was kept,
# for its validation loss (cross-entropy), which is our rule and not the thesis's. Test results played no part in training or in choosing the epoch;
# they are shown for the kept and for the last epoch. (The published run was tested once before its end, to try this page; nothing was changed after that.)

# %% tags=["remove-input"] mystnb={"image": {"alt": "Two line charts by epoch: cross-entropy loss and accuracy of training and validation, test values at the kept and the last epoch as points."}}
plots.learning_curves(run.history, kept=run.info["epochs"]["kept"])
plt.show()

# %% [markdown]
# *Learning curves of the rebuilt run (not in the thesis). Training values are of augmented images.*

# %% tags=["remove-input"]
pages.test_epochs(run)

# %% tags=["remove-cell"]
say("redraw-note", pages.schedule(redraws))
say("repeat", pages.same_seed_again(run, redraws)[1])
columns = list(pages.COLUMNS)
values = table.loc[run.classes, columns].to_numpy(float)
others = np.array(
    [metrics.per_class(other.predictions).loc[run.classes, columns] for other in redraws]
    or [values],
    float,
)  # (run, class, column)
outside = (values < others.min(axis=0)) | (values > others.max(axis=0))
say("outside", int(outside.sum()))
say("cells", outside.size)

# %% [markdown]
# ## Table 4.2
#
# Each printed number stands above the rebuilt one. "Accuracy" is what the thesis prints under that name, which is the recall in every row.
#
# Intervals are 95 %. Patients are resampled within classes {glue:text}`replicates` times (bootstrap), because images of one patient are not independent. Where a share is
# exactly 0 or 1 resampling shows no spread, and Wilson's interval over patients is given; a dash means that neither applies. The intervals are percentiles (other kinds stand [side by side](23_calibration.ipynb)), cover
# the choice of test patients only, and those of the averages are too narrow where they include such a share. The last line of each class has the lowest and the highest over other draws of the
# COVID-19 test patients and other seeds ({glue:text}`redraw-note`), among them the headline's own draw, seed 0, which is {glue:text}`repeat`: {glue:text}`outside` of the
# {glue:text}`cells` rebuilt values lie outside the re-draws' range. One by one they are under [How sure?](06_study_b_how_sure.ipynb).

# %% tags=["remove-input"] cxr={"items": ["Table 4.2"]}
pages.side_by_side(
    table_4_2, table, bounds, [metrics.per_class(other.predictions) for other in redraws]
)

# %% tags=["remove-input"]
pages.not_recorded(missing_redraws)

# %% [markdown]
# *Table 4.2 of the thesis, printed and rebuilt. Selectivity is specificity; AUC is one class against the rest.*
#
# The thesis defines accuracy otherwise (section 3.4.1), for each class against the rest:
#
# $$\text{accuracy} = \frac{\text{TP} + \text{TN}}{\text{TP} + \text{FP} + \text{TN} + \text{FN}}.$$
#
# By that formula the rebuilt accuracies are:

# %% tags=["remove-input"]
by_formula = pd.DataFrame(
    {
        "Label": [plots.label(name) for name in run.classes],
        "Accuracy by formula": [
            formatting.number(table.loc[name, "accuracy"]) for name in run.classes
        ],
        "95 % interval": [
            formatting.interval(*bounds.loc[name, [("accuracy", "low"), ("accuracy", "high")]])
            for name in run.classes
        ],
    }
)
pages.table(by_formula)

# %% [markdown]
# ## Figure 4.3: confusion matrix

# %% tags=["remove-input"] cxr={"items": ["Figure 4.3"]} mystnb={"image": {"alt": "Confusion matrix of the test images: rows true class, columns predicted class, counts and row percentages; the errors are named in the text below."}}
plots.confusion(
    metrics.confusion(run.predictions), title="Figure 4.3, rebuilt: test images, four classes"
)
plt.show()

# %% [markdown]
# *Figure 4.3, rebuilt. Rows: true class; columns: predicted class; colour: share of the row.*

# %% tags=["remove-cell"]
matrix = metrics.confusion(run.predictions)
overall = metrics.overall(run.predictions)
weighted = cell("weighted avg.recall")
say("accuracy", f"{overall['accuracy']:.3f}")
say("accuracy-low", f"{bounds.loc['overall', ('accuracy', 'low')]:.3f}")
say("accuracy-high", f"{bounds.loc['overall', ('accuracy', 'high')]:.3f}")
say("correct", overall["correct"])
say("images", overall["images"])
say("null-accuracy", f"{overall['null_accuracy']:.3f}")
printed_share = float(weighted["printed"])
low, high = bounds.loc["overall", ("accuracy", "low")], bounds.loc["overall", ("accuracy", "high")]
half = 0.5 * 10 ** -int(weighted["decimals"])
verdict = (
    "inside"
    if low <= printed_share + half and printed_share - half <= high
    else "above"
    if printed_share > high
    else "below"
)
say("verdict", verdict)
wrong = matrix.where(
    matrix.index.to_numpy()[:, None] != matrix.columns.to_numpy()[None, :], 0
).stack()
printed_ends = intervals.wilson(printed_share * weighted["denominator"], weighted["denominator"])
say("printed-low", f"{printed_ends[0]:.2f}")
say("printed-high", f"{printed_ends[1]:.2f}")
errors, known = (
    int(wrong.sum()),
    int(wrong.drop("covid", level="true").sum()),
)  # known: of images that the thesis tested as well
say(
    "kermany-errors",
    f"all {errors} errors are" if errors == known else f"{known} of the {errors} errors are",
)
first, second = wrong.sort_values(ascending=False).index[:2]
say("worst", f"{plots.label(first[0])} read as {plots.label(first[1]).lower()} ({wrong[first]})")
say(
    "second", f"{plots.label(second[0])} read as {plots.label(second[1]).lower()} ({wrong[second]})"
)
covid_right, covid_all = int(matrix.loc["covid", "covid"]), int(matrix.loc["covid"].sum())
say("covid-right", covid_right)
say("covid-all", covid_all)
say(
    "covid-patients",
    int(run.predictions.loc[run.predictions["y_true"] == "covid", "patient_id"].nunique()),
)
say("covid-low", f"{bounds.loc['covid', ('recall', 'low')]:.2f}")

# %% [markdown]
# Of {glue:text}`images` test images {glue:text}`correct` were classified correctly: {glue:text}`accuracy`
# ({glue:text}`accuracy-low`–{glue:text}`accuracy-high`), where always answering the commonest class would reach
# {glue:text}`null-accuracy`. The printed {glue:text}`printed-weighted` lies {glue:text}`verdict` that interval; it has an uncertainty of its own
# ({glue:text}`printed-low`–{glue:text}`printed-high` if its images were independent), and {glue:text}`kermany-errors` on images of Kermany's test set, which are the thesis's too.
# The two commonest errors: {glue:text}`worst`; {glue:text}`second`. The counts of the thesis's own matrix were in a picture that we do not have; its text
# says that normal images tend to be classified as other classes and viral as bacterial. Its Table 4.2 leaves [few matrices possible](22_forensics.ipynb), and by all of them viral images were mistaken far more often than normal ones.
#
# Of {glue:text}`covid-all` COVID-19 images {glue:text}`covid-right` were recognised. They come from {glue:text}`covid-patients` patients,
# which leaves a recall as low as {glue:text}`covid-low` possible. Good as it is, it is unsurprising: COVID-19 differs from the other classes by age, hospital, view and
# file processing as well, the last in part by the copies used here. The test set cannot tell how much of a score on this row comes from those {cite}`maguolo2021,degrave2021`. What the frame of the pictures alone gives away is measured under {ref}`How sure? <frame-alone>`.
#
# ## Where the difference lies
#
# Recall and AUC of each class, as printed, on the test set, and on the validation fold, which comes from Kermany's training images and the other COVID-19 patients; in brackets 95 % intervals over patients.

# %% tags=["remove-input"]
on_validation, validation_bounds = (
    metrics.per_class(run.validation),
    metrics.bootstrap_by_patient(run.validation),
)


def with_ends(values, ends, key):
    """A measure of each class with its interval."""
    return [formatting.with_interval(*ends.loc[name, key]) for name in run.classes]


short = pd.DataFrame(
    {
        "Class": [plots.label(name) for name in run.classes],
        "Recall, printed": [cell(f"{name}.recall")["printed"] for name in run.classes],
        "test": with_ends(table, bounds, "recall"),
        "missed": [int(matrix.loc[name].sum() - matrix.loc[name, name]) for name in run.classes],
        "validation": with_ends(on_validation, validation_bounds, "recall"),
        "AUC, printed": [cell(f"{name}.auc")["printed"] for name in run.classes],
        "test ": with_ends(table, bounds, "auc"),
        "validation ": with_ends(on_validation, validation_bounds, "auc"),
    }
)
pages.table(short)

# %% tags=["remove-cell"]
most = max(run.classes, key=lambda name: matrix.loc[name].sum() - matrix.loc[name, name])
size = int(matrix.loc[most].sum())
at_printed = (
    overall["correct"]
    - int(matrix.loc[most, most])
    + float(cell(f"{most}.recall")["printed"]) * size
)
say("most", plots.label(most))
say("most-missed", size - int(matrix.loc[most, most]))
say("all-missed", overall["images"] - overall["correct"])
say("at-printed", f"{at_printed / overall['images']:.3f}")
say("most-test", formatting.number(table.loc[most, "recall"]))
say("most-validation", formatting.number(on_validation.loc[most, "recall"]))
say("most-auc-test", formatting.number(table.loc[most, "auc"]))
say("most-auc-validation", formatting.number(on_validation.loc[most, "auc"]))

# %% [markdown]
# Of the {glue:text}`all-missed` errors {glue:text}`most-missed` are in the class {glue:text}`most`. With the printed recall of that class alone the accuracy would be
# {glue:text}`at-printed`. Its recall is {glue:text}`most-validation` on the validation fold and {glue:text}`most-test` on the test set: Kermany's training and test images
# differ for this network, which a validation fold cut from the training images cannot show. Its AUC falls less, from {glue:text}`most-auc-validation` to {glue:text}`most-auc-test`: much of the loss is where the answer tips from
# one class to another, not in the order of the images. Whether the originals differ so, or the reduced copies used here, cannot be told from these runs.
#
# ## Figure 4.4: ROC curves

# %% tags=["remove-input"] cxr={"items": ["Figure 4.4 A"]} mystnb={"image": {"alt": "ROC curves of the four classes, each against the rest, with the line of no discrimination; areas under the curves stand in Table 4.2."}}
printed_auc = {name: cell(f"{name}.auc")["printed"] for name in run.classes}
ax = plots.roc_curves(run.predictions, reported=printed_auc)
ax.set_title("Figure 4.4 A, rebuilt: each class against the rest")
plt.show()

# %% tags=["remove-input"] cxr={"items": ["Figure 4.4 B"]} mystnb={"image": {"alt": "The same ROC curves, enlarged in the upper left corner, at false positive rates up to 0.4."}}
ax = plots.roc_curves(run.predictions, reported=printed_auc, zoom=(0.4, 0.6))
ax.set_title("Figure 4.4 B, rebuilt: upper left corner")
plt.show()

# %% [markdown]
# *Figure 4.4, rebuilt. B shows a wider corner than such figures usually do, so that every curve is in view; the thesis's own limits are not stated.*

# %% tags=["remove-cell"]
say("macro-auc", f"{table.loc['macro avg', 'auc']:.3f}")
say("printed-macro-auc", cell("macro avg.auc")["printed"])
mean_high = sum(
    float(cell(f"{name}.auc")["printed"]) + 0.005 for name in run.classes if name != "covid"
)
say("macro-auc-most", f"{(mean_high + 1) / 4:.3f}")

# %% [markdown]
# The macro average of the four AUCs is {glue:text}`macro-auc`. The thesis prints {glue:text}`printed-macro-auc`, again in its conclusion. By its own
# definition of a macro average (3.4.1) its four printed AUCs allow at most {glue:text}`macro-auc-most`, so the printed number cannot be their mean;
# another kind of average may have been used.
#
# ## Run it yourself
#
# ```bash
# make train-env
# .venv/bin/cxr train zhu-fourclass --resume
# ```
#
# makes the record anew from your images and weights, in the place of the published one; where these are the published record's own
# it is read, and `--overwrite` trains all the same. The same page in seconds, on synthetic radiographs:
#
# ```bash
# .venv/bin/papermill notebooks/04_study_b_four_classes.ipynb \
#     phantom.ipynb -p origin phantom
# ```
#
# More under [Rerun it](../book/rerun.md).

# ---
# jupyter:
#   cxr:
#     families:
#     - zhu-binary-redraws
#     records:
#     - zhu-binary
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
# # Two classes: COVID-19 or not
#
# The first model of {cite:t}`zhu2020` answers one question, COVID-19 or not, and "manages to classify all COVID-19 and non-COVID-19 test cases
# correctly". This page rebuilds Table 4.1 and Figures 4.1 and 4.2, and asks what a perfect result on these images means.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
from typing import Literal

# recorded: read results/<run>; phantom: train in seconds on synthetic images; images: train on real
# ones
origin: Literal["recorded", "phantom", "images"] = "recorded"
run_name: str = "zhu-binary"
data: str | None = None  # folder of the collections, for "images"; default CXR_DATA, else data/

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the run", "code_prompt_hide": "Load the run"}
import matplotlib.pyplot as plt
import pandas as pd

from companion import pages, studies
from companion.pages import say
from cxrlib import metrics, plots
from cxrlib.data import kermany
from cxrlib.metrics import intervals

run = studies.run(run_name, origin, data)
redraws, missing_redraws = (
    studies.family("zhu-binary-redraws") if origin == "recorded" else ([], [])
)
experiment = studies.experiment(
    run.info["experiment"]
)  # as printed; what the run changed is in its configuration
table, bounds = metrics.per_class(run.predictions), metrics.bootstrap_by_patient(run.predictions)
printed = studies.printed(experiment.study).set_index("id")["printed"]

# %% [markdown]
# ## What was run

# %% tags=["remove-input"]
pages.items(run.info["lacked"], "What this run lacked")

# %% [markdown]
# The settings beside those the thesis prints, with the section that prints them. The thesis tuned them; nothing was tuned here.

# %% tags=["remove-input"]
pages.settings(run)

# %% [markdown]
# What the thesis leaves open was decided as for [four classes](04_study_b_four_classes.ipynb). The test images are the
# same; the validation fold is drawn anew, as the classes are two:

# %% tags=["remove-input"]
pages.images(run)

# %% tags=["remove-cell"]
pages.say_training(run)
leaks = kermany.count_leakage(run.split, run.split["split"])
say("shared", int(leaks.loc["class and number", "shared_patients"]))
say("shared-other", int(leaks.loc["number alone", "shared_patients"]))
settled = run.history[run.history["val_accuracy"] == 1]["epoch"]
first = f"after epoch {settled.iloc[0]}" if len(settled) else "in no epoch"
say("settled", first)

# %% [markdown]
# *Images on disk; copies are not counted. Children in both training and test: {glue:text}`shared` if the numbers in Kermany's file names are used anew in each class,
# {glue:text}`shared-other` if not, as on the page of [four classes](04_study_b_four_classes.ipynb).*
#
# ## Learning curves
#
# Training ran {glue:text}`epochs-run` of {glue:text}`epochs-planned` epochs, {glue:text}`reason`, and took {glue:text}`minutes` minutes on
# {glue:text}`device`, pauses included; recorded {glue:text}`recorded`. Epoch {glue:text}`epochs-kept` was kept, for its validation loss. Every validation image
# was classified correctly for the first time {glue:text}`settled`: the task is settled almost at once, a reason for suspicion.

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

# %% [markdown]
# ## Table 4.1
#
# Each printed number stands above the rebuilt one. Intervals are 95 %, from {glue:text}`replicates` bootstrap resamples of patients. Resampling a perfect
# result shows no spread, so where a share is exactly 1 Wilson's interval over patients is given instead; F1 and AUC have none then, and a dash.
# "Accuracy" is what the thesis prints under that name, the recall of the row. Re-draws: {glue:text}`redraw-note`.

# %% tags=["remove-input"] cxr={"items": ["Table 4.1"]}
pages.side_by_side(
    studies.printed("zhu2020", "Table 4.1"),
    table,
    bounds,
    [metrics.per_class(other.predictions) for other in redraws],
)

# %% tags=["remove-input"]
pages.not_recorded(missing_redraws)

# %% [markdown]
# *Table 4.1 of the thesis, printed and rebuilt. Selectivity is specificity. The last line of a class: lowest and highest over the re-draws.*
#
# ## Figure 4.1: confusion matrix

# %% tags=["remove-input"] cxr={"items": ["Figure 4.1"]} mystnb={"image": {"alt": "Confusion matrix of the test images, two classes: rows true class, columns predicted class, counts and row percentages, repeated in the text below."}}
matrix = metrics.confusion(run.predictions)
plots.confusion(matrix, title="Figure 4.1, rebuilt: test images, two classes")
plt.show()

# %% [markdown]
# *Figure 4.1, rebuilt. Rows: true class; columns: predicted class; colour: share of the row.*
#
# ## Figure 4.2: ROC curve

# %% tags=["remove-input"] cxr={"items": ["Figure 4.2"]} mystnb={"image": {"alt": "ROC curve of COVID-19 against the rest with the line of no discrimination; the area under it is in Table 4.1."}}
ax = plots.roc_curves(run.predictions, ["covid"], reported={"covid": printed["zhu-t4.1-covid-auc"]})
ax.set_title("Figure 4.2, rebuilt: COVID-19 against the rest")
plt.show()

# %% [markdown]
# *Figure 4.2, rebuilt.*

# %% tags=["remove-cell"]
right = {name: int(matrix.loc[name, name]) for name in run.classes}
size = {name: int(matrix.loc[name].sum()) for name in run.classes}
for name in run.classes:
    say(f"{name}-right", right[name])
    say(f"{name}-size", size[name])
covid = run.predictions["y_true"] == "covid"
say("covid-patients", int(run.predictions.loc[covid, "patient_id"].nunique()))
say("covid-low", f"{bounds.loc['covid', ('recall', 'low')]:.2f}")
lowest, highest = (
    run.predictions.loc[covid, "p_covid"].min(),
    run.predictions.loc[~covid, "p_covid"].max(),
)
say("lowest", f"{lowest:.3f}")
say("highest", f"{highest:.3f}")
low_images, _ = intervals.wilson(
    int(printed["zhu-t4.1-covid-size"]), int(printed["zhu-t4.1-covid-size"])
)
say("printed-low", f"{low_images:.2f}")
say("null", f"{metrics.overall(run.predictions)['null_accuracy']:.3f}")

# %% [markdown]
# The rebuilt model gives {glue:text}`covid-right` of {glue:text}`covid-size` COVID-19 images and {glue:text}`non_covid-right` of {glue:text}`non_covid-size`
# others their right class. The lowest probability of COVID-19 among the COVID-19 images is {glue:text}`lowest`, the highest among the others {glue:text}`highest`.
# Always answering "not COVID-19" would be right in {glue:text}`null` of the images.
#
# A perfect score is not certainty. If the thesis's images were independent, its own would leave a recall as low as {glue:text}`printed-low` possible;
# ours come from {glue:text}`covid-patients` patients and leave {glue:text}`covid-low`.
#
# ## How often are both classes perfect?
#
# The COVID-19 test images are one draw. Trained again with other draws and seeds ({glue:text}`redraw-note`):

# %% tags=["remove-input"]
rows = []
for other in [run, *redraws]:
    found = metrics.confusion(other.predictions)
    patients = other.predictions.loc[other.predictions["y_true"] == "covid", "patient_id"].nunique()
    hits = [(int(found.loc[name, name]), int(found.loc[name].sum())) for name in other.classes]
    both = all(k == n for k, n in hits)
    ran = f"{other.info['epochs']['run']} of {experiment.epochs}"
    rows.append(
        (
            other.info["seed"],
            ran,
            patients,
            *(f"{k} of {n}" for k, n in hits),
            "yes" if both else "no",
        )
    )
draws = pd.DataFrame(
    rows,
    columns=[
        "Seed",
        "Epochs",
        "COVID-19 test patients",
        "COVID-19 right",
        "Others right",
        "All right",
    ],
)
pages.table(draws)

# %% tags=["remove-cell"]
perfect = int((draws["All right"] == "yes").sum())
other = draws[draws["Seed"] != run.info["seed"]]
say("perfect", perfect)
say("draws", len(draws))
say("perfect-other", int((other["All right"] == "yes").sum()))
say("other", len(other))

# %% [markdown]
# *Each row is one run; the first is the one above, the row of the same seed below it is {glue:text}`repeat`. Missing images make the COVID-19 numbers a
# little smaller than the thesis's 60. All runs share the other test images.*
#
# All test images were right in {glue:text}`perfect` of {glue:text}`draws` runs; of the {glue:text}`other` with another draw than the headline's, in {glue:text}`perfect-other`.
#
# A network that told apart adults from children, or web pictures from one hospital's files, could score as well: in this data set COVID-19, age,
# hospital, view and file processing go together almost without exception. (Some of the processing is of this rerun: the copies at hand were reduced, each collection in its own way.) The result shows that the two collections can be told apart. It cannot show more.
# On data sets put together like this one others found that pictures without most of the lungs do nearly as well {cite}`maguolo2021`,
# and that models fail at new hospitals {cite}`degrave2021`. What the outer frame of these pictures gives away, most of the lungs blacked out, is measured under {ref}`How sure? <frame-alone>`.
#
# ## Run it yourself
#
# ```bash
# make train-env
# .venv/bin/cxr train zhu-binary --resume
# ```
#
# More under [Rerun it](../book/rerun.md).

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
# **Question.** The first model of {cite:t}`zhu2020` answers one question, COVID-19 or not, and "manages to classify all COVID-19 and non-COVID-19 test cases correctly". Does the same training give that again, and what does it mean?
#
# **Answer.** {glue:text}`covid-right` of {glue:text}`covid-size` COVID-19 images and {glue:text}`non_covid-right` of {glue:text}`non_covid-size` others were classified correctly. In this data set COVID-19, age, hospital, view and file processing go together almost without exception, so the result shows that the two collections can be told apart. Whether COVID-19 was recognised, these images cannot tell.
#
# **How sure.** The COVID-19 images come from {glue:text}`covid-patients` patients, which leaves a {term}`recall` as low as {glue:text}`covid-low` possible. Trained again with other test patients and {term}`seeds <seed>`, {glue:text}`perfect-other` of {glue:text}`other` runs made no mistake.

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
level: float = 0.95  # of the intervals
replicates: int = 2000  # resamples of the patients
# other draws of the COVID-19 test patients and other seeds, set beside the run
family: str = "zhu-binary-redraws"

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the run", "code_prompt_hide": "Load the run"}
import matplotlib.pyplot as plt
import pandas as pd

import cxrlib
from companion import pages, parameters, studies
from cxrlib import metrics, plots
from cxrlib.data import kermany

parameters.check(globals())
record = studies.run(run_name, origin, data)
redraws, missing_redraws = studies.family(family) if origin == "recorded" else ([], [])
pages.changed(record)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Measure it", "code_prompt_hide": "Measure it"}
predictions = record.predictions  # a row for each test image: patient, true class, probabilities
rates = cxrlib.per_class(predictions)  # a row for each class and average: recall, precision, …
bounds = cxrlib.bootstrap_by_patient(
    predictions, "per_class", replicates=replicates, level=level
)  # the same with the ends of each interval
redrawn = [cxrlib.per_class(other.predictions) for other in redraws]
printed = studies.printed("zhu2020", "Table 4.1")  # a row for each printed number

# %% [markdown]
# ## Printed and rebuilt

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Printed and rebuilt in one chart", "code_prompt_hide": "Printed and rebuilt in one chart", "figure": {"caption": "Recall of both classes: as printed, as rebuilt with its 95 % interval over patients, and in the re-draws.", "name": "two-classes-recall"}, "image": {"alt": "A line for each class. Printed and rebuilt recall are both at or next to one; the interval of COVID-19 reaches further down than that of the others, and so do the re-draws."}}
said = printed.set_index("metric")["printed"]  # as the table prints it, a text
chart = bounds.loc[record.classes, "recall"].rename(columns={"estimate": "rebuilt"})
chart["printed"] = [float(said[f"{name}.recall"]) for name in record.classes]
again = pd.DataFrame({i: other.loc[record.classes, "recall"] for i, other in enumerate(redrawn)})
titles = {name: f"{plots.label(name)} recall" for name in record.classes}
pages.comparison_chart(chart.rename(titles), again.rename(titles), "Share of images")
plt.show()

# %% [markdown]
# The {term}`re-draws <re-draw>` repeat the training with other COVID-19 test patients and other seeds ({glue:text}`redraw-note`). Among them is the {term}`headline run`'s own draw, seed 0, which is {glue:text}`repeat`.
#
# ## Table 4.1
#
# Each printed number stands above the rebuilt one. "Accuracy" is what the thesis prints under that name; it is the recall of the row.

# %% tags=["hide-input"] cxr={"items": ["Table 4.1"]} mystnb={"code_prompt_show": "Table 4.1", "code_prompt_hide": "Table 4.1", "figure": {"caption": "Table 4.1, printed and rebuilt. Selectivity is specificity. The last line of a class has the lowest and the highest value over the re-draws."}}
pages.side_by_side(printed, rates, bounds, redrawn)

# %% tags=["remove-input"]
pages.not_recorded(missing_redraws)

# %% [markdown]
# **Intervals** are 95 % intervals from {glue:text}`replicates` {term}`bootstrap` resamples of patients. Where few patients carry the errors, resampling shows too little spread, and of a perfect result none: {ref}`Wilson's interval over patients <the-rule-of-this-book>` is given there. F1 and {term}`AUC` have no interval where they are exactly 1, and the table has a dash.
#
# ## Figure 4.1: confusion matrix

# %% tags=["hide-input"] cxr={"items": ["Figure 4.1"]} mystnb={"code_prompt_show": "Figure 4.1", "code_prompt_hide": "Figure 4.1", "figure": {"caption": "Figure 4.1, rebuilt: test images by true class (rows) and predicted class (columns). The colour is the share of the row."}, "image": {"alt": "Confusion matrix of the test images, two classes: rows true class, columns predicted class, counts and row percentages, repeated in the text."}}
matrix = cxrlib.confusion(predictions)  # rows: true class; columns: class of largest probability
plots.confusion(matrix)
plt.show()

# %% [markdown]
# The lowest probability of COVID-19 among the COVID-19 images is {glue:text}`lowest`, the highest among the others {glue:text}`highest`. Always answering "not COVID-19" would be right for {glue:text}`null` of the images.
#
# A perfect score is not certainty. If the thesis's images were independent, its own score would leave a recall as low as {glue:text}`printed-low` possible; ours, from {glue:text}`covid-patients` patients, leaves {glue:text}`covid-low`.
#
# ## Figure 4.2: ROC curve

# %% tags=["hide-input"] cxr={"items": ["Figure 4.2"]} mystnb={"code_prompt_show": "Figure 4.2", "code_prompt_hide": "Figure 4.2", "figure": {"caption": "Figure 4.2, rebuilt: ROC curve of COVID-19 against the rest."}, "image": {"alt": "ROC curve of COVID-19 against the rest with the line of no discrimination; the area under it is in Table 4.1."}}
plots.roc_curves(predictions, ["covid"], reported={"covid": said["covid.auc"]})
plt.show()

# %% [markdown]
# ## How often are both classes perfect?
#
# All test images were right in {glue:text}`perfect` of {glue:text}`draws` runs; of the {glue:text}`other` with another draw than the headline's, in {glue:text}`perfect-other`.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Every run", "code_prompt_hide": "Every run"}
rows = []
for other in [record, *redraws]:
    found = cxrlib.confusion(other.predictions)
    covid = other.predictions[other.predictions["y_true"] == "covid"]
    rows.append(
        {
            "Seed": other.info["seed"],
            "Epochs": other.info["epochs"]["run"],
            "COVID-19 test patients": covid["patient_id"].nunique(),
            "COVID-19 right": f"{found.loc['covid', 'covid']} of {found.loc['covid'].sum()}",
            "Others right": f"{found.iloc[1, 1]} of {found.iloc[1].sum()}",
            "All right": "yes" if metrics.overall(other.predictions)["accuracy"] == 1 else "no",
        }
    )
draws = pd.DataFrame(rows)
pages.table(draws, caption="Each row is one run; the first is the one above")

# %% [markdown]
# A few images are missing, so the COVID-19 numbers are a little smaller than the thesis's {glue:text}`printed-size`. All runs share the other test images.
#
# ## What a perfect result means here
#
# A network that told adults from children, or pictures from the web from one hospital's files, could score as well. (Some of the file processing is of this rerun: the copies used here were reduced, each collection in its own way.) On data sets put together like this one, others found that pictures without most of the lungs do nearly as well {cite}`maguolo2021`, and that models fail at new hospitals {cite}`degrave2021`. What the outer frame of these pictures gives away, with most of the lungs blacked out, is measured under {ref}`How sure? <frame-alone>`.
#
# ## The images and the training
#
# What the thesis leaves open was decided as for [four classes](04_study_b_four_classes.ipynb). The test images are the same; the validation fold is another, because there are two classes.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Images", "code_prompt_hide": "Images", "figure": {"caption": "Images on disk by class and part of the split. Copies of training images are not counted."}}
pages.images(record)

# %% [markdown]
# Children in both training and test: {glue:text}`shared` if the numbers in Kermany's file names begin again in each class, {glue:text}`shared-other` if they do not.
#
# Training ran {glue:text}`epochs-run` of {glue:text}`epochs-planned` epochs, {glue:text}`reason`, and took {glue:text}`minutes` minutes on {glue:text}`device`, pauses included; recorded {glue:text}`recorded`. Epoch {glue:text}`epochs-kept` was kept for its validation loss. Every validation image was classified correctly for the first time {glue:text}`settled`. A task that is settled so early is a reason for suspicion.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Learning curves", "code_prompt_hide": "Learning curves", "figure": {"caption": "Learning curves of the rebuilt run (not in the thesis). Training values are of augmented images; test values are shown for the kept and for the last epoch.", "name": "two-classes-learning-curves"}, "image": {"alt": "Two line charts by epoch: cross-entropy loss and accuracy of training and validation, test values at the kept and the last epoch as points."}}
plots.learning_curves(record.history, kept=record.info["epochs"]["kept"])
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Test results by epoch", "code_prompt_hide": "Test results by epoch"}
pages.test_epochs(record)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "What this run lacked", "code_prompt_hide": "What this run lacked"}
pages.items(record.info["lacked"], "What this run lacked")

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Settings beside those the thesis prints", "code_prompt_hide": "Settings beside those the thesis prints"}
pages.settings(record)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "All numbers of the text", "code_prompt_hide": "All numbers of the text"}
covid = predictions["y_true"] == "covid"
others = draws[draws["Seed"] != record.info["seed"]]
settled = record.history.loc[record.history["val_accuracy"] == 1, "epoch"]
leaks = kermany.count_leakage(record.split, record.split["split"])["shared_patients"]
covid_size = int(said["covid.size"])
pages.say_training(record)
pages.glue_all(
    {f"{name}-right": int(matrix.loc[name, name]) for name in record.classes}
    | {f"{name}-size": int(matrix.loc[name].sum()) for name in record.classes}
    | {
        "covid-patients": int(predictions.loc[covid, "patient_id"].nunique()),
        "covid-low": f"{bounds.loc['covid', ('recall', 'low')]:.3f}",
        "lowest": f"{predictions.loc[covid, 'p_covid'].min():.3f}",
        "highest": f"{predictions.loc[~covid, 'p_covid'].max():.3f}",
        "null": f"{metrics.overall(predictions)['null_accuracy']:.3f}",
        "printed-size": covid_size,
        "printed-low": f"{cxrlib.wilson(covid_size, covid_size)[0]:.3f}",
        "perfect": int((draws["All right"] == "yes").sum()),
        "draws": len(draws),
        "perfect-other": int((others["All right"] == "yes").sum()),
        "other": len(others),
        "replicates": replicates,
        "redraw-note": pages.schedule(redraws),
        "repeat": pages.same_seed_again(record, redraws)[1],
        "shared": int(leaks["class and number"]),
        "shared-other": int(leaks["number alone"]),
        "settled": f"after epoch {settled.iloc[0]}" if len(settled) else "in no epoch",
    }
)

# %% [markdown]
# ## Run it yourself
#
# ```bash
# make train-env
# .venv/bin/cxr train zhu-binary --resume
# .venv/bin/cxr run 03 -p origin phantom
# ```
#
# The second line trains on your images, the third makes this page in seconds on synthetic radiographs. More under [Rerun it](../book/rerun.md).

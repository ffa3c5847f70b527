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
# **Question.** {cite:t}`zhu2020` fine-tuned a ResNet-18 to tell four kinds of chest radiograph apart, and reports that {glue:text}`printed-weighted` of the test images were classified correctly. Does the same training give that again?
#
# **Answer.** In part. Here {glue:text}`correct` of {glue:text}`images` images were right, {glue:text}`accuracy`. Of the COVID-19 images {glue:text}`covid-right` of {glue:text}`covid-all` were recognised. Most errors are in the class {glue:text}`most`: {glue:text}`most-missed` of {glue:text}`all-missed`.
#
# **How sure.** The {term}`95 % interval` over patients is {glue:text}`accuracy-low` to {glue:text}`accuracy-high`; the printed number lies {glue:text}`verdict` it. Trained again with other test patients and {term}`seeds <seed>`, the share went from {glue:text}`redraw-low` to {glue:text}`redraw-high`, with a median of {glue:text}`redraw-median`. The {term}`recall` of COVID-19 rests on {glue:text}`covid-patients` patients and may be as low as {glue:text}`covid-low`. COVID-19 images also differ from all others by age, hospital and file, so a high score on them need not come from the disease {cite}`maguolo2021,degrave2021`. What the frame of the pictures alone gives away is measured under {ref}`How sure? <frame-alone>`.

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
run_name: str = "zhu-fourclass"
data: str | None = None  # folder of the collections, for "images"; default CXR_DATA, else data/
level: float = 0.95  # of the intervals
replicates: int = 2000  # resamples of the patients
# other draws of the COVID-19 test patients and other seeds, set beside the run
family: str = "zhu-fourclass-redraws"

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the run", "code_prompt_hide": "Load the run"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import cxrlib
from companion import pages, parameters, studies
from cxrlib import formatting, metrics, plots
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
printed = studies.printed("zhu2020", "Table 4.2")  # a row for each printed number

# %% [markdown]
# ## Printed and rebuilt
#
# The chart has the two kinds of numbers that carry the thesis's conclusion: the averages over the classes, and each class's recall. The thesis prints the recall under the name of {term}`accuracy`.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Printed and rebuilt in one chart", "code_prompt_hide": "Printed and rebuilt in one chart", "figure": {"caption": "Recall of each class and of all images: as printed, as rebuilt with its 95 % interval over patients, and in the re-draws.", "name": "four-classes-recall"}, "image": {"alt": "A line for each class and average. The printed recalls of viral pneumonia and of normal images, and both averages, lie to the right of the rebuilt ones or of their intervals; those of COVID-19 and bacterial pneumonia are close."}}
names = [*record.classes, "macro avg", "weighted avg"]
said = printed.set_index("metric")["printed"]  # as the table prints it, a text
chart = bounds.loc[names, "recall"].rename(columns={"estimate": "rebuilt"})
chart["printed"] = [float(said[f"{name}.recall"]) for name in names]
again = pd.DataFrame({i: other.loc[names, "recall"] for i, other in enumerate(redrawn)}, names)
titles = {name: f"{plots.label(name)} recall" for name in record.classes}
titles |= {"macro avg": "Mean of the recalls", "weighted avg": "Images classified correctly"}
pages.comparison_chart(chart.rename(titles), again.rename(titles), "Share of images")
plt.show()

# %% [markdown]
# The {term}`re-draws <re-draw>` repeat the training with other COVID-19 test patients and other seeds ({glue:text}`redraw-note`). Among them is the {term}`headline run`'s own draw, seed 0, which is {glue:text}`repeat`. The page [How sure?](06_study_b_how_sure.ipynb) has them one by one.
#
# ## Table 4.2
#
# Each printed number stands above the rebuilt one. The last line of each class has the lowest and the highest value over the re-draws; {glue:text}`outside` of the {glue:text}`cells` rebuilt values lie outside that range.

# %% tags=["hide-input"] cxr={"items": ["Table 4.2"]} mystnb={"code_prompt_show": "Table 4.2", "code_prompt_hide": "Table 4.2", "figure": {"caption": "Table 4.2, printed and rebuilt. Selectivity is specificity; AUC is one class against the rest."}}
pages.side_by_side(printed, rates, bounds, redrawn)

# %% tags=["remove-input"]
pages.not_recorded(missing_redraws)

# %% [markdown]
# **Intervals** are 95 % intervals over patients: the images of one patient are not independent, so patients are drawn, {glue:text}`replicates` times, within classes. Where few patients carry the errors of a share, resampling shows too little spread, and {term}`Wilson's interval` over patients is given ({ref}`the rule <the-rule-of-this-book>`); a dash means that neither applies. The intervals cover the choice of test patients and nothing else. An average over classes is resampled all the same, so where a share in it is close to 1 its interval is too narrow. Other kinds of interval are compared under [calibration](23_calibration.ipynb).
#
# **Accuracy.** The abstract gives an "average accuracy, precision, sensitivity, specificity, and F1-score" of {glue:text}`printed-accuracy`, {glue:text}`printed-precision`, {glue:text}`printed-recall`, {glue:text}`printed-specificity` and {glue:text}`printed-f1`. These are the {term}`macro averages <macro average>` of the table: plain means over the four classes, in which the rarest counts as much as the commonest. The "accuracy" among them is the mean recall. The share of images classified correctly is in the row of {term}`weighted averages <weighted average>`. The thesis's own section 3.4.1 defines accuracy otherwise, for each class against the rest:
#
# $$\text{accuracy} = \frac{\text{TP} + \text{TN}}{\text{TP} + \text{FP} + \text{TN} + \text{FN}}.$$

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Accuracy by the thesis's formula", "code_prompt_hide": "Accuracy by the thesis's formula"}
accuracy = bounds.loc[record.classes, "accuracy"]
by_formula = pd.DataFrame(
    {
        "Class": accuracy.index.map(plots.label),
        "Accuracy by the formula": accuracy["estimate"].map(formatting.number).to_list(),
        "95 % interval": [formatting.interval(row.low, row.high) for row in accuracy.itertuples()],
    }
)
pages.table(by_formula, caption="Accuracy of each class by the formula of section 3.4.1")

# %% [markdown]
# ## Figure 4.3: confusion matrix

# %% tags=["hide-input"] cxr={"items": ["Figure 4.3"]} mystnb={"code_prompt_show": "Figure 4.3", "code_prompt_hide": "Figure 4.3", "figure": {"caption": "Figure 4.3, rebuilt: test images by true class (rows) and predicted class (columns). The colour is the share of the row."}, "image": {"alt": "Confusion matrix of the test images: rows true class, columns predicted class, counts and row percentages; the errors are named in the text below."}}
matrix = cxrlib.confusion(predictions)  # rows: true class; columns: class of largest probability
plots.confusion(matrix)
plt.show()

# %% [markdown]
# Always answering the commonest class would be right for {glue:text}`null-accuracy` of the images. The two commonest errors are {glue:text}`worst` and {glue:text}`second`.
#
# The printed share of {glue:text}`printed-weighted` has an uncertainty of its own: {glue:text}`printed-low` to {glue:text}`printed-high`, if its images were independent. Of the {glue:text}`all-missed` errors here {glue:text}`kermany-errors` on images of Kermany's test set, which the thesis tested too.
#
# The thesis shows its own matrix as a picture, which we do not have. Its text says that normal images tend to be taken for other classes, and viral pneumonia for bacterial. The numbers of its Table 4.2 leave [few matrices possible](22_study_b_forensics.ipynb); in all of them viral images were mistaken far more often than normal ones.
#
# ## Where the difference lies
#
# Recall and {term}`AUC` of each class on the test set, and on the validation fold, which comes from Kermany's training images and from other COVID-19 patients.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Measure the validation fold", "code_prompt_hide": "Measure the validation fold"}
validation = cxrlib.bootstrap_by_patient(record.validation, replicates=replicates, level=level)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Test set and validation fold", "code_prompt_hide": "Test set and validation fold"}
missed = matrix.sum(axis=1) - np.diag(matrix)
columns = {"Class": [plots.label(name) for name in record.classes], "Missed": missed.to_list()}
for metric, title in {"recall": "Recall", "auc": "AUC"}.items():
    columns[f"{title}, printed"] = [said[f"{name}.{metric}"] for name in record.classes]
    for table, part in ((bounds, "test"), (validation, "validation")):
        rows = table.loc[record.classes, metric]
        texts = [formatting.with_interval(*row) for row in rows.itertuples(index=False)]
        columns[f"{title}, {part}"] = texts
pages.table(pd.DataFrame(columns), caption="Recall and AUC by class, with 95 % intervals")

# %% [markdown]
# The class {glue:text}`most` has the most errors. With the printed recall of that class alone, the accuracy would be {glue:text}`at-printed`. Its recall is {glue:text}`most-validation` on the validation fold and {glue:text}`most-test` on the test set: to this network, Kermany's training and test images differ. A validation fold cut from the training images cannot show that.
#
# The AUC of the class falls less, from {glue:text}`most-auc-validation` to {glue:text}`most-auc-test`. So much of the loss lies in where the answer tips from one class to another, and less in the order of the images. Whether the original images differ in the same way, or only the reduced copies used here, these runs cannot tell.
#
# ## Figure 4.4: ROC curves

# %% tags=["hide-input"] cxr={"items": ["Figure 4.4 A"]} mystnb={"code_prompt_show": "Figure 4.4 A", "code_prompt_hide": "Figure 4.4 A", "figure": {"caption": "Figure 4.4 A, rebuilt: ROC curves, each class against the rest."}, "image": {"alt": "ROC curves of the four classes, each against the rest, with the line of no discrimination; the areas under the curves are in Table 4.2."}}
printed_auc = {name: said[f"{name}.auc"] for name in record.classes}
plots.roc_curves(predictions, reported=printed_auc)
plt.show()

# %% tags=["hide-input"] cxr={"items": ["Figure 4.4 B"]} mystnb={"code_prompt_show": "Figure 4.4 B", "code_prompt_hide": "Figure 4.4 B", "figure": {"caption": "Figure 4.4 B, rebuilt: the upper left corner of A. The thesis does not state the limits of its own; this corner is wide enough to hold every curve."}, "image": {"alt": "The same ROC curves, enlarged in the upper left corner, at false positive rates up to 0.4."}}
plots.roc_curves(predictions, reported=printed_auc, zoom=(0.4, 0.6))
plt.show()

# %% [markdown]
# The macro average of the four AUCs is {glue:text}`macro-auc`. The thesis prints {glue:text}`printed-macro-auc`, and again in its conclusion. Its section 3.4.1 defines a macro average as the plain mean, and its four printed AUCs allow a mean of at most {glue:text}`macro-auc-most`. So the printed number cannot be their mean; another kind of average may have been used.
#
# ## The images and the training
#
# The thesis speaks of {glue:text}`printed-images` images of {glue:text}`printed-patients` patients; its own Table 2.1 adds up to {glue:text}`table-images` images, which is what was found: {glue:text}`covid-images` labelled COVID-19, collected from the web {cite}`cohen2020` and nearly all of adults where the age is known, and {glue:text}`kermany-images` of children of one to five years from one hospital {cite}`kermany2018`. (The ages are those that the collections give; the thesis does not mention them.)
#
# The thesis counts each of the children's images as a patient. Here images are grouped by the patient number in the file name. COVID-19 patients were assigned whole, at random; Kermany's own test set was kept.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Images", "code_prompt_hide": "Images", "figure": {"caption": "Images on disk by class and part of the split. The copies of COVID-19 training images ({glue:text}`copies` of each) are not counted."}}
pages.images(record)

# %% [markdown]
# No COVID-19 patient is in both training and test. Kermany's pneumonia files carry a number after "person". If the numbers begin again in each class, {glue:text}`shared-best` children are in both. If the same number is the same child in every class, {glue:text}`shared-other` are, with {glue:text}`shared-images` test images. We assume the former; under the latter the estimates above would be too high and their intervals too narrow.
#
# Training ran {glue:text}`epochs-run` of {glue:text}`epochs-planned` epochs, {glue:text}`reason`, and took {glue:text}`minutes` minutes on {glue:text}`device`, pauses included; recorded {glue:text}`recorded`. Epoch {glue:text}`epochs-kept` was kept for its validation loss (cross-entropy), which is our rule and not the thesis's. Test results played no part in training or in choosing the epoch. (The published run was tested once before its end, to try this page; nothing was changed after that.)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Learning curves", "code_prompt_hide": "Learning curves", "figure": {"caption": "Learning curves of the rebuilt run (not in the thesis). Training values are of augmented images; test values are shown for the kept and for the last epoch.", "name": "four-classes-learning-curves"}, "image": {"alt": "Two line charts by epoch: cross-entropy loss and accuracy of training and validation, test values at the kept and the last epoch as points."}}
plots.learning_curves(record.history, kept=record.info["epochs"]["kept"])
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Test results by epoch", "code_prompt_hide": "Test results by epoch"}
pages.test_epochs(record)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "What this run lacked", "code_prompt_hide": "What this run lacked"}
pages.items(record.info["lacked"], "What this run lacked")

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Settings beside those the thesis prints", "code_prompt_hide": "Settings beside those the thesis prints"}
pages.settings(record)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "What the thesis leaves open and had to be decided", "code_prompt_hide": "What the thesis leaves open and had to be decided"}
experiment = studies.experiment(record.info["experiment"])  # as printed
pages.items(experiment.assumptions)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Numbers of the text", "code_prompt_hide": "Numbers of the text"}
overall, weighted = (
    metrics.overall(predictions),
    printed.set_index("metric").loc["weighted avg.recall"],
)
right = cxrlib.Interval(*bounds.loc["weighted avg", "recall"])
share, half = float(weighted["printed"]), 0.5 * 10 ** -int(weighted["decimals"])
verdict = "inside"
if not right.low <= share + half or not share - half <= right.high:
    verdict = "above" if share > right.high else "below"
wrong = matrix.mask(np.eye(len(matrix), dtype=bool), 0).stack().sort_values(ascending=False)
known = int(wrong.drop("covid", level="true").sum())  # of images that the thesis tested as well
worst, second = (
    f"{plots.label(true)} taken for {plots.label(taken).lower()} ({count})"
    for (true, taken), count in wrong.head(2).items()
)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "More numbers of the text", "code_prompt_hide": "More numbers of the text"}
columns = ["recall", "precision", "recall", "specificity", "f1", "auc"]  # as Table 4.2 has them
values = rates.loc[record.classes, columns].to_numpy(float)
others = [table.loc[record.classes, columns].to_numpy(float) for table in redrawn] or [values]
outside = (values < np.min(others, axis=0)) | (values > np.max(others, axis=0))
most, sizes = missed.idxmax(), record.split["y_true"].value_counts()
at_printed = overall["correct"] + missed[most]
at_printed -= (1 - float(said[f"{most}.recall"])) * matrix.loc[most].sum()
highest = [float(said[f"{name}.auc"]) + 0.005 for name in record.classes if name != "covid"]
leaks = kermany.count_leakage(record.split, record.split["split"])
elsewhere = studies.printed("zhu2020").set_index("id")["printed"]
covid = predictions[predictions["y_true"] == "covid"]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "All numbers of the text", "code_prompt_hide": "All numbers of the text"}
pages.say_training(record)
covid_size = int(matrix.loc["covid"].sum())
of_test = "all are" if known == wrong.sum() else f"{known} are"
shares = [table.loc["weighted avg", "recall"] for table in redrawn] or [np.nan]
printed_low, printed_high = cxrlib.wilson(share * weighted["denominator"], weighted["denominator"])
pages.glue_all(
    {f"printed-{name}": said[f"macro avg.{name}"] for name in ("precision", "recall", "f1")}
    | {
        "printed-accuracy": said["macro avg.accuracy_as_printed"],
        "printed-specificity": said["macro avg.specificity"],
        "printed-weighted": weighted["printed"],
        "printed-macro-auc": said["macro avg.auc"],
        "printed-low": f"{printed_low:.2f}",
        "printed-high": f"{printed_high:.2f}",
        "printed-images": int(elsewhere["zhu-2.1-images"]),
        "printed-patients": int(elsewhere["zhu-2.1-patients"]),
        "table-images": len(record.split),
        "covid-images": int(sizes["covid"]),
        "kermany-images": int(sizes.drop("covid").sum()),
        "copies": experiment.oversample["covid"],
        "shared-best": int(leaks.loc["class and number", "shared_patients"]),
        "shared-other": int(leaks.loc["number alone", "shared_patients"]),
        "shared-images": int(leaks.loc["number alone", "test_images_of_shared"]),
        "replicates": replicates,
        "redraw-low": formatting.number(np.min(shares)),
        "redraw-high": formatting.number(np.max(shares)),
        "redraw-median": formatting.number(np.median(shares)),
        "redraw-note": pages.schedule(redraws),
        "repeat": pages.same_seed_again(record, redraws)[1],
        "outside": int(outside.sum()),
        "cells": outside.size,
        "accuracy": f"{right.estimate:.3f}",
        "accuracy-low": f"{right.low:.3f}",
        "accuracy-high": f"{right.high:.3f}",
        "correct": overall["correct"],
        "images": overall["images"],
        "null-accuracy": f"{overall['null_accuracy']:.3f}",
        "verdict": verdict,
        "kermany-errors": of_test,
        "worst": worst,
        "second": second,
        "covid-right": int(matrix.loc["covid", "covid"]),
        "covid-all": covid_size,
        "covid-patients": int(covid["patient_id"].nunique()),
        "covid-low": f"{bounds.loc['covid', ('recall', 'low')]:.3f}",
        "most": plots.label(most),
        "most-missed": int(missed[most]),
        "all-missed": int(wrong.sum()),
        "at-printed": f"{at_printed / overall['images']:.3f}",
        "most-test": formatting.number(rates.loc[most, "recall"]),
        "most-validation": formatting.number(validation.loc[most, ("recall", "estimate")]),
        "most-auc-test": formatting.number(rates.loc[most, "auc"]),
        "most-auc-validation": formatting.number(validation.loc[most, ("auc", "estimate")]),
        "macro-auc": f"{rates.loc['macro avg', 'auc']:.3f}",
        "macro-auc-most": f"{(sum(highest) + 1) / 4:.3f}",
    }
)

# %% [markdown]
# ## Run it yourself
#
# ```bash
# make train-env
# .venv/bin/cxr train zhu-fourclass --resume
# ```
#
# trains on your images and weights and puts the record in the place of the published one. Where your images and weights are those of the published record, that record is read;
# `--overwrite` trains all the same. The same page in seconds, on synthetic radiographs:
#
# ```bash
# .venv/bin/cxr run 04 -p origin phantom
# ```
#
# More under [Rerun it](../book/rerun.md).

# ---
# jupyter:
#   cxr:
#     records:
#     - zhu-fourclass
#     families:
#     - zhu-binary-redraws
#     - zhu-fourclass-redraws
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
# # What Study B's printed numbers say about themselves
#
# **Question.** {cite:t}`zhu2020` prints rounded numbers. Which results can they have come from, and can all of them be true together?
#
# **Answer.** Exactly {glue:text}`matrix-count` confusion matrices give Table 4.2. In all of them {glue:text}`right` of {glue:text}`total` test images are right ({glue:text}`share-right` %). The column "Accuracy" holds the
# {term}`recall`, and the {term}`macro average` of the {term}`AUC` is higher than the four AUCs in the table allow.
#
# **How sure.** Most of it is arithmetic, which holds whatever model was trained. Some answers also need counts of patients, or an assumption. The table says which.
#
# | Question | Answer | Standing |
# |---|---|---|
# | {ref}`Which confusion matrices give Table 4.2? <which-matrices>` | {glue:text}`matrix-count` of them | arithmetic |
# | {ref}`Which class is most often mistaken? <which-class>` | viral; normal far less often | arithmetic |
# | {ref}`Is the accuracy column accuracy? <accuracy-column>` | no, it is the recall | arithmetic |
# | {ref}`Which average is quoted? <which-average>` | the macro average, without its name | arithmetic |
# | {ref}`Can the macro AUC be as printed? <macro-auc>` | no | arithmetic |
# | {ref}`Are all AUCs above the stated bound? <auc-bound>` | only if one was rounded down | arithmetic |
# | {ref}`Where do the claimed images come from? <claimed-images>` | from files that were not used | inference |
# | {ref}`Is each image a patient? <each-image>` | no | counted |
# | {ref}`What if images were copied before the folds were cut? <copies-first>` | then nothing was held out | inference |
# | {ref}`How sure is a perfect score? <perfect-score>` | {glue:text}`perfect-range` is possible | counted |
#
# - **Arithmetic** follows from the printed numbers and the thesis's own definitions.
# - **Counted** also needs counts from the public lists of images, or from this book's own draws of test patients.
# - **Inference** also needs an assumption, which is named.
#
# No image and no network is needed for any of it. Study A has [a page of the same kind](25_study_a_forensics.ipynb).

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
# printed numbers are neither recorded nor trained, so there is no origin here
averages: bool = True  # whether the matrices must also give the two rows of averages in Table 4.2
level: float = 0.95  # of the intervals of a perfect score
# families of recorded re-draws whose COVID-19 test patients are counted
runs: list[str] = ["zhu-binary-redraws", "zhu-fourclass-redraws"]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the printed numbers", "code_prompt_hide": "Load the printed numbers"}
from itertools import combinations, product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from scipy.stats import binomtest

import cxrlib
from companion import forensics, pages, parameters, studies
from cxrlib import plots
from cxrlib.data.kermany import count_leakage

parameters.check(globals())
COLORS = pages.COLORS
B = studies.printed("zhu2020").set_index("id")["printed"]  # as text, by id
table_4_2 = studies.printed("zhu2020", "Table 4.2").set_index("metric")["printed"]  # "viral.recall"
CLASSES = ["covid", "viral", "bacterial", "normal"]
labels = [plots.label(name) for name in CLASSES]
sizes = np.array([int(table_4_2[f"{name}.size"]) for name in CLASSES])
total = int(sizes.sum())

# %% [markdown]
# (which-matrices)=
# ## Which confusion matrices give Table 4.2?
#
# **Exactly {glue:text}`matrix-count`.** In all of them {glue:text}`right` of {glue:text}`total` images are right ({glue:text}`share-right` %). All {glue:text}`size-covid` COVID-19 images are found, with
# {glue:text}`covid-alarms` false alarms. The commonest error is {glue:text}`commonest`: {glue:text}`commonest-count` images.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Counts of each class", "code_prompt_hide": "Counts of each class"}
cells = table_4_2 if averages else table_4_2[~table_4_2.index.str.contains(" avg.")]
counts = forensics.class_counts(dict(zip(CLASSES, sizes, strict=True)), cells)
tp, fp = np.moveaxis([list(found.values()) for found in counts], -1, 0)  # (solution, class)


# %% tags=["hide-input"] mystnb={"code_prompt_show": "All matrices", "code_prompt_hide": "All matrices"}
def errors(missed, alarms, row=0):
    """Every matrix of errors, from a row on: rows sum to ``missed``, columns to ``alarms``, and the
    diagonal is 0.
    """
    if row == len(missed):
        if not any(alarms):
            yield []
        return
    most = [0 if column == row else min(n, missed[row]) for column, n in enumerate(alarms)]
    for cells in product(*(range(n + 1) for n in most)):
        if sum(cells) == missed[row]:
            left = [n - used for n, used in zip(alarms, cells, strict=True)]
            for below in errors(missed, left, row + 1):
                yield [cells, *below]


matrices = np.array(  # (matrix, true class, predicted class)
    [
        np.diag(right) + rows
        for right, alarms in zip(tp, fp, strict=True)
        for rows in errors(sizes - right, alarms)
    ]
)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Range of each count", "code_prompt_hide": "Range of each count", "figure": {"name": "possible-matrices", "caption": "Figure 4.3 of the thesis, as far as Table 4.2 determines it: the lowest and the highest count, or one number where all matrices agree. Rows: true class; columns: predicted class."}, "image": {"alt": "Heat map of four by four cells, rows true class, columns predicted class: in each the lowest and highest count over all matrices that give Table 4.2; the text says what is certain."}}
low, high = matrices.min(axis=0), matrices.max(axis=0)
texts = [str(a) if a == b else f"{a}–{b}" for a, b in zip(low.flat, high.flat, strict=True)]
share = 100 * (low + high) / 2 / sizes[:, None]
with plots.style():
    ax = plt.subplots(figsize=(7, 4.4))[1]
    annotated = {"annot": np.reshape(texts, share.shape), "fmt": "", "linewidths": 1}
    scale = {"cmap": "Blues", "vmin": 0, "vmax": 100}
    bar = {"label": "Middle of the range (% of the class)"}
    sns.heatmap(share, ax=ax, cbar_kws=bar, **annotated, **scale)
    ax.set(xticklabels=labels, xlabel="Predicted class", ylabel="True class")
    names = [f"{name}\nn = {size}" for name, size in zip(labels, sizes, strict=True)]
    ax.set_yticklabels(names, rotation=0)
    ax.tick_params(length=0)
plt.show()

# %% [markdown]
# We do not have Figure 4.3, where the thesis shows its matrix. But Table 4.2 prints the {term}`precision`, recall, selectivity ({term}`specificity`) and {term}`F1-score` of each class, to two decimals, and two averages of each. That leaves little room:
#
# 1. For each class, try every number of true positives (TP) and of false positives (FP), and keep those that give its row of the table.
# 2. A false positive of one class is an error in another. So over all classes the false positives are as many as the images missed.
# 3. The averages must come out as printed.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What remains, by class", "code_prompt_hide": "What remains, by class"}
remaining = pd.DataFrame(counts).map("{0[0]} TP, {0[1]} FP".format)
pages.table(remaining.rename(columns=plots.label))

# %% [markdown]
# This gives the diagonal of the matrix (TP), the errors in each row (images of the class less TP) and those in each column (FP). {glue:text}`matrix-count` matrices of whole numbers have these sums:

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Every matrix", "code_prompt_hide": "Every matrix"}
pairs = [f"{true} as {read.lower()}" for true in labels for read in labels]
every = pd.DataFrame(matrices.reshape(len(matrices), -1), columns=pairs)
every = every.loc[:, every.nunique() > 1]  # the other counts are the same in all
every = every.sort_values(list(every))
pages.table(every, caption="Every matrix: the counts that differ", name="every-matrix")

# %% [markdown]
# *Standing: arithmetic.*
#
# (which-class)=
# ## Which class is most often mistaken?
#
# **Viral pneumonia: {glue:text}`missed-viral-share` % of its images ({glue:text}`missed-viral` of {glue:text}`size-viral`). Of the normal images {glue:text}`missed-normal-share` % are mistaken ({glue:text}`missed-normal` of {glue:text}`size-normal`).** The thesis says twice that
# its model "tends to classify normal cases into other" classes, and viral pneumonia into bacterial (section 4.2 and Conclusion). The second holds. Normal images are mistaken more often than bacterial pneumonia
# ({glue:text}`missed-bacterial-share` %), but far less often than viral.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Errors by class", "code_prompt_hide": "Errors by class", "figure": {"name": "errors-by-class", "caption": "Errors of each true class that Table 4.2 leaves possible. Bars are as long as the highest number."}, "image": {"alt": "Bars: share of each class that is classified wrongly, as a range over all matrices; viral is far the highest, normal and bacterial lower, COVID-19 none."}}
missed = sizes - np.diagonal(matrices, axis1=1, axis2=2)  # (matrix, true class)
fewest, most = missed.min(axis=0), missed.max(axis=0)
with plots.style():
    ax = plt.subplots(figsize=(7, 2.6))[1]
    colors = [plots.look(name)["color"] for name in CLASSES]
    bars = ax.barh(labels, 100 * most / sizes, color=colors, height=0.6)
    texts = [
        f"{a}–{b} of {n}" if a < b else f"{a} of {n}"
        for a, b, n in zip(fewest, most, sizes, strict=True)
    ]
    ax.bar_label(bars, texts, padding=4)
    ax.set(xlabel="Images called another class (%)", xlim=(0, 22))
    ax.invert_yaxis()
plt.show()

# %% [markdown]
# *Standing: arithmetic.*
#
# (accuracy-column)=
# ## Is the accuracy column accuracy?
#
# **No. In every row it is the recall.** Section 3.4.1 of the thesis defines {term}`accuracy` as (TP + TN) / (TP + FP + TN + FN), each class against the rest. By that formula the column would read
# {glue:text}`formula`, and {glue:text}`formula-mean` on average.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Accuracy by the formula", "code_prompt_hide": "Accuracy by the formula"}
rows = [*CLASSES, "macro avg"]
formula = pd.DataFrame(1 - (sizes - tp + fp) / total, columns=CLASSES)  # FN + FP are wrong
formula["macro avg"] = formula.mean(axis=1)
accuracy = (
    pd.DataFrame(
        {
            "Printed as accuracy": [table_4_2[f"{row}.accuracy_as_printed"] for row in rows],
            "Printed as recall": [table_4_2[f"{row}.recall"] for row in rows],
            "By the formula, from": formula.min().map("{:.3f}".format),
            "to": formula.max().map("{:.3f}".format),
        },
        index=rows,
    )
    .rename(plots.label)
    .rename({"macro avg": "Macro average"})
)


# %% tags=["hide-input"] mystnb={"code_prompt_show": "A printed number and its rounding", "code_prompt_hide": "A printed number and its rounding"}
def rung(label, kind, text):
    """A printed number for a chart, with all that may have been rounded to it."""
    return label, kind, float(text), *forensics.unrounded(text)


RUNG = ["label", "kind", "value", "low", "high"]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Accuracy and recall", "code_prompt_hide": "Accuracy and recall", "figure": {"name": "accuracy-is-recall", "caption": "The columns \"Accuracy\" and \"Recall\" of Table 4.2, and the accuracy of section 3.4.1. Lines: what may have been rounded to the printed number, or the range over all solutions."}, "image": {"alt": "Dot chart by class: printed accuracy and printed recall coincide; accuracy by the thesis's formula is higher for viral and normal and lower for bacterial."}}
columns = ["Printed as accuracy", "Printed as recall"]
rungs = [rung(row, kind, accuracy.loc[row, kind]) for kind in columns for row in accuracy.index]
for row, values in formula.set_axis(accuracy.index, axis=1).items():
    rungs.append((row, "By the formula", values.mean(), values.min(), values.max()))
colors = {columns[0]: COLORS["printed"], columns[1]: "0.5", "By the formula": COLORS["possible"]}
plots.ladder(
    pd.DataFrame(rungs, columns=RUNG), "Share (the axis does not begin at 0)", colors=colors
)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The same as a table", "code_prompt_hide": "The same as a table"}
pages.table(accuracy, index=True)

# %% [markdown]
# The "average accuracy" of {glue:text}`abstract-accuracy` % in the abstract is the macro average of the recall, {glue:text}`macro-recall`. The share of images classified correctly is {glue:text}`share-right` %.
#
# *Standing: arithmetic.*
#
# (which-average)=
# ## Which average is quoted?
#
# **The macro average ({glue:text}`abstract-all` %).** Table 4.2 ends with two averages: in the macro average each class counts alike, in the weighted one by its size. Abstract, section 4.2 and Conclusion quote
# "an average" without saying which. With classes of such different sizes either is a fair choice, but the reader must be told: by the {term}`weighted average` {glue:text}`lower` are {glue:text}`lower-value` %.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The averages", "code_prompt_hide": "The averages"}
QUOTED = {  # the abstract's word: the table's column
    "accuracy": "accuracy_as_printed",
    "precision": "precision",
    "sensitivity": "recall",
    "specificity": "specificity",
    "f1": "f1",
}
average = pd.DataFrame(
    {
        "Abstract, %": [B[f"zhu-abstract-{word}"] for word in QUOTED],
        "Macro average": [table_4_2[f"macro avg.{metric}"] for metric in QUOTED.values()],
        "Weighted average": [table_4_2[f"weighted avg.{metric}"] for metric in QUOTED.values()],
    },
    index=[word.capitalize() for word in QUOTED],
)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Quoted and printed averages", "code_prompt_hide": "Quoted and printed averages", "figure": {"name": "quoted-average", "caption": "The abstract's averages and the two of Table 4.2. Lines: what may have been rounded to the printed number."}, "image": {"alt": "Dot chart of five measures: the abstract's values lie on the macro averages; the weighted averages of accuracy, sensitivity and F1-score lie one point lower."}}
shares = average.assign(Abstract=[f"{int(text) / 100:.2f}" for text in average["Abstract, %"]])
kinds = ["Abstract", "Macro average", "Weighted average"]
rungs = [rung(word, kind, shares.loc[word, kind]) for kind in kinds for word in shares.index]
colors = dict(zip(kinds, [COLORS["printed"], "0.5", COLORS["possible"]], strict=True))
plots.ladder(
    pd.DataFrame(rungs, columns=RUNG), "Share (the axis does not begin at 0)", colors=colors
)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The same as a table", "code_prompt_hide": "The same as a table"}
pages.table(average, index=True)

# %% [markdown]
# *Standing: arithmetic.*
#
# (macro-auc)=
# ## Can the macro AUC be as printed?
#
# **No.** By section 3.4.1 the macro average is the mean over the classes. AUCs that are printed as {glue:text}`aucs` have a mean from {glue:text}`macro-low` to {glue:text}`macro-high`. That would be printed as {glue:text}`macro-right`, not {glue:text}`macro-printed`; the
# Conclusion repeats {glue:text}`conclusion-auc` %. The weighted average fits. Perhaps another kind of average, such as one over all images and classes together (micro average), was printed under this name; that cannot be told.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Averages of the AUC", "code_prompt_hide": "Averages of the AUC"}
aucs = [table_4_2[f"{name}.auc"] for name in CLASSES]
macro = forensics.mean_range(aucs)  # each from its lowest to its highest, none above 1
weighted = forensics.mean_range(aucs, list(sizes))
auc = pd.DataFrame([macro, weighted], index=["Macro", "Weighted"], columns=["From", "To"])
auc.insert(0, "Printed", [table_4_2[f"{name} avg.auc"] for name in ("macro", "weighted")])

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Printed and possible averages", "code_prompt_hide": "Printed and possible averages", "figure": {"name": "average-auc", "caption": "The two averages of the AUC in Table 4.2. Lines: what may have been rounded to the printed average, and what the four printed AUCs allow."}, "image": {"alt": "Two pairs of ranges: the printed weighted AUC overlaps what its parts allow; the printed macro AUC lies wholly above what its parts allow."}}
rungs = [rung(name, "Printed", text) for name, text in auc["Printed"].items()]
rungs += [
    (row.Index, "Possible by the four AUCs", np.nan, row.From, row.To) for row in auc.itertuples()
]
colors = {"Printed": COLORS["printed"], "Possible by the four AUCs": COLORS["possible"]}
plots.ladder(pd.DataFrame(rungs, columns=RUNG), "AUC (the axis does not begin at 0)", colors=colors)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The same as a table", "code_prompt_hide": "The same as a table"}
pages.table(auc, index=True, float_format="{:.5f}".format)

# %% [markdown]
# *Standing: arithmetic.*
#
# (auc-bound)=
# ## Are all AUCs above the stated bound?
#
# **Only if the viral AUC lies between {glue:text}`overlap-low` and {glue:text}`overlap-high`.** Section 4.2 says "all AUCs are more than {glue:text}`bound`%", and Table 4.2 prints {glue:text}`viral-auc` for viral pneumonia. The table can be true without the sentence; what is
# printed does not decide it.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The viral AUC", "code_prompt_hide": "The viral AUC", "figure": {"name": "viral-auc", "caption": "The viral AUC of Table 4.2, the sentence of section 4.2, and where both hold."}, "image": {"alt": "Three ranges of the viral AUC: those that print as printed, those above the stated bound, and their overlap, half as wide as the first."}}
bound, viral = int(B["zhu-4.2-aucs"]) / 100, forensics.unrounded(table_4_2["viral.auc"])
both = max(viral[0], bound), viral[1]
rungs = [
    rung(f"Printed {table_4_2['viral.auc']}", "Printed", table_4_2["viral.auc"]),
    (f"“more than {B['zhu-4.2-aucs']}%”", "Printed", np.nan, bound, 0.9699),
    ("Both", "Possible", np.nan, *both),
]
colors = {"Printed": COLORS["printed"], "Possible": COLORS["possible"]}
ax = plots.ladder(pd.DataFrame(rungs, columns=RUNG), "AUC of viral pneumonia", colors=colors)
ax.set_xlim(0.954, 0.97)
plt.show()

# %% [markdown]
# *Standing: arithmetic.*
#
# (claimed-images)=
# ## Where do the claimed images come from?
#
# **The {glue:text}`gap` images too many are {glue:text}`files` − {glue:text}`used`: every file of the COVID-19 collection, CT scans and other diseases among them, was counted in place of the images used.** The thesis claims {glue:text}`claimed` images of
# {glue:text}`claimed-patients` patients (section 2.1), but its Table 2.1 adds to {glue:text}`in-table` images. Which of the counts that it prints add to the claimed ones?

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Sums of printed counts", "code_prompt_hide": "Sums of printed counts"}
COUNTED = {
    "files of the COVID-19 collection": "2.1-listed-images",
    "their patients": "2.1-listed-patients",
    "COVID-19 images used": "t2.1-covid-images",
    "patients of the images used": "t2.1-covid-patients",
    "Kermany's images": "2.1-kermany-images",
    "viral": "t2.1-viral-images",
    "bacterial": "t2.1-bacterial-images",
    "normal": "t2.1-normal-images",
}
printed = {name: int(B[f"zhu-{key}"]) for name, key in COUNTED.items()}
claimed, claimed_patients = int(B["zhu-2.1-images"]), int(B["zhu-2.1-patients"])
chosen = [names for size in range(1, 5) for names in combinations(printed, size)]
sums = [(sum(printed[name] for name in names), " + ".join(names)) for names in chosen]
sums = pd.DataFrame(sums, columns=["Claimed", "Sum of"])
pages.table(
    sums[sums["Claimed"].isin([claimed, claimed_patients])], formatters=["{:,}".format, str]
)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What the claims count", "code_prompt_hide": "What the claims count", "figure": {"name": "claimed-sizes", "caption": "The sizes of Study B (section 2.1 and Table 2.1), less the {glue:text}`kermany` images of Kermany's collection."}, "image": {"alt": "Four bars beyond Kermany's images: all files of the COVID-19 collection, the images used, the patients of those, and all patients; the claims take the first and the third."}}
files, file_patients, used, patients, kermany, *classes = printed.values()
bars = {  # what the bar is called: its length, what it counts
    f"{claimed:,} images, claimed": (files, "all files"),
    f"{used + kermany:,} images in Table 2.1": (used, "images used"),
    f"{claimed_patients:,} patients, claimed": (patients, "patients of images used"),
    f"{file_patients + kermany:,} patients of all files": (file_patients, "patients of all files"),
}
values, texts = zip(*bars.values(), strict=True)
with plots.style():
    ax = plt.subplots(figsize=(7, 2.8))[1]
    drawn = ax.barh(list(bars), values, height=0.6, color=["k", "0.6", "k", "0.6"])
    ax.bar_label(drawn, [f"{n}, {text}" for n, text in zip(values, texts, strict=True)], padding=4)
    ax.set(xlabel="Counted from the COVID-19 collection", xlim=(0, 490))
    ax.invert_yaxis()
plt.show()

# %% [markdown]
# The {glue:text}`claimed-patients` patients are those of the images used. Counted as the claimed images are, there would be {glue:text}`same-rule`.
#
# *Standing: that no other sum of these counts gives the claims is arithmetic; that the thesis added in this way is an inference.*
#
# (each-image)=
# ## Is each image a patient?
#
# **No: the file names hold {glue:text}`ids` numbers, one of them with {glue:text}`most` images, and the {glue:text}`test-images` bacterial test images have {glue:text}`test-ids`.** Table 2.1 lists as many patients as images for Kermany's collection {cite}`kermany2018`,
# {glue:text}`kermany` of each. But the file names carry a class and a number.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Numbers in the file names", "code_prompt_hide": "Numbers in the file names"}
split = studies.run("zhu-fourclass").split
children = split[split["y_true"] != "covid"]
part = children["split"].replace("val", "train")  # our validation fold
ids = children.groupby([part, "y_true"])["patient_id"].agg(["size", "nunique"])
ids.columns, ids.index.names = ["Images", "Numbers"], ["Part", "Class"]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Patients, printed and by file name", "code_prompt_hide": "Patients, printed and by file name", "figure": {"name": "patients-by-name", "caption": "Table 2.1: patients of Kermany's collection, as printed and by the numbers in the file names."}, "image": {"alt": "Pairs of bars for viral, bacterial and normal: patients as printed, and the fewer numbers in the file names."}}
numbers = children.groupby("y_true")["patient_id"].nunique()
people = pd.DataFrame(
    {
        "Patients, printed": [int(B[f"zhu-t2.1-{name}-patients"]) for name in CLASSES[1:]],
        "Numbers in the file names": [numbers[name] for name in CLASSES[1:]],
    },
    index=labels[1:],
)
with plots.style():
    colors = [COLORS["printed"], COLORS["rebuilt"]]
    ax = people.plot.barh(figsize=(7, 3), width=0.8, color=colors, xlabel="Patients", legend=False)
    for bars in ax.containers:
        ax.bar_label(bars, fmt="{:,.0f}", padding=3)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.figure.legend(loc="outside upper center", ncol=2, frameon=False)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The same by part of the split", "code_prompt_hide": "The same by part of the split"}
pages.table(ids.reset_index())

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Numbers in both parts", "code_prompt_hide": "Numbers in both parts"}
ill = children[children["y_true"] != "normal"]  # normal files have numbers of another form
leaks = count_leakage(children, part)
leaks_ill = count_leakage(ill, part[ill.index])
number = ill.loc[part == "train", "patient_id"].str.rpartition("-")[2]
kinds = ill.loc[number.index, "y_true"].groupby(number).nunique()  # of pneumonia, by number

# %% [markdown]
# What is not known is whether a number means the same child in every class. If each class has its own numbering, training and test share {glue:text}`shared` patients. If not, {glue:text}`shared-alone` of the {glue:text}`test-alone` numbers of pneumonia test images
# are in training too. The first is likelier: otherwise {glue:text}`both` of {glue:text}`of-numbers` children with pneumonia in the training set would have had both kinds.
#
# *Standing: counted; which numbering is likelier is an inference.*
#
# (copies-first)=
# ## What if images were copied before the folds were cut?
#
# **Then practically every held-out COVID-19 image would have been trained on.** COVID-19 images were copied {glue:text}`copies-binary`-fold for two classes and {glue:text}`copies-four`-fold for four (section 2.2). {glue:text}`folds`-fold cross-validation is described
# later (3.3.2), and the order of the two is not stated. If copies came first, a held-out copy is a fair test only if all its twins are held out with it. Each twin falls into that fold with probability 1 / {glue:text}`folds`. So it would happen once in
# {glue:text}`one-in-four` for {glue:text}`copies-four` copies, and once in {glue:text}`one-in-binary` for {glue:text}`copies-binary`.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Copies in one fold", "code_prompt_hide": "Copies in one fold", "figure": {"name": "copies-in-a-fold", "caption": "Probability that all copies of an image lie in one of {glue:text}`folds` folds, where each copy is as likely to fall into any of them."}, "image": {"alt": "Probability that all copies of an image lie in one fold, on a logarithmic axis, against the number of copies: a straight line down, with the thesis's two numbers of copies marked."}}
folds = int(B["zhu-3.3.2-folds"])
copies = {
    "four classes": int(B["zhu-2.2-copies-fourclass"]),
    "two classes": int(B["zhu-2.2-copies-binary"]),
}
chance = pd.Series({n: float(folds) ** (1 - n) for n in range(1, 31)})
with plots.style():
    ax = chance.plot(figsize=(7, 3.6), logy=True, color="0.45", marker=".")
    for task, n in copies.items():
        ax.plot(n, chance[n], "o", color=COLORS["printed"], markersize=9)
        text = f"{task}, {n} copies:\n1 in {folds ** (n - 1):,}"
        left = {"ha": "right", "va": "top"} if n > 15 else {}
        ax.annotate(
            text, (n, chance[n]), (-10 if left else 10, 0), textcoords="offset points", **left
        )
    ax.set(xlabel="Copies of each image", ylabel="Probability that none crosses", xlim=(0, 31))
    ax.grid(color="0.9")
plt.show()

# %% [markdown]
# This book cuts folds first, by patient: see [How sure?](06_study_b_how_sure.ipynb).
#
# *Standing: the numbers are arithmetic. That it was done in this order is not known, and the folds' results are not printed.*
#
# (perfect-score)=
# ## How sure is a perfect score?
#
# **A recall of {glue:text}`image-low` % is compatible with {glue:text}`size-covid` of {glue:text}`size-covid` images, and one of {glue:text}`patient-low` % with as many patients as such images come from ({glue:text}`patient-range`).** For two classes every number of Table 4.1 is
# {glue:text}`perfect`: {glue:text}`size-covid` of {glue:text}`size-covid` and {glue:text}`size-others` of {glue:text}`size-others` images. What recall can a model have that makes no error in so many?
#
# Images of one patient are alike, so patients count, not images. The thesis does not print how many patients it tested. In this book's draws by its rule, {glue:text}`size-covid` test images (those not on disk among them) came from {glue:text}`patient-counts` patients.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "COVID-19 test patients of the draws", "code_prompt_hide": "COVID-19 test patients of the draws"}
drawn = [run.split for name in runs for run in studies.family(name)[0]]
tests = [split.query("split == 'test' and y_true == 'covid'") for split in drawn]
size = int(B["zhu-t4.1-covid-size"])
covid_patients = sorted({test["patient_id"].nunique() for test in tests if len(test) == size})

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Intervals of a perfect score", "code_prompt_hide": "Intervals of a perfect score"}
perfect = pd.DataFrame(
    {
        "COVID-19 images": size,
        "COVID-19 patients, most drawn": covid_patients[-1],
        "COVID-19 patients, fewest drawn": covid_patients[0],
        "Other images": int(B["zhu-t4.1-non-covid-size"]),
        "Other numbers in names": ids.loc["test", "Numbers"].sum(),
    },
    index=["n of n"],
).T
n = perfect["n of n"]
perfect["Wilson from"] = cxrlib.wilson(n, n, level)[0]
perfect["Clopper–Pearson from"] = [binomtest(k, k).proportion_ci(level).low for k in n]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "A perfect score", "code_prompt_hide": "A perfect score", "figure": {"name": "perfect-recall", "caption": "Recall in Table 4.1: {glue:text}`level-percent` % intervals of n right of n, by images and by patients."}, "image": {"alt": "Dot chart: the perfect recall of Table 4.1 with Wilson and Clopper-Pearson intervals, by images and by patients; by patients the intervals of COVID-19 are about one and a half times as wide."}}
rungs = [
    (f"{name}: {row['n of n']:.0f}", kind, 1.0, row[f"{kind} from"], 1.0)
    for name, row in perfect.iterrows()
    for kind in ("Wilson", "Clopper–Pearson")
]
plots.ladder(pd.DataFrame(rungs, columns=RUNG), "Recall (the axis does not begin at 0)")
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The same as a table", "code_prompt_hide": "The same as a table"}
pages.table(perfect, index=True, float_format="{:.3f}".format)

# %% [markdown]
# For the other images it is {glue:text}`others-low` %. These intervals do not tell that the two collections differ in more than the disease.
#
# *Standing: by images, arithmetic; the patients are counted, in draws of ours.*


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Numbers in the sentences", "code_prompt_hide": "Numbers in the sentences"}
def span(values, decimals=0):
    """``low to high``, or one number where both print alike."""
    low, high = (f"{value:,.{decimals}f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


right = np.trace(matrices, axis1=1, axis2=2)
wrong = matrices * (1 - np.eye(4, dtype=int))
commonest = wrong.reshape(len(wrong), -1).argmax(axis=1)  # in each matrix, a place in `pairs`
lower = average[average["Weighted average"] < average["Macro average"]]
from_wilson = 100 * perfect["Wilson from"]
numbers_in_text = {
    "matrix-count": len(matrices),
    "right": span(right),
    "total": total,
    "share-right": span(100 * right / total, 1),
    "size-covid": size,
    "covid-alarms": span(matrices[:, 1:, 0].sum(axis=1)),
    "commonest": " or ".join(pairs[at].lower() for at in np.unique(commonest)).replace(
        "covid", "COVID"
    ),
    "commonest-count": span(wrong.max(axis=(1, 2))),
    "formula": "; ".join(f"{plots.label(c)} {span(formula[c], 3)}" for c in CLASSES),
    "formula-mean": span(formula["macro avg"], 3),
    "macro-recall": span((tp / sizes).mean(axis=1), 3),
    "abstract-accuracy": B["zhu-abstract-accuracy"],
    "abstract-all": "/".join(average["Abstract, %"]),
    "lower": (", ".join(lower.index[:-1]) + " and ").lower() + lower.index[-1],
    "lower-value": span(100 * lower["Weighted average"].astype(float)),
    "aucs": ", ".join(aucs),
    "macro-low": f"{macro[0]:.5f}",
    "macro-high": f"{macro[1]:.5f}",
    "macro-right": f"{macro[1]:.2f}",
    "macro-printed": table_4_2["macro avg.auc"],
    "conclusion-auc": B["zhu-5-auc"],
    "bound": B["zhu-4.2-aucs"],
    "viral-auc": table_4_2["viral.auc"],
    "overlap-low": f"{both[0]:.3f}",
    "overlap-high": f"{both[1]:.3f}",
    "claimed": claimed,
    "claimed-patients": claimed_patients,
    "in-table": used + kermany,
    "gap": claimed - used - kermany,
    "files": files,
    "used": used,
    "kermany": kermany,
    "same-rule": file_patients + kermany,
    "ids": int(numbers.sum()),
    "most": int(children.groupby("patient_id").size().max()),
    "test-images": int(ids.loc[("test", "bacterial"), "Images"]),
    "test-ids": int(ids.loc[("test", "bacterial"), "Numbers"]),
    "shared": int(leaks.loc["class and number", "shared_patients"]),
    "shared-alone": int(leaks_ill.loc["number alone", "shared_patients"]),
    "test-alone": int(leaks_ill.loc["number alone", "test_patients"]),
    "both": int((kinds == 2).sum()),
    "of-numbers": len(kinds),
    "folds": folds,
    "copies-four": copies["four classes"],
    "copies-binary": copies["two classes"],
    "one-in-four": folds ** (copies["four classes"] - 1),
    "one-in-binary": folds ** (copies["two classes"] - 1),
    "perfect": B["zhu-t4.1-covid-recall"],
    "size-others": int(perfect.loc["Other images", "n of n"]),
    "image-low": f"{from_wilson['COVID-19 images']:.0f}",
    "patient-low": span(from_wilson.iloc[1:3]),
    "patient-range": span(covid_patients),
    "patient-counts": ", ".join(map(str, covid_patients)),
    "others-low": f"{from_wilson['Other images']:.1f}",
    "perfect-range": f"a recall of {from_wilson.min():.0f} %",
    "level-percent": f"{100 * level:g}",
}
for name, wrong_ones, n in zip(CLASSES, missed.T, sizes, strict=True):
    numbers_in_text |= {
        f"missed-{name}": span(wrong_ones),
        f"size-{name}": int(n),
        f"missed-{name}-share": span(100 * wrong_ones / n),
    }
pages.glue_all(numbers_in_text)

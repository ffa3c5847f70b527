# ---
# jupyter:
#   cxr:
#     records:
#     - zhu-binary
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
# # What the printed numbers say about themselves
#
# A printed number has been rounded, and it stands among others. So it can be asked which counts, means and curves it can have come from, and whether all can be true together. That needs
# no image and no network: whatever model the studies trained, its numbers obey arithmetic. Each answer below has one of three standings.
#
# - **Arithmetic**: it follows from the printed numbers and the studies' own definitions.
# - **Counted**: it needs counts from the public lists of images, or from recorded draws of this book.
# - **Inference**: it needs an assumption too, which is named.
#
# | Question | Answer | Study, standing |
# |---|---|---|
# | <a href="#how-many-covid-19-images-did-study-a-test">How many COVID-19 images did Study A test?</a> | {glue:text}`positives`, no other number | A, arithmetic |
# | <a href="#which-matrices-give-study-a-s-percentages">Which matrices give Study A's percentages?</a> | {glue:text}`binary-count` of them | A, arithmetic |
# | <a href="#which-matrices-give-table-4-2">Which matrices give Table 4.2?</a> | {glue:text}`matrix-count` of them | B, arithmetic |
# | <a href="#which-class-is-most-often-mistaken">Which class is most often mistaken?</a> | viral; normal far less often | B, arithmetic |
# | <a href="#is-the-accuracy-column-accuracy">Is the accuracy column accuracy?</a> | no, recall | B, arithmetic |
# | <a href="#which-average-is-quoted">Which average is quoted?</a> | the macro average, unnamed | B, arithmetic |
# | <a href="#can-the-macro-auc-be-as-printed">Can the macro AUC be as printed?</a> | no | B, arithmetic |
# | <a href="#are-all-aucs-above-the-stated-bound">Are all AUCs above the stated bound?</a> | only if one is rounded down | B, arithmetic |
# | <a href="#where-do-the-claimed-images-come-from">Where do the claimed images come from?</a> | files that were not used | B, inference |
# | <a href="#is-each-image-a-patient">Is each image a patient?</a> | no | B, counted |
# | <a href="#what-if-copies-came-before-folds">What if copies came before folds?</a> | then nothing is held out | B, inference |
# | <a href="#how-sure-is-a-perfect-score">How sure is a perfect score?</a> | {glue:text}`perfect-range` is possible | B, counted |
# | <a href="#what-does-doing-nothing-score">What does doing nothing score?</a> | {glue:text}`null` %, more than the model | A, arithmetic |
# | <a href="#how-many-alarms-are-false">How many alarms are false?</a> | {glue:text}`alarms` for each true one | A, arithmetic |
# | <a href="#does-the-auc-fit-the-operating-point">Does the AUC fit the operating point?</a> | yes | A, inference |
# | <a href="#which-formula-gives-the-efficiency">Which formula gives the efficiency?</a> | likely the relative difference | A, inference |
# | <a href="#what-are-the-negatives-labels-worth">What are the negatives' labels worth?</a> | they are uncertain too | A, counted |

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the printed numbers", "code_prompt_hide": "Load the printed numbers"}
import json
from itertools import combinations, product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML
from scipy.special import ndtr, ndtri
from scipy.stats import binomtest

from companion import forensics, pages, studies
from companion.forensics import unrounded
from companion.pages import say
from cxrlib import plots
from cxrlib.data.kermany import count_leakage
from cxrlib.metrics import intervals

A, B = (
    studies.printed(study).set_index("id")["printed"] for study in ("cheazemin2020", "zhu2020")
)  # as text, by id
table_4_2 = studies.printed("zhu2020", "Table 4.2").set_index("metric")[
    "printed"
]  # by cell: "viral.recall"
CLASSES = ["covid", "viral", "bacterial", "normal"]
SIZES = {name: int(table_4_2[f"{name}.size"]) for name in CLASSES}
total = sum(SIZES.values())

# %% tags=["remove-cell"]
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"


def between(values, decimals=3):
    """``low to high``, or one number where both print alike."""
    low, high = (f"{value:,.{decimals}f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def spans(rows, xlabel, xlim=None):
    """Ranges on a common axis: rows of (label, low, high, colour, text at the end)."""
    with plots.style():
        ax = plt.subplots(figsize=(7, 1.1 + 0.5 * len(rows)))[1]
        for place, (_, low, high, color, text) in enumerate(rows):
            ax.barh(
                place, high - low, left=low, height=0.5, color=color, edgecolor=color, linewidth=2.5
            )
            ax.annotate(text, (high, place), (6, 0), textcoords="offset points", va="center")
        ax.set(
            yticks=range(len(rows)),
            yticklabels=[row[0] for row in rows],
            xlabel=xlabel,
            ylim=(len(rows) - 0.5, -0.5),
            xlim=xlim,
        )
        ax.spines[["top", "right"]].set_visible(False)
    return ax


def ladder(rungs):
    """Shares by kind: rows of (label, kind, value, low, high)."""
    plots.ladder(
        pd.DataFrame(rungs, columns=["label", "kind", "value", "low", "high"]),
        "Share (the axis does not begin at 0)",
    )
    plt.show()


# %% [markdown]
# ## Counts behind percentages
#
# A percentage of a known number of images is a count. Often only one fits.
#
# ### How many COVID-19 images did Study A test?
#
# {cite:t}`cheazemin2020` add {glue:text}`negatives` images without finding "to simulate a population scenario with {glue:text}`prevalence`% prevalence rate". The number of COVID-19 images
# stands in a figure that the text at hand lacks. It can be found: every n for which n / (n + {glue:text}`negatives`) prints so.

# %%
negatives = int(A["azemin-2-negatives"])
prevalence = A["azemin-2-prevalence"]
percent = {n: 100 * n / (n + negatives) for n in range(1000)}
fits = {n: forensics.printed_as(percent[n], prevalence) for n in percent}
candidates = [n for n in fits if fits[n]]
print(candidates)

# %% tags=["remove-cell"]
positives = candidates[0]
assert candidates == forensics.possible_positives(negatives, prevalence)
say("negatives", negatives)
say("prevalence", prevalence)
say("positives", ", ".join(map(str, candidates)))
say("tested", positives + negatives)

# %% tags=["remove-input"] mystnb={"image": {"alt": "Dot chart: number of COVID-19 images against their share of the test set. One dot lies within the band of shares that print as the paper's prevalence."}}
n = np.arange(positives - 4, positives + 5)
with plots.style():
    ax = plt.subplots(figsize=(7, 3))[1]
    ax.axhspan(*unrounded(prevalence), color=BLUE, alpha=0.25, label=f"prints as {prevalence} %")
    for fits, look in (
        (False, {"color": "0.45", "markerfacecolor": "white", "label": "does not fit"}),
        (True, {"color": BLUE, "markersize": 9, "label": "fits"}),
    ):
        chosen = n[np.isin(n, candidates) == fits]
        ax.plot(chosen, 100 * chosen / (chosen + negatives), "o", **look)
    ax.set(xticks=n, xlabel="COVID-19 images", ylabel="Share of the test set (%)")
    ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# *Number of COVID-19 images and their share of the test set (Study A, section 2 and the lost Figure 1).*
#
# **Study A tested {glue:text}`positives` COVID-19 images, {glue:text}`tested` images in all.** Arithmetic, if the prevalence is the share in this test set. Which images they were is
# [another matter](11_study_a_images.ipynb).
#
# ### Which matrices give Study A's percentages?
#
# Sensitivity {glue:text}`sensitivity` %, specificity {glue:text}`specificity` % and accuracy {glue:text}`accuracy` %, of {glue:text}`positives` positives and {glue:text}`negatives` negatives. Take every number of true
# positives that prints the first and every number of true negatives that prints the second; keep the pairs that print the third.

# %%
measures = ("sensitivity", "specificity", "accuracy")
given = {name: A[f"azemin-3-{name}"] for name in measures}
binary = forensics.binary_matrices(positives, negatives, **given)
print(len(binary))

# %% tags=["remove-cell"]
for name, text in given.items():
    say(name, text)
tp, fn, fps, tns = (
    binary[0][0],
    binary[0][1],
    [matrix[2] for matrix in binary],
    [matrix[3] for matrix in binary],
)
assert len({matrix[:2] for matrix in binary}) == 1
say("binary-count", len(binary))
say("ppv", between([100 * tp / (tp + fp) for fp in fps], 2))
say("ppv-interval", between([100 * end for end in intervals.wilson(tp, tp + fps[0])], 1))
say("npv", between([100 * tn / (tn + fn) for tn in tns], 2))

# %% tags=["remove-input"]
rows = [
    (tp, fn, f"{fp:,}", f"{tn:,}", f"{100 * tp / (tp + fp):.2f} %", f"{100 * tn / (tn + fn):.2f} %")
    for tp, fn, fp, tn in binary
]
pages.table(pd.DataFrame(rows, columns=["TP", "FN", "FP", "TN", "PPV", "NPV"]))

# %% tags=["remove-input"] mystnb={"image": {"alt": "One bar: all images that the model of Study A calls positive, a thin slice of true positives and a long remainder of false positives."}}
with plots.style():
    ax = plt.subplots(figsize=(7, 1.6))[1]
    ax.barh(0, tp, color=RED, height=0.6, label=f"COVID-19: {tp}")
    ax.barh(
        0,
        fps[0],
        left=tp,
        color="0.8",
        height=0.6,
        hatch="//",
        edgecolor="white",
        label=f"no finding: {between(fps, 0)}",
    )
    ax.set(yticks=[], xlabel="Images called positive", xlim=(0, None))
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.figure.legend(loc="outside upper center", ncol=2, frameon=False)
plt.show()

# %% [markdown]
# *What Study A's model called positive, from its percentages (Figure 4, lost in the text at hand).*
#
# **Its PPV, which it does not print, is {glue:text}`ppv` %** ({glue:text}`ppv-interval` % by Wilson's interval, images taken as independent), its NPV {glue:text}`npv` %. Arithmetic, given the
# {glue:text}`positives` positives.
#
# ### Which matrices give Table 4.2?
#
# {cite:t}`zhu2020` prints precision, recall, selectivity and F1-score of four classes, to two decimals, and two averages of each; the matrix itself is a picture (Figure 4.3) that we do not have. Of each class,
# with its printed size, take every TP and FP that print its row. Every false positive of one class is a false negative of another, so their sums must agree; and the averages must print as they do. What remains, as (TP, FP):

# %%
counts = forensics.class_counts(SIZES, table_4_2)
pages.table(pd.DataFrame(counts).rename(columns=plots.label))

# %% [markdown]
# Now the diagonal is known (TP), and the sum of errors in each row (size less TP) and in each column (FP). All integer matrices with these sums:


# %%
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


matrices = []
for found in counts:
    right, alarms = zip(*found.values(), strict=True)  # TP and FP by class
    missed = [size - hits for size, hits in zip(SIZES.values(), right, strict=True)]
    matrices += [np.diag(right) + rows for rows in errors(missed, alarms)]
matrices = np.array(matrices)
print(len(matrices))

# %% tags=["remove-cell"]
low, high = matrices.min(axis=0), matrices.max(axis=0)
right = {int(np.trace(matrix)) for matrix in matrices}
others = [matrices[:, i, j] for i in range(4) for j in range(4) if i != j and (i, j) != (1, 2)]
assert (
    len(right) == 1
    and (low[0] == high[0]).all()
    and (matrices[:, 1, 2] > np.max(others, axis=0)).all()
)  # what is said of all below
say("matrix-count", len(matrices))
say("share-right", f"{100 * max(right) / total:.1f}")
say("right", right.pop())
say("total", total)
say("viral-bacterial", between(matrices[:, 1, 2], 0))
say("covid-alarms", between(matrices[:, 1:, 0].sum(axis=1), 0))
say("size-covid", SIZES["covid"])

# %% tags=["remove-input"] mystnb={"image": {"alt": "Heat map of four by four cells, rows true class, columns predicted class: in each the lowest and highest count over all matrices that give Table 4.2; the text below says what is certain."}}
labels = [plots.label(name) for name in CLASSES]
texts = [
    [str(a) if a == b else f"{a}–{b}" for a, b in zip(*pair, strict=True)]
    for pair in zip(low, high, strict=True)
]
with plots.style():
    ax = plt.subplots(figsize=(7, 4.4))[1]
    sns.heatmap(
        100 * (low + high) / 2 / np.array(list(SIZES.values()))[:, None],
        annot=np.array(texts),
        fmt="",
        cmap="Blues",
        vmin=0,
        vmax=100,
        linewidths=1,
        ax=ax,
        xticklabels=labels,
        yticklabels=[f"{plots.label(name)}\nn = {size}" for name, size in SIZES.items()],
        cbar_kws={"label": "Middle of the range (% of the class)"},
    )
    plt.setp(ax.get_yticklabels(), rotation=0)
    ax.set(
        xlabel="Predicted class",
        ylabel="True class",
        title=f"Lowest and highest count over {len(matrices)} matrices",
    )
    ax.tick_params(length=0)
plt.show()

# %% [markdown]
# *Figure 4.3, as far as Table 4.2 determines it: one number where all matrices agree.*

# %% tags=["remove-input"]
ordered = matrices[np.lexsort(matrices.reshape(-1, 16).T[::-1])].reshape(-1, 16).tolist()
head = "".join(f'<th scope="col">{label}</th>' for label in labels)
body = "".join(
    f'<tr><th scope="row">{label}</th>{"<td>{}</td>" * 4}</tr>' for label in labels
).format(*ordered[0])
HTML(
    f"""<div id="every-matrix" class="wide" tabindex="0" role="region"
aria-label="One matrix that gives Table 4.2">
<p><label hidden><span></span> <input type="range" min="1" max="{len(ordered)}" value="1"
style="display: block; width: 100%; max-width: 24rem"></label></p>
<table class="dataframe numbers"><thead><tr>
<th scope="col">True class, as predicted</th>{head}</tr></thead>
<tbody>{body}</tbody></table></div>
<script>(() => {{
  const box = document.getElementById("every-matrix"), matrices = {json.dumps(ordered)};
  const slider = box.querySelector("input"), label = box.querySelector("label");
  const cells = box.querySelectorAll("td");
  const differs = matrices[0].map((_, i) => new Set(matrices.map(matrix => matrix[i])).size > 1);
  const show = () => {{
    cells.forEach((cell, i) => {{ cell.textContent = matrices[slider.value - 1][i];
      cell.style.fontWeight = differs[i] ? "bold" : ""; }});
    label.firstChild.textContent = `Matrix ${{slider.value}} of ${{matrices.length}}`;
  }};
  slider.addEventListener("input", show);
  label.hidden = false;
  show();
}})();</script>"""
)

# %% [markdown]
# *The matrices one by one, with the slider or the arrow keys; cells that differ among them are bold. Without JavaScript, the first.*
#
# **Exactly {glue:text}`matrix-count` matrices print Table 4.2.** In all of them {glue:text}`right` of {glue:text}`total` images are right ({glue:text}`share-right` %), all {glue:text}`size-covid`
# COVID-19 images are found, with {glue:text}`covid-alarms` false alarms, and the commonest error is viral pneumonia called bacterial: {glue:text}`viral-bacterial` images. Arithmetic.
#
# ### Which class is most often mistaken?
#
# The thesis says twice that its model "tends to classify normal cases into other" classes and viral pneumonia into bacterial (section 4.2 and Conclusion). The errors of each class, over all matrices:

# %%
missed = {c: SIZES[c] - matrices[:, k, k] for k, c in enumerate(CLASSES)}
for name, number in missed.items():
    print(f"{name:9} {number.min():2} to {number.max():2} of {SIZES[name]}")

# %% tags=["remove-cell"]
for name in ("normal", "viral", "bacterial"):
    say(f"missed-{name}", between(missed[name], 0))
    say(f"size-{name}", SIZES[name])
    say(f"missed-{name}-share", between(100 * missed[name] / SIZES[name], 0))

# %% tags=["remove-input"] mystnb={"image": {"alt": "Bars: share of each class that is classified wrongly, as a range over all matrices; viral is far the highest, normal and bacterial lower, COVID-19 none."}}
spans(
    [
        (
            plots.label(name),
            0,
            100 * number.max() / SIZES[name],
            plots.look(name)["color"],
            f"{between(number, 0)} of {SIZES[name]}",
        )
        for name, number in missed.items()
    ],
    "Images of the class called something else (%)",
    (0, 22),
)
plt.show()

# %% [markdown]
# *Errors by true class, from Table 4.2; bars as long as the highest number.*
#
# **Normal images are mistaken in {glue:text}`missed-normal-share` % ({glue:text}`missed-normal` of {glue:text}`size-normal`), viral ones in {glue:text}`missed-viral-share` %
# ({glue:text}`missed-viral` of {glue:text}`size-viral`).** What the thesis says of viral pneumonia holds; normal cases are no weak point beside it, though more often mistaken than bacterial pneumonia
# ({glue:text}`missed-bacterial-share` %). Arithmetic.
#
# ## Columns and averages
#
# ### Is the accuracy column accuracy?
#
# Section 3.4.1 of the thesis defines accuracy as (TP + TN) / (TP + FP + TN + FN), each class against the rest. Tables 4.1 and 4.2 have a column of that name. In Table 4.2 it is, row for row, the column "Recall":

# %%
rows = [*CLASSES, "macro avg", "weighted avg"]
print("accuracy", *(table_4_2[f"{row}.accuracy_as_printed"] for row in rows))
print("recall  ", *(table_4_2[f"{row}.recall"] for row in rows))


# %% [markdown]
# The formula, on the counts found above:


# %%
def accuracies(found):
    """(TP + TN) / all = 1 - (FN + FP) / all, of each class."""
    wrong = {c: SIZES[c] - tp + fp for c, (tp, fp) in found.items()}
    return {c: 1 - wrong[c] / total for c in wrong}


formula = pd.DataFrame(map(accuracies, counts))
formula["mean"] = formula.mean(axis=1)
named = formula.rename(columns=plots.label)
pages.table(named, float_format="{:.3f}".format)

# %% tags=["remove-cell"]
assert all(table_4_2[f"{row}.accuracy_as_printed"] == table_4_2[f"{row}.recall"] for row in rows)
say("formula", "; ".join(f"{plots.label(name)} {between(formula[name])}" for name in CLASSES))
say("formula-mean", between(formula["mean"]))
say(
    "macro-recall",
    between([np.mean([found[name][0] / SIZES[name] for name in CLASSES]) for found in counts]),
)

# %% tags=["remove-input"] mystnb={"image": {"alt": "Dot chart by class: printed accuracy and printed recall coincide; accuracy by the thesis's formula is higher for viral and normal and lower for bacterial."}}
rungs = []
for name, row in zip(formula, [*CLASSES, "macro avg"], strict=True):
    title = "Macro average" if name == "mean" else plots.label(name)
    for kind, cell in (
        ("Printed as accuracy", "accuracy_as_printed"),
        ("Printed as recall", "recall"),
    ):
        rungs.append(
            (title, kind, float(table_4_2[f"{row}.{cell}"]), *unrounded(table_4_2[f"{row}.{cell}"]))
        )
    rungs.append(
        (
            title,
            "By the formula of 3.4.1",
            formula[name].mean(),
            formula[name].min(),
            formula[name].max(),
        )
    )
ladder(rungs)

# %% [markdown]
# *Table 4.2: the column "Accuracy", the column "Recall", and the accuracy of section 3.4.1. Lines: rounding.*
#
# **The column is the recall.** By the thesis's formula it would read {glue:text}`formula`, on average {glue:text}`formula-mean`. The abstract's "average accuracy" of {glue:text}`abstract-accuracy` % is the
# macro average of recall, {glue:text}`macro-recall`; the share of images classified correctly is {glue:text}`share-right` %. Arithmetic.
#
# ### Which average is quoted?
#
# Table 4.2 ends with two averages: macro, where each class counts alike, and weighted by size. Abstract, section 4.2 and Conclusion quote "an average" without saying which.

# %% tags=["remove-cell"]
QUOTED = {
    "accuracy_as_printed": "accuracy",
    "precision": "precision",
    "recall": "sensitivity",
    "specificity": "specificity",
    "f1": "f1",
}

# %%
average = pd.DataFrame(index=QUOTED.values())
average["abstract, %"] = [B[f"zhu-abstract-{w}"] for w in QUOTED.values()]
average["macro"] = [table_4_2[f"macro avg.{m}"] for m in QUOTED]
average["weighted"] = [table_4_2[f"weighted avg.{m}"] for m in QUOTED]
pages.table(average.T, index=True)

# %% tags=["remove-cell"]
assert (average["abstract, %"].astype(float) == 100 * average["macro"].astype(float)).all()
say("abstract-accuracy", B["zhu-abstract-accuracy"])
say("abstract-all", "/".join(average["abstract, %"]))
lower = average[average["weighted"].astype(float) < average["macro"].astype(float)]
say(
    "lower",
    ", ".join(lower.index[:-1].str.replace("f1", "F1"))
    + " and "
    + lower.index[-1].replace("f1", "F1"),
)
say("lower-value", between(100 * lower["weighted"].astype(float), 0))

# %% tags=["remove-input"] mystnb={"image": {"alt": "Dot chart of five measures: the abstract's values lie on the macro averages; the weighted averages of accuracy, sensitivity and F1-score lie one point lower."}}
ladder(
    [
        (word.capitalize(), kind, float(text), *unrounded(text))
        for word, row in average.iterrows()
        for kind, text in (
            ("Abstract", f"{float(row['abstract, %']) / 100:.2f}"),
            ("Macro average", row["macro"]),
            ("Weighted average", row["weighted"]),
        )
    ]
)

# %% [markdown]
# *The abstract's averages beside both of Table 4.2. Lines: rounding.*
#
# **It is the macro average ({glue:text}`abstract-all` %).** With sizes so different the other would be as good a choice; its {glue:text}`lower` are {glue:text}`lower-value` %. Neither is wrong; which it is must be said. Arithmetic.
#
# ### Can the macro AUC be as printed?
#
# By section 3.4.1 the macro average is the mean over the classes. Each of the four AUCs has been rounded, and none is above one:

# %%
aucs = [table_4_2[f"{name}.auc"] for name in CLASSES]
macro = forensics.mean_range(aucs)
weighted = forensics.mean_range(aucs, list(SIZES.values()))
print(f"macro    {macro[0]:.5f} to {macro[1]:.5f}")
print(f"weighted {weighted[0]:.5f} to {weighted[1]:.5f}")

# %% tags=["remove-cell"]
macro_printed, weighted_printed = table_4_2["macro avg.auc"], table_4_2["weighted avg.auc"]
macro_right = f"{macro[1]:.2f}"
assert macro[1] < unrounded(macro_printed)[0] and all(
    forensics.printed_as(end, macro_right) for end in macro
)
assert forensics.printed_as(np.mean(weighted), weighted_printed)
say("aucs", ", ".join(aucs))
say("macro-printed", macro_printed)
say("macro-low", f"{macro[0]:.5f}")
say("macro-high", f"{macro[1]:.5f}")
say("macro-right", macro_right)
say("conclusion-auc", B["zhu-5-auc"])

# %% tags=["remove-input"] mystnb={"image": {"alt": "Two pairs of ranges: the printed weighted AUC overlaps what its parts allow; the printed macro AUC lies wholly above what its parts allow."}}
spans(
    [
        (f"Macro, printed {macro_printed}", *unrounded(macro_printed), BLUE, "prints so"),
        ("Macro, from the four AUCs", *macro, ORANGE, "possible"),
        (f"Weighted, printed {weighted_printed}", *unrounded(weighted_printed), BLUE, "prints so"),
        ("Weighted, from the four AUCs", *weighted, ORANGE, "possible"),
    ],
    "AUC",
    (0.9695, 1.0005),
)
plt.show()

# %% [markdown]
# *The two averages of the AUC in Table 4.2: what prints as printed, and what the printed AUCs allow.*
#
# **No.** AUCs that print as {glue:text}`aucs` have a mean from {glue:text}`macro-low` to {glue:text}`macro-high`, which prints as {glue:text}`macro-right`, not {glue:text}`macro-printed`. The Conclusion repeats {glue:text}`conclusion-auc` %. Another kind of
# average, such as a micro average over all images and classes, may have been printed under this name; that cannot be told. The weighted average fits. Arithmetic.
#
# ### Are all AUCs above the stated bound?
#
# "All AUCs are more than {glue:text}`bound`%" (section 4.2), while the viral AUC is printed as {glue:text}`viral-auc`. Both hold only where these ranges overlap:

# %%
viral = unrounded(table_4_2["viral.auc"])
bound = int(B["zhu-4.2-aucs"]) / 100
print(f"{max(viral[0], bound):.3f} to {viral[1]:.3f}")

# %% tags=["remove-cell"]
say("bound", B["zhu-4.2-aucs"])
say("viral-auc", table_4_2["viral.auc"])
say("overlap-low", f"{max(viral[0], bound):.3f}")
say("overlap-high", f"{viral[1]:.3f}")

# %% tags=["remove-input"] mystnb={"image": {"alt": "Three ranges of the viral AUC: those that print as printed, those above the stated bound, and their overlap, half as wide as the first."}}
spans(
    [
        (f"Viral AUC, printed {table_4_2['viral.auc']}", *viral, BLUE, "prints so"),
        (f"“more than {B['zhu-4.2-aucs']}%”", bound, 0.9699, ORANGE, ""),
        ("Both", max(viral[0], bound), viral[1], GREEN, "possible"),
    ],
    "AUC",
    (0.954, 0.97),
)
plt.show()

# %% [markdown]
# *The viral AUC of Table 4.2 and the sentence of section 4.2.*
#
# **Only if the viral AUC lies between {glue:text}`overlap-low` and {glue:text}`overlap-high`.** The table can be true without the sentence; what is printed does not decide it. Arithmetic.
#
# ## Images, patients and copies
#
# ### Where do the claimed images come from?
#
# The thesis claims {glue:text}`claimed` images of {glue:text}`claimed-patients` patients (section 2.1). Its Table 2.1 adds to {glue:text}`in-table` images. Which of the counts that it prints add to the claimed ones?

# %% tags=["remove-cell"]
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

# %%
printed = {name: int(B[f"zhu-{key}"]) for name, key in COUNTED.items()}
claimed = int(B["zhu-2.1-images"])
claimed_patients = int(B["zhu-2.1-patients"])
for size in range(1, 5):
    for names in combinations(printed, size):
        number = sum(printed[name] for name in names)
        if number in (claimed, claimed_patients):
            print(f"{number:,} =", " + ".join(names))

# %% tags=["remove-cell"]
files, file_patients, used, patients, kermany, *classes = printed.values()
assert (
    claimed == files + kermany
    and claimed_patients == patients + kermany
    and sum(classes) == kermany == int(B["zhu-2.1-kermany-patients"])
)
sizes = {
    "claimed": claimed,
    "claimed-patients": claimed_patients,
    "in-table": used + kermany,
    "gap": claimed - used - kermany,
    "files": files,
    "used": used,
    "kermany": kermany,
    "same-rule": file_patients + kermany,
}
for name, number in sizes.items():
    say(name, number)

# %% tags=["remove-input"] mystnb={"image": {"alt": "Four bars beyond Kermany's images: all files of the COVID-19 collection, the images used, the patients of those, and all patients; the claims take the first and the third."}}
spans(
    [
        (f"{claimed:,} images, claimed", 0, files, ORANGE, f"{files}, all files"),
        (f"{used + kermany:,} images in Table 2.1", 0, used, BLUE, f"{used}, images used"),
        (
            f"{claimed_patients:,} patients, claimed",
            0,
            patients,
            BLUE,
            f"{patients}, patients of images used",
        ),
        (
            f"{file_patients + kermany:,} patients, by the rule\nof the claimed images",
            0,
            file_patients,
            "0.7",
            f"{file_patients}, patients of all files",
        ),
    ],
    f"From the COVID-19 collection, beside Kermany's {kermany:,}",
    (0, 490),
)
plt.show()

# %% [markdown]
# *The sizes of Study B (section 2.1 and Table 2.1) less Kermany's {glue:text}`kermany`.*
#
# **The {glue:text}`gap` images too many are {glue:text}`files` − {glue:text}`used`: every file of the COVID-19 collection, CT scans and other diseases among them, in place of the images used.** The
# {glue:text}`claimed-patients` patients are those of the images used; by the rule of the claimed images they would be {glue:text}`same-rule`. That no other of these counts add to the claims is arithmetic; that
# the thesis added so is an inference.
#
# ### Is each image a patient?
#
# Table 2.1 lists as many patients as images for Kermany's collection {cite}`kermany2018`, {glue:text}`kermany` of each. The file names carry a class and a number. Counted over the recorded list of the study's images:

# %%
split = studies.run("zhu-fourclass").split
children = split[split["y_true"] != "covid"]
part = children["split"].replace("val", "train")  # our validation fold
ids = children.groupby([part, "y_true"])["patient_id"]
ids = ids.agg(["size", "nunique"])
ids.columns, ids.index.names = ["Images", "Numbers"], ["Part", "Class"]
pages.table(ids.reset_index())

# %% tags=["remove-cell"]
people = children.groupby("y_true")["patient_id"].nunique()
say("ids", int(children["patient_id"].nunique()))
say("test-images", int(ids.loc[("test", "bacterial"), "Images"]))
say("test-ids", int(ids.loc[("test", "bacterial"), "Numbers"]))
say("most", int(children.groupby("patient_id").size().max()))
ill = children[children["y_true"] != "normal"]  # normal files have numbers of another form
leaks = count_leakage(ill, part[ill.index])
say("shared", int(count_leakage(children, part).loc["class and number", "shared_patients"]))
say("shared-alone", int(leaks.loc["number alone", "shared_patients"]))
say("test-alone", int(leaks.loc["number alone", "test_patients"]))
number = ill.loc[part == "train", "patient_id"].str.rpartition("-")[2]
kinds = ill.loc[number.index, "y_true"].groupby(number).nunique()
say("both", int((kinds == 2).sum()))
say("of-numbers", len(kinds))

# %% tags=["remove-input"] mystnb={"image": {"alt": "Pairs of bars for viral, bacterial and normal: patients as printed, and the fewer numbers in the file names."}}
with plots.style():
    ax = plt.subplots(figsize=(7, 3.2))[1]
    for shift, color, hatch, text, values in (
        (
            -0.2,
            BLUE,
            "",
            "Patients, printed",
            [int(B[f"zhu-t2.1-{name}-patients"]) for name in CLASSES[1:]],
        ),
        (
            0.2,
            ORANGE,
            "//",
            "Numbers in the file names",
            [int(people[name]) for name in CLASSES[1:]],
        ),
    ):
        drawn = ax.barh(
            np.arange(3) + shift,
            values,
            height=0.38,
            color=color,
            hatch=hatch,
            edgecolor="white",
            label=text,
        )
        ax.bar_label(drawn, labels=[f"{value:,}" for value in values], padding=3)
    ax.set(yticks=range(3), yticklabels=labels[1:], xlabel="Patients")
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.spines[["top", "right"]].set_visible(False)
    ax.figure.legend(loc="outside upper center", ncol=2, frameon=False)
plt.show()

# %% [markdown]
# *Table 2.1: patients of Kermany's collection, printed and by file name.*
#
# **No: the names hold {glue:text}`ids` numbers, one of them with {glue:text}`most` images, and the {glue:text}`test-images` bacterial test images have {glue:text}`test-ids`.** Counted. What is not known is whether a
# number means the same child in every class. If each class has its own numbering, training and test share {glue:text}`shared` patients; if not, {glue:text}`shared-alone` of the {glue:text}`test-alone` numbers of pneumonia test images
# are in training too. The first is likelier, as otherwise {glue:text}`both` of {glue:text}`of-numbers` children with pneumonia in the training set would have had both kinds. That is an inference.
#
# ### What if copies came before folds?
#
# COVID-19 images were copied {glue:text}`copies-binary`-fold for two classes and {glue:text}`copies-four`-fold for four (section 2.2); {glue:text}`folds`-fold cross-validation is described later (3.3.2). The order of the two is not stated. If copies
# came first, a held-out copy is no test unless all its twins are held out with it, and each twin falls into that fold with probability 1 / {glue:text}`folds`:

# %%
folds = int(B["zhu-3.3.2-folds"])
copies = [int(B[f"zhu-2.2-copies-{k}"]) for k in ("fourclass", "binary")]
for n in copies:
    print(f"{n} copies: 1 in {folds}^{n - 1} = {folds ** (n - 1):,}")

# %% tags=["remove-cell"]
say("folds", folds)
for task, number in zip(("four", "binary"), copies, strict=True):
    say(f"copies-{task}", number)
    say(f"one-in-{task}", folds ** (number - 1))

# %% tags=["remove-input"] mystnb={"image": {"alt": "Probability that all copies of an image lie in one fold, on a logarithmic axis, against the number of copies: a straight line down, with the thesis's two numbers of copies marked."}}
with plots.style():
    ax = plt.subplots(figsize=(7, 3.6))[1]
    ax.semilogy(range(1, 31), [folds ** (1.0 - n) for n in range(1, 31)], color="0.45", marker=".")
    for number, text, color, marker, ha in zip(
        copies, ("four classes", "two classes"), (BLUE, RED), "so", ("left", "right"), strict=True
    ):
        at = number, folds ** (1.0 - number)
        ax.plot(*at, marker, color=color, markersize=10)
        away = (10, 4) if ha == "left" else (-10, -4)
        ax.annotate(
            f"{number} copies, {text}:\n1 in {folds ** (number - 1):,}",
            at,
            away,
            textcoords="offset points",
            ha=ha,
            va="bottom" if ha == "left" else "top",
        )
    ax.set(xlabel="Copies of each image", ylabel="Probability that none crosses", xlim=(0, 31))
    ax.grid(color="0.9")
plt.show()

# %% [markdown]
# *Probability that all copies of an image lie in one of {glue:text}`folds` folds, each copy drawn into any fold alike.*
#
# **Then it would be 1 in {glue:text}`one-in-four` for {glue:text}`copies-four` copies and 1 in {glue:text}`one-in-binary` for {glue:text}`copies-binary`: practically every held-out COVID-19 image would have been trained on.** The numbers are
# arithmetic; that it was done in this order is not known, and the folds' results are not printed. [This book](06_study_b_how_sure.ipynb) cuts folds first, by patient.
#
# ### How sure is a perfect score?
#
# For two classes every number of Table 4.1 is {glue:text}`perfect`: {glue:text}`size-covid` of {glue:text}`size-covid` and {glue:text}`size-others` of {glue:text}`size-others` images. What recall can a model have that makes no error
# in so many? Images of one patient are alike, so patients count, not images. How many patients the thesis tested is not printed. Drawn by its rule in this book's runs, {glue:text}`size-covid` images, those not on disk among them, came from these numbers of patients:

# %%
drawn = [
    studies.run("zhu-binary"),
    *studies.family("zhu-binary-redraws")[0],
    *studies.family("zhu-fourclass-redraws")[0],
]
only = "split == 'test' and y_true == 'covid'"
tests = [run.split.query(only) for run in drawn]
size = int(B["zhu-t4.1-covid-size"])
tests = [test for test in tests if len(test) == size]
covid_patients = sorted({test["patient_id"].nunique() for test in tests})
print(covid_patients)

# %% tags=["remove-cell"]
fewest, most = covid_patients[0], covid_patients[-1]
sizes = {
    "COVID-19 images": int(B["zhu-t4.1-covid-size"]),
    "COVID-19 patients, most drawn": most,
    "COVID-19 patients, fewest drawn": fewest,
    "Other images": int(B["zhu-t4.1-non-covid-size"]),
    "Other numbers in names": int(ids.loc["test", "Numbers"].sum()),
}


# %%
def lower_ends(n):
    """Of n out of n: Wilson's and Clopper–Pearson's, 95 %."""
    return n, intervals.wilson(n, n)[0], binomtest(n, n).proportion_ci().low


bounds = pd.DataFrame({name: lower_ends(n) for name, n in sizes.items()}).T
bounds.columns = ["n of n", "Wilson from", "Clopper–Pearson from"]
bounds = bounds.astype({"n of n": int})
pages.table(bounds, index=True, float_format="{:.3f}".format)

# %% tags=["remove-cell"]
assert set(studies.printed("zhu2020").query("table == '4.1' and column != 'Size'")["printed"]) == {
    B["zhu-t4.1-covid-recall"]
}
say("perfect", B["zhu-t4.1-covid-recall"])
say("size-others", sizes["Other images"])
wilson = 100 * bounds["Wilson from"]
say("image-low", f"{wilson['COVID-19 images']:.0f}")
say(
    "patient-low",
    between(
        [wilson["COVID-19 patients, fewest drawn"], wilson["COVID-19 patients, most drawn"]], 0
    ),
)
say("patient-range", between([fewest, most], 0))
say("others-low", f"{wilson['Other images']:.1f}")
say("perfect-range", f"a recall of {wilson.min():.0f} %")

# %% tags=["remove-input"] mystnb={"image": {"alt": "Dot chart: the perfect recall of Table 4.1 with Wilson and Clopper-Pearson intervals, by images and by patients; by patients the intervals of COVID-19 are about one and a half times as wide."}}
ladder(
    [
        (f"{name}: {sizes[name]}", kind.removesuffix(" from"), 1.0, row[kind], 1.0)
        for name, row in bounds.iterrows()
        for kind in bounds.columns[1:]
    ]
)

# %% [markdown]
# *Recall in Table 4.1: 95 % intervals of a share of one, by images and by patients.*
#
# **A recall of {glue:text}`image-low` % is compatible with {glue:text}`size-covid` of {glue:text}`size-covid` images, and one of {glue:text}`patient-low` % with as many patients as such images come from ({glue:text}`patient-range`).** For the others
# it is {glue:text}`others-low` %. By images this is arithmetic; the patients are counted, in draws of ours. That the two collections differ in more than the disease is not in these intervals.
#
# ## Few cases among many
#
# Study A tests at a prevalence that it calls a population scenario. There accuracy says little, and most alarms are false.
#
# ### What does doing nothing score?
#
# Accuracy is prevalence × sensitivity + (1 − prevalence) × specificity. Calling every image negative has sensitivity 0 and specificity 1.

# %%
share = positives / (positives + negatives)
sensitivity = float(given["sensitivity"]) / 100
specificity = float(given["specificity"]) / 100
print(f"model   {share * sensitivity:.4f} + {(1 - share) * specificity:.4f}")
print(f"nothing {share * 0:.4f} + {1 - share:.4f}")

# %% tags=["remove-cell"]
assert forensics.printed_as(
    100 * (share * sensitivity + (1 - share) * specificity), given["accuracy"]
)
extremes = [100 * (share * value + (1 - share) * specificity) for value in (0, 1)]
say("null", f"{100 * (1 - share):.1f}")
say("extremes", between(extremes, 1))
say("weight", f"{100 * (1 - share):.0f}")

# %% tags=["remove-input"] mystnb={"image": {"alt": "Three ranges of accuracy: calling every image negative is far above the printed accuracy, which lies in the narrow range that the printed specificity leaves to any sensitivity."}}
spans(
    [
        (
            "Calling every image negative",
            100 * (1 - share),
            100 * (1 - share),
            ORANGE,
            f"{100 * (1 - share):.1f}",
        ),
        ("Printed accuracy", *unrounded(given["accuracy"]), BLUE, given["accuracy"]),
        (
            "Printed specificity with\nany sensitivity, 0 to 100 %",
            *extremes,
            GREEN,
            between(extremes, 1),
        ),
    ],
    "Accuracy (%)",
    (60, 103),
)
plt.show()

# %% [markdown]
# *Accuracy in the test set of Study A (section 3). The axis does not begin at 0.*
#
# **Calling every image negative scores {glue:text}`null` %, the model {glue:text}`accuracy` %.** At this prevalence specificity has {glue:text}`weight` % of the weight: with the printed specificity any sensitivity, from none
# to all cases found, gives {glue:text}`extremes` %. Arithmetic.
#
# ### How many alarms are false?
#
# With prevalence p, each true alarm comes with (1 − p)(1 − specificity) / (p · sensitivity) false ones, and the PPV is 1 / (1 + this number).

# %%
p = np.array([0.001, 0.01, share, 0.05, 0.1, 0.2, 0.5])
false = (1 - p) * (1 - specificity) / (p * sensitivity)
table = pd.DataFrame({"Prevalence, %": 100 * p})
table["PPV, %"] = 100 / (1 + false)
table["False alarms per true one"] = false
pages.table(table, float_format="{:.2f}".format)

# %% tags=["remove-cell"]
assert between([fp / tp for fp in fps], 1) == f"{false[2]:.1f}"
say("alarms", f"{false[2]:.1f}")
say(
    "half", f"{100 * (1 - specificity) / (1 - specificity + sensitivity):.0f}"
)  # where a true alarm is as likely as a false one
say("other-prevalence", f"{100 * p[1]:.0f}")
say("other-ppv", f"{100 / (1 + false[1]):.1f}")
say("other-alarms", f"{false[1]:.0f}")

# %% tags=["remove-input"] mystnb={"image": {"alt": "Two curves against prevalence on a logarithmic axis: PPV rises from near nought to about three quarters, false alarms per true one fall from hundreds to less than one; the printed prevalence is marked."}}
curve = np.geomspace(p[0], p[-1], 300)
per_true = (1 - curve) * (1 - specificity) / (curve * sensitivity)
with plots.style():
    axes = plt.subplots(2, 1, figsize=(7, 5.2), sharex=True)[1]
    axes[0].semilogx(100 * curve, 100 / (1 + per_true), color=BLUE)
    axes[1].loglog(100 * curve, per_true, color=RED)
    for ax, at, text, away, ha in (
        (axes[0], 100 / (1 + false[2]), "{:.2f} %", -8, "right"),
        (axes[1], false[2], "{:.1f}", 8, "left"),
    ):
        ax.axvline(100 * share, color="0.4", linestyle=":", linewidth=1.3)
        ax.plot(100 * share, at, "o", color="black")
        ax.annotate(
            f"{text.format(at)} at {prevalence} %",
            (100 * share, at),
            (away, 8),
            textcoords="offset points",
            ha=ha,
        )
        ax.grid(color="0.9")
        ax.minorticks_off()
    ticks = [0.1, 0.3, 1, 3, 10, 30, 50]
    axes[0].set(ylabel="PPV (%)", ylim=(0, 80))
    axes[1].set(
        xlabel="Prevalence (%)",
        xticks=ticks,
        xticklabels=[f"{tick:g}" for tick in ticks],
        yticks=[1, 10, 100],
        yticklabels=["1", "10", "100"],
        ylabel="False alarms per true one",
    )
plt.show()

# %% [markdown]
# *PPV and false alarms of Study A's operating point over the prevalence. Dotted: the printed prevalence.*
#
# **At the printed prevalence there are {glue:text}`alarms` false alarms for each true one.** At {glue:text}`other-prevalence` % there would be {glue:text}`other-alarms` (PPV {glue:text}`other-ppv` %), and only above {glue:text}`half` % would more alarms be true than
# false. The first is arithmetic; the curve assumes that sensitivity and specificity stay the same where prevalence is another, though patients there may be others too.
#
# ### Does the AUC fit the operating point?
#
# One point of a ROC curve bounds its area. If the curve is concave, the least area is that under two chords, and the most that under the best line through the point. If scores are normally distributed with equal spread in both classes,
# the point gives the curve; with a ratio of spreads as a parameter, a family. The point, from the matrices found above:


# %%
def auc_range(sensitivity, specificity):
    """Least and largest area under a concave ROC curve through a point, both rates at least a half.

    Least: two chords. Largest: under the best line through the point, cut off at 1; its slope is
    (1 - sensitivity) / (1 - specificity).
    """
    missed, alarm = 1 - sensitivity, 1 - specificity
    return (sensitivity + specificity) / 2, 1 - 2 * missed * alarm


def binormal_auc(sensitivity, specificity, ratio=1.0):
    """Area under the curve through a point, scores normal in both classes, ``ratio`` = sd of
    negatives / sd of positives (Pepe 2003, The Statistical Evaluation of Medical Tests, 4.4).

    With z the normal quantile, TPR = Φ(a + ratio z(FPR)): the point gives a.
    """
    a = ndtri(sensitivity) + ratio * ndtri(specificity)
    return ndtr(a / np.sqrt(1 + ratio**2))


for tn in (min(tns), max(tns)):
    point = tp / positives, tn / negatives  # sensitivity, specificity
    least, largest = auc_range(*point)
    print(f"from {least:.4f} to {largest:.4f}, equal spread {binormal_auc(*point):.4f}")

# %% tags=["remove-cell"]
auc, points = A["azemin-3-auc"], [(tp / positives, tn / negatives) for tn in (min(tns), max(tns))]
bands, equals = [auc_range(*point) for point in points], [binormal_auc(*point) for point in points]
ratios = np.linspace(0.2, 3, 2801)
family = binormal_auc(*points[0], ratios)
edges = np.flatnonzero(np.diff(np.pad(forensics.printed_as(family, auc).astype(int), 1)))
assert max(least for least, _ in bands) < unrounded(auc)[0] and unrounded(auc)[1] < min(
    largest for _, largest in bands
)
say("auc", auc)
say("auc-range", between([end for band in bands for end in band]))
say("equal-auc", between(equals))
say("equal-print", between(equals, 2))
say("ratios", " or ".join(between([ratios[a], ratios[b - 1]], 2) for a, b in edges.reshape(-1, 2)))
say(
    "no-shape",
    between([points[0][0] * points[0][1], 1 - (1 - points[1][0]) * (1 - points[1][1])], 2),
)

# %% tags=["remove-input"] mystnb={"image": {"alt": "Left: ROC plane with the operating point, the region that concave curves through it can take, the curve of most area and the binormal curve. Right: binormal area against the ratio of spreads, with the band that prints as the paper's AUC."}}
y, x = points[0][0], 1 - points[0][1]
grid = np.linspace(0, 1, 401)
chords = np.interp(grid, [0, x, 1], [0, y, 1])
beyond = np.minimum(
    1, np.where(grid < x, y - (x - grid) * (1 - y) / (1 - x), grid * y / x)
)  # each chord, drawn on past the point
below = {"loc": "upper center", "bbox_to_anchor": (0.45, -0.2), "frameon": False}
with plots.style():
    axes = plt.subplots(1, 2, figsize=(7, 4.6))[1]
    axes[0].fill_between(grid, chords, beyond, color=BLUE, alpha=0.2, label="Concave curves")
    axes[0].plot(grid, chords, color=BLUE, linestyle="--", label=f"Least area, {bands[0][0]:.3f}")
    axes[0].plot(
        [0, 2 * x, 1],
        [2 * y - 1, 1, 1],
        color=ORANGE,
        linestyle="-.",
        label=f"Most area, {bands[0][1]:.3f}",
    )
    axes[0].plot(
        grid,
        ndtr(ndtri(y) - ndtri(x) + ndtri(grid)),
        color=RED,
        label=f"Equal spread, {equals[0]:.3f}",
    )
    axes[0].plot(
        x, y, "*", color="black", markersize=13, linestyle="none", label="The paper's point"
    )
    axes[0].plot([0, 1], [0, 1], color="0.45", linestyle=":", linewidth=1.2)
    axes[0].set(
        xlabel="False positive rate",
        ylabel="True positive rate",
        xlim=(0, 1),
        ylim=(0, 1.01),
        aspect="equal",
    )
    axes[0].legend(**below)
    axes[1].axhspan(*unrounded(auc), color=GREEN, alpha=0.3, label=f"prints as {auc}")
    axes[1].semilogx(ratios, family, color=RED, label="Binormal curve through the point")
    axes[1].plot(1, equals[0], "o", color=RED, label="Equal spread")
    axes[1].set(
        xlabel="Spread of negatives / of positives",
        ylabel="AUC",
        xticks=[0.25, 0.5, 1, 2],
        xticklabels=["0.25", "0.5", "1", "2"],
        ylim=(0.78, 0.84),
    )
    axes[1].minorticks_off()
    axes[1].grid(color="0.9")
    axes[1].legend(**below)
plt.show()

# %% [markdown]
# *Curves through the operating point of Study A (Figure 3, lost in the text at hand). Left: all concave curves lie in the shaded region. Right: area of the binormal curves, and what prints as the paper's AUC.*
#
# **Yes: a concave curve through the point has an area of {glue:text}`auc-range`, and {glue:text}`auc` lies within.** With equal spread it would be {glue:text}`equal-auc`, which prints as {glue:text}`equal-print`; ratios of {glue:text}`ratios` print {glue:text}`auc`. So the curve
# is likely to be a little asymmetric. That it is concave or binormal is assumed; a curve of any shape through the point can have {glue:text}`no-shape`.
#
# ### Which formula gives the efficiency?
#
# The model reads {glue:text}`mpm` images per minute (MPM), a radiologist {glue:text}`rpm` (RPM), and is "{glue:text}`efficiency` times more efficient". The formula is lost in the text at hand. Two are near:

# %%
mpm, rpm = float(A["azemin-3-mpm"]), float(A["azemin-3-rpm"])
print(f"MPM / RPM         = {mpm / rpm:.2f}")
print(f"(MPM − RPM) / RPM = {(mpm - rpm) / rpm:.2f}")

# %% [markdown]
# But the two speeds are printed numbers too, and have been rounded:

# %%
slow, fast = unrounded(A["azemin-3-mpm"])
least, most = unrounded(A["azemin-3-rpm"])
print(f"MPM / RPM         = {slow / most:.2f} to {fast / least:.2f}")
print(f"(MPM − RPM) / RPM = {slow / most - 1:.2f} to {fast / least - 1:.2f}")

# %% tags=["remove-cell"]
printed_efficiency, plain, relative = A["azemin-3-efficiency"], mpm / rpm, (mpm - rpm) / rpm
assert forensics.printed_as(relative, printed_efficiency) and not forensics.printed_as(
    plain, printed_efficiency
)
assert slow / most < unrounded(printed_efficiency)[1]  # so either formula can print it
for name, text in {
    "mpm": A["azemin-3-mpm"],
    "rpm": A["azemin-3-rpm"],
    "efficiency": printed_efficiency,
    "plain": f"{plain:.2f}",
    "relative": f"{relative:.2f}",
    "plain-prints": f"{plain:.0f}",
    "seconds": f"{60 / mpm:.2f}",
    "seconds-radiologist": f"{60 / rpm:.0f}",
}.items():
    say(name, text)

# %% tags=["remove-input"] mystnb={"image": {"alt": "Ranges of efficiency: what prints as printed, and what MPM over RPM and the relative difference can be; the points of the speeds as printed lie outside for the first and inside for the second."}}
ax = spans(
    [
        (f"Printed {printed_efficiency}", *unrounded(printed_efficiency), BLUE, ""),
        ("MPM / RPM", slow / most, fast / least, ORANGE, ""),
        ("(MPM − RPM) / RPM", slow / most - 1, fast / least - 1, GREEN, ""),
    ],
    "Times more efficient",
    (256.5, 260.2),
)
ax.plot([plain, relative], [1, 2], "D", color="black", label="speeds exactly as printed")
with plots.style():
    ax.figure.legend(loc="outside upper right", frameon=False)
plt.show()

# %% [markdown]
# *Efficiency (Study A, section 3). Bars: all that speeds so rounded allow; diamonds: speeds exactly as printed.*
#
# **From the speeds as printed, (MPM − RPM) / RPM = {glue:text}`relative` prints {glue:text}`efficiency`, and MPM / RPM = {glue:text}`plain` would print {glue:text}`plain-prints`.** So the relative difference is the likelier formula; with unrounded speeds
# either could be. An inference. Either way {glue:text}`seconds` seconds of computing are set against {glue:text}`seconds-radiologist` seconds of a radiologist's reading, as if what comes out were worth the same.
#
# ### What are the negatives' labels worth?
#
# Study A's negatives are "No Finding" by text-mining. Google's radiologists adjudicated some of the same collection. How many adjudicated images does the text call "No Finding", and in how many of these did they see airspace opacity?

# %%
file = studies.results_folder() / "flow" / "cheazemin2020.csv"
flow = pd.read_csv(file, index_col="step")
flow = flow[flow.index.str.startswith("adjudicated, No Finding by text")]
pages.table(flow[["images", "patients"]].astype(int).reset_index())

# %% tags=["remove-cell"]
read, opaque = (
    int(flow.loc[f"adjudicated, No Finding by text{end}", "images"]) for end in ("", ", opacity")
)
say("read", read)
say("opaque", opaque)
say("opaque-share", f"{100 * opaque / read:.1f}")
say("false-share", f"{100 - float(given['specificity']):.1f}")

# %% tags=["remove-input"] mystnb={"image": {"alt": "Two bars of nearly the same length: share of adjudicated No Finding images with opacity, and share of Study A's negatives that its model calls positive."}}
spans(
    [
        (
            "“No Finding”, but opacity\nby radiologists",
            0,
            100 * opaque / read,
            ORANGE,
            f"{100 * opaque / read:.1f} %: {opaque:,} of {read:,}",
        ),
        (
            "“No Finding”, called\npositive by the model",
            0,
            100 * (1 - specificity),
            BLUE,
            f"{100 * (1 - specificity):.1f} %: 1 − specificity",
        ),
    ],
    "Images (%)",
    (0, 48),
)
plt.show()

# %% [markdown]
# *Adjudicated "No Finding" images, counted from Google's labels, and Study A's false positive rate (section 3).*
#
# **In {glue:text}`opaque` of {glue:text}`read` ({glue:text}`opaque-share` %), about as often as Study A's model raises a false alarm ({glue:text}`false-share` %).** Counted. It is a warning and no estimate: the adjudicated images were not
# drawn at random from "No Finding", they may not be among Study A's negatives, and nothing says that model and radiologists mean the same images. But a model trained to see opacity is scored as wrong wherever it sees one that the text
# does not mention.

# ---
# jupyter:
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
# # What Study A's printed numbers say about themselves
#
# **Question.** {cite:t}`cheazemin2020` prints percentages of a test set whose size is partly lost. Which results can they have come from, and what do they mean for a patient whom the model calls positive?
#
# **Answer.** The study tested {glue:text}`positives` COVID-19 images among {glue:text}`tested`. Only {glue:text}`binary-count` confusion matrices give its percentages, and by all of them there are {glue:text}`alarms` false alarms for each true one. Calling every image
# negative would have been right more often than the model: {glue:text}`null` % against {glue:text}`accuracy` %.
#
# **How sure.** These are arithmetic, if the printed {term}`prevalence` is the share of COVID-19 images in the test set. What is said of the {term}`ROC curve` and of the efficiency also needs an assumption.
#
# | Question | Answer | Standing |
# |---|---|---|
# | {ref}`How many COVID-19 images were tested? <how-many-positives>` | {glue:text}`positives`, no other number | arithmetic |
# | {ref}`Which confusion matrices give the percentages? <binary-matrices>` | {glue:text}`binary-count` of them | arithmetic |
# | {ref}`What does doing nothing score? <doing-nothing>` | {glue:text}`null` %, more than the model | arithmetic |
# | {ref}`How many alarms are false? <false-alarms>` | {glue:text}`alarms` for each true one | arithmetic |
# | {ref}`Does the AUC fit the operating point? <auc-fits>` | yes | inference |
# | {ref}`Which formula gives the efficiency? <efficiency-formula>` | likely the relative difference | inference |
# | {ref}`What are the labels of the negatives worth? <negatives-labels>` | they are uncertain too | counted |
#
# - **Arithmetic** follows from the printed numbers and the study's own definitions.
# - **Counted** also needs counts from the public lists of images.
# - **Inference** also needs an assumption, which is named.
#
# No image and no network is needed for any of it. Study B has [a page of the same kind](22_study_b_forensics.ipynb).

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
# printed numbers are neither recorded nor trained, so there is no origin here
prevalence: float = 1.0  # per cent; where false alarms are counted, beside the printed prevalence
level: float = 0.95  # of the intervals

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the printed numbers", "code_prompt_hide": "Load the printed numbers"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

import cxrlib
from companion import forensics, pages, parameters, studies
from cxrlib import explorer, plots

parameters.check(globals())
COLORS = pages.COLORS
A = studies.printed("cheazemin2020").set_index("id")["printed"]  # as text, by id
share = A["azemin-2-prevalence"]  # of COVID-19 images in the test set, per cent
negatives = int(A["azemin-2-negatives"])
given = {name: A[f"azemin-3-{name}"] for name in ("sensitivity", "specificity", "accuracy")}

# %% [markdown]
# (how-many-positives)=
# ## How many COVID-19 images were tested?
#
# **{glue:text}`positives`, so {glue:text}`tested` images in all.** The study adds {glue:text}`negatives` images without finding "to simulate a population scenario with {glue:text}`share`% prevalence rate". The number of COVID-19 images
# is in a figure that the text at our disposal lacks. But a share of a known number of images is a count, and only one number gives the printed share.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Numbers of images and their share", "code_prompt_hide": "Numbers of images and their share", "figure": {"name": "possible-positives", "caption": "Number of COVID-19 images and their share of the test set (Study A, section 2 and Figure 1, which is lost). Band: shares that are rounded to the printed one."}, "image": {"alt": "Dot chart: number of COVID-19 images against their share of the test set. One dot lies within the band of shares that print as the paper's prevalence."}}
candidates = forensics.possible_positives(negatives, share)
positives = candidates[0]
n = np.arange(positives - 4, positives + 5)
percent = 100 * n / (n + negatives)
fits = forensics.printed_as(percent, share)
with plots.style():
    ax = plt.subplots(figsize=(7, 3))[1]
    band = {"color": COLORS["possible"], "alpha": 0.35, "label": f"rounded to {share} %"}
    ax.axhspan(*forensics.unrounded(share), **band)
    ax.plot(n[~fits], percent[~fits], "o", color="0.45", mfc="white", label="does not fit")
    ax.plot(n[fits], percent[fits], "o", color="k", markersize=9, label="fits")
    ax.set(xticks=n, xlabel="COVID-19 images", ylabel="Share of the test set (%)")
    ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# Which images they were is [another matter](11_study_a_images.ipynb).
#
# *Standing: arithmetic, if the printed prevalence is the share in this test set.*
#
# (binary-matrices)=
# ## Which confusion matrices give the percentages?
#
# **Only {glue:text}`binary-count`, and they differ by three images at most. The {term}`PPV`, which the study does not print, is {glue:text}`ppv` %** ({glue:text}`ppv-interval` % by {term}`Wilson's interval`, images taken as independent). The {term}`NPV` is {glue:text}`npv` %.
#
# Printed are a {term}`sensitivity` of {glue:text}`sensitivity` %, a {term}`specificity` of {glue:text}`specificity` % and an {term}`accuracy` of {glue:text}`accuracy` %. Take every number of true positives (TP) that gives the first and every number of true negatives (TN) that gives the second, and
# keep the pairs that give the third.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Every matrix", "code_prompt_hide": "Every matrix"}
binary = forensics.binary_matrices(positives, negatives, **given)
matrices = pd.DataFrame(binary, columns=["TP", "FN", "FP", "TN"])
matrices["PPV, %"] = 100 * matrices["TP"] / (matrices["TP"] + matrices["FP"])
matrices["NPV, %"] = 100 * matrices["TN"] / (matrices["TN"] + matrices["FN"])
counts = dict.fromkeys(["TP", "FN", "FP", "TN"], "{:,}".format)
pages.table(matrices, float_format="{:.2f}".format, formatters=counts)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Images called positive", "code_prompt_hide": "Images called positive", "figure": {"name": "called-positive", "caption": "What Study A's model called positive, from its percentages (the study's Figure 4 is lost)."}, "image": {"alt": "One bar: all images that the model of Study A calls positive, a thin slice of true positives and a long remainder of false positives."}}
tp, fp = matrices["TP"].max(), matrices["FP"].max()
false = f"{matrices['FP'].min():,}–{fp:,}"
with plots.style():
    ax = plt.subplots(figsize=(7, 1.6))[1]
    ax.barh(0, tp, color=plots.look("covid")["color"], label=f"COVID-19: {tp}")
    drawn = {"color": "0.8", "hatch": "//", "edgecolor": "white"}
    ax.barh(0, fp, left=tp, label=f"no finding: {false}", **drawn)
    ax.set(yticks=[], xlabel="Images called positive", xlim=(0, None))
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.figure.legend(loc="outside upper center", ncol=2, frameon=False)
plt.show()

# %% [markdown]
# *Standing: arithmetic, given the {glue:text}`positives` positives.*
#
# (doing-nothing)=
# ## What does doing nothing score?
#
# **Calling every image negative scores {glue:text}`null` %, the model {glue:text}`accuracy` %.** Accuracy is prevalence × sensitivity + (1 − prevalence) × specificity. Calling every image negative has a sensitivity of 0 and a specificity of 1. At the printed prevalence the specificity
# has {glue:text}`weight` % of the weight: with the printed specificity any sensitivity, from no case found to all cases found, gives an accuracy of {glue:text}`extremes` %.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The parts of the accuracy", "code_prompt_hide": "The parts of the accuracy"}
p = positives / (positives + negatives)
sensitivity, specificity = float(given["sensitivity"]) / 100, float(given["specificity"]) / 100
parts = pd.DataFrame(
    {
        "From COVID-19 images": [p * sensitivity, 0],
        "From the others": [(1 - p) * specificity, 1 - p],
    },
    index=["The model", "Calling every image negative"],
)
parts["Accuracy"] = parts.sum(axis=1)
pages.table(parts, index=True, float_format="{:.4f}".format)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Accuracy", "code_prompt_hide": "Accuracy", "figure": {"name": "accuracy-of-nothing", "caption": "Accuracy in the test set of Study A (section 3). The axis does not begin at 0."}, "image": {"alt": "Three ranges of accuracy: calling every image negative is far above the printed accuracy, which lies in the narrow range that the printed specificity leaves to any sensitivity."}}
nothing, accuracy = 100 * (1 - p), float(given["accuracy"])
any_sensitivity = [100 * (p * value + (1 - p) * specificity) for value in (0, 1)]
rows = [
    ("Calling every image negative", "Every image negative", nothing, nothing, nothing),
    ("Printed", "Printed", accuracy, *forensics.unrounded(given["accuracy"])),
    ("Printed specificity, any sensitivity", "Possible", np.nan, *any_sensitivity),
]
rows = pd.DataFrame(rows, columns=["label", "kind", "value", "low", "high"])
colors = {"Every image negative": "0.5"} | {
    "Printed": COLORS["printed"],
    "Possible": COLORS["possible"],
}
plots.ladder(rows, "Accuracy (%)", colors=colors).set_xlim(60, 103)
plt.show()

# %% [markdown]
# *Standing: arithmetic.*
#
# (false-alarms)=
# ## How many alarms are false?
#
# **At the printed prevalence there are {glue:text}`alarms` false alarms for each true one.** At {glue:text}`other-prevalence` % there would be {glue:text}`other-alarms` (PPV {glue:text}`other-ppv` %), and only above {glue:text}`half` % would more alarms be true than false.
#
# With prevalence p, each true alarm comes with (1 − p)(1 − specificity) / (p · sensitivity) false ones. The PPV is 1 / (1 + this number).

# %% tags=["hide-input"] mystnb={"code_prompt_show": "False alarms by prevalence", "code_prompt_hide": "False alarms by prevalence"}
at = np.unique([0.001, prevalence / 100, p, 0.05, 0.1, 0.2, 0.5])
ppv, npv = cxrlib.at_prevalence(sensitivity, specificity, at)
alarms = pd.DataFrame({"Prevalence, %": 100 * at, "PPV, %": 100 * ppv})
alarms["False alarms per true one"] = (1 - ppv) / ppv
pages.table(alarms, float_format="{:.2f}".format)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "PPV and false alarms, to try", "code_prompt_hide": "PPV and false alarms, to try", "figure": {"name": "alarms-by-prevalence", "caption": "PPV and NPV of Study A's operating point over the prevalence, and who among a thousand people is called. Bands: from Wilson's intervals of the printed sensitivity and specificity, with images taken as independent."}}
explorer.Ppv(
    (sensitivity, *cxrlib.wilson(sensitivity * positives, positives, level)),
    (specificity, *cxrlib.wilson(specificity * negatives, negatives, level)),
    marks={"printed": p},
    prevalence=p,
)

# %% [markdown]
# *Standing: at the printed prevalence, arithmetic. The curves assume that sensitivity and specificity stay the same where prevalence is another, though the patients may be others too.*
#
# (auc-fits)=
# ## Does the AUC fit the operating point?
#
# **Yes: a concave curve through the point has an area of {glue:text}`auc-range`, and {glue:text}`auc` lies within.** One point of a ROC curve bounds its area. If the curve is concave, the least area is that under two chords, and the most is that under the best line through the point.
#
# If scores are normally distributed in both classes (a binormal curve), the point and the ratio of the spreads give the curve. With equal spread the area would be {glue:text}`equal-auc`, rounded {glue:text}`equal-print`; ratios of {glue:text}`ratios` give {glue:text}`auc`. So the curve
# is likely to be a little asymmetric.


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Areas under curves through a point", "code_prompt_hide": "Areas under curves through a point"}
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


# %% tags=["hide-input"] mystnb={"code_prompt_show": "The point, by matrix", "code_prompt_hide": "The point, by matrix"}
ends = matrices.loc[[matrices["TN"].idxmin(), matrices["TN"].idxmax()]]
areas = pd.DataFrame({"Sensitivity": ends["TP"] / positives, "Specificity": ends["TN"] / negatives})
rates = areas["Sensitivity"], areas["Specificity"]
areas["Least area"], areas["Largest area"] = auc_range(*rates)
areas["Equal spread"] = binormal_auc(*rates)
pages.table(areas, float_format="{:.4f}".format)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Concave curves", "code_prompt_hide": "Concave curves", "figure": {"name": "concave-curves", "caption": "Curves through the operating point of Study A (its Figure 3 is lost): all concave curves lie in the shaded region."}, "image": {"alt": "ROC plane with the operating point, the region that concave curves through it can take, the curve of most area and the binormal curve."}}
first = areas.iloc[0]
y, x = first["Sensitivity"], 1 - first["Specificity"]
grid = np.linspace(0, 1, 401)
chords = np.interp(grid, [0, x, 1], [0, y, 1])
beyond = np.where(grid < x, y - (x - grid) * (1 - y) / (1 - x), grid * y / x)  # chords, drawn on
equal = ndtr(ndtri(y) - ndtri(x) + ndtri(grid))
with plots.style():
    ax = plt.subplots(figsize=(5.4, 5.4))[1]
    ax.fill_between(grid, chords, np.minimum(1, beyond), color=COLORS["possible"], alpha=0.25)
    ax.plot(grid, chords, "--", color="0.3", label=f"Least area, {first['Least area']:.3f}")
    most = [0, 2 * x, 1], [2 * y - 1, 1, 1]
    ax.plot(*most, "-.", color="0.3", label=f"Largest area, {first['Largest area']:.3f}")
    text = f"Equal spread, {first['Equal spread']:.3f}"
    ax.plot(grid, equal, color=COLORS["possible"], label=text)
    ax.plot(x, y, "*", color="k", markersize=13, linestyle="none", label="The study's point")
    ax.plot([0, 1], [0, 1], color="0.45", linestyle=":", linewidth=1.2, label="No discrimination")
    ax.set(xlabel="False positive rate", ylabel="True positive rate", aspect="equal")
    ax.legend(loc="lower right")
plt.show()

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Binormal curves", "code_prompt_hide": "Binormal curves", "figure": {"name": "binormal-area", "caption": "Area of the binormal curves through Study A's operating point, and what is rounded to the printed AUC."}, "image": {"alt": "Binormal area against the ratio of spreads, with the band that prints as the paper's AUC."}}
auc = A["azemin-3-auc"]
ratios = np.linspace(0.2, 3, 2801)
family = binormal_auc(first["Sensitivity"], first["Specificity"], ratios)
with plots.style():
    ax = plt.subplots(figsize=(7, 3.4))[1]
    band = {"color": "0.85", "label": f"rounded to the printed {auc}"}
    ax.axhspan(*forensics.unrounded(auc), **band)
    ax.semilogx(ratios, family, color=COLORS["possible"], label="Curves through the point")
    ax.plot(1, first["Equal spread"], "o", color=COLORS["possible"], label="Equal spread")
    ax.set(xlabel="Spread of negatives / of positives", ylabel="AUC", ylim=(0.78, 0.84))
    ax.set_xticks([0.25, 0.5, 1, 2], ["0.25", "0.5", "1", "2"])
    ax.minorticks_off()
    ax.legend(loc="lower center")
plt.show()

# %% [markdown]
# *Standing: an inference. That the curve is concave or binormal is assumed; a curve of any shape through the point can have an area of {glue:text}`no-shape`.*
#
# (efficiency-formula)=
# ## Which formula gives the efficiency?
#
# **Likely the relative difference.** The model reads {glue:text}`mpm` images per minute (MPM), a radiologist {glue:text}`rpm` (RPM), and the model is "{glue:text}`efficiency` times more efficient". The formula is lost in our text of the study. Two come near: from the speeds as printed,
# (MPM − RPM) / RPM = {glue:text}`relative`, rounded {glue:text}`efficiency`, and MPM / RPM = {glue:text}`plain`, rounded {glue:text}`plain-prints`. But the speeds have been rounded too. With unrounded speeds either formula could give the printed number.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Both formulas", "code_prompt_hide": "Both formulas"}
mpm, rpm = float(A["azemin-3-mpm"]), float(A["azemin-3-rpm"])
slow, fast = forensics.unrounded(A["azemin-3-mpm"])
least, most = forensics.unrounded(A["azemin-3-rpm"])
ratio = np.array([mpm / rpm, slow / most, fast / least])  # as printed, lowest, highest
efficiency = pd.DataFrame(
    [ratio, ratio - 1],
    index=["MPM / RPM", "(MPM − RPM) / RPM"],
    columns=["Speeds as printed", "From", "To"],
)
pages.table(efficiency, index=True, float_format="{:.2f}".format)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Efficiency", "code_prompt_hide": "Efficiency", "figure": {"name": "efficiency-formulas", "caption": "Efficiency (Study A, section 3). Lines: all that speeds so rounded allow; markers: speeds exactly as printed."}, "image": {"alt": "Ranges of efficiency: what is rounded to the printed number, and what MPM over RPM and the relative difference can be; the points of the speeds as printed lie outside for the first and inside for the second."}}
printed = A["azemin-3-efficiency"]
rows = [(f"Printed, {printed}", "Printed", float(printed), *forensics.unrounded(printed))]
rows += [(name, "Possible", *values) for name, *values in efficiency.itertuples()]
rows = pd.DataFrame(rows, columns=["label", "kind", "value", "low", "high"])
colors = {"Printed": COLORS["printed"], "Possible": COLORS["possible"]}
plots.ladder(rows, "Times more efficient", colors=colors)
plt.show()

# %% [markdown]
# Either way {glue:text}`seconds` seconds of computing are compared with {glue:text}`seconds-radiologist` seconds of a radiologist's reading, as if what comes out were worth the same. [Efficiency](14_study_a_efficiency.ipynb) has measurements.
#
# *Standing: an inference.*
#
# (negatives-labels)=
# ## What are the labels of the negatives worth?
#
# **In {glue:text}`opaque` of {glue:text}`read` adjudicated images ({glue:text}`opaque-share` %) that the text calls "No Finding", radiologists saw airspace opacity. That is about as often as Study A's model raises a false alarm ({glue:text}`false-share` %).** Study A's negatives are "No Finding" by text-mining.
# Google's radiologists adjudicated some images of the same collection.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Adjudicated images", "code_prompt_hide": "Adjudicated images"}
file = studies.results_folder() / "flow" / "cheazemin2020.csv"
flow = pd.read_csv(file, index_col="step")
flow = flow[flow.index.str.startswith("adjudicated, No Finding by text")]
images = flow["images"].astype(int)
pages.table(flow[["images", "patients"]].astype(int).reset_index())

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Opacity and false alarms", "code_prompt_hide": "Opacity and false alarms", "figure": {"name": "opacity-among-negatives", "caption": "Adjudicated \"No Finding\" images with opacity, counted from Google's labels, and Study A's false positive rate (section 3)."}, "image": {"alt": "Two bars of nearly the same length: share of adjudicated No Finding images with opacity, and share of Study A's negatives that its model calls positive."}}
read, opaque = images
bars = {
    "“No Finding”, but opacity\nby radiologists": 100 * opaque / read,
    "“No Finding”, called\npositive by the model": 100 * (1 - specificity),
}
texts = [f"{opaque:,} of {read:,}", "1 − specificity"]
with plots.style():
    ax = plt.subplots(figsize=(7, 2))[1]
    drawn = ax.barh(list(bars), bars.values(), height=0.6, color=["0.6", COLORS["printed"]])
    ends = zip(bars.values(), texts, strict=True)
    ax.bar_label(drawn, [f"{value:.1f} %: {text}" for value, text in ends], padding=4)
    ax.set(xlabel="Images (%)", xlim=(0, 48))
    ax.invert_yaxis()
plt.show()

# %% [markdown]
# This is a warning, not an estimate. The adjudicated images were not drawn at random from "No Finding", and they may not be among Study A's negatives. Nothing says that the model and the radiologists mean the same images. But a model trained to see opacity is scored as wrong wherever it
# sees one that the text does not mention.
#
# *Standing: counted.*


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Numbers in the sentences", "code_prompt_hide": "Numbers in the sentences"}
def span(values, decimals=0):
    """``low to high``, or one number where both print alike."""
    low, high = (f"{value:,.{decimals}f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


tp, fp = matrices.loc[0, ["TP", "FP"]]
ppv_interval = 100 * np.array(cxrlib.wilson(tp, tp + fp, level))
edges = np.diff(np.pad(forensics.printed_as(family, auc).astype(int), 1))  # 1 starts, -1 ends
printed_ratios = zip(ratios[edges[:-1] == 1], ratios[edges[1:] == -1], strict=True)
other_ppv = cxrlib.at_prevalence(sensitivity, specificity, prevalence / 100)[0]
first_rate, last_rate = areas.iloc[0], areas.iloc[-1]
any_shape = [
    first_rate["Sensitivity"] * first_rate["Specificity"],
    1 - (1 - last_rate["Sensitivity"]) * (1 - last_rate["Specificity"]),
]
pages.glue_all(
    given
    | {
        "positives": ", ".join(map(str, candidates)),
        "negatives": negatives,
        "tested": positives + negatives,
        "share": share,
        "binary-count": len(matrices),
        "ppv": span(matrices["PPV, %"], 2),
        "ppv-interval": span(ppv_interval, 1),
        "npv": span(matrices["NPV, %"], 2),
        "null": f"{nothing:.1f}",
        "weight": f"{nothing:.0f}",
        "extremes": span(any_sensitivity, 1),
        "alarms": span(matrices["FP"] / matrices["TP"], 1),
        "other-prevalence": f"{prevalence:g}",
        "other-ppv": f"{100 * other_ppv:.1f}",
        "other-alarms": f"{(1 - other_ppv) / other_ppv:.0f}",
        "half": f"{100 * (1 - specificity) / (1 - specificity + sensitivity):.0f}",
        "auc": auc,
        "auc-range": span(areas[["Least area", "Largest area"]].to_numpy().ravel(), 3),
        "equal-auc": span(areas["Equal spread"], 3),
        "equal-print": span(areas["Equal spread"], 2),
        "ratios": " or ".join(span(ends, 2) for ends in printed_ratios),
        "no-shape": span(any_shape, 2),
        "mpm": A["azemin-3-mpm"],
        "rpm": A["azemin-3-rpm"],
        "efficiency": printed,
        "plain": f"{mpm / rpm:.2f}",
        "relative": f"{(mpm - rpm) / rpm:.2f}",
        "plain-prints": f"{mpm / rpm:.0f}",
        "seconds": f"{60 / mpm:.2f}",
        "seconds-radiologist": f"{60 / rpm:.0f}",
        "read": int(read),
        "opaque": int(opaque),
        "opaque-share": f"{100 * opaque / read:.1f}",
        "false-share": f"{100 - float(given['specificity']):.1f}",
    }
)

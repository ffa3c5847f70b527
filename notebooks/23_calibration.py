# ---
# jupyter:
#   cxr:
#     records:
#     - zhu-fourclass
#     - zhu-binary
#     - azemin-standin-resnet50
#     families:
#     - azemin-standin-resnet50-variants
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
# # What a probability is worth
#
# **Question.** {cite:t}`cheazemin2020` (Study A) and {cite:t}`zhu2020` (Study B) turn a network's output into a probability of disease. They judge it by how well it ranks images, and by one {term}`threshold`. Is that probability true? What is a positive result worth where fewer people are ill? Would anybody be better off by acting on it?
#
# **Answer.** To see whether probabilities are true, images of like probability are put in a group, and the group's mean probability is compared with its share of ill people. For Study A's {term}`stand-in` ([its results](13_study_a_results.ipynb)) the two differ by {glue:text}`ece-a` on average over the images, and still by {glue:text}`ece-shifted` after a correction for the {term}`prevalence`. For Study B's runs this average is at most {glue:text}`ece-b`, whatever the class and however the groups are cut; single groups differ by more. Where {glue:text}`low` % of people are ill, one positive result in {glue:text}`one-in` is right, at the {term}`sensitivity` and {term}`specificity` that Study A prints. By its {term}`net benefit`, acting on the stand-in's probabilities as they are is {glue:text}`better-raw`.
#
# **How sure.** Intervals count patients, not images, except where the two are compared. (The patients of Study A's normal images are not known; each of these images counts as one.) Where patients have several images that makes intervals by percentiles up to {glue:text}`wider` times as wide. They cover the choice of test patients. They do not cover the choice of hospitals and collections, which sets the share of ill people in these test sets.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
from typing import Literal

# recorded: read results/<run>; phantom: train Study B's two runs on synthetic images, a minute
# (Study A's stand-in is read: no phantoms are made for it)
origin: Literal["recorded", "phantom"] = "recorded"
# Study A's stand-in; a run with the class "covid"
run_name: str = "azemin-standin-resnet50"
threshold: float = 0.5  # from which an image is called positive
prevalence: float = 0.01  # among the 1,000 people
positive_class: str = "viral"  # of the four-class run: for decisions and the kinds of interval
lower: float = 0.05  # the second prevalence at which decisions for that class are shown

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the runs", "code_prompt_hide": "Load the runs"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm

import cxrlib
from companion import pages, parameters, studies
from cxrlib import evaluate, formatting, metrics, plots
from cxrlib.metrics import calibration, intervals

parameters.check(globals())
standin = studies.run(run_name)
two, four = (studies.run(name, origin) for name in ("zhu-binary", "zhu-fourclass"))
variants, missing = studies.family("azemin-standin-resnet50-variants")
for run in (standin, two, four):
    pages.changed(run)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What the studies print", "code_prompt_hide": "What the studies print"}
tables = [studies.printed(study) for study in ("cheazemin2020", "zhu2020")]
printed = pd.concat(tables).set_index("id")["printed"]  # as printed, a text for each number
judged = [("Study A, stand-in", standin, "covid"), ("Study B, two classes", two, "covid")]
judged += [("Study B, four classes", four, name) for name in four.classes]

# %% [markdown]
# ## Is the probability true?
#
# Of all images with a probability of 0.8, eight in ten should show the disease. A reliability diagram groups images by their probability. For each group it shows the share of images that have the disease against their mean probability. Where probabilities are true, the points lie on the diagonal.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Reliability diagrams", "code_prompt_hide": "Reliability diagrams", "figure": {"caption": "Reliability, with Wilson's 95 % intervals over patients. COVID-19 of Study B is left out: nearly all its probabilities are next to 0 or 1, and right.", "name": "reliability"}, "image": {"alt": "Two reliability diagrams. Study A's stand-in lies far below the diagonal at all probabilities. Of Study B's classes normal lies far above the diagonal, viral and bacterial pneumonia nearer to it and mostly below."}}
with plots.style():
    left, right = plt.subplots(1, 2, figsize=(7, 4.3), sharey=True)[1]
of_standin = {"covid": cxrlib.reliability(standin.predictions, "covid")}
plots.reliability(of_standin, left, "of the class")
of_four = {
    name: cxrlib.reliability(four.predictions, name, by="count") for name in four.classes[1:]
}
plots.reliability(of_four, right, "of the class", "lower right")
left.set_title("Study A, stand-in\n(bins of equal width)")
right.set(title="Study B, four classes\n(bins of equal count)", ylabel="")
plt.show()

# %% [markdown]
# Two numbers sum this up.
#
# - The Brier score is the mean squared distance of the probability from 0 or 1. Its *skill* compares it with giving every image the share of positives: 1 is perfect, 0 is no better, below 0 is worse.
# - The expected {term}`calibration` error (ECE) is the mean distance of the groups from the diagonal, each group counted by its images. It depends on how the groups are cut: here into ten of equal width, or into ten of equal count. So it has two values for each class. Chance alone keeps it above 0, so the last column says what true probabilities would give on as many images.


# %% tags=["hide-input"] mystnb={"code_prompt_show": "The calibration error, and that of true probabilities", "code_prompt_hide": "The calibration error, and that of true probabilities"}
def calibration_error(table):
    """Expected calibration error of a table of `reliability`: mean over images of how far their
    group's share is from its mean p (Naeini et al. 2015, AAAI).
    """
    off = (table["share"] - table["p"]).abs()
    return (table["images"] * off).sum() / table["images"].sum()


def chance_ece(frame, cls):
    """95th percentile of the ECE, ten bins of equal width, were the probabilities true: each
    image's class is drawn again with its own p, images taken as independent.
    """
    p, rng, errors = frame[f"p_{cls}"].to_numpy(), np.random.default_rng(0), []
    bins = np.clip(np.searchsorted(np.arange(11) / 10, p + 1e-12, "right") - 1, 0, 9)
    for _ in range(1000):
        drawn = np.bincount(bins[rng.random(len(p)) < p], minlength=10)
        errors.append(np.abs(drawn - np.bincount(bins, p, 10)).sum() / len(p))
    return np.quantile(errors, 0.95)


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Brier score and calibration error", "code_prompt_hide": "Brier score and calibration error"}
rows = []
for title, run, cls in judged:
    frame, brier = run.predictions, calibration.brier(run.predictions, cls)
    width, count = (cxrlib.reliability(frame, cls, by=by) for by in ("width", "count"))
    rows.append(
        {
            "Run and class": f"{title}: {plots.label(cls)}",
            "Brier score": formatting.with_interval(*brier.loc["brier"]),
            "Brier skill": formatting.with_interval(*brier.loc["skill"], decimals=2),
            "ECE, equal width": f"{calibration_error(width):.3f}",
            "ECE, equal count": f"{calibration_error(count):.3f}",
            "ECE of true probabilities, at most": f"{chance_ece(frame, cls):.3f}",
        }
    )
scores = pd.DataFrame(rows)
pages.table(scores, caption="How far the probabilities are from true, with 95 % intervals")

# %% [markdown]
# True probabilities stay below the last column in 95 of 100 test sets, with bins of equal width. Intervals are from {glue:text}`replicates` resamples of the patients. Where both ends look alike, the interval is narrower than the decimals show.
#
# The stand-in's mean probability of COVID-19 is {glue:text}`mean-a`, but only {glue:text}`share-a` % of the images show it. This could not be otherwise. The network was trained to tell opacity from none, with opacity in {glue:text}`train-a` % of the images. Its answer is then read as a probability of COVID-19, in a set where few images show that. The paper does the same.
#
# A Brier skill of {glue:text}`skill-a` means: as a probability, it would be much better to say {glue:text}`share-a` % for everybody. None of this shows in an {term}`AUC`, which knows the order of the images only.
#
# ## Can arithmetic repair it?
#
# A network is trained where a share $\pi_k$ of the images is of class $k$, and used where the share is $\pi'_k$. If images of a class look alike in both places, Bayes' rule corrects its probabilities (Saerens, Latinne and Decaestecker 2002):
#
# $$p'_k = \frac{p_k\,\pi'_k/\pi_k}{\sum_j p_j\,\pi'_j/\pi_j}.$$


# %% tags=["hide-input"] mystnb={"code_prompt_show": "The correction", "code_prompt_hide": "The correction"}
def shares(run, part):
    """Share of each class in a part of the split; copies of training images count."""
    counts, names = pd.Series(run.info["data"]["counts"][part]), run.classes
    if part == "train":
        counts = counts.mul(pd.Series(run.info["config"]["oversample"], dtype=float), fill_value=1)
        names = run.info.get("trained_classes", run.classes)
    return (counts[names] / counts[names].sum()).to_numpy(float)


def prior_shift(p, before, after):
    """Probabilities (N, K) of a model trained at shares ``before``, where they are ``after``."""
    moved = p * after / before
    return moved / moved.sum(axis=1, keepdims=True)


def corrected(run):
    """The run's predictions, from the shares of its training to those of the test set."""
    columns = [f"p_{name}" for name in run.classes]
    p = run.predictions[columns].to_numpy()
    p = prior_shift(p, shares(run, "train"), shares(run, "test"))
    return run.predictions.assign(**dict(zip(columns, p.T, strict=True)))


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Before and after the correction", "code_prompt_hide": "Before and after the correction", "figure": {"caption": "Study A's stand-in before and after the correction: bins of equal count, and only the lower part of the diagram.", "name": "corrected"}, "image": {"alt": "Reliability diagram of Study A's stand-in as trained and after correction for the prevalence, up to a share of 0.4. The corrected points are near the axis and still below the diagonal."}}
after = corrected(standin)
curves = {
    "As trained": cxrlib.reliability(standin.predictions, "covid", by="count"),
    "Corrected for the prevalence": cxrlib.reliability(after, "covid", by="count"),
}
ax = plots.reliability(curves, what="COVID-19", corner="upper right")
ax.set_ylim(-0.01, 0.4)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Every class before and after", "code_prompt_hide": "Every class before and after"}
rows = []
for title, run, cls in judged:
    versions = {"as trained": ("train", run.predictions), "corrected": ("test", corrected(run))}
    for version, (part, frame) in versions.items():
        skill = calibration.brier(frame, cls).loc["skill"]
        error = calibration_error(cxrlib.reliability(frame, cls))
        rows.append(
            {
                "Run and class": f"{title}: {plots.label(cls)}" if part == "train" else "",
                "Probability": version,
                "Share it is made for": f"{100 * shares(run, part)[run.classes.index(cls)]:.1f} %",
                "Mean probability": f"{frame[f'p_{cls}'].mean():.3f}",
                "Brier skill": formatting.with_interval(*skill, decimals=2),
                "ECE, equal width": f"{error:.3f}",
            }
        )
about = "Every class, corrected from its share of the training images to that of the test set"
pages.table(pd.DataFrame(rows), caption=about)

# %% [markdown]
# The correction takes most of the error away: an ECE of {glue:text}`ece-a` becomes {glue:text}`ece-shifted` (groups of equal width). Most of the error was the prevalence, because the stand-in saw {glue:text}`train-a` % opacity (the paper's own sets hold {glue:text}`adjudicated` %).
#
# It does not make the probabilities true. Their mean over all images is still {glue:text}`mean-shifted`, where {glue:text}`share-a` % of the images show COVID-19, and their Brier skill is {glue:text}`skill-shifted`. No prevalence explains the rest: the network was asked about opacity, not COVID-19, and was trained on other people's radiographs.
#
# The order of the images stays as it was, and so do the {term}`ROC curve` and its area. A threshold of {glue:text}`threshold` before is one of {glue:text}`half-becomes` % after. The correction needs the new prevalence. Here it is counted in the test set, which a user of the network could not do.
#
# ## What is an alarm worth?
#
# Sensitivity and specificity say how the ill and the well fare. A person with a positive result asks the opposite: am I ill? With prevalence $\pi$, the {term}`PPV` answers:
#
# $$\text{PPV} = \frac{\text{sens}\cdot\pi}{\text{sens}\cdot\pi + (1-\text{spec})(1-\pi)}, \qquad \frac{\text{false alarms}}{\text{true positive}} = \frac{1-\text{PPV}}{\text{PPV}}.$$
#
# A sensitivity and a specificity of exactly 1 would make every alarm true at any prevalence. So for Study B's perfect results this page takes the lowest values that the number of its test images, or patients, allows.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Four operating points", "code_prompt_hide": "Four operating points"}
point = cxrlib.operating_point(standin.predictions, "covid", threshold)
rates = ("sensitivity", "specificity")
sizes = {name: int(printed[f"zhu-t4.1-{name}-size"]) for name in ("covid", "non-covid")}
ends = cxrlib.bootstrap_by_patient(two.predictions).loc["covid"]
points = {
    "Study A, printed": [float(printed[f"azemin-3-{name}"]) / 100 for name in rates],
    f"Study A, stand-in at {threshold:g}": [point[name] for name in rates],
    "Study B, two classes, printed: at least": [cxrlib.wilson(n, n)[0] for n in sizes.values()],
    "Study B, two classes, rebuilt: at least": [
        ends[name, "low"] for name in ("recall", "specificity")
    ],
}
in_test_set = float(printed["azemin-2-prevalence"]) / 100

# %% tags=["hide-input"] mystnb={"code_prompt_show": "PPV and false alarms by prevalence", "code_prompt_hide": "PPV and false alarms by prevalence", "figure": {"caption": "PPV, and false alarms per true positive, by prevalence. At least: the lower ends of the 95 % intervals over {glue:text}`sizes-two` images as printed, and over the patients of the rebuilt run.", "name": "ppv"}, "image": {"alt": "Two line charts over the prevalence from 0.1 to 50 percent: PPV and false alarms per true positive of four operating points. Study A's curves are low up to ten percent; Study B's lower bounds are higher."}}
among = np.geomspace(0.001, 0.5, 200)  # prevalences
with plots.style():
    left, right = plt.subplots(1, 2, figsize=(7, 4.9))[1]
    for place, (name, (sensitivity, specificity)) in enumerate(points.items()):
        drawn = plots.look(name, place) | {"marker": ""}
        ppv, _ = cxrlib.at_prevalence(sensitivity, specificity, among)
        left.plot(100 * among, 100 * ppv, label=name, **drawn)
        if specificity < 1 and sensitivity > 0:  # else there is no such ratio at any prevalence
            right.plot(100 * among, (1 - ppv) / ppv, **drawn)
    marked = {"color": "0.45", "linestyle": (0, (2, 2)), "linewidth": 1.2}
    left.axvline(100 * in_test_set, label="Study A's test set", **marked)
    right.axvline(100 * in_test_set, **marked)
    left.set(ylabel="PPV (%)", ylim=(-2, 102))
    right.set(ylabel="False alarms per true positive", yscale="log")
    for ax in (left, right):
        ax.set(xscale="log", xlabel="Prevalence (%)", xlim=(0.1, 50))
        ax.grid(color="0.9")
    for axis in (left.xaxis, right.xaxis, right.yaxis):
        axis.set_major_formatter("{x:g}")  # 0.1, 1 and 10, not powers
    left.figure.legend(loc="outside lower center", ncol=2, frameon=False)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "PPV at five prevalences", "code_prompt_hide": "PPV at five prevalences"}
rows = []
for name, (sensitivity, specificity) in points.items():
    row = {"Operating point": name}
    row |= {
        "Sensitivity": f"{100 * sensitivity:.1f} %",
        "Specificity": f"{100 * specificity:.1f} %",
    }
    for share in (0.001, 0.01, in_test_set, 0.1, 0.5):
        ppv, _ = cxrlib.at_prevalence(sensitivity, specificity, share)
        row[f"At {100 * share:.3g} %"] = f"{100 * ppv:.1f} %; {(1 - ppv) / ppv:,.1f}"
    rows.append(row)
pages.table(pd.DataFrame(rows), caption="PPV; false alarms per true positive, at five prevalences")

# %% [markdown]
# Whole people are easier to picture. Of 1,000 people {glue:text}`low` % are ill, which is {glue:text}`ill`. At Study A's printed operating point {glue:text}`called` are called positive, and {glue:text}`found` of those are ill.


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Counting people", "code_prompt_hide": "Counting people"}
MARKS = {  # words, colour, marker
    "TP": ("ill, called positive", "#D55E00", "o"),
    "FN": ("ill, missed", "#000000", "X"),
    "FP": ("well, called positive (false alarm)", "#56B4E9", "s"),
    "TN": ("well, called negative", "#BBBBBB", "."),
}


def of_thousand(sensitivity, specificity):
    """Whole people that add up: the ill are rounded first, then those found among them."""
    ill = round(1000 * prevalence)
    found, spared = round(ill * sensitivity), round((1000 - ill) * specificity)
    return {"TP": found, "FN": ill - found, "FP": 1000 - ill - spared, "TN": spared}


# %% tags=["hide-input"] mystnb={"code_prompt_show": "A thousand people", "code_prompt_hide": "A thousand people", "figure": {"caption": "A thousand people at Study A's printed operating point and a prevalence of {glue:text}`low` %: one mark is one person.", "name": "thousand-people"}, "image": {"alt": "A thousand marks, one per person, at Study A's printed operating point: a few ill and called, fewer ill and missed, more than a quarter false alarms, the rest rightly left alone; the counts are in the table below."}}
people = {name: of_thousand(*values) for name, values in points.items()}
start = 0
with plots.style():
    ax = plt.subplots(figsize=(7, 5.325))[1]
    for name, (words, color, marker) in MARKS.items():
        count = people["Study A, printed"][name]
        at, text = np.arange(start, start + count), f"{count:,} {words}"
        looks = {"color": color, "markersize": 6, "markeredgewidth": 0}
        ax.plot(at % 40, -(at // 40), marker, label=text, **looks)
        start += count
    ax.set(xlim=(-1, 40), ylim=(-25, 1), title="Study A's printed operating point", aspect="equal")
    ax.set_axis_off()
    ax.figure.legend(loc="outside lower center", ncol=2, frameon=False)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The thousand people in numbers", "code_prompt_hide": "The thousand people in numbers"}
heads = {"TP": "Ill and called", "FN": "Ill, missed", "FP": "Well, but called"}
counted = pd.DataFrame(people).T.rename(columns=heads | {"TN": "Well and left alone"})
counted = counted.rename_axis("Operating point").reset_index()
pages.table(counted, caption="Of 1,000 people, at each operating point")

# %% [markdown]
# All this takes sensitivity and specificity from the test set to the clinic. Study A's negatives have no finding at all, and Study B's are children. Among adults with other pneumonias both numbers are likely to be lower. In [the explorer](20_explorer.ipynb) you can move the threshold and the prevalence yourself.
#
# ## Who would be better off?
#
# A probability is there to act on. Whoever acts at a threshold $t$ holds that missing one ill person weighs $(1-t)/t$ times as much as acting on one who is well. With these weights the net benefit is the gain in true positives per person (Vickers and Elkin 2006):
#
# $$\text{NB}(t) = \text{sens}\cdot\pi - (1-\text{spec})(1-\pi)\frac{t}{1-t}.$$
#
# Compare it with calling everybody positive, and with calling nobody, which has 0: these two treat everybody alike and need no model. The chart of it by threshold is a {term}`decision curve`. Here a model counts as *of use* at those thresholds where the whole 95 % interval of its net benefit lies above both. Elsewhere it may be of use as well; these patients do not show it.


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Drawing a decision curve", "code_prompt_hide": "Drawing a decision curve"}
@plots.style(formulas=False)
def decision_curve(curves):
    """Tables of net benefits of one prevalence, with their intervals as bands, beside calling
    everybody and nobody. No net benefit is above the prevalence; the axis ends half as far below 0.
    """
    ax = plt.subplots(figsize=(7, 4.6))[1]
    for place, (name, table) in enumerate(curves.items()):
        x, looks = 100 * table.index, plots.look(name, place) | {"marker": ""}
        band = {"color": looks["color"], "alpha": 0.18, "linewidth": 0}
        ax.fill_between(x, table["low"], table["high"], **band)
        ax.plot(x, table["benefit"], label=plots.label(name), **looks)
    ax.plot(x, table["treat_all"], ":", color="0.35", label="Call everybody positive")
    ax.axhline(0, color="0.35", linewidth=1, label="Call nobody positive")
    top = float((table["treat_all"] * (1 - table.index) + table.index).max())  # the prevalence
    ax.set(xscale="log", xlim=(x.min(), x.max()), ylim=(-top / 2, 1.05 * top))
    ax.set(xlabel="Threshold probability (%)", ylabel="Net benefit (true positives per person)")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.grid(color="0.9")
    ax.figure.legend(loc="outside lower center", ncol=3, frameon=False)
    return ax


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Decision curves of the stand-in", "code_prompt_hide": "Decision curves of the stand-in", "figure": {"caption": "Decision curves of Study A's stand-in, at the test set's {glue:text}`share-a` % COVID-19. Bands: 95 % intervals from resampled patients.", "name": "decisions-standin"}, "image": {"alt": "Decision curves of Study A's stand-in at the test set's prevalence. As trained the curve falls with that of calling everybody and below zero; corrected for the prevalence it stays above both a little longer, then falls below zero too."}}
thresholds = np.geomspace(0.001, 0.5, 100)
decisions = {
    "As trained": cxrlib.net_benefit(standin.predictions, "covid", thresholds),
    "Corrected for the prevalence": cxrlib.net_benefit(after, "covid", thresholds),
}
decision_curve(decisions)
plt.show()

# %% [markdown]
# As trained, the model is {glue:text}`better-raw`. Its mean probability is {glue:text}`mean-a`, so whoever believes it acts on nearly everybody. Corrected, it is {glue:text}`better-shifted`, and not by much. Some of the information was there, and the probability hid it.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Decision curves of a class of Study B", "code_prompt_hide": "Decision curves of a class of Study B", "figure": {"caption": "Study B, {glue:text}`class` against the rest, as trained, at the test set's share.", "name": "decisions-class"}, "image": {"alt": "Decision curve of one class of Study B's four-class run at the test set's share: the model is above both alternatives over most thresholds."}}
share = shares(four, "test")[four.classes.index(positive_class)]
of_class = {
    where: cxrlib.net_benefit(four.predictions, positive_class, thresholds, where)
    for where in (share, lower)
}
decision_curve({positive_class: of_class[share]}).set_title(f"Prevalence {100 * share:.3g} %")
plt.show()

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The same at a lower prevalence", "code_prompt_hide": "The same at a lower prevalence", "figure": {"caption": "The same class, with the same sensitivities and specificities, at another prevalence.", "name": "decisions-lower"}, "image": {"alt": "Decision curve of the same class at a lower prevalence: the curve is above both alternatives at low thresholds and falls below zero at middle ones."}}
decision_curve({positive_class: of_class[lower]}).set_title(f"Prevalence {100 * lower:.3g} %")
plt.show()

# %% [markdown]
# At a prevalence of {glue:text}`share-class` % the model is {glue:text}`useful-class`. (At the lowest thresholds the gain is very small.) With the same sensitivities and specificities at {glue:text}`lower` %, it is {glue:text}`useful-lower`.
#
# **No curve here is a clinic's.** The studies' design and the collections that were available set the share of positives in these test sets, and chose the negatives. A net benefit at such a share holds for that mixture of images. What the curves do show is that discrimination alone does not make a model useful.
#
# ## Which interval?
#
# Several 95 % intervals are in use for a share of images, and for an area under the curve.
#
# - **Over images** (Wilson, Clopper–Pearson, DeLong). These take images as independent. Where patients have several images they are too narrow.
# - **Wilson's over patients.** The variance over patients says how many independent images a share is worth, and {term}`Wilson's interval` is taken for that many. Of a share of 0 or 1, where all images of a patient say the same, each patient counts once.
# - **Resampled patients.** Patients are drawn at random, each with all of their images. This needs no such assumption. The interval lies between percentiles of the resamples, or between percentiles moved for bias and skewness (BCa, Efron 1987).


# %% tags=["hide-input"] mystnb={"code_prompt_show": "The BCa interval", "code_prompt_hide": "The BCa interval"}
def bias_corrected(drawn, estimate, left, stratum):
    """BCa intervals (2, M) of replicates (B, M), estimates (M,) and estimates without each patient
    (P, M): bias-corrected, and accelerated by the jackknife over patients within classes.
    Replicates equal to the estimate count half below it.
    """
    tied = np.isclose(drawn, estimate, rtol=1e-12, atol=0)
    z0 = norm.ppf(((drawn < estimate) & ~tied).mean(axis=0) + tied.mean(axis=0) / 2)
    groups = pd.DataFrame(left).groupby(stratum)
    sizes = groups.transform("size").to_numpy()[:, None]
    influence = (sizes - 1) / sizes * (groups.transform("mean").to_numpy() - left)
    a = (influence**3).sum(axis=0) / (6 * (influence**2).sum(axis=0) ** 1.5)
    z = z0 + norm.ppf([[0.025], [0.975]])
    at = np.nan_to_num(norm.cdf(z0 + z / (1 - a * z)))
    return np.stack([np.quantile(drawn[:, m], at[:, m]) for m in range(len(estimate))], axis=1)


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Resampled patients", "code_prompt_hide": "Resampled patients"}
STATISTICS = ["auc", "sensitivity", "specificity", "ppv", "npv"]


def resampled(frame, cls):
    """Rows of percentile and BCa intervals; NaN ends where no resample differs."""
    truth, score, order = metrics.predictions.one_class(frame, cls)
    found = metrics.bootstrap.Resamples(frame["patient_id"], metrics.predictions.arrays(frame)[1])
    sums = metrics.rates.one_vs_rest(truth, score >= threshold, order)
    each = pd.DataFrame(sums.toarray()).groupby(found.patient).sum().to_numpy()  # by patient

    def of(sums):
        known = metrics.rates.rates(sums)
        return np.stack([known[name] for name in STATISTICS], axis=-1)

    drawn, estimate, left = found.drawn(sums, of), of(each.sum(axis=0)), of(each.sum(axis=0) - each)
    ends = {"Bootstrap, percentiles": np.quantile(drawn, [0.025, 0.975], axis=0)}
    ends["Bootstrap, BCa"] = bias_corrected(drawn, estimate, left, found.stratum)
    return [
        (name, method, estimate[m], *np.where(low[m] < high[m], (low[m], high[m]), np.nan))
        for method, (low, high) in ends.items()
        for m, name in enumerate(STATISTICS)
    ]


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Every method", "code_prompt_hide": "Every method"}
def compared(frame, cls):
    """A row for each statistic and method: estimate, low, high."""
    truth, score, _ = metrics.predictions.one_class(frame, cls)
    shares = metrics.bootstrap.shares_of(truth, score >= threshold)
    rows = [("auc", "DeLong, images", *intervals.auc_interval(frame, cls, by="image_id"))]
    for name in STATISTICS[1:]:
        k, n = (images.sum() for images in shares[name])  # right, among
        over = intervals.share_by_patient(*shares[name], frame["patient_id"])
        exact = binomtest(k, n).proportion_ci() if n else (np.nan, np.nan)
        rows.append((name, "Wilson, images", over.estimate, *cxrlib.wilson(k, n)))
        rows.append((name, "Clopper–Pearson, images", over.estimate, *exact))
        rows.append((name, "Wilson, patients", *over))
    columns = ["statistic", "method", "estimate", "low", "high"]
    table = pd.DataFrame(rows + resampled(frame, cls), columns=columns)
    return table.iloc[table["statistic"].map(STATISTICS.index).argsort(kind="stable")]


# %% tags=["hide-input"] mystnb={"code_prompt_show": "All methods on one class", "code_prompt_hide": "All methods on one class", "figure": {"caption": "The same five numbers of Study B's class {glue:text}`class`, called at a probability of {glue:text}`threshold`, with the 95 % interval of each method.", "name": "methods"}, "image": {"alt": "Dot chart of the intervals of AUC, sensitivity, specificity, PPV and NPV of one class by each method. Intervals from resampled patients are wider than those over images for AUC and sensitivity."}}
several = compared(four.predictions, positive_class)
rungs = several.rename(columns={"method": "kind", "estimate": "value"})
rungs["label"] = rungs["statistic"].map(evaluate.STATISTIC_NAMES)
plots.ladder(rungs, "Value, with 95 % interval (the axis does not begin at 0)")
plt.show()


# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The methods in numbers", "code_prompt_hide": "The methods in numbers"}
def by_method(found):
    """A row for each method, a column for each statistic."""
    texts = [formatting.interval(row.low, row.high) for row in found.itertuples()]
    table = found.assign(text=texts).pivot(index="method", columns="statistic", values="text")
    table = table.reindex(index=found["method"].unique(), columns=found["statistic"].unique())
    first = found.groupby("statistic")["estimate"].first().map(formatting.number)
    table = pd.concat([first.to_frame("Estimate").T, table.fillna("–")])[table.columns]
    table = table.rename(columns=evaluate.STATISTIC_NAMES).rename_axis(columns=None)
    return table.rename_axis("Method").reset_index()


about = f"Study B, {plots.label(positive_class).lower()} against the rest, threshold {threshold:g}"
pages.table(by_method(several), caption=about)

# %% [markdown]
# The {glue:text}`class-images` test images of this class come from {glue:text}`class-patients` patients, one of them with {glue:text}`class-most`. For the sensitivity they are worth {glue:text}`class-worth` independent images.
#
# The widest gap is in {glue:text}`wider-what`: resampling whole patients gives an interval {glue:text}`wider` times as wide, by percentiles. BCa also corrects for skewness, which here comes from few patients with many images. It makes the interval of the AUC {glue:text}`wider-bca` times as wide.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "All methods on Study A's stand-in", "code_prompt_hide": "All methods on Study A's stand-in"}
alone = compared(standin.predictions, "covid")
about = f"Study A's stand-in, COVID-19, threshold {threshold:g}"
pages.table(by_method(alone), caption=about)

# %% [markdown]
# In Study A's test set the patients of the many negatives are not known, so each of these images counts as one. The {glue:text}`a-positives` positives come from {glue:text}`a-patients` patients. Resampled intervals of AUC, sensitivity and specificity are {glue:text}`same` times as wide as those over images.
#
# That of the PPV is {glue:text}`same-ppv` times as wide, for another reason. Patients are drawn within classes, so the share of positives moves only as far as some patients have more images than others. Wilson's interval of the PPV takes the called images as drawn at random. With the share held fixed, as in [the explorer](20_explorer.ipynb), it is narrower still.
#
# In small numbers the exact interval (Clopper–Pearson) is wider than Wilson's, since it must hold at every true value.
#
# (the-rule-of-this-book)=
# ### The rule of this book
#
# This book keeps to one rule, on every page, in the claims and in the reports that `cxr evaluate` writes:
#
# | Of what | Its 95 % interval | Where that cannot tell |
# |---|---|---|
# | A share of images: recall, sensitivity, specificity, precision, PPV, NPV, accuracy | Patients resampled {glue:text}`replicates` times within their classes, each with all images; percentiles | Wilson's over patients, where at most {glue:text}`carriers` patients carry the errors (or the successes, if these are fewer), where the share is undefined in a resample, or where it rests on fewer than four patients. From {glue:text}`carriers-twice` patients with errors on percentiles alone; in between the ends go evenly from the one to the other |
# | AUC, F1, an average over classes, Brier score, net benefit | The same | A dash |
# | A mean over images, such as the share of a map inside the lungs | Patients resampled, all as one class | A dash |
# | A difference of two models on the same images | Patients resampled within their classes, the same for both models | A dash |
# | A bin of a reliability diagram; what moves with a slider in the explorer | Wilson's over patients; of an AUC, DeLong's over patients; of ratios, PPV and NPV, what these imply | Of an area of 1: a dash |
# | A share that a study prints | Wilson's; the images are taken as independent, since their patients are not known | |
#
# Patients with several images make these worth less than as many independent ones. One number says how much less: r(1 − r) over the variance of the share r over patients, at least 1 and at most the number of images. Where there are fewer than four patients, or all are alike, a patient's images are taken to say the same (Kish's number). Few patients with errors say little about that variance. So it is averaged with Kish's, which counts as much as {glue:text}`alike` patients with errors do. Where r is 0 or 1 the number is that of the patients.
#
# Why not percentiles throughout? With few errors they are too narrow. In simulated test sets with two to ten patients who carry errors ({source}`benchmarks/coverage.py`) they hold the true share in as few as {glue:text}`percentiles-hold` %, this rule in at least {glue:text}`policy-holds` %. Percentiles also gave a perfect result less certainty than one with a single error. By the rule one more error does not raise the lower end in test sets like these. An average over classes, an F1 and an AUC have no such rule, so where few patients carry their errors, their intervals are too narrow.
#
# An interval without width is never shown. What no resample moves is not certain: these patients cannot tell.
#
# ### Two models on the same images
#
# Two models on the same images are compared within the patients: in each resample both are measured on the same patients. Each row takes the AUC of one variant from that of the stand-in (learning rate {glue:text}`rate-a`). DeLong's test is given next to the resampled interval.

# %% tags=["remove-input"]
pages.not_recorded(missing)


# %% tags=["hide-input"] mystnb={"code_prompt_show": "DeLong's test of two models", "code_prompt_hide": "DeLong's test of two models"}
def paired(first, second, cls="covid"):
    """DeLong's test of two AUCs on the same images, over patients: their difference, z, p, and its
    interval if they were of other patients.
    """
    other = second.set_index("image_id").loc[first["image_id"], f"p_{cls}"]
    scores, truth = np.stack([first[f"p_{cls}"], other]), (first["y_true"] == cls).to_numpy()
    areas, covariance = intervals.delong(truth, scores, first["patient_id"])
    change, less = areas[0] - areas[1], np.array([1, -1])
    z = change / np.sqrt(less @ covariance @ less)
    half = norm.ppf(0.975) * np.sqrt(np.trace(covariance))
    return z, 2 * norm.sf(abs(z)), (change - half, change + half)


def variant(run):
    """What sets a variant apart."""
    config = run.info["config"]
    again = ", batch norm re-estimated" if config["batch_norm"] == "re-estimated" else ""
    return f"Learning rate {config['lr']:g}{again}"


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Differences of AUC", "code_prompt_hide": "Differences of AUC"}
rows, differences = [], []
for other in variants:
    pair = standin.predictions, other.predictions
    found, (z, p, apart) = cxrlib.difference_by_patient(*pair, "auc", "covid"), paired(*pair)
    differences.append((variant(other), found, p))
    rows.append(
        {
            "Less that with": variant(other),
            "Difference of AUC": formatting.signed(found.estimate, decimals=4),
            "95 % interval, patients resampled": formatting.signed(*found[1:], decimals=4),
            "z": formatting.number(z, 2),
            "p": f"{p:.3f}",
            "95 % interval, if they were other patients": formatting.signed(*apart, decimals=4),
        }
    )
pages.table(pd.DataFrame(rows), caption="AUC of the stand-in less that of a variant")

# %% [markdown]
# Both models see the same patients, so their covariance counts. The interval is narrower than that of two separate test sets (last column). z and p are of DeLong's test for paired areas, over patients (Obuchowski 1997). {glue:text}`border`
#
# ## The same for your predictions
#
# ```bash
# .venv/bin/cxr evaluate predictions.csv --prevalence 0.01 --html report.html
# ```
#
# makes tables and figures like these for any file of predictions: see [Evaluate your own](../book/evaluate.md). This page with another threshold, or on synthetic radiographs:
#
# ```bash
# .venv/bin/cxr run 23 -p threshold 0.3
# .venv/bin/cxr run 23 -p origin phantom
# ```


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Where the decisions are of use, in words", "code_prompt_hide": "Where the decisions are of use, in words"}
def useful(table):
    """Thresholds where a net benefit's interval lies above both ways of not asking the model."""
    better = (table["low"] > np.maximum(table["treat_all"], 0) + 1e-12).to_numpy()
    ranges = np.split(100 * table.index.to_numpy(), np.flatnonzero(np.diff(better)) + 1)
    beats = np.split(better, np.flatnonzero(np.diff(better)) + 1)
    shown = 100 * table.index.max()
    found = [
        f"from {part[0]:.1f} to {part[-1]:.1f} %"
        + f" (thresholds are shown up to {shown:.0f} %)" * bool(part[-1] == shown)
        for part, beat in zip(ranges, beats, strict=True)
        if beat[0]
    ]
    return f"of use at thresholds {' and '.join(found)}" if found else "nowhere shown to be of use"


def better(table):
    """The same, said in full."""
    than = "better than both ways that need no model, calling everybody positive and calling nobody"
    words = useful(table)
    if words.startswith("of use"):
        return f"shown to be {than}, {words.removeprefix('of use ')}"
    return f"at no threshold shown to be {than}"


# %% tags=["hide-input"] mystnb={"code_prompt_show": "How much wider, in words", "code_prompt_hide": "How much wider, in words"}
def ratios(found):
    """How many times as wide resampled intervals are as those over images, by statistic."""
    width = (found["high"] - found["low"]).groupby([found["method"], found["statistic"]]).first()
    over_images = width["Wilson, images"].combine_first(width["DeLong, images"])
    return (width["Bootstrap, percentiles"] / over_images).reindex(found["statistic"].unique())


wider, same = ratios(several).dropna(), ratios(alone)
width = several.set_index(["method", "statistic"]).eval("high - low")
bca = width["Bootstrap, BCa", "auc"] / width["DeLong, images", "auc"]
three = same[["auc", "sensitivity", "specificity"]]
images = four.predictions[four.predictions["y_true"] == positive_class]
each = images["patient_id"].value_counts()
hits = (images[f"p_{positive_class}"] >= threshold).groupby(images["patient_id"])
worth = intervals.effective_number(hits.sum().to_numpy(), hits.size().to_numpy())
positives = standin.predictions[standin.predictions["y_true"] == "covid"]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Interval and test in words", "code_prompt_hide": "Interval and test in words"}
border = []
for name, found, p in differences:
    excludes = found.low > 0 or found.high < 0
    if excludes != (p < 0.05):
        ends = " to ".join(formatting.signed(end, decimals=4) for end in found[1:])
        way = "holds zero while the test rejects"
        if excludes:
            way = "excludes zero while the test does not reject"
        border.append(f"for {name.lower()} the resampled interval ({ends}) {way} (p = {p:.3f})")
says = (
    "Here both say the same of every variant: whether the interval excludes zero, and whether p is"
    " below 0.05."
)
if border:
    says = (
        f"The two disagree at the border: {'; '.join(border)}. One resamples patients, the other"
        " takes the difference as normally distributed, and near 0.05 such small things decide."
        " Read it as weak evidence of a difference and not as a verdict: its size and the whole"
        " interval say more than the side of the line on which one method puts it."
    )

# %% tags=["hide-input"] mystnb={"code_prompt_show": "All numbers of the text", "code_prompt_hide": "All numbers of the text"}
flow = pd.read_csv(studies.results_folder() / "flow" / "cheazemin2020.csv").set_index("step")
sets = [f"adjudicated {name} set" for name in ("validation", "test")]
opacity = [flow["images"][f"{name}, opacity"] / flow["images"][name] for name in sets]
before, now = shares(standin, "train"), shares(standin, "test")
tipping = prior_shift(np.array([[threshold, 1 - threshold]]), before, now)[0, 0]
skill = calibration.brier(after, "covid").loc["skill"]
error = calibration_error(cxrlib.reliability(after, "covid"))
simulated = pd.read_csv(studies.results_folder() / "coverage" / "shares.csv")
few = simulated[simulated["carriers"].between(2, intervals.CARRIERS)]
drawn = people["Study A, printed"]
ppv, _ = cxrlib.at_prevalence(*points["Study A, printed"], prevalence)
pages.glue_all(
    {
        "replicates": metrics.REPLICATES,
        "carriers": intervals.CARRIERS,
        "carriers-twice": 2 * intervals.CARRIERS,
        "alike": intervals.ALIKE,
        "percentiles-hold": f"{100 * few['percentiles'].min():.0f}",
        "policy-holds": f"{100 * few['policy'].min():.0f}",
        "ece-a": scores["ECE, equal width"].iloc[0],
        "ece-b": scores.filter(like="ECE, equal").iloc[1:].to_numpy().max(),
        "ece-shifted": f"{error:.3f}",
        "skill-a": scores["Brier skill"].iloc[0],
        "skill-shifted": formatting.with_interval(*skill, decimals=2),
        "mean-a": f"{standin.predictions['p_covid'].mean():.3f}",
        "mean-shifted": f"{after['p_covid'].mean():.3f}",
        "share-a": f"{100 * now[0]:.2f}",
        "train-a": f"{100 * before[0]:.1f}",
        "adjudicated": " or ".join(f"{100 * value:.1f}" for value in opacity),
        "threshold": f"{threshold:g}",
        "half-becomes": f"{100 * tipping:.1f}",
        "sizes-two": " and ".join(map(str, sizes.values())),
        "low": f"{100 * prevalence:g}",
        "one-in": f"{1 / ppv:.0f}",
        "ill": drawn["TP"] + drawn["FN"],
        "called": drawn["TP"] + drawn["FP"],
        "found": drawn["TP"],
        "better-raw": better(decisions["As trained"]),
        "better-shifted": better(decisions["Corrected for the prevalence"]),
        "class": plots.label(positive_class).lower(),
        "share-class": f"{100 * share:.1f}",
        "lower": f"{100 * lower:g}",
        "useful-class": useful(of_class[share]),
        "useful-lower": useful(of_class[lower]),
        "wider": f"{wider.max():.1f}",
        "wider-what": evaluate.STATISTIC_NAMES[wider.idxmax()],
        "wider-bca": f"{bca:.1f}",
        "class-images": len(images),
        "class-patients": len(each),
        "class-most": int(each.iloc[0]),
        "class-worth": f"{worth:.0f}",
        "same": f"{three.min():.2f} to {three.max():.2f}",
        "same-ppv": f"{same['ppv']:.2f}",
        "a-positives": len(positives),
        "a-patients": int(positives["patient_id"].nunique()),
        "rate-a": f"{standin.info['config']['lr']:g}",
        "border": says,
    }
)

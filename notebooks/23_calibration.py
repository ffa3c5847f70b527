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
# Both studies turn a network's output into a probability of disease, and judge it by how well it ranks images and by one threshold. Neither asks whether the probability is true, what
# it is worth where fewer people are ill, or what follows from acting on it. This page asks that of the recorded runs: {cite:t}`zhu2020` with two and with four classes, and the
# [stand-in](13_study_a_results.ipynb) for {cite:t}`cheazemin2020`. The last part sets the ways to compute an interval side by side.
#
# | Question | Answer |
# |---|---|
# | <a href="#is-the-probability-true">Is the probability true?</a> | Study A's stand-in: far from it, {glue:text}`ece-a` off on average; Study B: {glue:text}`ece-b` off at worst |
# | <a href="#can-arithmetic-repair-it">Can arithmetic repair it?</a> | in part: {glue:text}`ece-shifted` off after correction for the prevalence |
# | <a href="#what-is-an-alarm-worth">What is an alarm worth?</a> | at {glue:text}`low` % prevalence one in {glue:text}`one-in` is true, at Study A's printed operating point |
# | <a href="#who-would-be-better-off">Who would be better off?</a> | with the stand-in's probabilities as they are, nobody |
# | <a href="#which-interval">Which interval?</a> | one that knows of patients, where they have several images: up to {glue:text}`wider` times as wide |

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the runs", "code_prompt_hide": "Load the runs"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from scipy.stats import norm

from companion import pages, studies
from companion.pages import say
from cxrlib import evaluate, formatting, metrics, plots
from cxrlib.metrics import calibration, intervals

A, TWO, FOUR = (
    studies.run(name) for name in ("azemin-standin-resnet50", "zhu-binary", "zhu-fourclass")
)
variants, missing = studies.family("azemin-standin-resnet50-variants")
printed = pd.concat(
    [studies.printed(study).set_index("id")["printed"] for study in ("cheazemin2020", "zhu2020")]
)
CURVES = [
    ("Study A, stand-in", A, "covid"),
    ("Study B, two classes", TWO, "covid"),
    *(("Study B, four classes", FOUR, name) for name in FOUR.classes),
]


def shares(run, part):
    """Share of each class in a part of the split, copies of training images counted."""
    counts, copies = (
        run.info["data"]["counts"][part],
        (run.info["config"]["oversample"] if part == "train" else {}),
    )
    names = run.info.get("trained_classes", run.classes) if part == "train" else run.classes
    found = np.array([counts[name] * copies.get(name, 1) for name in names], float)
    return found / found.sum()


def prior_shift(p, before, after):
    """Probabilities (N, K) of a model trained at shares ``before``, where they are ``after``."""
    moved = p * after / before
    return moved / moved.sum(axis=1, keepdims=True)


def shifted(run, after=None):
    """The run's predictions, corrected from the class shares of training to those of the test set,
    or to others.
    """
    p = prior_shift(
        run.predictions[[f"p_{name}" for name in run.classes]].to_numpy(),
        shares(run, "train"),
        shares(run, "test") if after is None else after,
    )
    return run.predictions.assign(**{f"p_{name}": p[:, k] for k, name in enumerate(run.classes)})


# %% [markdown]
# ## Is the probability true?
#
# Of all images with a probability of 0.8, eight in ten should have the disease. A **reliability diagram** groups images by probability and sets the share that has it against their mean
# probability. Two numbers sum it up. The **Brier score** is the mean squared distance of the probability from 0 or 1; its *skill* compares it with always saying the share of positives
# (1 is perfect, 0 no better, below 0 worse). The **expected calibration error** (ECE) is the mean distance of the groups from the diagonal. It depends on the grouping, here ten
# bins of equal width, and ten of equal count; and it is above 0 by chance, so the last column says what true probabilities would give on as many images.

# %% tags=["remove-input"]
rows = []
for title, run, cls in CURVES:
    brier, frame = calibration.brier(run.predictions, cls), run.predictions
    errors = [
        calibration.calibration_error(metrics.reliability(frame, cls, by=by))
        for by in ("width", "count")
    ]
    rows.append(
        (
            f"{title}: {plots.label(cls)}",
            formatting.with_interval(*brier.loc["brier"]),
            formatting.with_interval(*brier.loc["skill"], decimals=2),
            *(f"{error:.3f}" for error in errors),
            f"{calibration.chance_ece(frame, cls)[1]:.3f}",
        )
    )
scores = pd.DataFrame(
    rows,
    columns=[
        "Run and class",
        "Brier score",
        "Brier skill",
        "ECE, equal width",
        "ECE, equal count",
        "ECE of true probabilities, at most",
    ],
)
pages.table(scores)

# %% tags=["remove-cell"]
say("replicates", metrics.REPLICATES)
say("ece-a", scores["ECE, equal width"].iloc[0])
say("skill-a", scores["Brier skill"].iloc[0])
worst_b = scores.iloc[1:].sort_values("ECE, equal width").iloc[-1]
say("ece-b", worst_b["ECE, equal width"])
say("worst-b", worst_b["Run and class"])
say("mean-a", f"{A.predictions['p_covid'].mean():.2f}")
say("share-a", f"{100 * shares(A, 'test')[0]:.2f}")

# %% [markdown]
# *95 % intervals from {glue:text}`replicates` resamples of patients; the last column is the value that true probabilities stay below in 95 of 100 test sets, with bins of equal width.*

# %% tags=["remove-input"] mystnb={"image": {"alt": "Two reliability diagrams. Study A's stand-in lies far below the diagonal at all probabilities. Of Study B's classes normal lies far above the diagonal, viral and bacterial pneumonia nearer to it and mostly below."}}
with plots.style():
    axes = plt.subplots(1, 2, figsize=(7, 4.3), sharey=True)[1]
    plots.reliability(
        {"COVID-19": calibration.reliability(A.predictions, "covid")}, axes[0], "of the class"
    )
    plots.reliability(
        {
            plots.label(name): calibration.reliability(FOUR.predictions, name, by="count")
            for name in FOUR.classes[1:]
        },
        axes[1],
        "of the class",
        "lower right",
    )
    axes[0].set_title("Study A, stand-in\n(bins of equal width)")
    axes[1].set(title="Study B, four classes\n(bins of equal count)", ylabel="")
    plt.show()

# %% [markdown]
# *Reliability, with 95 % intervals (Wilson's, as if all images of a patient said the same). COVID-19 of Study B is left out: nearly all its probabilities are next to 0 or 1, and right.*
#
# The stand-in's mean probability of COVID-19 is {glue:text}`mean-a`, where {glue:text}`share-a` % of the images show it. It cannot be otherwise: the network was trained to tell opacity from none, with
# opacity in {glue:text}`train-a` % of the images, and its answer is read as a probability of COVID-19 in a set where few show that. The paper does the same. Its Brier skill of
# {glue:text}`skill-a` says that it would be much better, as a probability, to say {glue:text}`share-a` % of everybody. None of this shows in an AUC, which knows the order only.
#
# ## Can arithmetic repair it?
#
# A network trained where a share $\pi_k$ of the images is of class $k$, and used where the share is $\pi'_k$, can be corrected by Bayes' rule, if images of a class look alike in both places
# (Saerens, Latinne and Decaestecker 2002):
#
# $$p'_k = \frac{p_k\,\pi'_k/\pi_k}{\sum_j p_j\,\pi'_j/\pi_j}.$$

# %% tags=["remove-input"] mystnb={"image": {"alt": "Reliability diagram of Study A's stand-in as trained and after correction for the prevalence, up to a share of 0.4. The corrected points are near the axis and still below the diagonal."}}
after = shifted(A)
ax = plots.reliability(
    {
        "As trained": calibration.reliability(A.predictions, "covid", by="count"),
        "Corrected for the prevalence": calibration.reliability(after, "covid", by="count"),
    },
    what="COVID-19",
    corner="upper right",
)
ax.set_ylim(-0.01, 0.4)
plt.show()

# %% tags=["remove-input"]
rows = []
for title, run, cls in CURVES:
    for text, frame in (("as trained", run.predictions), ("corrected", shifted(run))):
        brier, place = calibration.brier(frame, cls), run.classes.index(cls)
        rows.append(
            (
                f"{title}: {plots.label(cls)}" if text == "as trained" else "",
                text,
                f"{100 * shares(run, 'train' if text == 'as trained' else 'test')[place]:.1f} %",
                f"{frame[f'p_{cls}'].mean():.3f}",
                formatting.with_interval(*brier.loc["skill"], decimals=2),
                f"{calibration.calibration_error(metrics.reliability(frame, cls)):.3f}",
            )
        )
pages.table(
    pd.DataFrame(
        rows,
        columns=[
            "Run and class",
            "Probability",
            "Share it is made for",
            "Mean probability",
            "Brier skill",
            "ECE, equal width",
        ],
    )
)

# %% tags=["remove-cell"]
say("train-a", f"{100 * shares(A, 'train')[0]:.1f}")
say("ece-shifted", f"{calibration.calibration_error(metrics.reliability(after, 'covid')):.3f}")
say("mean-shifted", f"{after['p_covid'].mean():.3f}")
skill = calibration.brier(after, "covid").loc["skill"]
say("skill-shifted", formatting.with_interval(*skill, decimals=2))
flow = pd.read_csv(studies.results_folder() / "flow" / "cheazemin2020.csv").set_index("step")[
    "images"
]
adjudicated = [
    flow[f"adjudicated {name} set, opacity"] / flow[f"adjudicated {name} set"]
    for name in ("validation", "test")
]
say("adjudicated", " or ".join(f"{100 * value:.1f}" for value in adjudicated))
half = prior_shift(np.array([[0.5, 0.5]]), shares(A, "train"), shares(A, "test"))[0, 0]
say("half-becomes", f"{100 * half:.1f}")

# %% [markdown]
# *Figure: the stand-in before and after; bins of equal count, and only the lower part of the diagram. Table: every class, corrected from its share among the training images, copies counted, to that in the
# test set.*
#
# The correction takes most of the error away, {glue:text}`ece-a` becomes {glue:text}`ece-shifted`, because most of it was the prevalence: the stand-in saw {glue:text}`train-a` % opacity (the paper's own
# sets hold {glue:text}`adjudicated` %). It does not make the probabilities true. They are still {glue:text}`mean-shifted` on average, and their skill is {glue:text}`skill-shifted`. What is left no prevalence explains: the network
# was asked about opacity, not COVID-19, and trained on other people's radiographs. The order of the images, and so the ROC curve and its area, is untouched; a threshold of one half before is one of {glue:text}`half-becomes` % after.
# To know the new prevalence one has to know it: here it is counted in the test set, which a user of the network could not.
#
# ## What is an alarm worth?
#
# Sensitivity and specificity say how the ill and the well fare; the person with a positive result asks the opposite. With prevalence $\pi$,
#
# $$\text{PPV} = \frac{\text{sens}\cdot\pi}{\text{sens}\cdot\pi + (1-\text{spec})(1-\pi)}, \qquad \frac{\text{false alarms}}{\text{true positive}} = \frac{1-\text{PPV}}{\text{PPV}}.$$
#
# A printed sensitivity and specificity of 1 would make every alarm true at any prevalence. So for Study B's perfect results the lowest values stand here that the number of its test images, or patients, allows.

# %% tags=["remove-cell"]
point = metrics.operating_point(A.predictions, "covid", 0.5)
sizes = {name: int(printed[f"zhu-t4.1-{name}-size"]) for name in ("covid", "non-covid")}
ends = metrics.bootstrap_by_patient(TWO.predictions).loc["covid"]
assert (metrics.per_class(TWO.predictions).loc["covid", ["recall", "specificity"]] == 1).all()
POINTS = {
    "Study A, printed": tuple(
        float(printed[f"azemin-3-{name}"]) / 100 for name in ("sensitivity", "specificity")
    ),
    "Study A, stand-in at one half": (point["sensitivity"], point["specificity"]),
    "Study B, two classes, printed: at least": tuple(
        float(intervals.wilson(n, n)[0]) for n in sizes.values()
    ),
    "Study B, two classes, rebuilt: at least": (
        float(ends["recall", "low"]),
        float(ends["specificity", "low"]),
    ),
}
AT = [0.001, 0.01, float(printed["azemin-2-prevalence"]) / 100, 0.1, 0.5]

# %% tags=["remove-input"] mystnb={"image": {"alt": "Two line charts over the prevalence from 0.1 to 50 percent: PPV and false alarms per true positive of four operating points. Study A's curves are low up to ten percent; Study B's lower bounds are higher."}}
plots.predictive_values(POINTS, {"Study A's test set": AT[2]})
plt.show()

# %% tags=["remove-input"]
rows = []
for name, (sensitivity, specificity) in POINTS.items():
    found = evaluate.at_prevalences(sensitivity, specificity, AT)
    rows.append(
        (
            name,
            f"{100 * sensitivity:.1f} %",
            f"{100 * specificity:.1f} %",
            *(
                f"{100 * ppv:.1f} %; {alarms:,.1f}"
                for ppv, alarms in found[["ppv", "alarms"]].to_numpy()
            ),
        )
    )
pages.table(
    pd.DataFrame(
        rows,
        columns=[
            "Operating point",
            "Sensitivity",
            "Specificity",
            *(f"At {100 * value:.3g} %" for value in AT),
        ],
    )
)

# %% [markdown]
# *PPV, and false alarms per true positive, at five prevalences. “At least”: the ends of Wilson's 95 % interval, of {glue:text}`sizes-two` images as printed, and of the rebuilt run's patients.*
#
# The same in whole people, for whom it is easier to see: of 1,000 people of whom {glue:text}`low` % are ill,

# %% tags=["remove-cell"]
LOW = 0.01
say("low", f"{100 * LOW:.0f}")
say("sizes-two", " and ".join(str(n) for n in sizes.values()))
people = {name: metrics.natural_frequencies(*values, LOW) for name, values in POINTS.items()}
cells = people["Study A, printed"]
say("one-in", f"{1 / metrics.at_prevalence(*POINTS['Study A, printed'], LOW)[0]:.0f}")
say("called", cells["TP"] + cells["FP"])
say("found", cells["TP"])
say("ill", cells["TP"] + cells["FN"])

# %% tags=["remove-input"]
pages.table(
    pd.DataFrame(people)
    .T.rename(
        columns={
            "TP": "Ill and called",
            "FN": "Ill, missed",
            "FP": "Well, but called",
            "TN": "Well and left alone",
        }
    )
    .rename_axis("Operating point")
    .reset_index()
)

# %% tags=["remove-input"] mystnb={"image": {"alt": "A thousand marks, one per person, at Study A's printed operating point and one percent prevalence: a few ill and called, fewer ill and missed, more than a quarter false alarms, the rest rightly left alone; the counts are in the table above."}}
plots.people(cells, title="Study A's printed operating point")
plt.show()

# %% [markdown]
# *1,000 people, {glue:text}`ill` of them ill: of {glue:text}`called` called positive {glue:text}`found` are ill.* All this takes sensitivity and specificity from the test set to the clinic. Study A's negatives have no finding at all, Study B's are
# children; among adults with other pneumonias both are likely to be lower.
#
# ## Who would be better off?
#
# A probability is there to act on. Whoever acts at a threshold $t$ holds that missing one ill person weighs $(1-t)/t$ times as much as acting on one who is well. With these weights the **net benefit** is the
# gain in true positives per person (Vickers and Elkin 2006),
#
# $$\text{NB}(t) = \text{sens}\cdot\pi - (1-\text{spec})(1-\pi)\frac{t}{1-t},$$
#
# to be compared with calling everybody positive and with calling nobody, which has 0. A model is of use at those thresholds where it beats both.

# %% tags=["remove-input"] mystnb={"image": {"alt": "Decision curves of Study A's stand-in at the test set's prevalence. As trained the curve falls with that of calling everybody and below nought; corrected for the prevalence it stays above both a little longer, then falls below nought too."}}
T = np.geomspace(0.001, 0.5, 100)
decisions = {
    "As trained": calibration.net_benefit(A.predictions, "covid", T),
    "Corrected for the prevalence": calibration.net_benefit(after, "covid", T),
}
plots.decision_curve(decisions)
plt.show()

# %% tags=["remove-cell"]


def useful(table):
    """Thresholds where a net benefit's interval lies above both ways of not asking the model, as
    ranges in per cent.
    """
    better = (table["low"] > np.maximum(table["treat_all"], 0) + 1e-12).to_numpy()
    runs_of = np.split(np.arange(len(better)), np.flatnonzero(np.diff(better.astype(int))) + 1)
    found = [
        f"from {100 * table.index[run[0]]:.1f} to {100 * table.index[run[-1]]:.1f} %"
        for run in runs_of
        if better[run[0]]
    ]
    return " and ".join(found) or "at no threshold"


say("useful-raw", useful(decisions["As trained"]))
say("useful-shifted", useful(decisions["Corrected for the prevalence"]))
viral = {
    f"Prevalence {100 * share:.3g} %": calibration.net_benefit(FOUR.predictions, "viral", T, share)
    for share in (shares(FOUR, "test")[1], 0.05)
}
say("useful-viral", useful(list(viral.values())[0]))
say("useful-viral-low", useful(list(viral.values())[1]))
say("share-viral", f"{100 * shares(FOUR, 'test')[1]:.1f}")

# %% [markdown]
# *Study A's stand-in, at {glue:text}`share-a` % COVID-19. Bands: 95 % intervals from resampled patients.* As trained it beats both {glue:text}`useful-raw`: a probability that says
# {glue:text}`mean-a` on average makes nearly everybody act. Corrected, it does {glue:text}`useful-shifted`, and not by much: some of the information was there, and the probability hid it.

# %% tags=["remove-input"] mystnb={"image": {"alt": "Two decision curves of the class viral in Study B's four-class run, at the test set's share and at five percent. At the first the model is above both alternatives over most thresholds; at the second the curve is below nought at middle thresholds."}}
for title, table in viral.items():
    ax = plots.decision_curve({"Viral pneumonia, four-class run": table})
    ax.set_title(title)
    plt.show()

# %% [markdown]
# *Study B, viral pneumonia against the rest, as trained, at the test set's share and at a lower one.* At {glue:text}`share-viral` % it is of use {glue:text}`useful-viral` (thresholds up to 50 % are shown; at the lowest, very little); with the same
# sensitivities and specificities at the lower prevalence, {glue:text}`useful-viral-low`.
#
# **No curve here is a clinic's.** The share of positives in these test sets was set by the studies' design, by what collections were at hand, and so were the negatives. A net benefit at such a share answers
# for that mixture of images. What the curves do show is that discrimination alone does not make a model useful.
#
# ## Which interval?
#
# A share of images has several 95 % intervals in use, and an area under the curve as well. Those over images (Wilson, Clopper–Pearson, DeLong) take images as independent. Patients with several images make them
# too narrow. Wilson's over patients counts as many images as their variance over patients says they are worth; of a share of 0 or 1, where all images of a patient say the same, each patient once. Drawing patients anew, each with all of their images, needs no such assumption: the interval goes between
# percentiles of the resamples, or between percentiles moved for bias and skewness (BCa, Efron 1987).
#
# This book keeps to one rule, on every page, in the claims and in the reports that `cxr evaluate` writes:
#
# | Of what | Its 95 % interval | Where that cannot tell |
# |---|---|---|
# | A share of images: recall, sensitivity, specificity, precision, PPV, NPV, accuracy | Patients drawn anew {glue:text}`replicates` times within their classes, each with all images; percentiles | Wilson's over patients, where the share is exactly 0 or 1, is undefined in a resample, or rests on fewer than four patients |
# | AUC, F1, an average over classes, Brier score, net benefit | The same | A dash |
# | A mean over images, such as the share of a map inside the lungs | Patients drawn anew, all as one class | A dash |
# | A difference of two models on the same images | Patients drawn anew within their classes, the same for both models | A dash |
# | A bin of a reliability diagram; what moves with a slider in the explorer | Wilson's over patients; of an AUC, DeLong's over patients; of ratios, PPV and NPV, what these imply | Of an area of 1: a dash |
# | A share that a study prints | Wilson's; the images are taken as independent, since their patients are not known | |
#
# Patients with several images make these worth less than as many independent ones, and there is one number for how much less: r(1 − r) over the variance of the share r over patients, at least 1 and at most the images. Where r is 0 or 1 it is the number of patients. Where patients are fewer than four, or all alike,
# a patient's images are taken to say the same (Kish's number). An interval of no width is never shown: what no resample moves is not certain, it cannot be estimated from these patients.

# %% tags=["remove-input"] mystnb={"image": {"alt": "Dot chart of the intervals of AUC, sensitivity, specificity, PPV and NPV of the class viral by each method. Intervals from resampled patients are wider than those over images for AUC and sensitivity."}}
several, alone = (
    evaluate.compare_methods(FOUR.predictions, "viral"),
    evaluate.compare_methods(A.predictions, "covid"),
)
rungs = several.assign(
    label=several["statistic"].map(evaluate.STATISTIC_NAMES),
    kind=several["method"],
    value=several["estimate"],
)
plots.ladder(rungs, "Value, with 95 % interval (the axis does not begin at 0)")
plt.show()


# %% tags=["remove-cell"]
def by_method(found):
    """A table with a row for each method, a column for each statistic."""
    found = found.assign(
        cell=[formatting.interval(row.low, row.high) for row in found.itertuples()]
    )
    table = (
        found.pivot(index="method", columns="statistic", values="cell")
        .reindex(index=found["method"].unique(), columns=found["statistic"].unique())
        .fillna("–")
    )
    first = found.drop_duplicates("statistic").set_index("statistic")["estimate"]
    return (
        pd.concat([pd.DataFrame([first.map(formatting.number)], ["Estimate"]), table])
        .rename(columns=evaluate.STATISTIC_NAMES)
        .rename_axis("Method")
        .rename_axis(None, axis=1)
        .reset_index()
    )


def ratios(found, method, other):
    """How many times as wide one method's intervals are as another's, by statistic."""
    width = (
        (found["high"] - found["low"])
        .groupby([found["statistic"], found["method"]], sort=False)
        .first()
        .unstack()
    )
    return (width[method] / width[other]).dropna()


wider = ratios(several, "Bootstrap, percentiles", "Wilson, images")
wider["auc"] = ratios(several, "Bootstrap, percentiles", "DeLong, images")["auc"]
say("wider-bca", f"{ratios(several, 'Bootstrap, BCa', 'DeLong, images')['auc']:.1f}")
say("wider", f"{wider.max():.1f}")
say("wider-what", evaluate.STATISTIC_NAMES[wider.idxmax()])
same = ratios(alone, "Bootstrap, percentiles", "Wilson, images")
same["auc"] = ratios(alone, "Bootstrap, percentiles", "DeLong, images")["auc"]
say(
    "same",
    f"{same[['auc', 'sensitivity', 'specificity']].min():.2f} to"
    f" {same[['auc', 'sensitivity', 'specificity']].max():.2f}",
)
say("same-ppv", f"{same['ppv']:.2f}")
viral_images = FOUR.predictions[FOUR.predictions["y_true"] == "viral"]
found_viral = (viral_images["p_viral"] >= 0.5).groupby(viral_images["patient_id"])
most = viral_images["patient_id"].value_counts()
say("viral-images", len(viral_images))
say("viral-patients", len(most))
say("viral-most", int(most.iloc[0]))
worth = intervals.effective_number(found_viral.sum().to_numpy(), found_viral.size().to_numpy())
say("viral-worth", f"{worth:.0f}")
say("rate-a", f"{A.info['config']['lr']:g}")
say("a-positives", int((A.predictions["y_true"] == "covid").sum()))
say(
    "a-patients", int(A.predictions.loc[A.predictions["y_true"] == "covid", "patient_id"].nunique())
)

# %% tags=["remove-input"]
pages.table(by_method(several))

# %% [markdown]
# *Study B, viral pneumonia against the rest, called at a probability of one half.* Its {glue:text}`viral-images` viral test images come from {glue:text}`viral-patients` patients, one of them with {glue:text}`viral-most`, and for the sensitivity they are worth
# {glue:text}`viral-worth` independent images. The widest gap is in {glue:text}`wider-what`: {glue:text}`wider` times as wide by percentiles once patients are drawn whole. BCa also corrects for
# skewness, which here comes from few patients with many images: that of the AUC is {glue:text}`wider-bca` times as wide.

# %% tags=["remove-input"]
pages.table(by_method(alone))

# %% [markdown]
# *Study A's stand-in, COVID-19, called at one half.* Here the patients of the many negatives are not known, each image counts as one, and the {glue:text}`a-positives` positives come from {glue:text}`a-patients` patients: resampled intervals of AUC,
# sensitivity and specificity are {glue:text}`same` times as wide as those over images. That of PPV is {glue:text}`same-ppv` times as wide, for another reason: patients are drawn within classes, so the share of positives moves only as far as some patients have
# more images than others, while Wilson's interval of the PPV takes the images called as drawn at random. With the share held fixed, as in [the explorer](20_explorer.ipynb), it is narrower still. In small numbers the exact interval (Clopper–Pearson) is wider than Wilson's, since it must hold at every true value.
#
# Two models on the same images are compared within the patients: in each resample both are measured on the same patients. Each row takes the AUC of one variant from that of the stand-in (learning rate {glue:text}`rate-a`), and has DeLong's test beside the resampled interval:

# %% tags=["remove-input"]
display(pages.not_recorded(missing))


# %% tags=["remove-input"]
def variant(run):
    """What sets a variant apart."""
    config = run.info["config"]
    return f"Learning rate {config['lr']:g}" + (
        ", batch norm re-estimated" if config["batch_norm"] == "re-estimated" else ""
    )


rows, borderline = [], []
truth, patients = (A.predictions["y_true"] == "covid").to_numpy(), A.predictions["patient_id"]
for other in variants:
    found = metrics.difference_by_patient(A.predictions, other.predictions, "auc", "covid")
    second = other.predictions.set_index("image_id").loc[A.predictions["image_id"], "p_covid"]
    scores = np.stack([A.predictions["p_covid"], second])
    areas, covariance = intervals.delong(truth, scores, patients)
    change = areas[0] - areas[1]
    z = change / np.sqrt([1, -1] @ covariance @ [1, -1])
    p = 2 * norm.sf(abs(z))
    excludes = found.low > 0 or found.high < 0
    if excludes != (p < 0.05):
        ends = " to ".join(formatting.signed(end, decimals=4) for end in found[1:])
        way = (
            "excludes zero while the test does not reject"
            if excludes
            else "holds zero while the test rejects"
        )
        borderline.append(
            f"for {variant(other).lower()} the resampled interval ({ends}) {way} (p = {p:.3f})"
        )
    half = norm.ppf(0.975) * np.sqrt(covariance[0, 0] + covariance[1, 1])
    rows.append(
        (
            variant(other),
            formatting.signed(found.estimate, decimals=4),
            formatting.signed(found.low, found.high, decimals=4),
            formatting.number(z, 2),
            f"{p:.3f}",
            formatting.signed(change - half, change + half, decimals=4),
        )
    )
pages.table(
    pd.DataFrame(
        rows,
        columns=[
            "Less that with",
            "Difference of AUC",
            "95 % interval, patients drawn anew",
            "z",
            "p",
            "95 % interval, if they were other patients",
        ],
    )
)

# %% tags=["remove-cell"]
agree = (
    "Here both say the same of every variant: whether the interval excludes zero, and whether p is"
    " below 0.05."
)
disagree = (
    "The two disagree at the border: "
    + "; ".join(borderline)
    + ". One draws patients anew, the other takes the difference as normally distributed, and near"
    " 0.05 such small things decide. Read it as weak evidence of a difference and as no verdict:"
    " its size and the whole interval say more than the side of the line on which one method puts"
    " it."
)
say("border", disagree if borderline else agree)

# %% [markdown]
# *The same patients in both: their covariance counts, and the interval is narrower than that of two separate test sets (last column). z and p are of DeLong's test for paired areas, over patients (Obuchowski 1997).* {glue:text}`border`
#
# ## The same for your predictions
#
# ```bash
# .venv/bin/cxr evaluate predictions.csv --prevalence 0.01 --html report.html
# ```
#
# makes these tables and figures for any file of predictions: see [Evaluate your own](../book/evaluate.md).

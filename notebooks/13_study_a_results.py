# ---
# jupyter:
#   cxr:
#     records:
#     - azemin-standin-resnet50
#     families:
#     - azemin-standin-resnet50-variants
#     optional:
#     - azemin-adjudicated
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
# # Results of Study A
#
# {cite:t}`cheazemin2020` report an area under the ROC curve of {glue:text}`printed-auc` and, at an operating point they do not name, a sensitivity of {glue:text}`printed-sensitivity` %,
# a specificity of {glue:text}`printed-specificity` % and an accuracy of {glue:text}`printed-accuracy` %. {glue:text}`whose-run`

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
# a record; default: that of the paper's own rule if it is there, else the stand-in
run_name: str | None = None
# folder of the image collections, to show the radiographs; default CXR_DATA, else data/
data: str | None = None

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the run", "code_prompt_hide": "Load the run"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from traitlets import Unicode

from companion import forensics, pages, studies
from companion.explorer import title
from companion.pages import say
from companion.studies import cheazemin2020
from cxrlib import explorer, formatting, metrics, plots
from cxrlib.metrics import intervals

OWN_RULE, STANDIN = studies.AZEMIN_ADJUDICATED.name, studies.AZEMIN_STANDIN.name
run = studies.run(run_name or (OWN_RULE if studies.recorded(OWN_RULE) else STANDIN))
experiment = studies.experiment(run.info["experiment"])
by_own_rule = experiment.name == OWN_RULE
variants, missing = studies.family("azemin-standin-resnet50-variants")
if by_own_rule:  # the stand-in alone stands beside it
    variants, missing = [studies.run(STANDIN)], []
printed = (
    studies.printed("cheazemin2020")
    .set_index("id")["printed"]
    .rename(lambda name: name.partition("-3-")[2] or name)
)
frame = run.predictions
positive = (frame["y_true"] == "covid").to_numpy()
RATES = {
    "Sensitivity": "sensitivity",
    "Specificity": "specificity",
    "Accuracy": "accuracy",
    "PPV": "ppv",
    "NPV": "npv",
}


# %% tags=["remove-cell"]
STANDS_IN = {
    "whose-run": (
        "Neither their training images nor their network could be had here. This page shows what"
        " the same procedure gives with what could: a stand-in, named so wherever its numbers"
        " appear. It rebuilds the forms of Figures 3 to 7, not the numbers."
    ),
    "by": "by the stand-in",
    "run": "the stand-in",
    "short": "the stand-in (ResNet-50, text-mined opacity)",
    "training-images": "opacity against No Finding, by text",
    "negative": "normal",
    "negatives-are": "each normal image counts as a patient, since its patient is not known",
    "ages": (
        "The ages of the two were not compared: those of the normal images are not known here."
    ),
    "others": ("The same training with other rates, and with batch normalisation re-estimated:"),
    "runs": "runs of the stand-in,",
}
OWN = {
    "whose-run": (
        "This page shows a run by the paper's own rule: ResNet-101, trained on the images of"
        " ChestX-ray14 whose airspace opacity radiologists settled, tested on images of COVID-19"
        " among 5,828 with No Finding. What the paper leaves open is ours, and named below."
    ),
    "by": "by the paper's own rule",
    "run": "the run by the paper's own rule",
    "short": "the paper's own rule (ResNet-101, adjudicated opacity)",
    "training-images": "opacity or none, as radiologists settled it",
    "negative": "No Finding",
    "negatives-are": "no patient of a negative image was in training",
    "ages": "The ages of the two were not compared.",
    "others": (
        "No such variants were run by the paper's own rule. The stand-in (ResNet-50, text-mined"
        " opacity), whose negatives are other images, stands beside it:"
    ),
    "runs": "runs, by the paper's own rule and of the stand-in,",
}
WORDS = OWN if by_own_rule else STANDS_IN
for name, words in WORDS.items():
    say(name, words)
for name in ("auc", "sensitivity", "specificity", "accuracy"):
    say(f"printed-{name}", printed[name])
pages.say_training(run)
say("features", f"{run.info['seconds']['features']:.0f}")
say("training", f"{run.info['seconds']['training']:.1f}")
say(
    "where-run",
    f"{run.info['device']['name'].replace('cpu', 'a CPU')}, {run.info['device']['threads']}"
    " threads",
)
say("positives", int(positive.sum()))
say("positive-patients", int(frame.loc[positive, "patient_id"].nunique()))
say("negatives", int((~positive).sum()))
say("prevalence", f"{100 * positive.mean():.2f}")

# %% [markdown]
# ## What was run

# %% tags=["remove-input"]
pages.items(run.info["lacked"], "What this run lacked")

# %% [markdown]
# What the paper leaves open:

# %% tags=["remove-input"]
pages.items(experiment.assumptions)

# %% tags=["remove-input"]
pages.images(run)

# %% [markdown]
# *Images on disk. Training and validation: {glue:text}`training-images`. Test: COVID-19 against {glue:text}`negative`, {glue:text}`prevalence` % COVID-19.*
#
# Computing the features of all images once took {glue:text}`features` seconds and the {glue:text}`epochs-run` epochs on them {glue:text}`training` seconds, on {glue:text}`where-run`;
# recorded {glue:text}`recorded`.

# %% tags=["remove-input"] mystnb={"image": {"alt": "Two line charts by epoch: cross-entropy loss and accuracy of training and validation; test values of the last epoch as points, for which the classes are others."}}
plots.learning_curves(run.history, kept=run.info["epochs"]["kept"])
plt.show()

# %% [markdown]
# *Learning curves of {glue:text}`run` (not in the paper). The test set's labels are others than those trained on, and far fewer of them are positive, which makes most of its loss (see [What a probability is worth](23_calibration.ipynb)).*
#
# ## Figure 3: ROC curve

# %% tags=["remove-input"] cxr={"items": ["Figure 3"]} mystnb={"image": {"alt": "ROC curve of the run for COVID-19 against the negative radiographs, with the line of no discrimination; the area is in the text below."}}
ax = plots.roc_curves(frame, ["covid"], reported={"covid": printed["auc"]})
ax.set_title(f"Figure 3, by {WORDS['short']}")
plt.show()

# %% tags=["remove-cell"]
auc, low, high = intervals.auc_interval(frame, "covid", by="image_id")
_, *ends = metrics.bootstrap_by_patient(frame, "auc", "covid")
validation = intervals.auc_interval(run.validation, "opacity", by="image_id")
say("auc", f"{auc:.3f}")
say("auc-delong", formatting.interval(low, high))
say("auc-patients", formatting.interval(*ends))
say("auc-validation", formatting.with_interval(*validation))

# %% [markdown]
# *Figure 3, {glue:text}`by`.* The area is {glue:text}`auc`: {glue:text}`auc-delong` by DeLong's method, which takes images as independent, and {glue:text}`auc-patients` with patients
# drawn anew ({glue:text}`negatives-are`). On the validation images, for the opacity it was trained on: {glue:text}`auc-validation`.
#
# It is no estimate of how well COVID-19 is told from health. All positive images come from one collection and all negative ones from another, and these differ in how pictures were made, stored and
# reduced; a network that saw only that would have an area of its own. {glue:text}`ages`
#
# ## Figure 4: confusion matrix

# %% tags=["remove-input"] cxr={"items": ["Figure 4"]} mystnb={"image": {"alt": "Confusion matrix of the run at a threshold of one half: rows true class, columns predicted class, counts and row percentages, repeated in the table below."}}
plots.confusion(metrics.confusion(frame), title=f"Figure 4, {WORDS['by']}: threshold one half")
plt.show()

# %% tags=["remove-cell"]
candidates = forensics.binary_matrices(
    cheazemin2020.POSITIVES,
    cheazemin2020.NEGATIVES,
    **{name: printed[name] for name in ("sensitivity", "specificity", "accuracy")},
)
tp, fn = candidates[0][:2]
fps = [fp for _, _, fp, _ in candidates]
say("candidates", len(candidates))
say("tp", tp)
say("fn", fn)
say("fp", f"{min(fps):,} to {max(fps):,}")
say("tn", f"{min(tn for *_, tn in candidates):,} to {max(tn for *_, tn in candidates):,}")
say("paper-ppv", f"{100 * tp / (tp + max(fps)):.2f} to {100 * tp / (tp + min(fps)):.2f}")
say("per-true", f"{fps[0] / tp:.1f}")
say(
    "all-negative",
    f"{100 * cheazemin2020.NEGATIVES / (cheazemin2020.NEGATIVES + cheazemin2020.POSITIVES):.1f}",
)

# %% [markdown]
# *Figure 4, {glue:text}`by`. Rows: true class; columns: predicted class.*
#
# The paper's own matrix is in a picture that we do not have. But its three percentages leave {glue:text}`candidates` matrices: {glue:text}`tp` true positives, {glue:text}`fn` false negatives,
# {glue:text}`fp` false positives and {glue:text}`tn` true negatives. So its PPV, which it does not give, is {glue:text}`paper-ppv` %: {glue:text}`per-true` false alarms for each case found. And its
# accuracy of {glue:text}`printed-accuracy` % is to be held against {glue:text}`all-negative` %, the accuracy of calling every image negative.
#
# That PPV holds at the prevalence of its test set. The same sensitivity and specificity at any other:

# %% tags=["remove-input"]
clear = candidates[0][3]
explorer.Ppv(
    (tp / (tp + fn), *intervals.wilson(tp, tp + fn)),
    (clear / (clear + fps[0]), *intervals.wilson(clear, clear + fps[0])),
    marks={
        "the paper’s test set": cheazemin2020.POSITIVES
        / (cheazemin2020.POSITIVES + cheazemin2020.NEGATIVES)
    },
)

# %% [markdown]
# *PPV and NPV of the paper's own matrix by prevalence, with bands from Wilson's intervals of its sensitivity and specificity, images taken as independent. The [explorer](20_explorer.ipynb)
# does this with the stand-in's predictions, at any threshold.*
#
# ## A threshold nobody states is a free parameter
#
# The paper gives a sensitivity and a specificity but no rule for the threshold. Three rules, on the same predictions:

# %% tags=["remove-cell"]
curve = metrics.roc(run.validation, "opacity")
youden = float(curve.loc[(curve["tpr"] - curve["fpr"]).idxmax(), "threshold"])
scores = np.sort(frame.loc[positive, "p_covid"])[::-1]
wanted = float(scores[int(np.ceil(float(printed["sensitivity"]) / 100 * len(scores))) - 1])
RULES = {
    "One half": 0.5,
    "Youden's, on validation": youden,
    "The paper's sensitivity, on the test set": wanted,
}

# %% tags=["remove-input"]
rows = []
for rule, threshold in RULES.items():
    found = metrics.bootstrap_by_patient(frame, list(RATES.values()), "covid", threshold=threshold)
    rows.append(
        (
            rule,
            f"{threshold:.3f}",
            *(
                f"{row.estimate:.3f} ({formatting.interval(row.low, row.high)})"
                for row in found.itertuples()
            ),
        )
    )
paper = [f"{float(printed[name]) / 100:.3f}" for name in ("sensitivity", "specificity", "accuracy")]
paper += [f"{tp / (tp + fps[0]):.3f}", f"{candidates[0][3] / (candidates[0][3] + fn):.3f}"]
rows.append(("Paper (PPV, NPV from its percentages)", "not stated", *paper))
pages.table(pd.DataFrame(rows, columns=["Rule", "Threshold", *RATES]))

# %% [markdown]
# *Rates of {glue:text}`run` with 95 % intervals from {glue:text}`replicates` resamples of patients. Youden's rule takes the threshold with the largest sum of sensitivity and specificity on the
# validation images, where it is a matter of opacity; the third rule looks at the test set and is there only to compare the specificity.*
#
# The learning rate is not printed in the text at hand either, nor what became of batch normalisation. {glue:text}`others`

# %% tags=["remove-input"]
display(pages.not_recorded(missing))

# %% tags=["remove-input"] mystnb={"image": {"alt": "ROC plane with one curve for each run that the legend names, the operating point of each at one half, and the paper's operating point."}}
points = []
with plots.style():
    ax = plt.subplots(figsize=(7, 5.5))[1]
    for other, color, marker in zip(
        [run, *variants], ("#D55E00", "#0072B2", "#009E73", "#CC79A7"), "os^D", strict=False
    ):
        curve = metrics.roc(other.predictions, "covid")
        matrix = metrics.confusion(other.predictions)
        x, y = (
            matrix.loc["none", "covid"] / matrix.loc["none"].sum(),
            matrix.loc["covid", "covid"] / matrix.loc["covid"].sum(),
        )
        config = other.info["config"]
        text = f"Rate {config['lr']:g}" + (
            ", batch norm re-estimated" if config["batch_norm"] == "re-estimated" else ""
        )
        if by_own_rule:
            text = "Own rule" if other is run else "Stand-in"
        points.append((text, metrics.per_class(other.predictions).loc["covid", "auc"], y, 1 - x))
        ax.plot(curve["fpr"], curve["tpr"], color=color, linewidth=1.3)
        ax.plot(
            x,
            y,
            marker,
            color=color,
            markersize=10,
            markeredgecolor="black",
            linestyle="none",
            label=f"{text}: at one half",
        )
    ax.plot(
        1 - float(printed["specificity"]) / 100,
        float(printed["sensitivity"]) / 100,
        "*",
        color="black",
        markersize=15,
        linestyle="none",
        label="The paper's point",
    )
    ax.plot([0, 1], [0, 1], color="0.45", linestyle=":", label="No discrimination")
    ax.set(
        xlabel="False positive rate (1 − specificity)",
        ylabel="True positive rate (sensitivity)",
        xlim=(0, 1),
        ylim=(0, 1.01),
    )
    ax.legend(loc="lower right")
plt.show()

# %% tags=["remove-cell"]
say(
    "sensitivities",
    f"{min(point[2] for point in points):.2f} to {max(point[2] for point in points):.2f}",
)
say("aucs", f"{min(point[1] for point in points):.3f} to {max(point[1] for point in points):.3f}")
say("points", len(points))

# %% [markdown]
# *Operating points at one half of {glue:text}`points` {glue:text}`runs` on their ROC curves, and the paper's point.* The areas go from {glue:text}`aucs`, the sensitivities at one half from
# {glue:text}`sensitivities`. So even at a stated threshold a sensitivity alone says little about a model, and without one nothing.
#
# Two of them at any threshold:


# %% tags=["remove-input"]
class RocPair(explorer.RunWidget):
    """ROC curves of two runs, ``run`` and ``other``, with one ``threshold`` on both."""

    kind, other = explorer.shared(Unicode("rocs")), explorer.shared(Unicode())

    def plain(self):  # for readers without JavaScript
        names = ["auc", "sensitivity", "specificity"]
        rows = [
            [
                each["title"],
                *self.rates(each["name"], self.positive_class, self.threshold, 0.5, *names),
            ]
            for each in self.data["runs"]
        ]
        return pd.DataFrame(
            rows, columns=["Run", "AUC", "Sensitivity at 0.5", "Specificity at 0.5"]
        )


several = [run, *variants]
RocPair(
    {each.name: each.predictions for each in several},
    titles={each.name: title(each) for each in several},
    other=several[min(1, len(variants))].name,
)

# %% [markdown]
# *ROC curves of two runs, the second dashed, with the operating points of one threshold. Intervals are computed by formula as the threshold moves (Wilson's, with the images counted for less where a patient has several; DeLong's), those of the tables above by drawing patients anew: they differ a little.*
#
# ## Figures 5 and 6: hits and misses

# %% tags=["remove-cell"]
covid = frame[positive].sort_values("p_covid")
HITS, MISSES = covid[covid["p_covid"] >= 0.5].iloc[::-1][:4], covid[covid["p_covid"] < 0.5][:4]


def row_of(found):
    """The radiographs of a few images side by side, or a notice, and a table of them either way."""
    pictures = [pages.radiograph(cheazemin2020.covid, name, data) for name in found["image_id"]]
    if len(pictures) and all(picture is not None for picture in pictures):
        plots.radiographs(pictures, [f"p = {value:.2f}" for value in found["p_covid"]])
        plt.show()
    else:
        display(pages.no_radiographs())
    shown = found[["image_id", "patient_id", "p_covid"]].rename(
        columns={"image_id": "Image", "patient_id": "Patient", "p_covid": "Probability"}
    )
    display(pages.table(shown, float_format="{:.3f}".format))


# %% tags=["remove-input"] cxr={"items": ["Figure 5"]} mystnb={"image": {"alt": "Radiographs of COVID-19 that the run calls positive, with their probabilities."}}
row_of(HITS)

# %% [markdown]
# *Figure 5, {glue:text}`by`: the four COVID-19 images with the highest probability. The paper's own are pictures that we do not have.*

# %% tags=["remove-input"] cxr={"items": ["Figure 6"]} mystnb={"image": {"alt": "Radiographs of COVID-19 that the run calls negative, with their probabilities."}}
row_of(MISSES)

# %% [markdown]
# *Figure 6, {glue:text}`by`: the four COVID-19 images with the lowest probability.*
#
# ## Figure 7: Grad-CAM

# %% tags=["remove-cell"]
SHOWN = "covid-chestxray/fff49165-b22d-4bb4-b9d1-d5d62c52436c.annot.original"
PHRASE = "patchy consolidation in the right mid lung zone"
maps, where = studies.read_maps(run)
place = "not in this record"
say("phrase", PHRASE)

# %% tags=["remove-input", "small"] cxr={"items": ["Figure 7"]} mystnb={"image": {"alt": "Grad-CAM map of patient 149's radiograph for opacity, and the radiograph where it is on disk."}}
cam = dict(zip(maps["image_id"], maps["cam"], strict=True)).get(SHOWN)
if cam is None:
    display(pages.items([f"This run has no map of {SHOWN}."]))
else:
    shape = maps["shape"][list(maps["image_id"]).index(SHOWN)]
    pages.show_map(SHOWN, pages.radiograph(cheazemin2020.covid, SHOWN, data), cam, shape)
    value = frame.set_index("image_id")["p_covid"].get(SHOWN, np.nan)
    side = np.sign(cam.max(axis=0).argmax() - (cam.shape[1] - 1) / 2)
    place = (
        f"hottest in the {({-1: 'left half', 0: 'middle column', 1: 'right half'})[int(side)]} of"
        f" the picture, with {100 * cam[:, : cam.shape[1] // 2].sum() / cam.sum():.0f} % of its"
        f" activation in the left {cam.shape[1] // 2} of {cam.shape[1]} columns"
    )
    display(
        pages.items(
            [
                f"Radiologist's phrase (paper): …{PHRASE}.",
                f"Patient 149; probability {WORDS['by']} {value:.3f}.",
            ]
        )
    )

# %% tags=["remove-cell"]
say("place", place)


def where_they_lie() -> str:
    """What the maps of the images with a lung mask show, in a paragraph."""
    each, draws = pages.maps_by_stage(where, "lung mask")
    if each.empty:
        return "No lung mask was on disk, so where the maps lie was not measured."
    patients = each.index.get_level_values("patient_id")

    def share(stage):
        mean, low, high = metrics.mean_by_patient(each["inside"][stage], patients)
        return f"{mean:.3f} ({formatting.interval(low, high)})"

    def against(other):  # image by image
        difference = each["inside"]["trained"] - other
        return formatting.comparison(*metrics.mean_by_patient(difference, patients)[1:])

    trained, heads = each["inside"]["trained"].mean(), draws["fc"]
    spread, head = against(each["region"]["trained"]), against(each["inside"]["fc"])
    shows = "So these maps do not show that training turned the network to the lungs"
    if spread == head == "more than":
        some = "a random last layer can do as much"
        reached = "no random last layer did as much" if trained > heads.max() else some
        shows = (
            "So training moved the maps into the lungs, compared with the average draw, and"
            f" {reached}. It is a place, not a reason: two collections can differ inside the"
            " lungs, too"
        )
    return (
        f"One picture shows little. Over the {len(each)} COVID-19 images with a lung mask,"
        f" {share('trained')} of the activation lies in the lungs (95 % intervals over patients),"
        f" which fill {each['region']['trained'].mean():.3f} of the pictures: {spread} of an"
        " even spread. With the last layer, the only one that was trained, drawn at random again"
        f" it is {share('fc')} on average, {heads.min():.3f} to {heads.max():.3f} by the draw, and"
        f" {(heads < trained).sum()} of {heads.size} draws lie below the trained network; with all"
        f" layers at random {share('conv1')}, {draws['conv1'].min():.3f} to"
        f" {draws['conv1'].max():.3f} by the draw. {shows}."
    )


# %% [markdown]
# *Figure 7, {glue:text}`by`. The image is identified by the phrase in its notes; {glue:text}`phrase` would be in the left half of the picture. The map is {glue:text}`place`.*

# %% tags=["remove-input"]
display(Markdown(where_they_lie()))

# %% [markdown]
# Compare [Study B's Grad-CAM](05_study_b_gradcam.ipynb).
#
# ## Run it yourself
#
# ```bash
# make train-env
# .venv/bin/cxr train azemin-standin-resnet50 --resume
# .venv/bin/cxr fetch covid nih weights
# .venv/bin/cxr train azemin-adjudicated --resume
# ```
#
# The last two lines are the paper's own rule, with ResNet-101 on the adjudicated images; once its record is there, this page shows it in place of the stand-in. How long they take, and how much
# they need, stands under [Rerun it](../book/rerun.md).

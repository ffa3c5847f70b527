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
# **Question.** {cite:t}`cheazemin2020` report an area under the {term}`ROC curve` of {glue:text}`printed-auc` and, at an operating point they do not name, a {term}`sensitivity` of {glue:text}`printed-sensitivity` %, a {term}`specificity` of {glue:text}`printed-specificity` % and an {term}`accuracy` of {glue:text}`printed-accuracy` %. What does the same procedure give?
#
# **Answer.** {glue:text}`whose-run` Its area is {glue:text}`auc`. At the printed sensitivity its specificity is {glue:text}`matched-specificity`; at a {term}`threshold` of {glue:text}`threshold` its sensitivity is {glue:text}`fixed-sensitivity` and its specificity {glue:text}`fixed-specificity`. As the paper states no threshold, its two numbers describe one point of a curve, and a reader cannot tell how it was chosen.
#
# **How sure.** The {term}`95 % interval` of the area over patients is {glue:text}`auc-patients`. But all positive images come from one collection and all negative ones from another. The collections differ in how pictures were made. A network could score on that alone, so the area does not measure how well COVID-19 is told from health. The threshold that gives the printed sensitivity was chosen on the test set itself.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
from typing import Literal

# recorded: read results/<run>; images: train on real ones. Phantoms have no adjudicated images.
origin: Literal["recorded", "images"] = "recorded"
# a record; default: that of the paper's own rule if it is there, else the stand-in
run_name: str | None = None
# folder of the collections, to show the radiographs too; default CXR_DATA, else data/
data: str | None = None
level: float = 0.95  # of the intervals
replicates: int = 2000  # resamples of the patients
threshold: float = 0.5  # the probability from which on an image is called positive
compared: list[str] | None = None  # runs to set beside it; None: the same with other settings

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the run", "code_prompt_hide": "Load the run"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from traitlets import Unicode

import cxrlib
from companion import forensics, headline, pages, parameters, studies
from companion.studies import cheazemin2020
from cxrlib import explorer, formatting, plots
from cxrlib.metrics import intervals

parameters.check(globals())
OWN_RULE, STANDIN = studies.AZEMIN_ADJUDICATED.name, studies.AZEMIN_STANDIN.name
record = studies.run(run_name or studies.or_stand_in(OWN_RULE), origin, data)
pages.changed(record)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Its predictions, and what is printed", "code_prompt_hide": "Its predictions, and what is printed"}
predictions = record.predictions  # a row for each test image: patient, true class, probabilities
ill = predictions["y_true"] == "covid"
table = studies.printed("cheazemin2020").set_index("id")["printed"]  # as printed: texts
printed = table.rename(lambda name: name.partition("-3-")[2] or name)
by_own_rule = record.info["experiment"] == OWN_RULE
options = {"replicates": replicates, "level": level}

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What this page calls the run", "code_prompt_hide": "What this page calls the run"}
WORDS = {  # of a stand-in
    "whose-run": (
        "The paper's training images and its network were not available where this book was made;"
        " the commands at the end of this page fetch the images and train the network. Here a"
        " stand-in is shown, in the forms of the paper's Figures 3 to 7."
    ),
    "by": "by the stand-in",
    "run": "the stand-in",
    "short": "the stand-in (ResNet-50, text-mined opacity)",
    "training-images": "opacity against No Finding, by text",
    "negative": "radiographs without finding (RSNA's normal ones)",
    "negatives-are": "each normal image counts as a patient, since its patient is not known",
    "ages": "The ages of the two were not compared: those of the normal images are not known here.",
    "others": "The same training with other rates, and with batch normalisation re-estimated:",
    "runs": "runs of the stand-in",
}

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The same of a run by the paper's own rule", "code_prompt_hide": "The same of a run by the paper's own rule"}
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
    "negative": "radiographs with No Finding",
    "negatives-are": "no patient of a negative image was in training",
    "ages": "The ages of the two were not compared.",
    "others": (
        "No such variants were run by the paper's own rule. The stand-in (ResNet-50, text-mined"
        " opacity), whose negatives are other images, is shown with it:"
    ),
    "runs": "runs, by the paper's own rule and of the stand-in",
}
if by_own_rule:
    WORDS = OWN
if compared is not None:
    WORDS["others"] = "Other runs are set beside it:"

# %% [markdown]
# ## Figure 3: ROC curve

# %% tags=["hide-input"] cxr={"items": ["Figure 3"]} mystnb={"code_prompt_show": "Figure 3", "code_prompt_hide": "Figure 3", "figure": {"caption": "Figure 3, {glue:text}`by`: ROC curve for COVID-19 against {glue:text}`negative`."}, "image": {"alt": "ROC curve of the run for COVID-19 against the negative radiographs, with the line of no discrimination; the area is in the text below."}}
ax = plots.roc_curves(predictions, ["covid"], reported={"covid": printed["auc"]})
ax.set_title(f"By {WORDS['short']}")
plt.show()

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Its area, with intervals", "code_prompt_hide": "Its area, with intervals"}
area = cxrlib.bootstrap_by_patient(predictions, "auc", "covid", **options)  # patients drawn again
by_image, by_patient = (  # DeLong's
    intervals.auc_interval(predictions, "covid", level, by=by) for by in ("image_id", "patient_id")
)
validation = intervals.auc_interval(record.validation, "opacity", level, by="image_id")

# %% [markdown]
# The area is {glue:text}`auc`. Its 95 % interval is {glue:text}`auc-patients`. It comes from drawing patients at random (the {term}`bootstrap <patient-clustered bootstrap>`; {glue:text}`negatives-are`), and it is the one that this book means wherever it says no more.
#
# Two formulas give other intervals of the same area. DeLong's with images taken as independent gives {glue:text}`auc-delong`. It does not know that some patients have several images. DeLong's over patients gives {glue:text}`auc-delong-patients`. It stands below, where you choose a threshold, because a formula can follow a slider and a bootstrap is too slow for that.
#
# On the validation images, for the opacity it was trained on, the area is {glue:text}`auc-validation` (by DeLong's formula, images taken as independent).
#
# The two collections differ in how pictures were made, stored and reduced. {glue:text}`ages`
#
# ## Figure 4: confusion matrix

# %% tags=["hide-input"] cxr={"items": ["Figure 4"]} mystnb={"code_prompt_show": "Figure 4", "code_prompt_hide": "Figure 4", "figure": {"caption": "Figure 4, {glue:text}`by`, at a threshold of {glue:text}`threshold`. Rows: true class; columns: predicted class."}, "image": {"alt": "Confusion matrix of the run at the threshold: rows true class, columns predicted class, with counts and row percentages. Far more images without COVID-19 are called positive than there are images with it."}}
called = np.where(predictions["p_covid"] >= threshold, "covid", "none")
matrix = pd.crosstab(predictions["y_true"], called)
matrix = matrix.reindex(index=record.classes, columns=record.classes, fill_value=0)
plots.confusion(matrix)
plt.show()

# %% [markdown]
# The paper's own matrix is in a picture that we do not have. But its three percentages leave only {glue:text}`candidates` matrices possible: {glue:text}`tp` true positives, {glue:text}`fn` false negatives, {glue:text}`fp` false positives and {glue:text}`tn` true negatives.
#
# So its {term}`PPV`, which it does not give, is {glue:text}`paper-ppv` %: {glue:text}`per-true` false alarms for each case found. And its accuracy of {glue:text}`printed-accuracy` % must be compared with {glue:text}`all-negative` %, the accuracy of calling every image negative.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The matrices that are possible", "code_prompt_hide": "The matrices that are possible"}
NAMES = ["sensitivity", "specificity", "accuracy"]
positives, negatives = cheazemin2020.POSITIVES, cheazemin2020.NEGATIVES  # of the paper's test set
candidates = pd.DataFrame(
    forensics.binary_matrices(positives, negatives, **printed[NAMES]),
    columns=["TP", "FN", "FP", "TN"],
)
tp, fn, fp, tn = candidates.iloc[0]
ppvs = 100 * candidates["TP"] / (candidates["TP"] + candidates["FP"])

# %% [markdown]
# That PPV holds at the {term}`prevalence` of the paper's test set. The same sensitivity and specificity at any other prevalence:

# %% tags=["hide-input"] mystnb={"code_prompt_show": "PPV and NPV by prevalence", "code_prompt_hide": "PPV and NPV by prevalence", "figure": {"caption": "PPV and NPV of the paper's own matrix by prevalence. The bands are from Wilson's intervals of its sensitivity and specificity, with images taken as independent.", "name": "a-ppv-by-prevalence"}}
explorer.Ppv(
    (tp / (tp + fn), *cxrlib.wilson(tp, tp + fn, level)),
    (tn / (tn + fp), *cxrlib.wilson(tn, tn + fp, level)),
    marks={"the paper’s test set": positives / (positives + negatives)},
)

# %% [markdown]
# The [explorer](20_explorer.ipynb) does this with the {term}`stand-in`'s predictions, at any threshold.
#
# ## A threshold nobody states is a free parameter
#
# The paper gives a sensitivity and a specificity but no rule for the threshold. Three rules, on the same predictions:
#
# - a **fixed** threshold of {glue:text}`threshold`;
# - **Youden's rule, on validation**: the threshold with the largest sum of sensitivity and specificity on the validation images, where it is about opacity ([the explorer](20_explorer.ipynb) has a button for another one, chosen on the test images);
# - the threshold that gives **the paper's sensitivity**. It looks at the test set, and is here only so that the specificities can be compared.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Three thresholds", "code_prompt_hide": "Three thresholds"}
curve = cxrlib.roc(record.validation, "opacity")
youden = curve.loc[(curve["tpr"] - curve["fpr"]).idxmax(), "threshold"]
scores = np.sort(predictions.loc[ill, "p_covid"])[::-1]  # of the COVID-19 images
found = int(np.ceil(float(printed["sensitivity"]) / 100 * len(scores)))
RULES = {
    f"Fixed at {threshold:g}": threshold,
    "Youden's, on validation": float(youden),
    "The paper's sensitivity, on the test set": float(scores[found - 1]),
}

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Rates at each of them", "code_prompt_hide": "Rates at each of them"}
RATES = [*NAMES, "ppv", "npv"]
at = {
    rule: cxrlib.bootstrap_by_patient(predictions, RATES, "covid", threshold=value, **options)
    for rule, value in RULES.items()
}
paper = [float(printed[name]) / 100 for name in NAMES] + [tp / (tp + fp), tn / (tn + fn)]
kind = "rebuilt" if by_own_rule else "stand-in"  # a colour for each
heads = [name.upper() if len(name) == 3 else name.capitalize() for name in RATES]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The rates in a chart", "code_prompt_hide": "The rates in a chart", "figure": {"caption": "Rates of {glue:text}`run` by three rules for the threshold, with 95 % intervals from {glue:text}`replicates` resamples of patients, and the paper's. The paper's PPV and NPV follow from its percentages.", "name": "a-three-thresholds"}, "image": {"alt": "Five rates, each with a mark for each of three thresholds and one for the paper. Sensitivity falls and specificity and accuracy rise from the fixed threshold to the one that gives the paper's sensitivity; at that one, specificity and accuracy are slightly above the paper's. PPV is below 0.1 and NPV above 0.99 by every rule."}}
with plots.style():
    ax, places = plt.subplots(figsize=(7, 4))[1], np.arange(len(RATES))
    for shift, marker, (rule, rates) in zip((-0.2, 0, 0.2), "os^", at.items(), strict=True):
        reach = [rates["estimate"] - rates["low"], rates["high"] - rates["estimate"]]
        line = {"fmt": marker, "color": pages.COLORS[kind], "capsize": 3, "label": rule}
        ax.errorbar(rates["estimate"], places + shift, xerr=np.nan_to_num(reach), **line)
    mark = {"marker": "D", "color": pages.COLORS["printed"], "facecolors": "none", "label": "Paper"}
    ax.scatter(paper, places + 0.38, **mark)
    ax.set_yticks(places, heads)
    ax.set(xlim=(0, 1), ylim=(len(RATES) - 0.4, -0.6), xlabel="Share")
    ax.grid(axis="x", alpha=0.3)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The rates as a table", "code_prompt_hide": "The rates as a table"}
rows = []
for rule, rates in at.items():
    each = [formatting.with_interval(row.estimate, row.low, row.high) for row in rates.itertuples()]
    rows.append([rule, f"{RULES[rule]:.3f}", *each])
last = "Paper (PPV, NPV from its percentages)"
rows.append([last, "not stated", *(f"{value:.3f}" for value in paper)])
shown = pd.DataFrame(rows, columns=["Rule", "Threshold", *heads])
pages.table(shown, caption="Rates by three rules for the threshold")

# %% [markdown]
# The PPV's interval comes from resampled patients, so the share of ill images moves a little in it; [the explorer](20_explorer.ipynb) holds the prevalence fixed, and its interval differs.
#
# At each rule the intervals take the threshold as given. For the third, which picks it on the test images, that is too narrow: with the threshold picked again in each resample, the 95 % interval of the specificity is {glue:text}`chosen-again`.
#
# The paper's learning rate is not in the text that we have either, nor what became of batch normalisation. {glue:text}`others`

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the other runs", "code_prompt_hide": "Load the other runs"}
variants, missing = studies.family(f"{STANDIN}-variants")
if by_own_rule and compared is None:  # the stand-in alone is shown with it
    variants, missing = [studies.run(STANDIN)], []
if compared is not None:
    variants, missing = [studies.run(name) for name in compared], []
several = [record, *(other for other in variants if other.name != record.name)]
pages.not_recorded(missing)


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Their operating points", "code_prompt_hide": "Their operating points"}
def named(run):
    """What a run changed, in words; the name of one that was asked for."""
    if compared is not None and run is not record:
        return run.name
    if by_own_rule:
        return "Own rule" if run is record else "Stand-in"
    again = run.info["config"]["batch_norm"] == "re-estimated"
    return f"Learning rate {run.info['config']['lr']:g}" + (
        ", batch norm re-estimated" if again else ""
    )


points = pd.DataFrame(
    [cxrlib.operating_point(run.predictions, "covid", threshold) for run in several],
    index=[named(run) for run in several],
)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The points in the ROC plane", "code_prompt_hide": "The points in the ROC plane", "figure": {"caption": "ROC curves of {glue:text}`points` {glue:text}`runs`, their operating points at a threshold of {glue:text}`threshold`, and the paper's point.", "name": "a-operating-points"}, "image": {"alt": "ROC plane with one curve for each run that the legend names, close to each other; the operating points at the same threshold lie far apart along them. The paper's point lies just below the curves."}}
with plots.style():
    ax = plt.subplots(figsize=(7, 5.5))[1]
    for place, (run, (name, point)) in enumerate(zip(several, points.iterrows(), strict=True)):
        curve, look = cxrlib.roc(run.predictions, "covid"), plots.look(name, place)
        ax.plot(curve["fpr"], curve["tpr"], linewidth=1.3, color=look["color"])
        mark = {"color": look["color"], "markersize": 10, "markeredgecolor": "black"}
        x, y = 1 - point["specificity"], point["sensitivity"]
        ax.plot(x, y, look["marker"], **mark, linestyle="none", label=f"{name}: at {threshold:g}")
    x, y = 1 - float(printed["specificity"]) / 100, float(printed["sensitivity"]) / 100
    ax.plot(x, y, "*", color="black", markersize=15, linestyle="none", label="The paper's point")
    ax.plot([0, 1], [0, 1], color="0.3", linestyle=":", label="No discrimination")
    ax.set(xlabel="False positive rate (1 − specificity)", xlim=(0, 1), ylim=(0, 1.01))
    ax.set(ylabel="True positive rate (sensitivity)")
    ax.legend(loc="lower right")
plt.show()

# %% [markdown]
# The areas go from {glue:text}`aucs`, the sensitivities at {glue:text}`threshold` from {glue:text}`sensitivities`. So even at a stated threshold a sensitivity alone says little about a model.
#
# Any two of the {glue:text}`points` runs at any threshold:


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Two runs, one threshold", "code_prompt_hide": "Two runs, one threshold", "figure": {"caption": "ROC curves of two runs, the second dashed, with the operating points of one threshold. The intervals are computed by formula as the threshold moves (Wilson's, with the images counted for less where a patient has several; DeLong's). Those above come from resampling patients and differ a little. Probabilities are cut to the slider's three decimals.", "name": "a-two-runs"}}
class RocPair(explorer.RunWidget):
    """ROC curves of two runs, ``run`` and ``other``, with one ``threshold`` on both."""

    kind, other = explorer.shared(Unicode("rocs")), explorer.shared(Unicode())

    def plain(self):  # for readers without JavaScript
        names, titles = ["auc", "sensitivity", "specificity"], {}
        titles |= {run["name"]: run["title"] for run in self.data["runs"]}
        rows = [
            [titles[name], *self.rates(name, self.positive_class, self.threshold, 0.5, *names)]
            for name in dict.fromkeys([self.run, self.other])
        ]
        at = f"at {self.threshold:g}"
        return pd.DataFrame(rows, columns=["Run", "AUC", f"Sensitivity {at}", f"Specificity {at}"])


def cut_off(frame):
    """Predictions with three decimals, so that the page stays small: the slider has no more. They
    are cut off, so that an image is called at the same thresholds of the slider as before.
    """
    shown = np.floor(1000 * frame["p_covid"] + 1e-9) / 1000
    return frame.assign(p_covid=shown, p_none=(1 - shown).round(3))


RocPair(
    {run.name: cut_off(run.predictions) for run in several},
    titles={run.name: named(run) for run in several},
    other=several[min(1, len(several) - 1)].name,
    threshold=threshold,
)

# %% [markdown]
# ## Figures 5 and 6: hits and misses
#
# The paper's own Figures 5 and 6 are pictures that we do not have. Here are the COVID-19 images of which the run was most and least certain.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Hits and misses", "code_prompt_hide": "Hits and misses"}
covid = predictions[ill].sort_values("p_covid")
hits = covid[covid["p_covid"] >= threshold].iloc[::-1][:4]
misses = covid[covid["p_covid"] < threshold][:4]


def row_of(found):
    """The radiographs of a few images in a row, where they are on disk, and a table of them."""
    pictures = [pages.radiograph(cheazemin2020.covid, name, data) for name in found["image_id"]]
    if len(pictures) and all(picture is not None for picture in pictures):
        plots.radiographs(pictures, [f"p = {value:.3f}" for value in found["p_covid"]])
        plt.show()
    else:
        display(pages.no_radiographs())
    shown = found[["image_id", "patient_id", "p_covid"]].set_axis(
        ["Image", "Patient", "Probability"], axis=1
    )
    display(pages.table(shown, float_format="{:.3f}".format))


# %% tags=["hide-input"] cxr={"items": ["Figure 5"]} mystnb={"code_prompt_show": "Figure 5", "code_prompt_hide": "Figure 5", "figure": {"caption": "Figure 5, {glue:text}`by`: the four COVID-19 images with the highest probability of those called positive."}, "image": {"alt": "Radiographs of COVID-19 that the run calls positive, with their probabilities."}}
row_of(hits)

# %% tags=["hide-input"] cxr={"items": ["Figure 6"]} mystnb={"code_prompt_show": "Figure 6", "code_prompt_hide": "Figure 6", "figure": {"caption": "Figure 6, {glue:text}`by`: the four COVID-19 images with the lowest probability of those called negative."}, "image": {"alt": "Radiographs of COVID-19 that the run calls negative, with their probabilities."}}
row_of(misses)

# %% [markdown]
# ## Figure 7: Grad-CAM
#
# The paper shows a {term}`Grad-CAM` map beside a radiologist's phrase, "{glue:text}`phrase`". The phrase is in the notes of one image, of patient 149, whose probability {glue:text}`by` is {glue:text}`p-shown`. The right mid lung zone would be in the left half of the picture. There the file has a white rectangle, drawn around the finding by whoever published it (its name says *annot*). The network saw that as well, so its map may follow the drawing. The map is {glue:text}`place`.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The image and its map", "code_prompt_hide": "The image and its map"}
SHOWN = "covid-chestxray/fff49165-b22d-4bb4-b9d1-d5d62c52436c.annot.original"
PHRASE = "patchy consolidation in the right mid lung zone"
cams, where = {}, pd.DataFrame({"kind": [], "split": []})
if record.maps or (record.folder / "cams.npz").is_file():
    maps, where = studies.read_maps(record)  # arrays with a map per image; where the maps lie
    cams = dict(zip(maps["image_id"], maps["cam"], strict=True))
    shapes = dict(zip(maps["image_id"], maps["shape"], strict=True))

# %% tags=["hide-input", "small"] cxr={"items": ["Figure 7"]} mystnb={"code_prompt_show": "Figure 7", "code_prompt_hide": "Figure 7", "figure": {"caption": "Figure 7, {glue:text}`by`: Grad-CAM for opacity, patient 149. Dark red: what raised the score most."}, "image": {"alt": "Grad-CAM map for opacity on the outline of patient 149's lungs, from a mask, and the radiograph where it is on disk. Where the map is hottest is said in the text above."}}
if SHOWN in cams:
    picture = pages.radiograph(cheazemin2020.covid, SHOWN, data)
    pages.show_map(SHOWN, picture, cams[SHOWN], shapes[SHOWN])
else:
    display(pages.items([f"This run has no map of {SHOWN}."]))

# %% [markdown]
# One picture shows little. The same was measured on all {glue:text}`masked` COVID-19 images with a lung mask, and compared with an even spread and with random weights, as {ref}`for Study B <activation-in-the-lungs>`. Only the last layer of this network was trained.


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Where the maps lie", "code_prompt_hide": "Where the maps lie"}
def mean(values):
    """Mean share with its interval over patients."""
    patients = values.index.get_level_values("patient_id")
    return cxrlib.Interval(*cxrlib.mean_by_patient(values, patients, **options))


shares, facts = {}, {"masked": 0, "place": "not in this record"}
if (where["kind"] == "lung mask").any():
    each, draws = pages.maps_by_stage(where, "lung mask")  # by image; by draw of random weights
    inside = each["inside"]
    shares["The trained network"] = inside["trained"]
    shares["An even spread"] = each["region"]["trained"]
    shares["Last layer random"] = inside["fc"]
    shares["All layers random"] = inside["conv1"]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "As a table", "code_prompt_hide": "As a table"}
STAGES = {"Last layer random": "fc", "All layers random": "conv1"}
rows = []
for network, values in shares.items():
    drawn = draws[STAGES[network]] if network in STAGES else None
    ends = "" if drawn is None else f"{drawn.min():.3f} to {drawn.max():.3f}"
    less = formatting.signed(*mean(inside["trained"] - values))
    less = "" if values.equals(inside["trained"]) else less
    rows.append([network, formatting.with_interval(*mean(values)), ends, less])
heads = ["Maps of", "Activation in the lungs", "Lowest and highest draw", "Trained less this"]
pages.table(pd.DataFrame(rows, columns=heads), caption="Where the maps of COVID-19 images lie")

# %% [markdown]
# {glue:text}`maps-show`
#
# ## The images and the training

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Images", "code_prompt_hide": "Images", "figure": {"caption": "Images on disk. Training and validation: {glue:text}`training-images`. Test: COVID-19 against {glue:text}`negative`, {glue:text}`prevalence` % COVID-19."}}
pages.images(record)

# %% [markdown]
# Computing the features of all images once took {glue:text}`features` seconds and the {glue:text}`epochs-run` epochs on them {glue:text}`training` seconds, on {glue:text}`where-run`; recorded {glue:text}`recorded`.
#
# {glue:text}`kept-why` The network was trained to find opacity and is tested on COVID-19, of which the test set has far less. That makes most of the test loss (see [What a probability is worth](23_calibration.ipynb)).

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Learning curves", "code_prompt_hide": "Learning curves", "figure": {"caption": "Learning curves of {glue:text}`run` (not in the paper).", "name": "a-learning-curves"}, "image": {"alt": "Two line charts by epoch: cross-entropy loss and accuracy of training and validation; test values of the last epoch as points, for which the classes are others."}}
plots.learning_curves(record.history, kept=record.info["epochs"]["kept"])
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "What this run lacked", "code_prompt_hide": "What this run lacked"}
pages.items(record.info["lacked"], "What this run lacked")

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "What the paper leaves open and had to be decided", "code_prompt_hide": "What the paper leaves open and had to be decided"}
pages.items(studies.experiment(record.info["experiment"]).assumptions)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Numbers of the maps", "code_prompt_hide": "Numbers of the maps"}
if SHOWN in cams:
    cam = cams[SHOWN]
    columns = cam.shape[1]
    side = np.sign(cam.max(axis=0).argmax() - (columns - 1) / 2)
    half = {-1: "left half", 0: "middle column", 1: "right half"}[int(side)]
    left = 100 * cam[:, : columns // 2].sum() / cam.sum()
    facts["place"] = (
        f"hottest in the {half} of the picture, with {left:.0f} % of its activation in the left"
        f" {columns // 2} of {columns} columns"
    )

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What the maps show", "code_prompt_hide": "What the maps show"}
facts["maps-show"] = "No lung mask was on disk, so where the maps lie was not measured."
if shares:
    trained = inside["trained"].mean()
    below = (draws["fc"] < trained).sum()
    others = (shares["An even spread"], inside["fc"])
    more = all(mean(inside["trained"] - other).low > 0 for other in others)
    reached = "A random last layer can do as much, though"
    if below == draws["fc"].size:
        reached = "No random last layer did as much"
    shows = "So these maps do not show that training turned the network to the lungs."
    if more:
        shows = (
            "So training moved the maps into the lungs, compared with the average draw."
            f" {reached}: {below} of {draws['fc'].size} draws lie below the trained network. It is"
            " a place, not a reason: two collections can differ inside the lungs, too."
        )
    facts |= {"masked": len(each), "maps-show": shows}


# %% tags=["hide-input"] mystnb={"code_prompt_show": "All numbers of the text", "code_prompt_hide": "All numbers of the text"}
def span(values, form="{:,}"):
    """Lowest and highest."""
    return f"{form.format(min(values))} to {form.format(max(values))}"


KEPT = {  # by what the run's settings say
    "last": "The paper does not say which epoch it kept. Here it is the last, as the run's setting"
    " `keep` says, and the validation loss was lowest in epoch {}.",
    "best": "Kept is the epoch with the lowest validation loss, epoch {}.",
}
lowest = record.history.set_index("epoch")["val_loss"].idxmin()
pages.say_training(record)
seconds, device = record.info["seconds"], record.info["device"]
fixed, _, matched = (rates["estimate"] for rates in at.values())
pages.glue_all(
    WORDS
    | facts
    | {f"printed-{name}": printed[name] for name in ("auc", *NAMES)}
    | {
        "threshold": f"{threshold:g}",
        "replicates": replicates,
        "chosen-again": formatting.interval(
            *headline.specificity_interval(predictions, float(printed["sensitivity"]) / 100)
        ),
        "auc": f"{area.estimate:.3f}",
        "auc-delong": formatting.interval(by_image.low, by_image.high),
        "auc-delong-patients": formatting.interval(by_patient.low, by_patient.high),
        "auc-patients": formatting.interval(area.low, area.high),
        "auc-validation": formatting.with_interval(*validation),
        "fixed-sensitivity": f"{fixed['sensitivity']:.3f}",
        "fixed-specificity": f"{fixed['specificity']:.3f}",
        "matched-specificity": f"{matched['specificity']:.3f}",
        "candidates": len(candidates),
        "tp": int(tp),
        "fn": int(fn),
        "fp": span(candidates["FP"]),
        "tn": span(candidates["TN"]),
        "paper-ppv": span(ppvs, "{:.2f}"),
        "per-true": f"{fp / tp:.1f}",
        "all-negative": f"{100 * negatives / (negatives + positives):.1f}",
        "points": len(points),
        "aucs": span(points["auc"], "{:.3f}"),
        "sensitivities": span(points["sensitivity"], "{:.3f}"),
        "phrase": PHRASE,
        "kept-why": KEPT[record.info["config"]["keep"]].format(lowest),
        "p-shown": formatting.number(
            predictions.set_index("image_id")["p_covid"].get(SHOWN, np.nan)
        ),
        "prevalence": f"{100 * ill.mean():.2f}",
        "features": f"{seconds['features']:.0f}",
        "training": f"{seconds['training']:.1f}",
        "where-run": f"{device['name'].replace('cpu', 'a CPU')}, {device['threads']} threads",
    }
)

# %% [markdown]
# ## Run it yourself
#
# ```bash
# make train-env
# .venv/bin/cxr train azemin-standin-resnet50 --resume
# .venv/bin/cxr fetch covid nih weights
# .venv/bin/cxr train azemin-adjudicated --resume
# ```
#
# The last two lines are the paper's own rule, with ResNet-101 on the adjudicated images. Once its record is there, this page shows it in place of the stand-in. How long they take, and how much they need, is said under [Rerun it](../book/rerun.md).

# ---
# jupyter:
#   cxr:
#     records:
#     - zhu-fourclass
#     - phantom-localisation
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
# # Where does the network look?
#
# {cite:t}`zhu2020` draws Grad-CAM maps {cite}`selvaraju2017` of five COVID-19 radiographs beside the radiologists' comments and concludes that the
# four-class model "manages to focus on the lung area instead of other areas". This page draws the maps again (Figures 4.5 to 4.9) and turns the sentence into a number,
# over all test images for which the lungs are marked.

# %% tags=["remove-cell"]
# In Colab, fetch the companion first; anywhere else this does nothing.
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("cxrlib") is None:
    address = "https://github.com/cxr-companion/cxr-companion"
    subprocess.run(["git", "clone", "-q", "--depth", "1", address, "companion"], check=True)
    os.chdir("companion/notebooks")
    sys.path.insert(0, "..")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
origin = "recorded"  # recorded: read results/<run>; phantom: train in seconds on synthetic images; images: train on real ones
run_name = "zhu-fourclass"
data = None  # folder of the image collections, to draw the maps over the radiographs; default CXR_DATA, else data/

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the run and its maps", "code_prompt_hide": "Load the run and its maps"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display

from cxrlib import book, intervals, pages, plots, runs, sources, widgets, zhu
from cxrlib.pages import say

run = pages.load(run_name, origin, data)
maps, where = runs.cams(run)
cam = dict(zip(maps["image_id"], maps["cam"], strict=True))
shape = dict(zip(maps["image_id"], maps["shape"], strict=True))
real = run.info["origin"] == "images"
p_covid = pd.concat([run.predictions, run.validation]).set_index("image_id")["p_covid"]
part = dict(zip(maps["image_id"], maps["split"], strict=True))

# %% [markdown]
# ## Grad-CAM
#
# Let $A_k$ be the $k$-th channel of the last convolutional layer, 7 × 7 numbers in this network, and $s_c$ the score of class $c$ before softmax. The map is
#
# $$L_c = \text{ReLU}\left(\sum_k \alpha_k A_k\right), \qquad \alpha_k = \frac{1}{49} \sum_{i,j} \frac{\partial s_c}{\partial A_{k,ij}}.$$
#
# It is drawn over the picture, enlarged smoothly, deep red where it is high and deep blue where it is low, as Study A describes its own. It has 49 numbers: whatever looks finer
# comes from the enlargement. Each map is scaled by its own maximum, so that a faint map looks as hot as any other; one without any is blue. And it says what raised the score, not why.
#
# ## Figures 4.5 to 4.9
#
# The published book holds no radiograph, only maps; with the collections on disk `CXR_DATA=… make book` draws them side by side.
# The thesis identifies no image. All five comments are found in the notes of the image collection, which names patient and file. Left of a picture is usually
# the patient's right.

# %% tags=["remove-cell"]
CASES = {  # figure: (image, file, patient's number, comment as printed in the thesis)
    "4.5": ("covid-19-pneumonia-43-day0", "144", "patchy areas of air space opacification bilaterally with a lower zone predominance."),
    "4.6": (
        "covid-19-pneumonia-101", "203",
        "there is peripheral patchy air space opacification seen in both lung lower zones with diffuse ground-glass haze bilaterally.",
    ),
    "4.7": ("covid-19-pneumonia-24-day6", "116", "multifocal consolidation in right mid zone and left mid/lower zones."),
    "4.8": (
        "covid-19-infection-exclusive-gastrointestinal-symptoms-pa", "98",
        "multiple faint alveolar opacities are identified, predominantly peripheral with greater involvement of the upper lobes.",
    ),
    "4.9": (
        "covid-19-pneumonia-58-day-7", "173",
        "there is established left upper lobe and now progressive patchy consolidation in left lower, right upper and middle lobes.",
    ),
}  # fmt: skip
PARTS = {
    "train": "an image of the training set",
    "val": "an image of the validation fold",
    "test": "a test image",
    "outside": "none of the study's images",
}


def covid(data):
    """The study's COVID-19 collection and the picture of Figure 4.6."""
    return pd.concat([sources.covid_chestxray(data), zhu.outside(data)])


def figure(number, instead=None):
    """One figure of the thesis: the radiograph where it may be shown, the map beside it, and what is known of the image."""
    stem, patient, comment = CASES[number]
    image_id = f"covid-chestxray/{instead or stem}"
    if image_id not in cam:
        display(pages.items([f"This run has no map of {image_id}."]))
        return
    pages.show_map(pages.radiograph(covid, image_id, data), cam[image_id], shape[image_id], "Grad-CAM, COVID-19")
    score = f", probability of COVID-19 {p_covid[image_id]:.3f}" if image_id in p_covid.index else ", no recorded probability"
    hot = (plots.enlarged(cam[image_id], (224, 224)) >= 0.5).mean()
    known = [f"Radiologist's comment (thesis): {comment}", f"Patient {patient}, file {instead or stem}: {PARTS[part[image_id]]}{score}.",
             f"Share of the picture above half of the map's maximum: {100 * hot:.0f} %."]  # fmt: skip
    if instead:
        known.append(f"The comment belongs to {stem}, which was not on disk; this is another image of the same patient.")
    display(pages.items(known))


# %% tags=["remove-input", "small"] cxr={"items": ["Figure 4.5"]} mystnb={"image": {"alt": "Grad-CAM map of patient 144's radiograph, and the radiograph where it is on disk; the share of the picture that is hot is given below."}}
figure("4.5")

# %% [markdown]
# *Figure 4.5, rebuilt.*

# %% tags=["remove-input", "small"] cxr={"items": ["Figure 4.6"]} mystnb={"image": {"alt": "Grad-CAM map of patient 203's radiograph, and the radiograph where it is on disk; the share of the picture that is hot is given below."}}
figure("4.6")

# %% [markdown]
# *Figure 4.6, rebuilt. No notes in the version that has the thesis's numbers contain this comment. It is, word for word, in those of a file which the collection took up between
# 8 May and 4 June 2020, from a site that the thesis names for its comments. So the
# picture is none of the {glue:text}`covid-images` listed.*

# %% tags=["remove-input", "small"] cxr={"items": ["Figure 4.7"]} mystnb={"image": {"alt": "Grad-CAM map of a radiograph of patient 116, and the radiograph where it is on disk; the share of the picture that is hot is given below."}}
figure("4.7", instead=None if f"covid-chestxray/{CASES['4.7'][0]}" in cam else "covid-19-pneumonia-24-day7")

# %% [markdown]
# *Figure 4.7, rebuilt.*

# %% tags=["remove-input", "small"] cxr={"items": ["Figure 4.8"]} mystnb={"image": {"alt": "Grad-CAM map of patient 98's frontal radiograph, and the radiograph where it is on disk; the share of the picture that is hot is given below."}}
figure("4.8")

# %% [markdown]
# *Figure 4.8, rebuilt. The collection has two pictures of this patient under the same notes; the other is a lateral view filed as frontal, which the thesis's
# selection therefore took in, too.*

# %% tags=["remove-input", "small"] cxr={"items": ["Figure 4.9"]} mystnb={"image": {"alt": "Grad-CAM map of patient 173's radiograph, and the radiograph where it is on disk; the share of the picture that is hot is given below."}}
figure("4.9")

# %% [markdown]
# *Figure 4.9, rebuilt.*
#
# The map covers what it is a map of. Of Figure 4.5, with its opacity to move:

# %% tags=["remove-input"]
shown = f"covid-chestxray/{CASES['4.5'][0]}"
slider = (
    widgets.CamSlider(cam[shown], pages.radiograph(covid, shown, data), shape=shape[shown], label="Grad-CAM of Figure 4.5")
    if shown in cam
    else None
)
display(pages.items([f"This run has no map of {shown}."]) if slider is None else slider)

# %% [markdown]
# The thesis does not say whether its five were test images. The lines under each map say which part of our split it is in. Of Figures 4.5 and 4.6 the thesis says that the
# model "focuses on the right area", of 4.7 to 4.9 that it "tends to be unfocused". On our maps the hot area is large in all of them, and in test images on average
# {glue:text}`hot` % of the picture: neither group is focused.
#
# ## The lungs, as a number
#
# Lung masks drawn by a network and lung boxes come with the image collection, for some of its images. An activation spread evenly over the picture would have in the
# lungs just their share of the picture. But that is not all that a map in the lungs can come from: a network whose weights are random has a map, too, and it follows the brightness and
# texture of the picture. So the table compares, over the **test** images of COVID-19, the share of the activation that lies in the lungs with an even spread and with the same network with
# its last layer, or all its layers, randomised. "Peak" is how often the hottest point lies in the region. Intervals are 95 %, from {glue:text}`replicates` bootstrap resamples of patients.

# %% tags=["remove-cell"]
NETWORKS = {"trained": "Trained", "fc": "Last layer random", "conv1": "All layers random"}


def summary(table, kinds):
    """Mean share of activation, even spread and the peak's share, by kind of region and network, with intervals."""
    rows = []
    for kind in kinds:
        for stage, network in NETWORKS.items():
            found = table[(table["kind"] == kind) & (table["stage"] == stage) & (table["split"] == "test")]
            if not len(found):
                continue
            cells = {"Region": kind.capitalize(), "Network": network, "Images": len(found), "Patients": found["patient_id"].nunique()}
            cells["Even spread"] = f"{found['region'].mean():.3f}"
            for name, column in {"Activation inside": "inside", "Peak inside": "peak"}.items():
                mean, low, high = intervals.patient_mean(found[column], found["patient_id"])
                cells[name] = f"{mean:.3f} ({book.interval(low, high)})"
            rows.append(cells)
    return pd.DataFrame(rows)


def against(table, kind, stage, column="inside"):
    """Trained less randomised, paired by image: mean and interval."""
    pair = [
        table[(table["kind"] == kind) & (table["stage"] == name) & (table["split"] == "test")].set_index("image_id")
        for name in ("trained", stage)
    ]
    difference = (pair[0][column] - pair[1][column].reindex(pair[0].index)).dropna()
    return intervals.patient_mean(difference, pair[0].loc[difference.index, "patient_id"])


def trained(table, kind):
    return table[(table["kind"] == kind) & (table["stage"] == "trained") & (table["split"] == "test")]


say("replicates", intervals.REPLICATES)
say("covid-images", int((run.split["y_true"] == "covid").sum()))
areas = [(plots.enlarged(drawn, (224, 224)) >= 0.5).mean() for drawn in maps["cam"][maps["split"] == "test"]]
say("hot", f"{100 * np.mean(areas):.0f}")
kinds = ["lung mask", "lung box"] if real else ["opacity", "lung mask"]

# %% tags=["remove-input"]
pages.table(summary(where, kinds))

# %% tags=["remove-input"] mystnb={"image": {"alt": "Scatter of test images: share of the picture that is lung against share of the activation inside, with the diagonal of equality, for lung masks and for boxes."}}
with plots.style():
    axes = plt.subplots(1, len(kinds), figsize=(7, 3.9))[1]
    for ax, kind, color in zip(np.ravel(axes), kinds, ("#D55E00", "#0072B2"), strict=True):
        found = trained(where, kind)
        ax.plot([0, 1], [0, 1], color="0.45", linestyle=":", label="Even spread")
        ax.scatter(found["region"], found["inside"], s=24, color=color, alpha=0.8, edgecolor="white", label="Test image")
        ax.set(
            title=kind.capitalize(),
            xlabel="Region's share of the picture",
            ylabel="Share of activation inside",
            xlim=(0, 1),
            ylim=(0, 1),
            aspect="equal",
        )
        ax.legend(loc="upper left")
plt.show()

# %% tags=["remove-cell"]
mask = trained(where, kinds[0])
mean, low, high = intervals.patient_mean(mask["inside"], mask["patient_id"])
say("region", f"{100 * mask['region'].mean():.0f}")
say("inside", f"{100 * mean:.0f}")
say("inside-interval", book.interval(100 * low, 100 * high, decimals=0))
say("mask-images", len(mask))
spread = intervals.patient_mean(mask["inside"] - mask["region"], mask["patient_id"])
untrained = against(where, kinds[0], "conv1")
say("against-spread", book.than(*spread[1:]))
say("against-random", book.than(*untrained[1:]))
say(
    "random-difference",
    f"{book.signed(100 * untrained[0], decimals=1)} percentage points ({book.interval(100 * untrained[1], 100 * untrained[2], decimals=1)})",
)
say("peak", f"{100 * mask['peak'].mean():.0f}")

# %% [markdown]
# *Each point is one test image. On the dotted line the activation is spread as if the lungs played no part.*
#
# Over {glue:text}`mask-images` test images with a mask the lungs fill {glue:text}`region` % of the picture and hold {glue:text}`inside` % of the trained network's activation
# ({glue:text}`inside-interval` %): {glue:text}`against-spread` an even spread would put there, and {glue:text}`against-random` the network with random weights does
# ({glue:text}`random-difference`). The hottest point lies in the lungs in {glue:text}`peak` % of the images. So a map that lies in the lungs, as it does for both networks,
# is no evidence that what was learned is in the lungs.
#
# ## Where the activation lies on average

# %% tags=["remove-input", "small"] mystnb={"image": {"alt": "Mean of the 7 by 7 Grad-CAM maps of the COVID-19 test images, each scaled by its own maximum, as a heat map with numbers."}}
chosen = maps["cam"][maps["split"] == "test"]
top = chosen.max(axis=(1, 2), keepdims=True)
mean_map = (chosen / np.where(top > 0, top, 1)).mean(axis=0)
with plots.style():
    ax = plt.subplots(figsize=(5, 4.3))[1]
    drawn = ax.imshow(mean_map, cmap="cividis", vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(mean_map):
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", color="white" if value < 0.55 else "black")
    ax.set(xticks=[], yticks=[], xlabel="Left of the picture: the patient's right", title="COVID-19 test images")
    ax.figure.colorbar(drawn, ax=ax, label="Mean share of the map's maximum")
plt.show()

# %% [markdown]
# *Mean over the test images, each map scaled by its own maximum.* The maps are wide: the corners are cool, and no part of the middle stands out.
#
# ## Sanity check: do the maps depend on what was learned?
#
# A map that stays the same when the weights are replaced by random ones shows the picture and not the network {cite}`adebayo2018`. Weights are drawn anew from the last layer
# downward, stage by stage; the table gives the rank correlation between the trained network's map and the randomised one's.


# %% tags=["remove-input"]
def correlation(a, b):
    """Spearman's rank correlation of two maps; NaN if one is constant."""
    a, b = (pd.Series(values.ravel()).rank() for values in (a, b))
    return a.corr(b) if a.std() and b.std() else np.nan


rows = []
patients = run.split.set_index("image_id")["patient_id"]
for stage, drawn in zip(maps["stage"], maps["random_cam"], strict=True):
    values = [correlation(cam[name], other) for name, other in zip(maps["random_id"], drawn, strict=True)]
    mean, low, high = intervals.patient_mean(values, patients[maps["random_id"]])
    rows.append((f"down to {stage}", len(values), int(np.isnan(values).sum()), f"{mean:.2f}", book.interval(low, high, decimals=2)))
sanity = pd.DataFrame(rows, columns=["Randomised", "Images", "of them with an empty map", "Rank correlation, mean", "95 % interval"])
pages.table(sanity)

# %% tags=["remove-cell"]
say("first-correlation", sanity["Rank correlation, mean"].iloc[0])
say("last-correlation", sanity["Rank correlation, mean"].iloc[-1])
highest = pd.to_numeric(sanity["Rank correlation, mean"]).max()
say("sanity", "pass the check" if highest < 0.5 else "do not pass the check")
say("highest", f"{highest:.2f}")

# %% [markdown]
# With the last layer alone randomised the correlation is {glue:text}`first-correlation`, with all of them {glue:text}`last-correlation`; it is nowhere above {glue:text}`highest`, where one is the
# same map and nought no relation. Taking one half for the limit, the maps {glue:text}`sanity`: they change with the weights. Each stage is one random draw, so the intervals cover patients only.
#
# ## What the measure can show: phantoms
#
# On synthetic radiographs the place of each opacity is known. A network of the same kind, trained on them, is measured with the same code. The pointing game asks whether the
# hottest point lies in the opacity; overlap is intersection over union of the opacity with the part of the map above half its maximum.

# %% tags=["remove-cell"]
phantom = runs.read("phantom-localisation") if origin == "recorded" else run
_, truth = runs.cams(phantom) if origin == "recorded" else (maps, where)

# %% tags=["remove-input"]
pages.items(phantom.info["lacked"], "What the phantom run is")

# %% tags=["remove-input"]
pages.table(summary(truth, ["opacity", "lung mask"]))

# %% tags=["remove-cell"]
hits = truth[(truth["kind"] == "opacity") & (truth["stage"] == "trained") & (truth["split"] == "test")]
say("phantom-images", len(hits))
say("phantom-accuracy", f"{phantom.info['metrics']['accuracy']:.2f}")
if len(hits):
    say("phantom-peak", f"{100 * hits['peak'].mean():.0f}")
    say("phantom-chance", f"{100 * hits['region'].mean():.0f}")
    iou, low, high = intervals.patient_mean(hits["iou"], hits["patient_id"])
    say("phantom-iou", f"{iou:.2f} ({book.interval(low, high, decimals=2)})")

# %% [markdown]
# *Phantoms: {glue:text}`phantom-images` test pictures with an opacity; the network's accuracy is {glue:text}`phantom-accuracy`.*
#
# The hottest point lies in a true opacity in {glue:text}`phantom-peak` % of the pictures, where {glue:text}`phantom-chance` % would be chance; the overlap is {glue:text}`phantom-iou`.
# So where a network decides by the opacities the method finds them, coarsely. It is a demonstration on drawings: real radiographs are harder.
#
# ## What follows
#
# Five chosen pictures cannot show where a network looks. Over the COVID-19 test images with marked lungs the activation lies {glue:text}`against-spread` an even spread would in the lungs,
# but that much can be had with random weights: the thesis's sentence cannot be upheld on maps alone. And even a map well inside the lungs would not show that the network reads disease there:
# adults' lungs differ from children's, too.
#
# ## Run it yourself
#
# ```bash
# make train-env
# .venv/bin/cxr cams zhu-fourclass
# .venv/bin/cxr predict my-radiograph.png --cam out/
# ```
#
# The first makes the maps of the recorded model anew from the images in `CXR_DATA`; the second draws the map of a picture of your own. More under [Rerun it](../book/rerun.md).

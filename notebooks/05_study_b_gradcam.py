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
# folder of the image collections, to draw the maps over the radiographs; default CXR_DATA, else
# data/
data: str | None = None

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the run and its maps", "code_prompt_hide": "Load the run and its maps"}
import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from PIL import Image
from traitlets import Float, Unicode

from companion import pages, studies
from companion.pages import say
from companion.studies import zhu2020
from cxrlib import explorer, formatting, metrics, plots
from cxrlib.data import covid_chestxray

run = studies.run(run_name, origin, data)
maps, where = studies.read_maps(run)
cam = dict(zip(maps["image_id"], maps["cam"], strict=True))
shape = dict(zip(maps["image_id"], maps["shape"], strict=True))
real = run.info["origin"] == "images"
say("weights-note", run.info["weights"]["note"] or run.info["weights"]["name"])
p_covid = pd.concat([run.predictions, run.validation]).set_index("image_id")["p_covid"]
part = dict(zip(maps["image_id"], maps["split"], strict=True))

# %% [markdown]
# ## Grad-CAM
#
# Let $A_k$ be the $k$-th channel of the last convolutional layer, 7 × 7 numbers in this network, and $s_c$ the score of class $c$ before softmax. The map is
#
# $$L_c = \text{ReLU}\left(\sum_k \alpha_k A_k\right),$$
#
# $$\alpha_k = \frac{1}{49} \sum_{i,j} \frac{\partial s_c}{\partial A_{k,ij}}.$$
#
# It is drawn over the picture, enlarged smoothly, deep red where it is high and deep blue where it is low, as Study A describes its own. It has 49 numbers: whatever looks finer
# comes from the enlargement. Each map is scaled by its own maximum, so that a faint map looks as hot as any other; one without any is blue. And it says what raised the score, not why.
#
# ## Figures 4.5 to 4.9
#
# The published book holds no radiograph, only maps; with the collections on disk `CXR_DATA=… make book` draws them side by side.
# The thesis identifies no image, and its own maps were not in the text that we have, so that ours cannot be compared with them. All five comments are found in the notes of the image collection, four in the
# version that has the thesis's numbers and one in a later one; they name patient and file. (The thesis names Radiopaedia as the source of comments; so do the notes.) Left of a picture is usually the patient's right. The maps are of this run, whose last convolutional
# stage, the one that Grad-CAM reads, began from {glue:text}`weights-note`.

# %% tags=["remove-cell"]
CASES = {  # figure: (image, file, patient's number, comment as printed in the thesis)
    "4.5": (
        "covid-19-pneumonia-43-day0",
        "144",
        "patchy areas of air space opacification bilaterally with a lower zone predominance.",
    ),
    "4.6": (
        "covid-19-pneumonia-101",
        "203",
        (
            "there is peripheral patchy air space opacification seen in both lung lower zones with"
            " diffuse ground-glass haze bilaterally."
        ),
    ),
    "4.7": (
        "covid-19-pneumonia-24-day6",
        "116",
        "multifocal consolidation in right mid zone and left mid/lower zones.",
    ),
    "4.8": (
        "covid-19-infection-exclusive-gastrointestinal-symptoms-pa",
        "98",
        (
            "multiple faint alveolar opacities are identified, predominantly peripheral with"
            " greater involvement of the upper lobes."
        ),
    ),
    "4.9": (
        "covid-19-pneumonia-58-day-7",
        "173",
        (
            "there is established left upper lobe and now progressive patchy consolidation in left"
            " lower, right upper and middle lobes."
        ),
    ),
}
PARTS = {
    "train": "an image of the training set",
    "val": "an image of the validation fold",
    "test": "a test image",
    "outside": "not among the images of the study",
}


def covid(data):
    """The study's COVID-19 collection and the picture of Figure 4.6."""
    return pd.concat([covid_chestxray.read_manifest(data), zhu2020.outside(data)])


def figure(number, instead=None):
    """One figure of the thesis: the radiograph where it may be shown, the map beside it, and what
    is known of the image.
    """
    stem, patient, comment = CASES[number]
    image_id = f"covid-chestxray/{instead or stem}"
    if image_id not in cam:
        display(pages.items([f"This run has no map of {image_id}."]))
        return
    picture = pages.radiograph(covid, image_id, data)
    pages.show_map(image_id, picture, cam[image_id], shape[image_id])
    score = (
        f", probability of COVID-19 {p_covid[image_id]:.3f}"
        if image_id in p_covid.index
        else ", no recorded probability (only validation and test images have one)"
    )
    hot = (plots.enlarged(cam[image_id], (224, 224)) >= 0.5).mean()
    known = [
        f"Radiologist's comment (thesis): {comment}",
        f"Patient {patient}, file {instead or stem}: {PARTS[part[image_id]]}{score}.",
        f"Share of the picture above half of the map's maximum: {100 * hot:.0f} %.",
    ]
    if instead:
        known.append(
            f"The comment belongs to {stem}, which was not on disk;"
            " this is another image of the same patient."
        )
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
figure(
    "4.7",
    instead=None if f"covid-chestxray/{CASES['4.7'][0]}" in cam else "covid-19-pneumonia-24-day7",
)

# %% [markdown]
# *Figure 4.7, rebuilt.*

# %% tags=["remove-input", "small"] cxr={"items": ["Figure 4.8"]} mystnb={"image": {"alt": "Grad-CAM map of patient 98's frontal radiograph, and the radiograph where it is on disk; the share of the picture that is hot is given below."}}
figure("4.8")

# %% [markdown]
# *Figure 4.8, rebuilt. The collection has two pictures of this patient under the same notes; the other is a lateral view filed as frontal, which the thesis's
# selection therefore took in, too; in our split that one is {glue:text}`lateral-part`.*

# %% tags=["remove-cell"]
lateral = (
    run.split.set_index("image_id")
    .get("split")
    .get("covid-chestxray/covid-19-infection-exclusive-gastrointestinal-symptoms-l")
)
say("lateral-part", PARTS.get(lateral, "not there"))

# %% tags=["remove-input", "small"] cxr={"items": ["Figure 4.9"]} mystnb={"image": {"alt": "Grad-CAM map of patient 173's radiograph, and the radiograph where it is on disk; the share of the picture that is hot is given below."}}
figure("4.9")

# %% [markdown]
# *Figure 4.9, rebuilt.*
#
# Figure 4.5 once more, with the map's opacity to move. Where the radiograph is not shown an outline of a chest stands in its place: it is a drawing, not this patient, and where the map lies on it says nothing.


# %% tags=["remove-input"]
class CamSlider(explorer.Widget):
    """A map over its radiograph, or over an outline, with an opacity to move."""

    kind = explorer.shared(Unicode("cam"))
    opacity = explorer.shared(Float(0.5, min=0, max=1))

    def plain(self):  # for readers without JavaScript
        return pd.DataFrame({"Shown with JavaScript": [self.data["label"]]})


def as_address(pixels):
    """An image as an address that holds it."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


shown = f"covid-chestxray/{CASES['4.5'][0]}"
if shown in cam:
    picture = pages.radiograph(covid, shown, data)
    height, width = shape[shown] if picture is None else picture.shape
    heat = plt.get_cmap("jet")(plots.enlarged(cam[shown].astype(float), (224, 224)), bytes=True)
    slider = CamSlider(
        data={
            "heat": as_address(heat[..., :3]),
            "picture": None if picture is None else as_address(picture),
            "height": int(height),
            "width": int(width),
            "label": "Grad-CAM of Figure 4.5",
        }
    )
    display(slider)
else:
    display(pages.items([f"This run has no map of {shown}."]))

# %% [markdown]
# The thesis does not say whether its five were test images. The lines under each map say which part of our split it is in. Of Figures 4.5 and 4.6 the thesis says that the
# model "focuses on the right area", of 4.7 to 4.9 that it "tends to be unfocused". On our maps the hot area is large in all of them, and in test images on average
# {glue:text}`hot` % of the picture: neither group is focused.
#
# ## The lungs, as a number
#
# Lung masks drawn by a network and lung boxes come with the image collection, for some of its images. An activation spread evenly over the picture would have in the
# lungs just their share of the picture. But that is not all that a map in the lungs can come from: a network whose weights are random has a map, too, and it follows the brightness and
# texture of the picture. So the table compares, over the **test** images of COVID-19, the share of the activation that lies in the lungs with an even spread and with the same network
# with ever more of its layers randomised, from the last to all of them, each {glue:text}`draws` times: one draw of random weights says nothing of the next.

# %% tags=["remove-cell"]
STAGES = (
    {"trained": "Trained", "fc": "Last layer random"}
    | {f"layer{k}": f"Random down to layer{k}" for k in (4, 3, 2, 1)}
    | {"conv1": "All layers random"}
)


def share(values, patients):
    """Mean in per cent with its interval."""
    found = metrics.mean_by_patient(values, patients)
    return formatting.with_interval(*(100 * value for value in found), decimals=1)


def points(values, patients):
    """Mean difference in percentage points with its interval."""
    return formatting.signed(
        *(100 * end for end in metrics.mean_by_patient(values, patients)), decimals=1
    )


def summary(kinds, where, stages):
    """Share of the activation in each kind of region, and how often the peak is in it, by network,
    with intervals.
    """
    rows = []
    for kind in kinds:
        each, draws = pages.maps_by_stage(where, kind)
        patients, inside, region = (
            each.index.get_level_values("patient_id"),
            each["inside"],
            each["region"]["trained"],
        )
        even = f"{100 * region.mean():.1f}"
        rows.append(
            (
                kind.capitalize(),
                "Even spread",
                even,
                "",
                points(inside["trained"] - region, patients),
                even,
            )
        )
        for stage in stages:
            ends = less = ""
            if stage != "trained":
                ends = f"{100 * draws[stage].min():.1f} to {100 * draws[stage].max():.1f}"
                less = points(inside["trained"] - inside[stage], patients)
            peak = share(each["peak"][stage], patients)
            rows.append(
                (kind.capitalize(), STAGES[stage], share(inside[stage], patients), ends, less, peak)
            )
    heads = [
        "Region",
        "Network",
        "Activation inside, %",
        "Its lowest and highest draw",
        "Trained less this, points",
        "Peak inside, % of images",
    ]
    return pages.table(pd.DataFrame(rows, columns=heads))


say("replicates", metrics.REPLICATES)
say("covid-images", int((run.split["y_true"] == "covid").sum()))
say("draws", where["draw"].nunique())
areas = [
    (plots.enlarged(drawn, (224, 224)) >= 0.5).mean()
    for drawn in maps["cam"][maps["split"] == "test"]
]
say("hot", f"{100 * np.mean(areas):.0f}")
kinds = ["lung mask", "lung box"] if real else ["opacity", "lung mask"]

# %% tags=["remove-input"]
summary(kinds, where, STAGES)

# %% [markdown]
# *Share of the activation in the region, for even spread the region's share of the picture; its difference from the trained network, image by image. "Peak" is how often the hottest point lies in the
# region. Random weights: means over the draws; the fourth column is the lowest and the highest mean of a draw. Intervals are 95 %, from {glue:text}`replicates` bootstrap resamples of patients; they do not cover the draws. A map without any activation, as random layers often give (below), counts in no mean.*

# %% tags=["remove-input"] mystnb={"image": {"alt": "Scatter of test images: share of the picture that is lung against share of the activation inside, with the diagonal of equality, for lung masks and for boxes."}}
with plots.style():
    axes = plt.subplots(1, len(kinds), figsize=(7, 3.9))[1]
    for ax, kind, color in zip(np.ravel(axes), kinds, ("#D55E00", "#0072B2"), strict=True):
        found = pages.maps_by_stage(where, kind)[0].xs("trained", axis=1, level="stage")
        ax.plot([0, 1], [0, 1], color="0.45", linestyle=":", label="Even spread")
        ax.scatter(
            found["region"],
            found["inside"],
            s=24,
            color=color,
            alpha=0.8,
            edgecolor="white",
            label="Test image",
        )
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
facts = []
for kind in kinds:
    each, draws = pages.maps_by_stage(where, kind)
    inside, region, peak = (
        each["inside"]["trained"],
        each["region"]["trained"],
        each["peak"]["trained"],
    )
    spread = metrics.mean_by_patient(inside - region, each.index.get_level_values("patient_id"))
    random = draws["conv1"].dropna()  # a draw may leave no map at all
    facts.append(
        {
            "images": len(each),
            "patients": each.index.get_level_values("patient_id").nunique(),
            "region": f"{100 * region.mean():.0f}",
            "inside": f"{100 * inside.mean():.0f}",
            "outside": f"{100 - 100 * inside.mean():.0f}",
            "peak": f"{100 * peak.mean():.0f}",
            "spread": formatting.signed(*(100 * end for end in spread), decimals=1),
            "than": formatting.comparison(*spread[1:]),
            "drawn": len(random),
            "below": int((random < inside.mean()).sum()),
            "random-low": f"{100 * random.min():.0f}",
            "random-high": f"{100 * random.max():.0f}",
        }
    )
for suffix, found in zip(("", "-box"), facts, strict=True):
    for name, value in found.items():
        say(f"{name}{suffix}", value)
unlike = all(found["below"] == found["drawn"] for found in facts)
say(
    "random-verdict",
    (
        "no random network reaches it"
        if unlike
        else "a random network can put as much there, if few do"
    ),
)

# %% [markdown]
# *Each point is one test image. On the dotted line the activation is spread as if the lungs played no part.*
#
# Over {glue:text}`images` test images of {glue:text}`patients` patients with a mask the lungs fill {glue:text}`region` % of the picture and hold {glue:text}`inside` % of the trained network's activation:
# {glue:text}`than` an even spread would put there ({glue:text}`spread` percentage points; boxes, {glue:text}`images-box` images: {glue:text}`spread-box`). Yet {glue:text}`outside` % lie
# outside the lungs, and the hottest point lies inside in {glue:text}`peak` % of the images. With all layers random the share goes from {glue:text}`random-low` to {glue:text}`random-high` %, by the draw
# alone; of the {glue:text}`drawn` draws that leave a map, {glue:text}`below` lie below the trained network (boxes: {glue:text}`below-box` of {glue:text}`drawn-box`): {glue:text}`random-verdict`.
# An even spread is little to exceed: a map that is warm in the middle of every picture, whatever the picture shows, would exceed it too.
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
        ax.text(
            column,
            row,
            f"{value:.2f}",
            ha="center",
            va="center",
            color="white" if value < 0.55 else "black",
        )
    ax.set(
        xticks=[],
        yticks=[],
        xlabel="Left of the picture: the patient's right",
        title="COVID-19 test images",
    )
    ax.figure.colorbar(drawn, ax=ax, label="Mean share of the map's maximum")
plt.show()

# %% tags=["remove-cell"]
inner = (
    mean_map[1:-1, 1:-1] if min(mean_map.shape) > 2 else mean_map
)  # a small phantom's map has no inner fields
say("warmest-over", f"{mean_map.max() / inner.min():.1f}")

# %% [markdown]
# *Mean over the test images, each map scaled by its own maximum.* The maps are wide. The corners are cool, the middle column a little cooler than what lies beside it, as the spine is between the lungs; the warm part goes beyond them
# at the sides and below, and its highest value is {glue:text}`warmest-over` times the lowest of the inner 5 × 5 fields.
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
for place, stage in enumerate(maps["stage"]):
    each = pd.DataFrame(
        [
            correlation(cam[name], other)
            for name, other in zip(maps["random_id"], drawn[place], strict=True)
        ]
        for drawn in maps["random_cam"]
    )  # a row per draw, a column per image
    mean, low, high = metrics.mean_by_patient(each.mean(), patients[maps["random_id"]])
    draws = each.mean(axis=1)
    ends = "–" if draws.isna().all() else formatting.signed(draws.min(), draws.max(), decimals=2)
    empty = f"{100 * each.isna().mean(axis=None):.0f}"
    rows.append(
        (
            STAGES[stage],
            f"{round(mean, 2) + 0.0:.2f}".replace("-", "−"),
            formatting.interval(low, high, decimals=2),
            ends,
            empty,
        )
    )
sanity = pd.DataFrame(
    rows,
    columns=[
        "Network",
        "Rank correlation, mean",
        "95 % interval",
        "Lowest and highest draw",
        "Empty maps, %",
    ],
)
pages.table(sanity)

# %% tags=["remove-cell"]
say("first-correlation", sanity["Rank correlation, mean"].iloc[0])
say("last-correlation", sanity["Rank correlation, mean"].iloc[-1])

# %% [markdown]
# With the last layer alone randomised the mean correlation is {glue:text}`first-correlation`, with all of them {glue:text}`last-correlation`, where one is the same map and nought no relation. A single draw can come
# out anywhere in the fourth column, so that a check by one draw, as is usual, can pass or fail by chance. On average the maps change with the weights. Intervals cover patients only; empty maps count in no mean.
#
# ## What the measure can show: phantoms
#
# On synthetic radiographs the place of each opacity is known. A network of the same kind, trained on them, is measured with the same code. The pointing game asks whether the
# hottest point lies in the opacity; overlap is intersection over union of the opacity with the part of the map above half its maximum.

# %% tags=["remove-cell"]
phantom = studies.run("phantom-localisation") if origin == "recorded" else run
_, truth = studies.read_maps(phantom) if origin == "recorded" else (maps, where)

# %% tags=["remove-input"]
pages.items(phantom.info["lacked"], "What the phantom run is")

# %% tags=["remove-input"]
summary(["opacity", "lung mask"], truth, ["trained", "fc", "conv1"])

# %% tags=["remove-cell"]
hits = truth[
    (truth["kind"] == "opacity") & (truth["stage"] == "trained") & (truth["split"] == "test")
]
say("phantom-images", len(hits))
say("phantom-accuracy", f"{phantom.info['metrics']['accuracy']:.2f}")
if len(hits):
    say("phantom-peak", f"{100 * hits['peak'].mean():.0f}")
    say("phantom-chance", f"{100 * hits['region'].mean():.0f}")
    iou, low, high = metrics.mean_by_patient(hits["iou"], hits["patient_id"])
    say("phantom-iou", f"{iou:.2f} ({formatting.interval(low, high, decimals=2)})")

# %% [markdown]
# *Phantoms: {glue:text}`phantom-images` test pictures with an opacity; the network's accuracy is {glue:text}`phantom-accuracy`.*
#
# The hottest point lies in a true opacity in {glue:text}`phantom-peak` % of the pictures, where {glue:text}`phantom-chance` % would be chance; the overlap is {glue:text}`phantom-iou`.
# So where a network decides by the opacities the method finds them, coarsely. It is a demonstration on drawings: real radiographs are harder.
#
# ## What follows
#
# Five chosen pictures cannot show where a network looks. Over the COVID-19 test images with marked lungs the trained network puts {glue:text}`than` an even spread into the lungs ({glue:text}`spread` percentage points),
# and {glue:text}`outside` % of its activation elsewhere; {glue:text}`random-verdict`. "Manages to focus on the lung area instead of other areas" says more than that. And even a map well inside the lungs would not show that the
# network reads disease there: adults' lungs differ from children's, too.
#
# ## Run it yourself
#
# ```bash
# make train-env
# .venv/bin/python -m companion.build cams zhu-fourclass
# .venv/bin/cxr predict my-radiograph.png --cam out/
# ```
#
# The first makes the maps of the recorded model anew from the images in `CXR_DATA`; the second draws the map of a picture of your own. More under [Rerun it](../book/rerun.md).

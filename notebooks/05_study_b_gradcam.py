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
# **Question.** {cite:t}`zhu2020` draws {term}`Grad-CAM` maps {cite}`selvaraju2017` of five COVID-19 radiographs beside the radiologists' comments, and concludes that the four-class model "manages to focus on the lung area instead of other areas". Does it?
#
# **Answer.** Hardly more than a map of another patient's picture would. On the {glue:text}`images` COVID-19 test images with a lung mask {glue:text}`inside` % of the map's activation lies in the lungs. Maps of *other* patients, laid on the same lungs, have {glue:text}`others` % there. The picture's own map has {glue:text}`than-others` they have: the difference is {glue:text}`own-less-others` percentage points, with its {term}`95 % interval`. An even spread would put {glue:text}`region` % there, the lungs' share of the picture; on average the maps are cool in the corners. The other {glue:text}`outside` % of the activation lie outside the lungs.
#
# **How sure.** Could an untrained network do the same? {glue:text}`draws` with random weights were tried; {glue:text}`drawn` of them left any map. (A map shows only what raises the score. With unlucky weights nothing in any picture raises it, and the maps are empty.) The {glue:text}`drawn` put from {glue:text}`random-low` to {glue:text}`random-high` % of their activation into the lungs. In {glue:text}`below` of them that is less than in the trained network: {glue:text}`random-verdict`. This rests on {glue:text}`random-maps` maps of {glue:text}`images` images; {glue:text}`random-empty` more maps of these networks are empty. Against an even spread the trained network has {glue:text}`spread` percentage points more in the lungs, over {glue:text}`patients` patients; a map that is warm in the middle of any picture would beat an even spread, too. One trained network was measured, and the masks were drawn by another network. Even a map well inside the lungs would not show that disease is read there: adults' lungs differ from children's, too.

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
# folder of the collections, to show the radiographs too; default CXR_DATA, else data/
data: str | None = None
level: float = 0.95  # of the intervals
replicates: int = 2000  # resamples of the patients
hot: float = 0.5  # share of a map's maximum from which on a place counts as hot

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The run and its maps", "code_prompt_hide": "The run and its maps"}
import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from matplotlib.path import Path
from PIL import Image, ImageDraw
from traitlets import Float, Unicode

import cxrlib
from companion import pages, parameters, studies
from companion.studies import zhu2020
from cxrlib import explorer, formatting, plots
from cxrlib.data import covid_chestxray

parameters.check(globals())
record = studies.run(run_name, origin, data)
pages.changed(record)

maps, where = studies.read_maps(record)  # arrays with a map per image; a table of measurements
cams = dict(zip(maps["image_id"], maps["cam"], strict=True))  # 7 x 7 numbers each
about = pd.DataFrame({"part": maps["split"]}, index=maps["image_id"])
p = pd.concat([record.predictions, record.validation]).set_index("image_id")["p_covid"]
about["p_covid"] = p.reindex(about.index)  # training images have no recorded probability
about["hot"] = [(plots.enlarged(cam, (224, 224)) >= hot).mean() for cam in maps["cam"]]

# %% [markdown]
# ## Figures 4.5 to 4.9
#
# The colour says how much a place raised the network's score for COVID-19: dark red is the most in this picture, dark blue the least. A map has only {glue:text}`fields` numbers; whatever looks finer comes from enlarging it. [How a map is made](how-a-map-is-made) is explained at the end of the page.
#
# The radiographs themselves may not be published. Each map is drawn in the frame of its picture, with the outline of that image's lungs where one is known. The outlines come from masks that a network drew, which can leave out opaque parts of a lung. With the collections on disk, `CXR_DATA=… make book` shows the radiographs beside the maps.
#
# The thesis does not say which images it shows. They were found by the radiologists' comments, which are in the notes of the image collection. The thesis's own maps were not in the text that we have, so ours cannot be compared with them.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The five images, and how one is shown", "code_prompt_hide": "The five images, and how one is shown"}
STEMS = {
    "4.5": "covid-19-pneumonia-43-day0",
    "4.6": "covid-19-pneumonia-101",
    "4.7": "covid-19-pneumonia-24-day6",
    "4.8": "covid-19-infection-exclusive-gastrointestinal-symptoms-pa",
    "4.9": "covid-19-pneumonia-58-day-7",
}
shown = {figure: f"covid-chestxray/{stem}" for figure, stem in STEMS.items()}
absent = shown["4.7"] not in cams  # then another image of the same patient takes its place
if absent:
    shown["4.7"] = "covid-chestxray/covid-19-pneumonia-24-day7"

shapes = dict(zip(maps["image_id"], maps["shape"], strict=True))  # height and width in pixels


def covid(data):
    """The study's COVID-19 collection and the picture of Figure 4.6."""
    return pd.concat([covid_chestxray.read_manifest(data), zhu2020.outside(data)])


def show(image_id):
    """A map on its radiograph where that is on disk, else on the outline of the lungs."""
    if image_id not in cams:
        display(pages.items([f"This run has no map of {image_id}."]))
        return
    picture = pages.radiograph(covid, image_id, data)
    pages.show_map(image_id, picture, cams[image_id], shapes[image_id])


# %% tags=["hide-input", "small"] cxr={"items": ["Figure 4.5"]} mystnb={"code_prompt_show": "Figure 4.5", "code_prompt_hide": "Figure 4.5", "figure": {"caption": "Figure 4.5, rebuilt: patient 144, {glue:text}`part-4-5`. The radiologist's comment in the thesis: \"patchy areas of air space opacification bilaterally with a lower zone predominance.\""}, "image": {"alt": "Grad-CAM map for COVID-19 in the frame of patient 144's picture, without an outline of the lungs, as none is known: warm nearly everywhere, coolest in the upper corners. The table below gives the hot share."}}
show(shown["4.5"])

# %% tags=["hide-input", "small"] cxr={"items": ["Figure 4.6"]} mystnb={"code_prompt_show": "Figure 4.6", "code_prompt_hide": "Figure 4.6", "figure": {"caption": "Figure 4.6, rebuilt: patient 203, {glue:text}`part-4-6`. The radiologist's comment in the thesis: \"there is peripheral patchy air space opacification seen in both lung lower zones with diffuse ground-glass haze bilaterally.\""}, "image": {"alt": "Grad-CAM map for COVID-19 on the outline of patient 203's lungs, from a mask: hottest at the lower end of the lung on the right of the picture, warm as well at the top of the one on the left. The table below gives the hot share."}}
show(shown["4.6"])

# %% [markdown]
# In the version of the collection that has the thesis's numbers, no notes contain the comment of Figure 4.6. It stands word for word in the notes of a file that the collection took up between 8 May and 4 June 2020, from a site that the thesis names for its comments. So this picture is none of the {glue:text}`covid-images` listed.

# %% tags=["hide-input", "small"] cxr={"items": ["Figure 4.7"]} mystnb={"code_prompt_show": "Figure 4.7", "code_prompt_hide": "Figure 4.7", "figure": {"caption": "Figure 4.7, rebuilt: patient 116, {glue:text}`part-4-7`. The radiologist's comment in the thesis: \"multifocal consolidation in right mid zone and left mid/lower zones.\" {glue:text}`other-image`"}, "image": {"alt": "Grad-CAM map for COVID-19 on the outline of patient 116's lungs, from a mask: hottest in the lung on the left of the picture, warm over both. The table below gives the hot share."}}
show(shown["4.7"])

# %% tags=["hide-input", "small"] cxr={"items": ["Figure 4.8"]} mystnb={"code_prompt_show": "Figure 4.8", "code_prompt_hide": "Figure 4.8", "figure": {"caption": "Figure 4.8, rebuilt: patient 98, {glue:text}`part-4-8`. The radiologist's comment in the thesis: \"multiple faint alveolar opacities are identified, predominantly peripheral with greater involvement of the upper lobes.\""}, "image": {"alt": "Grad-CAM map for COVID-19 on the outline of patient 98's lungs, from a mask: hottest below the lung on the right of the picture, at its inner lower edge. The table below gives the hot share."}}
show(shown["4.8"])

# %% [markdown]
# The collection has two pictures of the patient of Figure 4.8 under the same notes. The other is a lateral view filed as frontal, which the thesis's selection therefore took in as well. In our split that one is {glue:text}`lateral-part`.

# %% tags=["hide-input", "small"] cxr={"items": ["Figure 4.9"]} mystnb={"code_prompt_show": "Figure 4.9", "code_prompt_hide": "Figure 4.9", "figure": {"caption": "Figure 4.9, rebuilt: patient 173, {glue:text}`part-4-9`. The radiologist's comment in the thesis: \"there is established left upper lobe and now progressive patchy consolidation in left lower, right upper and middle lobes.\""}, "image": {"alt": "Grad-CAM map for COVID-19 on the outline of patient 173's lungs, from a mask: a hot band across the lower third of the picture, from side to side. The table below gives the hot share."}}
show(shown["4.9"])

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The five in a table", "code_prompt_hide": "The five in a table"}
PARTS = {"train": "training", "val": "validation", "test": "test", "outside": "not in the study"}
five = about.reindex(shown.values())
columns = {
    "Figure": list(shown),
    "File": five.index.str.partition("/").get_level_values(2),
    "Part of our split": five["part"].map(PARTS).fillna("no map").to_list(),
    "Probability of COVID-19": [formatting.number(value) for value in five["p_covid"]],
    "Hot, % of the picture": [formatting.number(100 * value, 0) for value in five["hot"]],
}
caption = f"The five images. Hot: at least {hot:g} times the map's maximum."
pages.table(pd.DataFrame(columns), caption=caption, name="five-maps")

# %% [markdown]
# Of Figures 4.5 and 4.6 the thesis says that the model "focuses on the right area", of 4.7 to 4.9 that it "tends to be unfocused". On our maps the hot area is large in all five, and in the test images it is {glue:text}`hot` % of the picture on average. Neither group is focused. The thesis does not say whether its five were test images; only validation and test images have a recorded probability here.
#
# Below is {ref}`the map of Figure 4.6 <map-with-a-slider>` once more.


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Figure 4.6 with its slider", "code_prompt_hide": "Figure 4.6 with its slider", "figure": {"caption": "The map of Figure 4.6 over its radiograph or, where that is not shown, over the lungs in grey. The slider moves the map's opacity.", "name": "map-with-a-slider"}}
class CamSlider(explorer.Widget):
    """A map over a picture, with an opacity to move."""

    kind = explorer.shared(Unicode("cam"))
    opacity = explorer.shared(Float(0.5, min=0, max=1))

    def plain(self):  # for readers without JavaScript
        return pd.DataFrame({"Shown with JavaScript": [self.data["label"]]})


def as_address(pixels):
    """An image as an address that holds it."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def lungs_in_grey(image_id):
    """The lungs of an image, filled in grey, on white."""
    height, width = map(int, shapes[image_id])
    picture = Image.new("L", (width, height), 255)
    for polygons in pages.lung_outlines(image_id).values():
        for xy in polygons:
            ImageDraw.Draw(picture).polygon([tuple(point) for point in xy * (width, height)], 120)
    return np.asarray(picture)


moved = shown["4.6"]
if moved in cams:
    picture = pages.radiograph(covid, moved, data)
    picture = lungs_in_grey(moved) if picture is None else picture
    heat = plt.get_cmap("jet")(plots.enlarged(cams[moved], (224, 224)), bytes=True)[..., :3]
    sides = {"height": picture.shape[0], "width": picture.shape[1]}
    images = {"heat": as_address(heat), "picture": as_address(picture)}
    display(CamSlider(data=images | sides | {"label": "Grad-CAM of Figure 4.6"}))

# %% [markdown]
# ## The lungs, as a number
#
# Five chosen pictures cannot show where a network looks. For some of its images the collection has lung masks, which a network drew, and lung boxes, which people drew. With these, the share of the activation that lies in the lungs can be measured on many images and compared with three things:
#
# - **Other patients' maps.** The map of another patient cannot follow these lungs. Laid on them, it tells what a map gets for being where maps usually are.
# - **An even spread.** Activation spread evenly over the picture would have in the lungs just their share of the picture.
# - **Random weights.** A network that has learned nothing has maps too: they follow the brightness and texture of the picture. So more and more of the trained network's layers are replaced by random ones, from the last layer upwards, {glue:text}`draws` times each.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Measure it", "code_prompt_hide": "Measure it"}
STAGES = {"trained": "Trained", "fc": "Last layer random"}
STAGES |= {f"layer{k}": f"Random down to layer{k}" for k in (4, 3, 2, 1)}
STAGES |= {"conv1": "All layers random"}
kinds = ["lung mask", "lung box" if record.info["origin"] == "images" else "opacity"]


def mean(values):
    """Mean over images, in per cent, with its interval over patients."""
    patients = values.index.get_level_values("patient_id")
    found = cxrlib.mean_by_patient(100 * values, patients, replicates=replicates, level=level)
    return cxrlib.Interval(*found)


def shares(where, kind, stages=STAGES):
    """A row for each network, and the share of each draw of random weights."""
    each, draws = pages.maps_by_stage(where, kind)  # by image; by draw of the random weights
    inside, peak = each["inside"], each["peak"]
    rows = pd.DataFrame(index=list(stages))
    rows["inside"] = [mean(inside[stage]) for stage in stages]
    rows["peak"] = [mean(peak[stage]) for stage in stages]
    rows["trained less this"] = [mean(inside["trained"] - inside[stage]) for stage in stages]
    even = each["region"]["trained"]
    rows.loc["even"] = [mean(even), mean(even), mean(inside["trained"] - even)]
    return rows, 100 * draws


measured = {kind: shares(where, kind) for kind in kinds}


def laid_on(where):
    """The share of each test image's own map inside its lungs, and the mean of other patients'
    maps laid on them, by the recorded outlines; None where none of a mask is recorded.
    """
    rows = where.query("kind == 'lung mask' and stage == 'trained' and split == 'test'")
    outlines = [
        pages.lung_outlines(name).get("Lungs' outline, from a mask") for name in rows["image_id"]
    ]
    if not outlines or any(each is None for each in outlines):
        return None
    tested = about.index[about["part"] == "test"]
    spread = np.array([plots.enlarged(cams[name], (224, 224)).ravel() for name in tested])
    spread /= spread.sum(axis=1, keepdims=True)
    centres = (np.arange(224) + 0.5) / 224
    at = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
    lungs = [np.any([Path(xy).contains_points(at) for xy in each], axis=0) for each in outlines]
    found = pd.DataFrame(np.array(lungs) @ spread.T, index=rows["image_id"], columns=tested)
    patient = record.split.set_index("image_id")["patient_id"]
    others = found.mask(patient[rows["image_id"]].to_numpy()[:, None] == patient[tested].to_numpy())
    own = [found.loc[name, name] for name in rows["image_id"]]
    table = pd.DataFrame({"own": own, "others": others.mean(axis=1).to_numpy()})
    return table.set_axis(pd.Index(rows["patient_id"], name="patient_id"))


other_maps = laid_on(where)


def dots(ax, rows, draws):
    """A stroke for each draw of random weights and a ring for their mean; for the trained network,
    which is one, a dot with its interval.
    """
    for place, stage in enumerate(rows.index):
        if stage == "trained":
            value = rows[stage]
            reach = [[value.estimate - value.low], [value.high - value.estimate]]
            ax.errorbar(value.estimate, place, xerr=reach, fmt="o", color="black", capsize=3)
            continue
        strokes = draws.get(stage, pd.Series(dtype=float)).dropna()
        ax.plot(strokes, [place] * len(strokes), "|", color=pages.COLORS["redraw"], markersize=11)
        ax.plot(strokes.mean(), place, "o", color="black", markerfacecolor="white")
    ax.set_yticks(range(len(rows)), [STAGES[stage] for stage in rows.index])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="x", alpha=0.3)


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Share of the activation in the lungs", "code_prompt_hide": "Share of the activation in the lungs", "figure": {"caption": "Share of the activation in the lungs of the COVID-19 test images, by network. Dot: the trained network, mean over images, with its 95 % interval over patients. Blue strokes: single draws of random weights, each the mean of its maps that are not empty. Rings: mean over these draws. Dotted line: an even spread. Dashed, with masks: other patients' maps of the trained network.", "name": "activation-in-the-lungs"}, "image": {"alt": "Two panels, lung masks and lung boxes, with a line for each network. The trained network's dot lies a few points to the right of the dotted line of an even spread and, with masks, close to the dashed line of other patients' maps. The means of the random networks lie to the left of both lines, but their single draws are spread widely, and some lie to the right of the trained network's dot."}}
with plots.style():
    axes = plt.subplots(1, len(kinds), figsize=(7, 3.6), sharey=True)[1]
    for ax, (kind, (rows, draws)) in zip(axes, measured.items(), strict=True):
        dots(ax, rows.loc[list(STAGES), "inside"], draws)
        ax.axvline(rows.loc["even", "inside"].estimate, color="0.3", linestyle=":")
        if kind == "lung mask" and other_maps is not None:
            ax.axvline(100 * other_maps["others"].mean(), color="0.3", linestyle="--")
        ax.set(title=kind.capitalize(), xlabel="Activation inside, %")
plt.show()


# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The same as a table", "code_prompt_hide": "The same as a table"}
def as_text(kind, rows, draws):
    """The rows of :func:`shares` for readers."""
    shown = pd.DataFrame({"Region": kind.capitalize(), "Network": rows.index.map(NAMES)})
    ends = draws.drop("trained").groupby("stage").agg(["mean", "min", "max"]).reindex(rows.index)
    for column in ("inside", "peak"):
        shown[column] = [formatting.with_interval(*each, decimals=1) for each in rows[column]]
        shown.loc[rows.index == "even", column] = f"{rows.loc['even', column].estimate:.1f}"
    less = [formatting.signed(*each, decimals=1) for each in rows["trained less this"]]
    shown["less"] = np.where(rows.index == "trained", "", less)
    drawn = [f"{low:.1f} to {high:.1f}" for low, high in ends[["min", "max"]].to_numpy()]
    shown["draws"] = np.where(ends["min"].isna(), "", drawn)
    shown["mean"] = ["" if np.isnan(value) else f"{value:.1f}" for value in ends["mean"]]
    return shown[["Region", "Network", "inside", "mean", "draws", "less", "peak"]]


NAMES = STAGES | {"even": "Even spread"}
HEADS = ["Region", "Network", "Activation inside, % (mean over maps)", "Mean over draws"]
HEADS += ["Lowest and highest draw"]
HEADS += ["Trained less this, points", "Peak inside, % of images"]
table = pd.concat(as_text(kind, *found) for kind, found in measured.items())
pages.table(table.set_axis(HEADS, axis=1), caption="Where the activation lies, by network")

# %% [markdown]
# The difference from the trained network is taken image by image. "Peak" is how often the hottest point lies in the region. The intervals are 95 %, from {glue:text}`replicates` resamples of patients; they do not cover the draws of random weights. A map without any activation, which random layers often give, counts in no mean. So the mean over maps follows the draws that left many of them; in the mean over draws, the ring of the chart, each draw with any map counts once.
#
# Other patients' maps of the trained network, laid on the same lungs, have {glue:text}`others` % inside; a picture's own map has {glue:text}`own-less-others` points more. (Measured on the recorded outlines of the masks, where a picture's own maps have {glue:text}`own-outline` % inside. Boxes have no such comparison, because outlines of boxes are recorded only for images without a mask.) So what exceeds an even spread is nearly all in the place where maps usually are.
#
# With all layers random the share in the lungs goes from {glue:text}`random-low` to {glue:text}`random-high` %, by the draw alone. {glue:text}`drawn` of {glue:text}`draws` draws leave a map. (In the rest the weighted sum behind the map is nowhere above zero, in any picture, and ReLU makes all of it zero: see [the formula](how-a-map-is-made).) Of those with a map {glue:text}`below` lie below the trained network; with boxes, {glue:text}`below-box` of {glue:text}`drawn-box`. The trained network's hottest point lies in the lungs in {glue:text}`peak` % of the images.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Image by image", "code_prompt_hide": "Image by image", "figure": {"caption": "The trained network, image by image: {glue:text}`images` images with a mask and {glue:text}`images-box` with boxes. On the dotted line the activation is spread as if the lungs played no part.", "name": "activation-image-by-image"}, "image": {"alt": "Scatter of test images: share of the picture that is lung against share of the activation inside, with the diagonal of equality, for lung masks and for boxes. Nearly all points lie a little above the diagonal."}}
with plots.style():
    axes = plt.subplots(1, len(kinds), figsize=(7, 3.9))[1]
    for ax, kind in zip(axes, kinds, strict=True):
        each = pages.maps_by_stage(where, kind)[0].xs("trained", axis=1, level="stage")
        ax.plot([0, 1], [0, 1], color="0.3", linestyle=":", label="Even spread")
        dot = {"s": 24, "color": plots.look("covid")["color"], "alpha": 0.8, "edgecolor": "white"}
        ax.scatter(each["region"], each["inside"], **dot, label="Test image")
        ax.set(title=kind.capitalize(), xlim=(0, 1), ylim=(0, 1), aspect="equal")
        ax.set(xlabel="Region's share of the picture", ylabel="Share of activation inside")
        ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# With boxes ({glue:text}`images-box` images) the trained network puts {glue:text}`spread-box` points more into them than an even spread. How much of that other patients' maps would have was not measured.
#
# ## Where the activation lies on average

# %% tags=["hide-input", "small"] mystnb={"code_prompt_show": "Mean of the maps", "code_prompt_hide": "Mean of the maps", "figure": {"caption": "Mean map of the COVID-19 test images, each map divided by its own maximum.", "name": "mean-map"}, "image": {"alt": "Mean of the 7 by 7 Grad-CAM maps of the COVID-19 test images, each scaled by its own maximum, as a heat map with numbers: lowest in the corners, high nearly everywhere else."}}
tested = maps["cam"][maps["split"] == "test"]
top = tested.max(axis=(1, 2), keepdims=True)
mean_map = (tested / np.where(top > 0, top, 1)).mean(axis=0)  # each map by its own maximum

with plots.style():
    ax = plt.subplots(figsize=(5, 4.3))[1]
    drawn = ax.imshow(mean_map, cmap="cividis", vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(mean_map):
        dark = "white" if value < 0.55 else "black"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=dark)
    ax.set(xticks=[], yticks=[], xlabel="Left of the picture is usually the patient's right")
    ax.figure.colorbar(drawn, ax=ax, label="Mean share of the map's maximum")
plt.show()

# %% [markdown]
# The maps are wide. The corners are cool. The middle column is a little cooler than its neighbours; the spine lies there, between the lungs. The warm part goes beyond the lungs at the sides and below. The highest number in the figure is {glue:text}`warmest-over` times the lowest of its inner 5 × 5 fields.
#
# ## Sanity check: do the maps depend on what was learned?
#
# If a map stays the same when the weights are replaced by random ones, it shows the picture and not the network {cite}`adebayo2018`. The chart gives the rank correlation between the trained network's map and the randomised one's, stage by stage: 1 is the same map, 0 no relation.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Rank correlation of the maps", "code_prompt_hide": "Rank correlation of the maps"}
ids = list(maps["random_id"])  # the test images
patients = record.split.set_index("image_id")["patient_id"][ids]


def ranks(drawn):
    """A column for each map: the ranks of its fields."""
    return pd.DataFrame(np.reshape(drawn, (len(ids), -1)).T, columns=ids).rank()


trained = ranks([cams[name] for name in ids])
alike = {}  # by stage: a row for each draw, a column for each image; NaN where a map is empty
for stage, drawn in zip(maps["stage"], np.swapaxes(maps["random_cam"], 0, 1), strict=True):
    alike[stage] = pd.DataFrame([trained.corrwith(ranks(each)) for each in drawn])

options = {"replicates": replicates, "level": level}
correlations = pd.Series(
    {
        stage: cxrlib.mean_by_patient(each.mean(), patients, **options)
        for stage, each in alike.items()
    }
)
by_draw = pd.concat({stage: each.mean(axis=1) for stage, each in alike.items()})

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Draw the check", "code_prompt_hide": "Draw the check", "figure": {"caption": "Rank correlation between the trained network's maps and those of networks with random layers. Blue strokes: single draws, each the mean of its maps that are not empty. Rings: mean over these draws, each counting once. With the last layer random {glue:text}`first-empty` % of the maps are empty; the mean over all maps that are not would be {glue:text}`first-correlation-maps`, because the draws that left a map of every picture are among the highest.", "name": "sanity-check"}, "image": {"alt": "A line for each stage of randomisation. The mean over draws is about 0.1 with the last layer random and close to 0 at every other stage; single draws spread from about minus 0.4 to plus 0.9."}}
with plots.style():
    ax = plt.subplots(figsize=(7, 3.2))[1]
    dots(ax, correlations, by_draw)
    ax.axvline(0, color="0.3", linestyle=":")
    ax.set(xlim=(-1, 1), xlabel="Rank correlation with the trained network's map")
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The check as a table", "code_prompt_hide": "The check as a table"}
sanity = pd.DataFrame({"Network": [STAGES[stage] for stage in alike]})
means = [by_draw[stage].mean() for stage in alike]
sanity["Mean over draws"] = [formatting.number(round(each, 2) + 0.0, 2) for each in means]
ends = [formatting.interval(each.low, each.high, decimals=2) for each in correlations]
drawn = [by_draw[stage] for stage in alike]
lowest = [formatting.signed(each.min(), each.max(), decimals=2) for each in drawn]
sanity["Lowest and highest draw"] = lowest
sanity["Draws with a map"] = [each.notna().sum() for each in drawn]
over_maps = [formatting.number(round(each.estimate, 2) + 0.0, 2) for each in correlations]
sanity["Mean over maps"] = over_maps
sanity["Its 95 % interval"] = ends
sanity["Empty maps, %"] = [f"{100 * each.isna().mean(axis=None):.0f}" for each in alike.values()]
pages.table(sanity, caption="Rank correlation with the trained network's maps")

# %% [markdown]
# With only the last layer random the mean correlation over the draws is {glue:text}`first-correlation`, with all layers random {glue:text}`last-correlation`. So on average the maps change with the weights. (With the last layer random {glue:text}`first-full` draws left a map of every picture, and the others {glue:text}`first-few`. The mean over maps, {glue:text}`first-correlation-maps`, is mostly that of the former.) But a single draw can come out anywhere in the range of the strokes: a check by one draw, as is usual, can pass or fail by chance. The intervals cover patients only; empty maps count in no mean.
#
# ## What the measure can show: phantoms
#
# On synthetic radiographs the place of each opacity is known. A network of the same kind was trained on them and measured with the same code. The pointing game asks whether the hottest point lies in the opacity. Overlap is intersection over union of the opacity with the part of the map above half its maximum.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The same measure on phantoms", "code_prompt_hide": "The same measure on phantoms"}
phantom = studies.run("phantom-localisation") if origin == "recorded" else record
truth = studies.read_maps(phantom)[1] if origin == "recorded" else where
few = ["trained", "fc", "conv1"]
found = {kind: shares(truth, kind, few) for kind in ("opacity", "lung mask")}
table = pd.concat(as_text(kind, *each) for kind, each in found.items())
pages.table(
    table.set_axis(HEADS, axis=1), caption="Phantoms: where the activation lies, by network"
)

# %% [markdown]
# There are {glue:text}`phantom-images` test pictures with an opacity; the network's {term}`accuracy` is {glue:text}`phantom-accuracy`. The hottest point lies in a true opacity in {glue:text}`phantom-peak` % of them, where {glue:text}`phantom-chance` % would be chance. The overlap is {glue:text}`phantom-iou`.
#
# So where a network decides by the opacities, the method finds them, coarsely. These are drawings; real radiographs are harder.
#
# (how-a-map-is-made)=
# ## How a map is made
#
# Let $A_k$ be the $k$-th channel of the last convolutional layer, 7 × 7 numbers in this network, and $s_c$ the score of class $c$ before softmax. The map is
#
# $$L_c = \text{ReLU}\left(\sum_k \alpha_k A_k\right),$$
#
# $$\alpha_k = \frac{1}{49} \sum_{i,j} \frac{\partial s_c}{\partial A_{k,ij}}.$$
#
# It is enlarged smoothly over the picture, in the colours that Study A describes for its own. Each map is divided by its own maximum, so that a faint map looks as hot as any other; a map without any activation is blue. It shows what raised the score, not why.
#
# The last convolutional stage, which Grad-CAM reads, began from weights that are not exactly torchvision's, as the list below says.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "What this run lacked", "code_prompt_hide": "What this run lacked"}
pages.items(record.info["lacked"], "What this run lacked")

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "What the phantom run is", "code_prompt_hide": "What the phantom run is"}
pages.items(phantom.info["lacked"], "What the phantom run is")

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The numbers in the sentences", "code_prompt_hide": "The numbers in the sentences"}
facts, verdicts = {}, []
OF_RANDOM = "kind == @kind and stage == 'conv1' and split == 'test'"
for suffix, (kind, (rows, draws)) in zip(("", "-box"), measured.items(), strict=True):
    each = pages.maps_by_stage(where, kind)[0]
    inside, spread = rows["inside"]["trained"].estimate, rows["trained less this"]["even"]
    random = draws["conv1"].dropna()  # a draw may leave no map at all
    verdicts.append((random < inside).all())
    facts |= {
        f"images{suffix}": len(each),
        f"patients{suffix}": each.index.get_level_values("patient_id").nunique(),
        f"region{suffix}": f"{rows['inside']['even'].estimate:.1f}",
        f"inside{suffix}": f"{inside:.1f}",
        f"outside{suffix}": f"{100 - inside:.1f}",
        f"peak{suffix}": f"{rows['peak']['trained'].estimate:.1f}",
        f"spread{suffix}": formatting.signed(*spread, decimals=1),
        f"drawn{suffix}": len(random),
        f"below{suffix}": int((random < inside).sum()),
        f"random-maps{suffix}": int(where.query(OF_RANDOM)["inside"].notna().sum()),
        f"random-empty{suffix}": len(random) * len(each)
        - int(where.query(OF_RANDOM)["inside"].notna().sum()),
        f"random-low{suffix}": f"{random.min():.1f}",
        f"random-high{suffix}": f"{random.max():.1f}",
    }
some = "a network that learned nothing can put as much there"

hits = truth.query("kind == 'opacity' and stage == 'trained' and split == 'test'")
iou = cxrlib.mean_by_patient(hits["iou"], hits["patient_id"], **options)
facts |= {
    "phantom-images": len(hits),
    "phantom-accuracy": f"{phantom.info['metrics']['accuracy']:.2f}",
    "phantom-peak": formatting.number(100 * hits["peak"].mean(), 0),
    "phantom-chance": formatting.number(100 * hits["region"].mean(), 0),
    "phantom-iou": formatting.with_interval(*iou, decimals=2),
}

WORDS = {
    "train": "an image of the training set",
    "val": "an image of the validation fold",
    "test": "a test image",
    "outside": "not among the images of the study",
}
parts = {
    f"part-{figure.replace('.', '-')}": about["part"].get(name) for figure, name in shown.items()
}
parts["lateral-part"] = record.split.set_index("image_id")["split"].get(zhu2020.LATERAL)
other = (
    f"It belongs to {STEMS['4.7']}, which was not on disk; this is another image of the patient."
)
left = next(iter(alike.values())).notna().sum(axis=1)  # maps of each draw, last layer random
unknown = "(not known for this run)"


def than(low, high):
    """What the interval of a difference says of it."""
    if low > 0:
        return "more than"
    return "less than" if high < 0 else "no more and no less, within the interval, than"


gain = None if other_maps is None else mean(other_maps["own"] - other_maps["others"])
inner = mean_map[1:-1, 1:-1] if min(mean_map.shape) > 2 else mean_map  # a phantom's map is small
pages.glue_all(
    facts
    | {name: WORDS.get(part, "not in this run") for name, part in parts.items()}
    | {
        "random-verdict": "no random network reaches it" if all(verdicts) else some,
        "other-image": other if absent else "",
        "covid-images": int((record.split["y_true"] == "covid").sum()),
        "fields": " × ".join(map(str, mean_map.shape)),
        "hot": f"{100 * about['hot'][about['part'] == 'test'].mean():.0f}",
        "draws": where["draw"].nunique(),
        "replicates": replicates,
        "warmest-over": f"{mean_map.max() / inner.min():.1f}",
        "first-correlation": sanity["Mean over draws"].iloc[0],
        "last-correlation": sanity["Mean over draws"].iloc[-1],
        "first-correlation-maps": sanity["Mean over maps"].iloc[0],
        "first-empty": sanity["Empty maps, %"].iloc[0],
        "first-full": int((left == len(ids)).sum()),
        "first-few": f"{left[left < len(ids)].min()} to {left[left < len(ids)].max()}"
        if (left < len(ids)).any()
        else "none",
        "others": unknown if other_maps is None else f"{100 * other_maps['others'].mean():.1f}",
        "own-outline": unknown if other_maps is None else f"{100 * other_maps['own'].mean():.1f}",
        "own-less-others": unknown if gain is None else formatting.signed(*gain, decimals=1),
        "than-others": unknown if gain is None else than(gain.low, gain.high),
    }
)

# %% [markdown]
# ## Run it yourself
#
# ```bash
# make train-env
# .venv/bin/python -m companion.build cams zhu-fourclass
# .venv/bin/cxr predict my-radiograph.png --cam out/
# .venv/bin/cxr run 05 -p origin phantom
# ```
#
# The first command sets up Python. The second makes the maps of the recorded model again from the images in `CXR_DATA`; the third draws the map of a picture of your own; the last makes this page on synthetic images, in seconds. More under [Rerun it](../book/rerun.md).

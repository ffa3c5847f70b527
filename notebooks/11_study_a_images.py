# ---
# jupyter:
#   cxr:
#     records: []
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
# # The images of Study A
#
# **Question.** {cite:t}`cheazemin2020` trained a network on radiographs of [ChestX-ray14](https://doi.org/10.1109/CVPR.2017.369) in which [radiologists had settled together](https://doi.org/10.1148/radiol.2019191293) whether the lung is opaque. They tested it on COVID-19 radiographs {cite}`cohen2020` among others with "No Finding". Which images were these, and how many?
#
# **Answer.** How many images tested the network can be worked out: the paper prints {glue:text}`negatives` negatives and a share of {glue:text}`prevalence` COVID-19, and the number of COVID-19 images that gives this share to two decimals is {glue:text}`fitting`. How many trained and validated it is unknown. The counts are in the paper's Figure 1; the text we have holds its caption but not the picture.
#
# **How sure.** The size of the test set follows from the printed numbers; which images are in it does not. Two states of the COVID-19 collection fit, with different patients. The negatives' label is uncertain too: where radiologists read images that the text of the report calls "No Finding", they saw airspace opacity in {glue:text}`opaque-share`.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
from typing import Literal

# recorded: the counts kept in results/; images: counted again in the collections' lists. There are no
# phantoms of these lists
origin: Literal["recorded", "images"] = "recorded"
data: str | None = None  # folder of the collections, for "images"; default CXR_DATA, else data/
snapshot: Literal["29e0b70", "0bae3ba"] = "29e0b70"  # state of the COVID-19 collection, a commit
exclude: Literal["patient", "image"] = "patient"  # what "mutually exclusive" is taken to mean

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the counts", "code_prompt_hide": "Load the counts"}
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from matplotlib.patches import FancyBboxPatch, Patch

from companion import pages, parameters, studies
from companion.diagrams import arrow, canvas, note
from companion.studies import cheazemin2020
from cxrlib.data import chestxray14

parameters.check(globals())
counts = {  # a table each, and what counts it
    "cheazemin2020": cheazemin2020.flow,
    "cheazemin2020-shared": cheazemin2020.sharing,
    "cheazemin2020-standin": cheazemin2020.standin_flow,
}
if origin == "recorded":
    folder = studies.results_folder() / "flow"
    tables = [pd.read_csv(folder / f"{name}.csv").convert_dtypes() for name in counts]
else:
    tables = [count(data) for count in counts.values()]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What the paper prints, and what fits it", "code_prompt_hide": "What the paper prints, and what fits it"}
flow, sharing, standin = tables
flow, standin = flow.set_index("step"), standin.set_index("step")
sharing = sharing.set_index(["exclude", "first", "second"])
images, patients = flow["images"], flow["patients"]
covid = f"test COVID-19, {snapshot}"
can_be_drawn = f"No Finding, {exclude} not adjudicated"
printed = studies.printed("cheazemin2020").set_index("id")["printed"]
negatives, prevalence = int(printed["azemin-2-negatives"]), printed["azemin-2-prevalence"]
shares = {n: 100 * n / (n + negatives) for n in range(1, negatives)}
fitting = [n for n, share in shares.items() if f"{share:.2f}" == prevalence]  # COVID-19 images

# %% [markdown]
# ## Figure 1: from the collections to the three sets
#
# The figure counts images and patients at each step. The layout is ours. For counting, the published lists are enough; no radiograph is needed.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "How a box is drawn", "code_prompt_hide": "How a box is drawn"}
WIDE, TALL = 1.6, 0.86  # inches
LOOKS = {  # is the paper's own number known? Fill, edge, line, and what they mean
    True: ("white", pages.COLORS["printed"], "-", "the paper's text has the number"),
    False: ("#F2F2F2", "#777777", (0, (4, 2)), "the paper's own number is unknown"),
}


def box(ax, x, y, title, lines, paper=""):
    """A box centred at (x, y): its name, our counts, and what the paper prints, if known."""
    fill, edge, line, _ = LOOKS[bool(paper)]
    corner, style = (x - WIDE / 2, y - TALL / 2), "round,pad=0,rounding_size=0.06"
    look = {"facecolor": fill, "edgecolor": edge, "linestyle": line, "linewidth": 1.5}
    ax.add_patch(FancyBboxPatch(corner, WIDE, TALL, boxstyle=style, **look))
    note(ax, x, y - 0.27, title, weight="bold", size=9)
    note(ax, x, y - 0.01, "\n".join(lines), size=9)
    note(ax, x, y + 0.28, f"paper: {paper or '?'}", style="italic", size=9)


# %% tags=["hide-input"] mystnb={"code_prompt_show": "What each box says", "code_prompt_hide": "What each box says"}
def both(step):
    return [f"{images[step]:,} images", f"{patients[step]:,} patients"]


def opacity(step):
    return [f"{images[f'{step}, {part}']:,} {part}" for part in ("opacity", "no opacity")]


first, second = "adjudicated validation set", "adjudicated test set"
collection = f"radiographs of the COVID-19 collection, {snapshot}"
drawn = sharing.loc[(exclude, "train or val", "test"), "second_patients"]
share = 100 * images[covid] / images["test set"]
negative_lines = [f"{negatives:,} images", f"{drawn:,} patients"]
test_lines = [f"{images['test set']:,} images", f"{share:.2f} % COVID-19"]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Where the boxes stand, and what leads to what", "code_prompt_hide": "Where the boxes stand, and what leads to what"}
columns, rows = (0.9, 2.62, 4.35, 6.1), (0.55, 1.95, 3.35, 4.83, 6.3)  # centres, inches
boxes = {  # place, title, our counts, what the paper prints
    "list": (3.05, rows[0], "ChestX-ray14", both("listed by ChestX-ray14")),
    "read": (1.76, rows[1], "Adjudicated", both("adjudicated")),
    "clear": (columns[2], rows[1], "No Finding by text", both("No Finding")),
    "first": (columns[0], rows[2], "Google: validation", both(first)),
    "second": (columns[1], rows[2], "Google: test", both(second)),
    "drawable": (columns[2], rows[2], "Can be drawn", both(can_be_drawn)),
    "collection": (columns[3], rows[2], "COVID-19 collection", both(collection)),
    "train": (columns[0], rows[3], "Training (assumed)", opacity(first)),
    "val": (columns[1], rows[3], "Validation (assumed)", opacity(second)),
    "negatives": (columns[2], rows[3], "Test: negatives", negative_lines, str(negatives)),
    "covid": (columns[3], rows[3], "Test: COVID-19", both(covid)),
    "test": (5.22, rows[4], "Test", test_lines, f"{prevalence} %"),
}
links = [("list", "read"), ("list", "clear"), ("read", "first"), ("read", "second")]
links += [("first", "train"), ("second", "val"), ("clear", "drawable"), ("drawable", "negatives")]
links += [("collection", "covid"), ("negatives", "test"), ("covid", "test")]

# %% tags=["hide-input"] cxr={"items": ["Figure 1"]} mystnb={"code_prompt_show": "Figure 1", "code_prompt_hide": "Figure 1", "figure": {"caption": "Figure 1, rebuilt: images and patients at each step; the negatives are drawn with seed {glue:text}`seed`. The adjudicated images are Google's two sets, which are named there \"validation\" and \"test\"; which of them the paper trained on is assumed."}, "image": {"alt": "Flow chart. ChestX-ray14 parts into adjudicated images, which become a training and a validation set, each with and without opacity, and images with No Finding, from which the test negatives are drawn after those that are adjudicated are taken out. The negatives and the frontal COVID-19 images of another collection make the test set. Of the paper's own numbers only the negatives and the share of COVID-19 are known; all other boxes are marked with a question mark."}}
ax = canvas(6.9)
for content in boxes.values():
    box(ax, *content)
for start, end in links:
    (x, y), (to_x, to_y) = boxes[start][:2], boxes[end][:2]
    fork = (y + to_y) / 2
    arrow(ax, (x, y + TALL / 2), (x, fork), (to_x, fork), (to_x, to_y - TALL / 2))
low, right = (rows[2] + rows[3]) / 2, {"ha": "right", "size": 9}
note(ax, columns[2] - 0.08, (rows[1] + rows[2]) / 2, f"{exclude}s not\nadjudicated", **right)
note(ax, columns[2] - 0.08, low, "at random", **right)
note(ax, columns[3] - 0.08, low, "COVID-19,\nfrontal", **right)
keys = [Patch(fc=fill, ec=edge, ls=line, label=text) for fill, edge, line, text in LOOKS.values()]
ax.legend(handles=keys, loc="lower left", frameon=False, fontsize=9)
plt.show()

# %% [markdown]
# **How many in the test set.** The paper does not say how many COVID-19 images it tested. With {glue:text}`covid` of them the test set has {glue:text}`test` images.
#
# **Which COVID-19 images.** Of the states of the COVID-19 collection published until June 2020, two have {glue:text}`covid` frontal COVID-19 radiographs, each by its own reading of "frontal". Commit {glue:text}`commit-0` has them if PA and AP views count, of {glue:text}`covid-patients-0` patients. Commit {glue:text}`commit-1` has them if supine AP views count too, of {glue:text}`covid-patients-1` patients. Which was used cannot be told; it may have been a part of another state.
#
# **Compared with Google's test set.** The paper's conclusion regrets that it has few test images beside the "more than {glue:text}`google-test`" of Google's test set, which has {glue:text}`adjudicated-test`. That is true of the positives. The whole test set is larger than Google's.
#
# ## Mutually exclusive: images or patients?
#
# "Training, validation, and test sets are mutually exclusive", says the caption of Figure 1. It does not say whether images or patients are meant. Google's two sets share no patient. With the negatives it is otherwise: many "No Finding" images are of patients who have an adjudicated image too.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Patients in two sets", "code_prompt_hide": "Patients in two sets"}
PARTS = {"train": "training", "val": "validation", "test": "test negatives"}
PARTS["train or val"] = "training or validation"
pairs = sharing.loc["image"].index
columns = {"Sets": [f"{PARTS[one].capitalize()}; {PARTS[other]}" for one, other in pairs]}
for level in ("image", "patient"):
    for what, title in {"patients": "Patients shared", "images": "Their images"}.items():
        found = sharing.loc[level, [f"shared_{what}", f"second_{what}"]]
        texts = [f"{part:,} of {whole:,}" for part, whole in found.itertuples(index=False)]
        columns[f"{title}, {level}s exclusive"] = texts
pages.table(
    pd.DataFrame(columns),
    caption="Patients of the first set who are in the second too, of all patients of the second,"
    " and their images there, by what is taken to be exclusive",
    name="patients-shared",
)

# %% [markdown]
# Of the {glue:text}`free` "No Finding" images that are not adjudicated themselves, {glue:text}`kin` ({glue:text}`kin-share`) are of such patients. A random draw of {glue:text}`negatives` is expected to hold {glue:text}`expected` of them. Leaving these patients out costs nothing: {glue:text}`left` images remain to draw from.
#
# ## What "No Finding" is worth
#
# The paper's title speaks of adjudicated images, but the test negatives are not adjudicated. Their label was mined from the text of reports. Where both labels are known, they can be compared: of {glue:text}`text` adjudicated images that the text calls "No Finding", radiologists saw airspace opacity in {glue:text}`opaque` ({glue:text}`opaque-share`).
#
# This is a warning and not an estimate, because the adjudicated images are no random sample of those with "No Finding". But some of the model's false positives may be true opacities, and nothing in the paper tells how many.
#
# ## Children


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Images of children", "code_prompt_hide": "Images of children"}
def percent(part, whole):
    return f"{100 * part / whole:.1f} %"


steps = {
    "adjudicated validation set": "Google's validation set",
    "adjudicated test set": "Google's test set",
    can_be_drawn: "No Finding, can be drawn",
    covid: "COVID-19",
}
young = flow.loc[list(steps), ["images", "age_known", "under_18"]].astype(int)
ages = young.rename(index=steps).map("{:,}".format).reset_index()
ages["share"] = [percent(row.under_18, row.age_known) for row in young.itertuples()]
ages.columns = ["Set", "Images", "Age known", "Under 18", "Share"]
caption = (
    "Images of patients under 18, and their share of those with known age, by each list's ages"
)
pages.table(ages, caption=caption)

# %% [markdown]
# An age above {glue:text}`oldest` years counts as unknown.
#
# ChestX-ray14 has children among its patients, and the paper does not exclude them. They are few, and hardly any of the COVID-19 images are of children. So age is no such confounder here as it is [in Study B](01_study_b_images.ipynb). The source of the images is one: all positive test images come from one collection, all negative ones from another.
#
# ## What can be run here: a stand-in
#
# The paper's rule needs the radiographs of ChestX-ray14. With the whole collection in the data folder (`cxr sources` says where to get it and where to put it), `companion.studies.cheazemin2020.split` divides it as above. This book had {glue:text}`subset` of them, of which {glue:text}`subset-adjudicated` are adjudicated: too few to train on.
#
# So there is a **{term}`stand-in`**, and it is named so wherever its results appear:
#
# - *Training.* Its opacity is mined from text: Infiltration, Consolidation, Pneumonia or Edema, against "No Finding". The {glue:text}`left-out` images that have other findings only are left out. About a quarter of the patients is used for validation.
# - *Testing.* It is tested on the {glue:text}`on-disk` COVID-19 images on disk, and on {glue:text}`standin-negatives` of {glue:text}`normals` NIH radiographs that [RSNA's](https://doi.org/10.1148/ryai.2019180041) radiologists read as normal. That keeps the share of COVID-19 at {glue:text}`standin-share`.
# - *What cannot be excluded.* The names that these normals have in ChestX-ray14 are lost, so some of their patients may also be in the training set.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The stand-in's images", "code_prompt_hide": "The stand-in's images"}
parts = [f"{part}, {cls}" for part in ("training", "validation") for cls in ("opacity", "none")]
rows = standin.loc[[*parts, "test COVID-19, on disk", "test negatives"], ["images", "patients"]]
rows = rows.map(lambda n: "unknown" if pd.isna(n) else f"{n:,}").reset_index()
rows["step"] = rows["step"].str[0].str.upper() + rows["step"].str[1:]
rows.columns = ["Set", "Images", "Patients"]
pages.table(rows, caption="The stand-in's images", name="stand-in-images")

# %% [markdown]
# The stand-in is divided with seed {glue:text}`seed`, as the negatives of {ref}`a-figure-1` are drawn.
#
# ## What is assumed
#
# The text of the paper leaves open what the table says. The other choices are arguments of `companion.studies.cheazemin2020.split`: the set that trains, what the draw avoids, the commit, the seed.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "What the text leaves open, and what is taken here", "code_prompt_hide": "What the text leaves open, and what is taken here"}
assumed = flow[flow["assumption"].fillna("") != ""].reset_index()
shown = pd.DataFrame(
    {
        "Step": assumed["step"].str[0].str.upper() + assumed["step"].str[1:],
        "Left open, and taken here": assumed["assumption"],
        "Printed": assumed["printed"].fillna("").replace("", "?"),
        "Images": assumed["images"].map("{:,}".format),
    }
)
with pd.option_context("display.max_colwidth", None):  # whole sentences
    display(pages.table(shown, caption="What the paper's text leaves open"))

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Numbers of the text", "code_prompt_hide": "Numbers of the text"}
commits = [step.rpartition(" ")[2] for step in flow.index if step.startswith("test COVID-19")]
free, kin = (
    images[f"No Finding, image not adjudicated{end}"] for end in ("", " but another of the patient")
)
text, opaque = (images[f"adjudicated, No Finding by text{end}"] for end in ("", ", opacity"))
tested, against = standin.loc[["test COVID-19, on disk", "test negatives"], "images"]
expected = images["expected among them, another image of the patient adjudicated"]
of_commits = {
    f"covid-patients-{n}": int(patients[f"test COVID-19, {commit}"])
    for n, commit in enumerate(commits)
} | {f"commit-{n}": commit for n, commit in enumerate(commits)}

# %% tags=["hide-input"] mystnb={"code_prompt_show": "All numbers of the text", "code_prompt_hide": "All numbers of the text"}
pages.glue_all(
    of_commits
    | {
        "negatives": negatives,
        "prevalence": f"{prevalence} %",
        "fitting": ", ".join(map(str, fitting)),
        "covid": int(images[covid]),
        "test": int(images["test set"]),
        "seed": int(sharing["seed"].iloc[0]),
        "google-test": printed["azemin-4-google-test"],
        "adjudicated-test": int(images["adjudicated test set"]),
        "free": int(free),
        "kin": int(kin),
        "kin-share": percent(kin, free),
        "expected": int(expected),
        "left": int(images["No Finding, patient not adjudicated"]),
        "text": int(text),
        "opaque": int(opaque),
        "opaque-share": percent(opaque, text),
        "oldest": chestxray14.OLDEST,
        "subset": int(standin.loc["ChestX-ray14 images on disk", "images"]),
        "subset-adjudicated": int(standin.loc["of them adjudicated", "images"]),
        "left-out": int(standin.loc["left out, other findings only", "images"]),
        "normals": int(standin.loc["RSNA normals", "images"]),
        "on-disk": int(tested),
        "standin-negatives": int(against),
        "standin-share": f"{100 * tested / (tested + against):.2f} %",
    }
)

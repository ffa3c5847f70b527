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
# {cite:t}`cheazemin2020` trained on radiographs of [ChestX-ray14](https://doi.org/10.1109/CVPR.2017.369) in which
# [radiologists had settled together](https://doi.org/10.1148/radiol.2019191293) whether the lung is opaque, and tested on COVID-19 radiographs
# {cite}`cohen2020` among others with "No Finding". This page counts them, rebuilds Figure 1 and names what is assumed. The text of the paper at hand has the
# caption of the figure but not the picture: the layout is ours, and the paper's counts for training and validation are unknown. For counting, the published
# lists are enough; no radiograph is needed.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the counts", "code_prompt_hide": "Load the counts"}
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.patches import FancyBboxPatch

from companion import diagrams, pages, studies
from companion.diagrams import arrow, canvas, note
from companion.pages import say

diagrams.vector()
plt.rcParams["font.size"] = 9
pd.set_option("display.max_colwidth", None)  # sentences in tables


def counts(name):
    """A recorded table of counts; numbers that are not known stay missing."""
    return pd.read_csv(
        studies.results_folder() / "flow" / f"{name}.csv",
        keep_default_na=False,
        na_values={n: [""] for n in NUMBERS},
    ).convert_dtypes()


def capital(text):
    return text[0].upper() + text[1:]


NUMBERS = ["images", "patients", "under_18", "age_known"]
flow, standin = (
    counts(name).set_index("step") for name in ("cheazemin2020", "cheazemin2020-standin")
)
sharing = counts("cheazemin2020-shared").set_index(["exclude", "first", "second"])
printed = studies.printed("cheazemin2020").set_index("id")["printed"]
negatives, prevalence = int(printed["azemin-2-negatives"]), printed["azemin-2-prevalence"]
images, patients = flow["images"], flow["patients"]
commits = [step.rpartition(" ")[2] for step in flow.index if step.startswith("test COVID-19")]
fitting = [
    n for n in range(1, negatives) if f"{100 * n / (n + negatives):.2f}" == prevalence
]  # COVID-19 images that give the share

# %% tags=["remove-cell"]
LOOKS = {
    True: ("#CCECE3", "#009E73", "-"),
    False: ("#F7F7F7", "#777777", (0, (4, 2))),
}  # is the paper's number known: fill, edge, line
WIDE, TALL = 1.6, 0.86  # inches


def box(ax, x, y, title, lines, paper="", height=TALL):
    """A box centred at (x, y): its name, our counts, what the paper prints or that this is
    unknown.
    """
    fill, edge, line = LOOKS[bool(paper)]
    corner, style = (x - WIDE / 2, y - height / 2), "round,pad=0,rounding_size=0.06"
    ax.add_patch(
        FancyBboxPatch(
            corner,
            WIDE,
            height,
            boxstyle=style,
            facecolor=fill,
            edgecolor=edge,
            linestyle=line,
            linewidth=1.4,
        )
    )
    rows = [title, *lines, f"paper: {paper or '?'}"]
    for place, text in enumerate(rows):
        last = {"style": "italic"} if place == len(rows) - 1 else {}
        note(
            ax,
            x,
            y + 0.175 * (place - (len(rows) - 1) / 2),
            text,
            weight="normal" if place else "bold",
            **last,
        )


def both(step):
    return [f"{images[step]:,} images", f"{patients[step]:,} patients"]


# %% [markdown]
# ## Figure 1: from the collections to the three sets

# %% tags=["remove-input"] mystnb={"image": {"alt": "Flow chart. ChestX-ray14 parts into adjudicated images, which become a training and a validation set, each with and without opacity, and images with No Finding, from which the test negatives are drawn after those of adjudicated patients are taken out. The negatives and the frontal COVID-19 images of another collection make the test set. Of the paper's own numbers only the negatives and the share of COVID-19 are known; all other boxes are marked with a question mark."}} cxr={"items": ["Figure 1"]}
ax = canvas(6.9)
train, val, clear, covid = 0.9, 2.62, 4.35, 6.1
rows, middle, half = (0.55, 1.95, 3.35, 4.83, 6.3), (train + val) / 2, TALL / 2
fork = (rows[0] + rows[1]) / 2
box(ax, (middle + clear) / 2, rows[0], "ChestX-ray14", both("listed by ChestX-ray14"))
for x in (middle, clear):
    arrow(
        ax,
        ((middle + clear) / 2, rows[0] + half),
        ((middle + clear) / 2, fork),
        (x, fork),
        (x, rows[1] - half),
    )
box(ax, middle, rows[1], "Adjudicated", both("adjudicated"))
box(ax, clear, rows[1], "No Finding by text", both("No Finding"))
fork = (rows[1] + rows[2]) / 2
for x, part, phase in ((train, "validation", "Training"), (val, "test", "Validation")):
    step = f"adjudicated {part} set"
    arrow(ax, (middle, rows[1] + half), (middle, fork), (x, fork), (x, rows[2] - half))
    box(ax, x, rows[2], f"Google: {part} set", both(step))
    arrow(ax, (x, rows[2] + half), (x, rows[3] - half - 0.09))
    split = [f"opacity: {images[f'{step}, opacity']:,}", f"none: {images[f'{step}, no opacity']:,}"]
    box(
        ax,
        x,
        rows[3],
        f"{phase} (assumed)",
        [f"{images[step]:,} images", *split],
        height=TALL + 0.18,
    )
arrow(ax, (clear, rows[1] + half), (clear, rows[2] - half))
for x, y, text in (
    (clear, fork, "patients not\nadjudicated"),
    (clear, (rows[2] + rows[3]) / 2, "at random"),
    (covid, (rows[2] + rows[3]) / 2, "COVID-19,\nfrontal"),
):
    note(ax, x - 0.08, y, text, ha="right")
box(ax, clear, rows[2], "Can be drawn", both("No Finding, patient not adjudicated"))
arrow(ax, (clear, rows[2] + half), (clear, rows[3] - half))
drawn = sharing.loc[("patient", "train or val", "test")]
box(
    ax,
    clear,
    rows[3],
    "Test: negatives",
    [f"{negatives:,} images", f"{drawn['second_patients']:,} patients"],
    f"{negatives}",
)
box(
    ax,
    covid,
    rows[2],
    "COVID-19 collection",
    both(f"radiographs of the COVID-19 collection, {commits[0]}"),
)
arrow(ax, (covid, rows[2] + half), (covid, rows[3] - half))
box(ax, covid, rows[3], "Test: COVID-19", both(f"test COVID-19, {commits[0]}"))
test = (clear + covid) / 2
for x in (clear, covid):
    fork = (rows[3] + rows[4]) / 2
    arrow(ax, (x, rows[3] + half), (x, fork), (test, fork), (test, rows[4] - half))
share = 100 * images[f"test COVID-19, {commits[0]}"] / images["test set"]
box(
    ax,
    test,
    rows[4],
    "Test",
    [f"{images['test set']:,} images", f"{share:.2f} % COVID-19"],
    f"{prevalence} %",
)
for place, (known, text) in enumerate(
    ((True, "the paper's text has the number"), (False, "the paper's own number is unknown"))
):
    y, (fill, edge, line) = rows[4] - 0.12 + 0.3 * place, LOOKS[known]
    ax.add_patch(
        FancyBboxPatch(
            (0.15, y - 0.09),
            0.34,
            0.18,
            boxstyle="round,pad=0,rounding_size=0.03",
            facecolor=fill,
            edgecolor=edge,
            linestyle=line,
            linewidth=1.4,
        )
    )
    note(ax, 0.58, y, text, ha="left")
plt.show()

# %% tags=["remove-cell"]
say("negatives", negatives)
say("prevalence", f"{prevalence} %")
say("fitting", ", ".join(map(str, fitting)))
say("covid", int(images[f"test COVID-19, {commits[0]}"]))
say("test", int(images["test set"]))
for place, commit in enumerate(commits):
    say(f"commit-{place}", commit)
    say(f"covid-patients-{place}", int(patients[f"test COVID-19, {commit}"]))
say("seed", int(sharing["seed"].iloc[0]))
say("google-test", printed["azemin-4-google-test"])
say("adjudicated-test", int(images["adjudicated test set"]))

# %% [markdown]
# *Figure 1, rebuilt: images and patients at each step, negatives drawn with seed {glue:text}`seed`. The adjudicated images are of Google's two sets,
# named there "validation" and "test"; which of them the paper trained on is assumed.*
#
# The paper prints {glue:text}`negatives` negatives and a share of {glue:text}`prevalence` COVID-19, not how many COVID-19 images there were. The whole numbers
# that give this share to two decimals: {glue:text}`fitting`. So the test set has {glue:text}`test` images. Of the states of the COVID-19 collection published until June 2020,
# two have {glue:text}`covid` frontal COVID-19 radiographs, by one reading of "frontal" each: commit {glue:text}`commit-0` counting PA and AP views, of
# {glue:text}`covid-patients-0` patients, and {glue:text}`commit-1` counting supine AP views too, of {glue:text}`covid-patients-1`. Which was used, if not another state in part,
# cannot be told.
#
# The paper's conclusion regrets few test images beside the "more than {glue:text}`google-test`" of Google's test set, which has {glue:text}`adjudicated-test`. Of the positives
# that is true; the whole test set is larger than Google's.
#
# ## What is assumed

# %% tags=["remove-input"]
shown = flow[flow["assumption"] != ""].reset_index()
shown = pd.DataFrame(
    {
        "Step": shown["step"].map(capital),
        "Left open, and taken here": shown["assumption"],
        "Printed": shown["printed"].replace("", "?"),
        "Images": shown["images"].map("{:,}".format),
    }
)
pages.table(shown)

# %% [markdown]
# *What the text of the paper leaves open. The other choices are arguments of* `companion.studies.cheazemin2020.split`*: the set that trains, what the draw avoids, the commit, the seed.*
#
# ## Mutually exclusive: images or patients?
#
# "Training, validation, and test sets are mutually exclusive", says the caption, not whether images or patients are meant. Google's two sets share no patient.
# The negatives are another matter: many "No Finding" images are of patients who have an adjudicated image too.

# %% tags=["remove-input"]
PARTS = {
    "train": "training",
    "val": "validation",
    "test": "test negatives",
    "train or val": "training or validation",
}
columns = {}
for level, title in (("image", "images"), ("patient", "patients")):
    here = sharing.loc[level]
    columns[f"Patients shared, {title} exclusive"] = [
        f"{n:,} of {all_:,}"
        for n, all_ in zip(here["shared_patients"], here["second_patients"], strict=True)
    ]
    columns[f"Their images, {title} exclusive"] = [
        f"{n:,} of {all_:,}"
        for n, all_ in zip(here["shared_images"], here["second_images"], strict=True)
    ]
names = [
    f"{capital(PARTS[first])}; {PARTS[second]}" for first, second in sharing.loc["image"].index
]
pages.table(pd.DataFrame({"Sets": names, **columns}))

# %% tags=["remove-cell"]
free, kin = (
    images[f"No Finding, image not adjudicated{end}"] for end in ("", " but another of the patient")
)
say("free", int(free))
say("kin", int(kin))
say("kin-share", f"{100 * kin / free:.1f} %")
say("expected", int(images["expected among them, another image of the patient adjudicated"]))
say("left", int(images["No Finding, patient not adjudicated"]))
text, opaque = (images[f"adjudicated, No Finding by text{end}"] for end in ("", ", opacity"))
say("text", int(text))
say("opaque", int(opaque))
say("opaque-share", f"{100 * opaque / text:.1f} %")

# %% [markdown]
# *Patients of the first set who are in the second too, of all patients of the second, and their images there; negatives drawn with seed {glue:text}`seed`.*
#
# Of the {glue:text}`free` "No Finding" images that are not adjudicated themselves, {glue:text}`kin` ({glue:text}`kin-share`) are of such patients. A random draw of
# {glue:text}`negatives` is expected to hold {glue:text}`expected` of them. Leaving these patients out costs nothing: {glue:text}`left` images remain to draw from.
#
# ## What "No Finding" is worth
#
# The title speaks of adjudicated images; the test negatives are none. Their label was mined from the text of reports. Where both labels are known, they can be compared:
# of {glue:text}`text` adjudicated images that the text calls "No Finding", radiologists saw airspace opacity in {glue:text}`opaque` ({glue:text}`opaque-share`).
#
# This is a warning, not an estimate: the adjudicated images are no random sample of those with "No Finding". But some of the model's false positives may be true opacities, and
# nothing in the paper tells how many.
#
# ## Children

# %% tags=["remove-input"]
steps = {
    "adjudicated validation set": "Google's validation set",
    "adjudicated test set": "Google's test set",
    "No Finding, patient not adjudicated": "No Finding, can be drawn",
    f"test COVID-19, {commits[0]}": "COVID-19",
}
young = flow.loc[list(steps)].rename(index=steps)
ages = pd.DataFrame(
    {
        name: young[key].map("{:,}".format)
        for name, key in (
            ("Images", "images"),
            ("Age known", "age_known"),
            ("Under 18", "under_18"),
        )
    }
)
ages["Share"] = [
    f"{100 * n / known:.1f} %"
    for n, known in zip(young["under_18"], young["age_known"], strict=True)
]
pages.table(ages.rename_axis(""), index=True)

# %% [markdown]
# *Images of patients under 18, of those with known age, by the ages of each list. An age above 120 years counts as unknown.*
#
# ChestX-ray14 has children among its patients, and the paper does not exclude them. They are few, and the COVID-19 images hardly have any: here age is no such confounder as
# it is [in Study B](01_study_b_images.ipynb). Source is: all positive test images come from one collection, all negative ones from another.
#
# ## What can be run here

# %% tags=["remove-cell"]
say("subset", int(standin.loc["ChestX-ray14 images on disk", "images"]))
say("subset-adjudicated", int(standin.loc["of them adjudicated", "images"]))
say("left-out", int(standin.loc["left out, other findings only", "images"]))
say("on-disk", int(standin.loc["test COVID-19, on disk", "images"]))
say("normals", int(standin.loc["RSNA normals", "images"]))
drawn = standin.loc[["test COVID-19, on disk", "test negatives"], "images"]
say("standin-negatives", int(drawn.iloc[1]))
say("standin-share", f"{100 * drawn.iloc[0] / drawn.sum():.2f} %")

# %% [markdown]
# The paper's rule needs the radiographs of ChestX-ray14. With the whole collection in the data folder (`cxr sources` says where to get it and where to put it),
# `companion.studies.cheazemin2020.split` divides it as above. For this book {glue:text}`subset` of them were at hand, of which {glue:text}`subset-adjudicated` are adjudicated: too few to train on.
#
# So there is a **stand-in**, and it is named so wherever its results appear. Its opacity is text-mined: Infiltration, Consolidation, Pneumonia or Edema, against "No Finding".
# The {glue:text}`left-out` images with other findings only are left out. About a quarter of the patients validates. It is tested on the {glue:text}`on-disk` COVID-19 images at hand
# and on {glue:text}`standin-negatives` of {glue:text}`normals` NIH radiographs that [RSNA's](https://doi.org/10.1148/ryai.2019180041) radiologists read as normal, which keeps the share at
# {glue:text}`standin-share`. The names of these normals are lost, so that patients shared with training cannot be excluded.

# %% tags=["remove-input"]
STEPS = [
    "training, opacity",
    "training, none",
    "validation, opacity",
    "validation, none",
    "test COVID-19, on disk",
    "test negatives",
]
rows = standin.loc[STEPS].rename(index=capital)[["images", "patients"]]
pages.table(
    rows.map(lambda n: "unknown" if pd.isna(n) else f"{n:,}")
    .rename(columns=str.capitalize)
    .rename_axis(""),
    index=True,
)

# %% [markdown]
# *The stand-in's images, divided with seed {glue:text}`seed`.*

# ---
# jupyter:
#   cxr:
#     records:
#     - zhu-fourclass
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
# # The images: two collections put together
#
# {cite:t}`zhu2020` took COVID-19 radiographs from a collection gathered on the web {cite}`cohen2020` and everything else from a paediatric
# collection of one hospital {cite}`kermany2018`. This page counts both again, rebuilds Tables 2.1 to 2.3 and Figures 2.1 to 2.3, and finds where
# the thesis's own totals disagree.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
# folder of the image collections, for Figure 2.1; default CXR_DATA, else data/ beside the
# notebooks' folder
data: str | None = None

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the counts", "code_prompt_hide": "Load the counts"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from PIL import Image

from companion import pages, studies
from companion.pages import say
from companion.studies import zhu2020
from cxrlib import plots
from cxrlib.data.manifest import data_folder, present
from cxrlib.files import InputError

CLASSES = list(studies.ZHU_CLASSES)
split = studies.run(
    "zhu-fourclass"
).split  # every image of the study: class, patient, part; those not on disk too
flow = pd.read_csv(studies.results_folder() / "flow" / "zhu2020.csv").set_index("step")
printed = studies.printed("zhu2020").set_index("id")["printed"]
part = split["split"].replace(
    "val", "train"
)  # the validation images are taken from the thesis's training set
four = pd.crosstab(split["y_true"], part).loc[CLASSES, ["train", "test"]]
two = pd.DataFrame({"non_covid": four.drop("covid").sum(), "covid": four.loc["covid"]}).T


def copied(counts, experiment):
    """Counts with the training images copied as the experiment says."""
    times = pd.Series({name: experiment.oversample.get(name, 1) for name in counts.index})
    return counts.assign(train=counts["train"] * times)


def verdict(rebuilt, text):
    return "equal" if rebuilt == int(text) else f"differs by {rebuilt - int(text):+,}"


# %% [markdown]
# ## From the collections to the study
#
# The thesis names no version of the COVID-19 collection. One state of it was found that gives the four numbers printed: commit 6e57ed3 of 4 May 2020.
# The thesis writes "anteroposterior or posteroanterior"; its {glue:text}`covid-images` images need the supine AP views too. One of them is a lateral view that the collection files as frontal
# ({glue:text}`lateral`; its name ends in l). Of the collection the thesis says that its patients "are positive or suspected of COVID-19 pneumonia or other pneumonias"; by what
# examination a patient is positive it does not say, and the label of the collection is taken as it is.

# %% tags=["remove-input"]
pages.table(
    flow.rename(columns=str.capitalize, index={"chosen": "all chosen"})
    .rename_axis("")
    .map("{:,}".format),
    index=True,
)

# %% [markdown]
# *Images and patients at each step. In Kermany's collection a patient is a class and number in the file name, the best key there is.*
#
# ## Table 2.1

# %% tags=["remove-input"] cxr={"items": ["Table 2.1"]}
people, pictures = split.groupby("y_true")["patient_id"].nunique(), split["y_true"].value_counts()
rows = []
for name in CLASSES:
    said = [printed[f"zhu-t2.1-{name}-{what}"] for what in ("patients", "images")]
    found = [int(people[name]), int(pictures[name])]
    rows.append(
        (
            plots.label(name),
            said[0],
            f"{found[0]:,}",
            verdict(found[0], said[0]),
            said[1],
            f"{found[1]:,}",
            verdict(found[1], said[1]),
        )
    )
heads = ["Type", "Patients, printed", "counted", "", "Images, printed", "counted", " "]
pages.table(pd.DataFrame(rows, columns=heads))

# %% [markdown]
# *Table 2.1 of the thesis, printed and counted.*

# %% tags=["remove-cell"]
table_images = sum(int(printed[f"zhu-t2.1-{name}-images"]) for name in CLASSES)
claimed, claimed_patients = int(printed["zhu-2.1-images"]), int(printed["zhu-2.1-patients"])
listed, kermany = (
    flow.loc["listed by the COVID-19 collection, CT included"],
    flow.loc["Kermany's collection"],
)
say("claimed", claimed)
say("table-images", table_images)
say("gap", claimed - table_images)
say("listed", int(listed["images"]))
say("covid-images", int(pictures["covid"]))
say("covid-patients", int(people["covid"]))
lateral_part = split.set_index("image_id").loc[zhu2020.LATERAL, "split"]
say("lateral", f"{zhu2020.LATERAL.rpartition('/')[2]}, {lateral_part} set of the recorded split")
say("kermany-images", int(kermany["images"]))
say("kermany-ids", int(kermany["patients"]))
say("explained", "does" if listed["images"] + kermany["images"] == claimed else "does not")
say("claimed-patients", claimed_patients)
say(
    "patients-explained",
    "is" if people["covid"] + kermany["images"] == claimed_patients else "is not",
)
say("most", int(split[split["y_true"] == "bacterial"].groupby("patient_id").size().max()))
test_bacterial = split[(split["y_true"] == "bacterial") & (part == "test")]
say("bacterial-test", len(test_bacterial))
say("bacterial-test-ids", int(test_bacterial["patient_id"].nunique()))

# %% [markdown]
# The thesis says that its data set has {glue:text}`claimed` images; its own table adds to {glue:text}`table-images`. The difference,
# {glue:text}`gap`, is what the selection left out: {glue:text}`listed` listed files (CT scans and other diseases among them) together with Kermany's
# {glue:text}`kermany-images` {glue:text}`explained` make the printed sum. The {glue:text}`claimed-patients` patients follow another rule:
# {glue:text}`covid-patients` selected patients plus one for each of Kermany's images {glue:text}`patients-explained` that number.
#
# One patient for each image is contradicted by the file names. They hold {glue:text}`kermany-ids` numbers; one child has up to {glue:text}`most` images, and
# the {glue:text}`bacterial-test` bacterial test images come from {glue:text}`bacterial-test-ids` children. Intervals that take images for patients are too narrow.
#
# ## Figure 2.1: one image of each class

# %% tags=["remove-input"] cxr={"items": ["Figure 2.1"]} mystnb={"image": {"alt": "Four chest radiographs side by side: an adult with COVID-19, and children with viral pneumonia, bacterial pneumonia and neither."}}
try:
    manifest = zhu2020.manifest(data)
    manifest = manifest.assign(y_true=zhu2020.labels(manifest, studies.ZHU_CLASSES))
    here = manifest[present(manifest, data)].sort_values("image_id")
    samples = [
        here[here["y_true"] == name].iloc[0] for name in CLASSES
    ]  # the first by name: nobody chose them
    shown = [
        np.asarray(Image.open(data_folder(data) / sample["path"]).convert("L"))
        for sample in samples
    ]
    titles = [
        f"({letter}) {plots.label(name)}" for letter, name in zip("ABCD", CLASSES, strict=True)
    ]
    plots.radiographs(shown, titles)
    plt.show()
except (InputError, IndexError):  # no images, or not of every class
    display(pages.no_radiographs())

# %% [markdown]
# *Figure 2.1 of the thesis, where the collections are on disk, with other images: it does not say which it shows. Of each class the first by file name is taken; the children's images are
# squashed to a square where the collection at hand is reduced.*
#
# ## Tables 2.2 and 2.3: training and test sets
#
# COVID-19 patients are assigned whole, until 60 test images are reached; Kermany's images keep the division they came with. Then the COVID-19 training images
# are copied: for two classes each is counted 24 times, for four 8 times. The tables count the copies, and add them to the test images in "Total", which is therefore no number
# of images. Our runs train on fewer: a tenth of the training set is held out for early stopping, and some files are missing, as their pages say.


# %% tags=["remove-input"]
def beside(table, counts):
    """A printed table of counts beside the rebuilt one."""
    rows = []
    for name, found in counts.assign(total=counts.sum(axis=1)).iterrows():
        said = {key: printed[f"zhu-t{table}-{name.replace('_', '-')}-{key}"] for key in found.index}
        cells = [text for key in found.index for text in (said[key], f"{found[key]:,}")]
        rows.append(
            (
                plots.label(name),
                *cells,
                "equal" if all(found[key] == int(said[key]) for key in found.index) else "differs",
            )
        )
    heads = [
        "Label",
        "Training, printed",
        "rebuilt",
        "Test, printed",
        "rebuilt ",
        "Total, printed",
        "rebuilt  ",
        "",
    ]
    return pages.table(pd.DataFrame(rows, columns=heads))


# %% tags=["remove-input"] cxr={"items": ["Table 2.2"]}
beside("2.2", copied(two, studies.ZHU_BINARY))

# %% [markdown]
# *Table 2.2, two classes.*

# %% tags=["remove-input"] cxr={"items": ["Table 2.3"]}
beside("2.3", copied(four, studies.ZHU_FOURCLASS))

# %% [markdown]
# *Table 2.3, four classes.*
#
# ## Figures 2.2 and 2.3: the classes before and after copying


# %% tags=["remove-cell"]
def bars(counts, title):
    """Training and test images of each class as bars with their numbers."""
    with plots.style():
        ax = plt.subplots(figsize=(7, 0.9 + 0.55 * len(counts)))[1]
        for offset, (key, text, color, hatch) in zip(
            (-0.2, 0.2),
            (("train", "Training", "#0072B2", ""), ("test", "Test", "#E69F00", "//")),
            strict=True,
        ):
            at = [place + offset for place in range(len(counts))]
            drawn = ax.barh(
                at,
                counts[key],
                height=0.38,
                color=color,
                hatch=hatch,
                edgecolor="white",
                label=text,
            )
            ax.bar_label(drawn, labels=[f"{value:,}" for value in counts[key]], padding=3)
        ax.set(
            yticks=range(len(counts)),
            yticklabels=[plots.label(name) for name in counts.index],
            xlabel="Images",
            title=title,
        )
        ax.invert_yaxis()
        ax.margins(x=0.12)
        ax.legend(loc="lower right")
        ax.spines[["top", "right"]].set_visible(False)
    plt.show()


# %% tags=["remove-input"] cxr={"items": ["Figure 2.2 A"]} mystnb={"image": {"alt": "Bar chart of training and test images, COVID-19 against the rest, before copying; the numbers are on the bars."}}
bars(two, "Figure 2.2 A, rebuilt: two classes")

# %% tags=["remove-input"] cxr={"items": ["Figure 2.2 B"]} mystnb={"image": {"alt": "Bar chart of training and test images of four classes before copying; the numbers are on the bars."}}
bars(four, "Figure 2.2 B, rebuilt: four classes")

# %% [markdown]
# *Figure 2.2, rebuilt: images of each class as collected.*

# %% tags=["remove-input"] cxr={"items": ["Figure 2.3 A"]} mystnb={"image": {"alt": "Bar chart of training and test images, two classes, after the COVID-19 training images were copied 24 times."}}
bars(copied(two, studies.ZHU_BINARY), "Figure 2.3 A, rebuilt: two classes, COVID-19 copied")

# %% tags=["remove-input"] cxr={"items": ["Figure 2.3 B"]} mystnb={"image": {"alt": "Bar chart of training and test images, four classes, after the COVID-19 training images were copied eight times."}}
bars(copied(four, studies.ZHU_FOURCLASS), "Figure 2.3 B, rebuilt: four classes, COVID-19 copied")

# %% tags=["remove-cell"]
covid = split[split["y_true"] == "covid"]
training_covid = covid[part[covid.index] == "train"]
say("train-covid", len(training_covid))
say("train-covid-patients", int(training_covid["patient_id"].nunique()))
say("missing", int(split["missing"].sum()))
say("seed", int(studies.run("zhu-fourclass").info["seed"]))

# %% [markdown]
# *Figure 2.3, rebuilt: training images counted with their copies. A copy is no new patient: the bar of COVID-19 stands for
# {glue:text}`train-covid` images of {glue:text}`train-covid-patients` patients in either panel.*
#
# All counts are of the study's images as listed. Of these, {glue:text}`missing` were not on disk when the recorded runs were trained; `results/zhu-fourclass/run.json`
# names them, and the pages of the runs count them. Which COVID-19 patients are tested is a random draw that the thesis does not give; the one above has seed {glue:text}`seed`, others are under
# [How sure?](06_study_b_how_sure.ipynb).

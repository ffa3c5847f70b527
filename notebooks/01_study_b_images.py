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
# **Question.** {cite:t}`zhu2020` took COVID-19 radiographs from a collection gathered on the web {cite}`cohen2020`, and all others from a paediatric collection of one hospital {cite}`kermany2018`. Which images were these, and are there as many as the thesis says?
#
# **Answer.** Of the image counts in its Table 2.1, {glue:text}`images-equal` of {glue:text}`classes` are found again (that of COVID-19 because it chose the version of the collection); of the patient counts, {glue:text}`patients-equal` of {glue:text}`classes`. The thesis takes each of Kermany's images for a patient, while the file names hold {glue:text}`kermany-ids` numbers for {glue:text}`kermany-images` images. Elsewhere the thesis speaks of {glue:text}`claimed` images, {glue:text}`gap` more than its table adds up to.
#
# **How sure.** The thesis names no version of the COVID-19 collection; the one counted here was chosen because it gives the printed numbers. That the numbers agree does not show that the files are the same. Which COVID-19 images the thesis tested is not known, and here they are drawn at random.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
from typing import Literal

# recorded: the counts and the split kept in results/; images: counted again in the collections, with
# the run's seed; phantom: in synthetic collections, whose numbers are not the thesis's
origin: Literal["recorded", "phantom", "images"] = "recorded"
run_name: str = "zhu-fourclass"  # a recorded run of four classes, whose split is counted
data: str | None = (
    None  # folder of the collections, for the radiographs; default CXR_DATA, else data/
)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load what is needed", "code_prompt_hide": "Load what is needed"}
import tempfile

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display

import cxrlib
from companion import pages, parameters, studies
from companion.studies import zhu2020
from cxrlib import plots
from cxrlib.data import phantom
from cxrlib.data.manifest import data_folder, present
from cxrlib.files import InputError

parameters.check(globals())
run = studies.run(run_name)
seed = run.info["seed"]  # of the draw of the COVID-19 test patients
printed = studies.printed("zhu2020").set_index("id")["printed"]  # as the thesis prints it, a text
classes = list(studies.ZHU_CLASSES)
pages.changed(run)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the images' table", "code_prompt_hide": "Load the images' table"}
if origin == "phantom":
    scratch = tempfile.TemporaryDirectory()
    data = scratch.name
    phantom.write(data, 160, size=96)
if origin == "recorded":
    split = run.split  # a row for each image, those not on disk too: class, patient, part
    flow = pd.read_csv(studies.results_folder() / "flow/zhu2020.csv")
else:
    manifest = zhu2020.manifest(data)
    labels = zhu2020.labels(manifest, classes)
    split = zhu2020.split(manifest, labels, seed, run.info["config"]["val_folds"])
    split["missing"] = ~present(manifest, data)
    flow = zhu2020.flow(data)

# %% [markdown]
# ## Table 2.1: printed and counted

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Count images and patients", "code_prompt_hide": "Count images and patients"}
by_class = split.groupby("y_true")
counted = pd.DataFrame({"patients": by_class["patient_id"].nunique(), "images": by_class.size()})
counted = counted.loc[classes]
said = pd.DataFrame(
    {what: [int(printed[f"zhu-t2.1-{name}-{what}"]) for name in classes] for what in counted},
    classes,
)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Patients, printed and counted", "code_prompt_hide": "Patients, printed and counted", "figure": {"caption": "Patients of each class: as printed in Table 2.1, and as counted. The thesis counts each of Kermany's images as a patient.", "name": "patients-counted"}, "image": {"alt": "Bar chart of the patients of four classes, printed and counted. For COVID-19 both bars are equal; for the three classes of children the printed bar is longer. The numbers are in Table 2.1."}}
shown = pd.DataFrame({"printed": said["patients"], "counted here": counted["patients"]})
with plots.style():
    colors = [pages.COLORS["printed"], pages.COLORS["rebuilt"]]
    ax = shown.rename(plots.label).plot.barh(color=colors, figsize=(7, 3.2))
    for bars in ax.containers:
        ax.bar_label(bars, fmt="{:,.0f}", padding=3)
    ax.set(xlabel="Patients", ylabel="")
    ax.invert_yaxis()
    ax.margins(x=0.12)
    plt.show()

# %% tags=["hide-input"] cxr={"items": ["Table 2.1"]} mystnb={"code_prompt_show": "Table 2.1", "code_prompt_hide": "Table 2.1"}
columns = {"Type": [plots.label(name) for name in classes]}
for what in ("patients", "images"):
    more = counted[what] - said[what]
    title = what.capitalize()
    columns[f"{title}, printed"] = [printed[f"zhu-t2.1-{name}-{what}"] for name in classes]
    columns[f"{title}, counted"] = counted[what].map("{:,}".format).to_list()
    columns[f"{title}: compared"] = [f"differs by {n:+,}" if n else "equal" for n in more]
pages.table(pd.DataFrame(columns), caption="Table 2.1, printed and counted", name="table-2-1")

# %% [markdown]
# **Images.** The thesis says that its data set has {glue:text}`claimed` images; its own table adds up to {glue:text}`table-images`. The difference of {glue:text}`gap` is what its selection left out. The COVID-19 collection lists {glue:text}`listed` files, among them CT scans and other diseases. Together with Kermany's {glue:text}`kermany-images` these are {glue:text}`all-listed`.
#
# **Patients.** The {glue:text}`claimed-patients` patients that the thesis speaks of come about otherwise: the {glue:text}`covid-patients` selected COVID-19 patients and one patient for each of Kermany's images are {glue:text}`patients-of-images`. The file names contradict that. One child has up to {glue:text}`most` images, and the {glue:text}`bacterial-test` bacterial test images come from {glue:text}`bacterial-test-ids` children. Intervals that take images for patients are too narrow.
#
# In Kermany's collection a patient is taken to be a class and a number in the file name; it has no better key.
#
# ## From the collections to the study
#
# The thesis names no version of the COVID-19 collection. One state of it was found that gives the four numbers printed: commit {glue:text}`commit` of 4 May 2020.
#
# The thesis writes "anteroposterior or posteroanterior"; its {glue:text}`covid-images` images need the supine AP views too. One of them is a lateral view that the collection files as frontal: {glue:text}`lateral`, whose name ends in l. Here it is in the {glue:text}`lateral-part` set.
#
# The thesis says that the collection's patients "are positive or suspected of COVID-19 pneumonia or other pneumonias". It does not say by what examination a patient is positive, and the collection's label is taken as it is.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Images and patients at each step", "code_prompt_hide": "Images and patients at each step"}
steps = flow.replace({"step": {"chosen": "all chosen"}}).set_index("step").rename_axis("Step")
steps = steps.rename(columns=str.capitalize).map("{:,}".format)
pages.table(steps.reset_index(), caption="Images and patients at each step of the choice")

# %% [markdown]
# ## Figure 2.1: one image of each class

# %% tags=["hide-input"] cxr={"items": ["Figure 2.1"]} mystnb={"code_prompt_show": "Figure 2.1", "code_prompt_hide": "Figure 2.1", "figure": {"caption": "Figure 2.1, with other images: the thesis does not say which it shows. Of each class the first by file name is taken. Where the collection on disk is reduced, the children's images are squashed to a square."}, "image": {"alt": "Four chest radiographs side by side: an adult with COVID-19, and children with viral pneumonia, bacterial pneumonia and neither."}}
try:
    listed = zhu2020.manifest(data)
    listed = listed.assign(y_true=zhu2020.labels(listed, classes))
    listed = listed[present(listed, data)].sort_values("image_id")
    paths = listed.groupby("y_true")["path"].first()[
        classes
    ]  # the first by name: nobody chose them
    pictures = [cxrlib.read_radiograph(data_folder(data) / path) for path in paths]
    names = zip("ABCD", map(plots.label, classes), strict=True)
    plots.radiographs(pictures, [f"({letter}) {name}" for letter, name in names])
    plt.show()
except (InputError, KeyError):  # no images, or not of every class
    display(pages.no_radiographs())

# %% [markdown]
# ## Tables 2.2 and 2.3: training and test sets
#
# COVID-19 patients are assigned whole, at random, until {glue:text}`test-covid` test images are reached; Kermany's images keep the division they came with. Then the COVID-19 training images are copied ({term}`oversampling`): for two classes each is counted {glue:text}`copies-two` times, for four {glue:text}`copies-four` times.
#
# The tables count the copies, and add them to the test images in "Total", which is therefore no number of images.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Count training and test images", "code_prompt_hide": "Count training and test images"}
part = split["split"].replace("val", "train")  # the thesis has no validation set
four = pd.crosstab(split["y_true"], part).loc[classes, ["train", "test"]]
two = pd.DataFrame({"non_covid": four.drop("covid").sum(), "covid": four.loc["covid"]}).T


def copied(counts, experiment):
    """Counts with the training images copied as the experiment says."""
    times = pd.Series(experiment.oversample).reindex(counts.index, fill_value=1)
    return counts.assign(train=counts["train"] * times)


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Set them beside the printed ones", "code_prompt_hide": "Set them beside the printed ones"}
def printed_and_rebuilt(table, counts):
    """A table of the thesis: each printed count and the rebuilt one."""
    counts = counts.assign(total=counts.sum(axis=1))
    columns, equal = {"Label": counts.index.map(plots.label)}, True
    for part, title in {"train": "Training", "test": "Test", "total": "Total"}.items():
        names = counts.index.str.replace("_", "-")
        texts = [printed[f"zhu-t{table}-{name}-{part}"] for name in names]
        columns[f"{title}, printed"] = texts
        columns[f"{title}, rebuilt"] = counts[part].map("{:,}".format)
        equal &= counts[part] == list(map(int, texts))
    return pd.DataFrame(columns | {"Compared": equal.map({True: "equal", False: "differs"})})


# %% tags=["hide-input"] cxr={"items": ["Table 2.2"]} mystnb={"code_prompt_show": "Table 2.2", "code_prompt_hide": "Table 2.2"}
table_2_2 = printed_and_rebuilt("2.2", copied(two, studies.ZHU_BINARY))
pages.table(table_2_2, caption="Table 2.2, two classes, printed and rebuilt", name="table-2-2")

# %% tags=["hide-input"] cxr={"items": ["Table 2.3"]} mystnb={"code_prompt_show": "Table 2.3", "code_prompt_hide": "Table 2.3"}
table_2_3 = printed_and_rebuilt("2.3", copied(four, studies.ZHU_FOURCLASS))
pages.table(table_2_3, caption="Table 2.3, four classes, printed and rebuilt", name="table-2-3")

# %% [markdown]
# ## Figures 2.2 and 2.3: the classes before and after copying


# %% tags=["hide-input"] mystnb={"code_prompt_show": "How the bars are drawn", "code_prompt_hide": "How the bars are drawn"}
def bars(counts):
    """Training and test images of each class as bars with their numbers."""
    names = {"train": "Training", "test": "Test"}
    with plots.style():
        shown = counts.rename(index=plots.label, columns=names)
        ax = shown.plot.barh(color=["0.35", "0.75"], figsize=(7, 0.9 + 0.55 * len(counts)))
        for drawn in ax.containers:
            ax.bar_label(drawn, fmt="{:,.0f}", padding=3)
        ax.set(xlabel="Images", ylabel="")
        ax.invert_yaxis()
        ax.margins(x=0.12)
        ax.legend(loc="lower right")
        plt.show()


# %% tags=["hide-input"] cxr={"items": ["Figure 2.2 A"]} mystnb={"code_prompt_show": "Figure 2.2 A", "code_prompt_hide": "Figure 2.2 A", "figure": {"caption": "Figure 2.2 A, rebuilt: images of two classes, as collected."}, "image": {"alt": "Bar chart of training and test images, COVID-19 against the rest, before copying; the numbers are on the bars."}}
bars(two)

# %% tags=["hide-input"] cxr={"items": ["Figure 2.2 B"]} mystnb={"code_prompt_show": "Figure 2.2 B", "code_prompt_hide": "Figure 2.2 B", "figure": {"caption": "Figure 2.2 B, rebuilt: images of four classes, as collected."}, "image": {"alt": "Bar chart of training and test images of four classes before copying; the numbers are on the bars."}}
bars(four)

# %% tags=["hide-input"] cxr={"items": ["Figure 2.3 A"]} mystnb={"code_prompt_show": "Figure 2.3 A", "code_prompt_hide": "Figure 2.3 A", "figure": {"caption": "Figure 2.3 A, rebuilt: two classes, each COVID-19 training image counted {glue:text}`copies-two` times."}, "image": {"alt": "Bar chart of training and test images, two classes, after the COVID-19 training images were copied; the numbers are on the bars."}}
bars(copied(two, studies.ZHU_BINARY))

# %% tags=["hide-input"] cxr={"items": ["Figure 2.3 B"]} mystnb={"code_prompt_show": "Figure 2.3 B", "code_prompt_hide": "Figure 2.3 B", "figure": {"caption": "Figure 2.3 B, rebuilt: four classes, each COVID-19 training image counted {glue:text}`copies-four` times."}, "image": {"alt": "Bar chart of training and test images, four classes, after the COVID-19 training images were copied; the numbers are on the bars."}}
bars(copied(four, studies.ZHU_FOURCLASS))

# %% [markdown]
# A copy is no new patient. In both panels of Figure 2.3 the training bar of COVID-19 stands for {glue:text}`train-covid` images of {glue:text}`train-covid-patients` patients.
#
# ## What the runs lacked
#
# All counts above are of the study's images as listed. Of these, {glue:text}`missing` were not on disk when the published run was trained; its `run.json` names them. The runs also train on fewer images than the tables say, because a tenth of the training set is held out for early stopping.
#
# Which COVID-19 patients are tested is a random draw that the thesis does not give. The one above has seed {glue:text}`seed`; others are compared under [How sure?](06_study_b_how_sure.ipynb).

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Numbers of the text", "code_prompt_hide": "Numbers of the text"}
steps = flow.set_index("step")
listed = int(steps.loc["listed by the COVID-19 collection, CT included", "images"])
kermany = steps.loc["Kermany's collection"].astype(int)
claimed, table_images = int(printed["zhu-2.1-images"]), int(said["images"].sum())
parts = split.set_index("image_id")["split"]
equal = (counted == said).sum()
bacterial = split[(split["y_true"] == "bacterial") & (part == "test")]
covid = split[(split["y_true"] == "covid") & (part == "train")]
largest = split[split["y_true"] == "bacterial"].groupby("patient_id").size().max()

# %% tags=["hide-input"] mystnb={"code_prompt_show": "All numbers of the text", "code_prompt_hide": "All numbers of the text"}
pages.glue_all(
    {
        "classes": len(classes),
        "images-equal": int(equal["images"]),
        "patients-equal": int(equal["patients"]),
        "claimed": claimed,
        "table-images": table_images,
        "gap": claimed - table_images,
        "listed": listed,
        "kermany-images": int(kermany["images"]),
        "kermany-ids": int(kermany["patients"]),
        "all-listed": listed + int(kermany["images"]),
        "claimed-patients": int(printed["zhu-2.1-patients"]),
        "covid-patients": int(counted.loc["covid", "patients"]),
        "patients-of-images": int(counted.loc["covid", "patients"] + kermany["images"]),
        "covid-images": int(counted.loc["covid", "images"]),
        "commit": zhu2020.SNAPSHOT,
        "lateral": zhu2020.LATERAL.partition("/")[2],
        "lateral-part": parts.get(zhu2020.LATERAL, "no"),
        "most": int(largest),
        "bacterial-test": len(bacterial),
        "bacterial-test-ids": int(bacterial["patient_id"].nunique()),
        "test-covid": int(four.loc["covid", "test"]),
        "copies-two": studies.ZHU_BINARY.oversample["covid"],
        "copies-four": studies.ZHU_FOURCLASS.oversample["covid"],
        "train-covid": len(covid),
        "train-covid-patients": int(covid["patient_id"].nunique()),
        "missing": int(split["missing"].sum()),
        "seed": seed,
    }
)

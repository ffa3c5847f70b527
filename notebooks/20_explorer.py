# ---
# jupyter:
#   cxr:
#     records:
#     - azemin-standin-resnet50
#     - zhu-fourclass
#     - zhu-binary
#     families:
#     - azemin-standin-resnet50-variants
#     - zhu-fourclass-redraws
#     - zhu-binary-redraws
#     - zhu-fourclass-shown
#     - zhu-binary-shown
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
# # Move the threshold, move the prevalence
#
# **Question.** A network gives each radiograph a probability. Somebody has to choose the {term}`threshold` from which an image is called positive. How many of the people who are called are ill? That also depends on the {term}`prevalence`: how many are ill among all whose picture is taken.
#
# **Answer.** Try it. At {glue:text}`prevalence` %, the share of COVID-19 in Study A's test set, the {term}`sensitivity` and {term}`specificity` that Study A prints give a {term}`PPV` of {glue:text}`printed-ppv` %. Its {term}`stand-in` with a threshold of {glue:text}`threshold` gives {glue:text}`half-ppv` %. Even <a href="#a-perfect-score-at-low-prevalence">a perfect score</a> leaves open what a positive result is worth where few people are ill.
#
# **How sure.** Each rate has its 95 % interval over patients, which moves along. (Of Study A's normal images the patients are not known; each of these images counts as one.) No interval covers <a href="#what-it-cannot-show">what the explorer cannot show</a>: these collections differ by more than the disease, and Study A is here by a stand-in.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
from typing import Literal

# recorded: read results/<run>; phantom: train Study B's two runs on synthetic images, a minute
# (Study A's stand-in and the families are read)
origin: Literal["recorded", "phantom"] = "recorded"
threshold: float = 0.5  # where the explorer begins
prevalence: float = 0.01  # where the explorer begins
each: int = 6  # runs of each family, so that the page stays small
families: list[str] = [
    "azemin-standin-resnet50-variants",
    "zhu-fourclass-redraws",
    "zhu-binary-redraws",
    "zhu-fourclass-shown",
    "zhu-binary-shown",
]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the predictions", "code_prompt_hide": "Load the predictions"}
from html import escape

import pandas as pd
from IPython.display import HTML, display

import cxrlib
from companion import forensics, pages, parameters, studies
from companion.studies import subgroups
from cxrlib import formatting, metrics
from cxrlib.data import kermany
from cxrlib.explorer import Explorer, Ppv
from cxrlib.explorer.payload import UNKNOWN, subgroups_of
from cxrlib.records import Record

parameters.check(globals())
standin = studies.run("azemin-standin-resnet50")
four, binary = (studies.run(name, origin) for name in ("zhu-fourclass", "zhu-binary"))
members = [studies.family(name) for name in families]
runs = [standin, four, binary, *(run for found, _ in members for run in found[:each])]
for run in (four, binary):
    pages.changed(run)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What the studies print of a run", "code_prompt_hide": "What the studies print of a run"}
printed = {study: studies.printed(study) for study in studies.LETTERS}
study_a = printed["cheazemin2020"].set_index("id")["printed"]
in_test_set = float(study_a["azemin-2-prevalence"]) / 100


def share(text: str) -> list[float]:
    """A printed share, with the lowest and the highest that print so."""
    number, scale = text.strip(" %"), 100 if "%" in text else 1
    low, high = forensics.unrounded(number)
    return [float(number) / scale, max(low, 0) / scale, min(high, scale) / scale]


def printed_points(run: Record) -> dict[str, dict[str, list]]:
    """Sensitivity and specificity of a run's classes as its study prints them."""
    if run.info["study"] == "cheazemin2020":
        names = ("azemin-3-sensitivity", "azemin-3-specificity")
        texts = {"covid": [f"{study_a[name]} %" for name in names]}
    else:
        table = printed["zhu2020"]
        found = table[table["run"] == run.info["experiment"]].set_index("metric")["printed"]
        names = {cls: [f"{cls}.recall", f"{cls}.specificity"] for cls in run.classes}
        texts = {cls: found[pair].tolist() for cls, pair in names.items() if pair[0] in found}
    return {
        cls: {"sensitivity": share(a), "specificity": share(b), "text": [a, b]}
        for cls, (a, b) in texts.items()
    }


# %% tags=["hide-input"] mystnb={"code_prompt_show": "What is known of the images", "code_prompt_hide": "What is known of the images"}
# Kermany's collection says of all its images that they are AP views of children; RSNA's normal
# images have lost what was known of them
DESCRIBED = {"view": "AP", "age": "0–17"}
listed = pd.read_csv(studies.results_folder() / subgroups.FILE)


def known_of(predictions: pd.DataFrame) -> pd.DataFrame:
    """View, sex, age band and source of each image, in words."""
    found = subgroups_of(predictions, listed)
    children = predictions["source"] == kermany.COLLECTION.name
    for column, value in DESCRIBED.items():
        found.loc[children & (found[column] == UNKNOWN), column] = value
    return found


# %% [markdown]
# Drag the line in the first chart and watch a thousand people below it. Then drag the prevalence.


# %% tags=["hide-input", "full-width"] mystnb={"code_prompt_show": "The explorer", "code_prompt_hide": "The explorer"}
def title(run: Record) -> str:
    """A variant is called by its own name first."""
    family, _, own = run.name.rpartition("/")
    own += " alone" if family.endswith("-shown") else ""
    own = own.replace("-", " ").replace("re estimated", "re-estimated")
    own = own.replace("lr ", "learning rate ")
    return f"{own}: {run.info['title']}" if family else run.info["title"]


def explorer_of(runs: list[Record], **view) -> Explorer:
    """The explorer of these runs, with what this book knows of them."""
    known = [
        known_of(run.predictions)
        .drop(columns="source")
        .assign(image_id=run.predictions["image_id"])
        for run in runs
    ]
    return Explorer(
        {run.name: run.predictions for run in runs},
        marks={"Study A": in_test_set},
        titles={run.name: title(run) for run in runs},
        printed={run.name: printed_points(run) for run in runs},
        subgroups=pd.concat(known).drop_duplicates("image_id"),
        **view,
    )


explorer = explorer_of(runs, share=True, threshold=threshold, prevalence=prevalence)
display(explorer)

# %% tags=["remove-input"]
pages.not_recorded([name for _, missing in members for name in missing])

# %% [markdown]
# ## Worth a try
#
# Each of these links sets the explorer above to a view: a run, a threshold, a prevalence. The address in the browser always holds the view that you see, so you can pass it on.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What Study A prints", "code_prompt_hide": "What Study A prints"}
sensitivity = float(study_a["azemin-3-sensitivity"]) / 100
specificity = float(study_a["azemin-3-specificity"]) / 100
suggested = metrics.suggested_thresholds(standin.predictions, "covid", in_test_set, sensitivity)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Views and ages of the images", "code_prompt_hide": "Views and ages of the images"}
known = known_of(four.predictions)
covid = (four.predictions["y_true"] == "covid").to_numpy()
counted = {}
for name, column, value in (("ap", "view", "AP"), ("child", "age", "0–17")):
    inside = (known[column] == value).to_numpy()
    counted |= {f"covid-{name}": int((covid & inside).sum())}
    counted |= {f"others-{name}": int((~covid & inside).sum())}

ill_children = (
    "No COVID-19 image of the test set is of a child: how many would be found is not known."
)
if few := counted["covid-child"]:
    ill_children = (
        f"COVID-19 images of children in the test set: {few}. What is found rests on these."
    )

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Views to open", "code_prompt_hide": "Views to open"}
usual = {"threshold": 0.5, "prevalence": round(in_test_set, 6)}
as_sensitive = {"threshold": suggested["printed"], "prevalence": 0.001}
perfect_score = {"threshold": 0.5, "prevalence": 0.001}
viral = {"positive_class": "viral", "threshold": 0.5, "prevalence": 0.1}
children = {"threshold": 0.5, "subgroup": {"age": "0–17"}}
views = {
    "The usual one half.": {"run": standin.name} | usual,
    "As sensitive as the study.": {"run": standin.name} | as_sensitive,
    "What a perfect score is worth.": {"run": binary.name} | perfect_score,
    "The class that is mistaken.": {"run": four.name} | viral,
    "Children only.": {"run": four.name} | children,
}
if "zhu-binary-shown/frame" in [run.name for run in runs]:
    views["The lungs blacked out."] = {"run": "zhu-binary-shown/frame"} | usual

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Links to the views", "code_prompt_hide": "Links to the views"}
words = {
    "The usual one half.": "At the prevalence of Study A's test set. Compare the accuracy with that"
    " of calling no one.",
    "As sensitive as the study.": "The threshold with which the stand-in reaches the sensitivity"
    " that Study A prints, where one in a thousand is ill.",
    "What a perfect score is worth.": "Study B's two classes: no mistake in the test set. Look at"
    " the interval of the PPV at a low prevalence.",
    "The class that is mistaken.": "Viral pneumonia against the rest. Move the threshold until nine"
    " in ten are found, and see who else is called.",
    "Children only.": f"Study B's four classes, asked for COVID-19 among children. {ill_children}",
    "The lungs blacked out.": "Study B's two classes, told apart by a network that saw nothing of"
    " each picture but its outer frame.",
}
links = [
    f'<li><a href="{escape(explorer.link(**view))}">{escape(title)}</a> {escape(words[title])}</li>'
    for title, view in views.items()
]
HTML(f"<ul>{''.join(links)}</ul>")

# %% [markdown]
# ## How to read it
#
# - **Called** means that the probability is at least the threshold. "Called positive" chooses the class that is asked about, against all others together. The tables of Study B call the most probable of four classes. That is not the same as at least one half, so rates differ a little. The printed point of four classes is by that rule, too.
# - **The thousand people** are like those pictured, but as many of them are ill as the prevalence says. Sensitivity and specificity stay; PPV and {term}`NPV` do not.
# - **{term}`Accuracy <accuracy>`** needs a yardstick where one class is rare. The stand-in with a threshold of {glue:text}`threshold` is right in {glue:text}`half-accuracy` % of its test images; calling no one would be right in {glue:text}`null-accuracy` %.
# - **{term}`Net benefit <net benefit>`** counts a case found as one and a false alarm as the odds of the threshold. That makes sense where the probability means what it says. Calling no one has a net benefit of zero.
# - **Runs** are the {term}`headline runs <headline run>`, Study A's other learning rates, the first {glue:text}`each` of each model's [re-draws](06_study_b_how_sure.ipynb), and those that saw the frame or the centre of each picture alone.
# - **The presets** other than *One half* choose the threshold on the images that are shown, of the test set, so what they show is a little too good. *Youden, on these images* is therefore another threshold than the one on [Study A's page](13_study_a_results.ipynb), which is chosen on validation images.
# - **Stars** are the points that the studies print, of their own networks and images. A printed 1.00 may be anything that rounds to it: the bar in the prevalence chart shows what that leaves open.
#
# ### The intervals
#
# Images of one patient are alike, so an interval must not count them as independent. The other pages resample patients, which takes too long for a slider. Here the variance of a sensitivity or specificity over patients says how many independent images it is worth, and {term}`Wilson's interval` is taken for that many. Where few patients carry the errors, that number moves towards one image for each patient, and where nothing is wrong, each patient counts once.
#
# The likelihood ratios, PPV, NPV, accuracy and net benefit get their intervals from these two ({source}`cxrlib/metrics/intervals.py` has the formulas with their sources). The size of each class is taken as given, since the study chose it. Only the accuracy of calling no one, which is that size, gets an interval of its own. So the PPV's interval holds for a fixed prevalence. On [Study A's page](13_study_a_results.ipynb) the patients are resampled, and the share of ill images moves a little with them, so that page's interval of the PPV is not the same. RSNA's normals and most children are known by image only, so each counts as a patient.
#
# The page computes all this itself, and a test compares it with the Python code.
#
# ## What it cannot show
#
# - **Study A here is a stand-in**, with other training labels, another network and other normal images: see [Results, by a stand-in](13_study_a_results.ipynb). Its numbers are not the study's.
# - **The classes differ by more than the disease.** In Study B's test set {glue:text}`covid-ap` of {glue:text}`covid-images` COVID-19 images are plain AP views and {glue:text}`covid-child` are of children. Of the {glue:text}`others` others {glue:text}`others-ap` are AP views and {glue:text}`others-child` are of children. View and age of Kermany's images are those that the collection's description gives for all of them (anterior-posterior, one to five years). Of Study A's normal images nothing is known.
# - **So most subgroups lack one class.** Choose one and the page says so. A rate at a prevalence assumes that the ill and the well of a clinic look as different as those of these collections. In no clinic do they.
# - **The prevalence moves, the patients do not.** Where the disease is rarer, it is often milder or earlier, too, and sensitivity falls.
# - **This is no medical device.** Nothing here may guide the care of a patient.
#
# ## A perfect score at low prevalence
#
# Table 4.1 of {cite:t}`zhu2020` has no mistake among {glue:text}`printed-covid` images of COVID-19 and {glue:text}`printed-others` others. If all images were independent, so many right answers are compatible with a sensitivity of {glue:text}`perfect-sensitivity` and a specificity of {glue:text}`perfect-specificity`. What can a positive result be worth?

# %% tags=["hide-input"] mystnb={"code_prompt_show": "PPV and NPV of a perfect score", "code_prompt_hide": "PPV and NPV of a perfect score"}
sizes = printed["zhu2020"].set_index("id")["printed"]
covid_size, others_size = (int(sizes[f"zhu-t4.1-{name}-size"]) for name in ("covid", "non-covid"))
sensitive = [float(end) for end in cxrlib.wilson(covid_size, covid_size)]
specific = [float(end) for end in cxrlib.wilson(others_size, others_size)]
Ppv((1.0, *sensitive), (1.0, *specific), marks={"Study A": in_test_set}, prevalence=0.001)

# %% [markdown]
# The chart has PPV and NPV of Table 4.1's two classes by prevalence. The bands are 95 % intervals, from Wilson's of sensitivity and specificity.
#
# ## With your own code
#
# In a live notebook (Binder, Colab, JupyterLab) the explorer is an object. Its traits move with the page, and the page moves with them. So you can link it to any control and read it from code. The published page shows the code only.

# %% tags=["remove-output"]
import ipywidgets

slider = ipywidgets.FloatSlider(value=threshold, min=0, max=1, step=0.01, description="threshold")
prior = ipywidgets.FloatLogSlider(value=prevalence, min=-4, max=-0.1, description="prevalence")
ipywidgets.link((slider, "value"), (explorer, "threshold"))
ipywidgets.link((prior, "value"), (explorer, "prevalence"))

heard = ipywidgets.Label()


def count(change=None):
    """A number of your own, whenever the threshold moves, here or in the page."""
    called = explorer.frame[f"p_{explorer.positive_class}"] >= explorer.threshold
    heard.value = f"{called.sum():,} of {len(called):,} images are called {explorer.positive_class}"


explorer.observe(count, "threshold")
count()
ipywidgets.VBox([slider, prior, heard])

# %% [markdown]
# What the page shows is also a table, of the same run, class, subgroup, threshold and prevalence:

# %%
explorer.table().round(3)

# %% [markdown]
# Predictions of your own go into `cxrlib.Explorer(table)`. The table has the columns `image_id, patient_id, source, split, y_true` and one `p_<class>` for each class. Its method `.html()` gives a page that needs nothing else.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "All numbers of the text", "code_prompt_hide": "All numbers of the text"}
half = cxrlib.operating_point(standin.predictions, "covid", threshold)
printed_ppv, _ = cxrlib.at_prevalence(sensitivity, specificity, in_test_set)
half_ppv, _ = cxrlib.at_prevalence(half["sensitivity"], half["specificity"], in_test_set)
pages.glue_all(
    counted
    | {
        "prevalence": study_a["azemin-2-prevalence"],
        "threshold": f"{threshold:g}",
        "printed-ppv": f"{100 * printed_ppv:.1f}",
        "half-ppv": f"{100 * half_ppv:.1f}",
        "half-accuracy": f"{100 * half['accuracy']:.1f}",
        "null-accuracy": f"{100 * half['null_accuracy']:.1f}",
        "each": each,
        "covid-images": int(covid.sum()),
        "others": int((~covid).sum()),
        "printed-covid": covid_size,
        "printed-others": others_size,
        "perfect-sensitivity": formatting.interval(*sensitive),
        "perfect-specificity": formatting.interval(*specific),
    }
)

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
# A network gives each radiograph a probability. Somebody has to choose the **threshold** from which it counts as positive, and how many of those it calls are ill depends on the **prevalence**:
# how many are ill among all whose picture is taken. Studies print one point of this. Here are the recorded predictions of both, and you can move either.
#
# Drag the line in the first chart and watch a thousand people below it. Then drag the prevalence.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the predictions", "code_prompt_hide": "Load the predictions"}
from html import escape

from IPython.display import HTML, display

from companion import pages, studies
from companion.explorer import explorer_of
from companion.pages import say
from companion.studies import subgroups
from cxrlib import formatting, metrics
from cxrlib.explorer import Ppv
from cxrlib.metrics import intervals

HEADLINES = ["azemin-standin-resnet50", "zhu-fourclass", "zhu-binary"]
headlines = {name: studies.run(name) for name in HEADLINES}
families = [
    studies.family("azemin-standin-resnet50-variants"),
    studies.family("zhu-fourclass-redraws"),
    studies.family("zhu-binary-redraws"),
    studies.family("zhu-fourclass-shown"),
    studies.family("zhu-binary-shown"),
]
EACH = 6  # runs of a family, so that the page stays small
explorer = explorer_of(
    [*headlines.values(), *(run for found, _ in families for run in found[:EACH])], share=True
)

# %% tags=["remove-input", "full-width"]
display(explorer)

# %% tags=["remove-input"]
display(pages.not_recorded([name for _, missing in families for name in missing]))

# %% tags=["remove-cell"]
standin, four, binary = headlines.values()
half = metrics.operating_point(standin.predictions, "covid", 0.5)
printed = studies.printed("cheazemin2020").set_index("id")["printed"]
prevalence = float(printed["azemin-2-prevalence"]) / 100
own_point = {
    name: float(printed[f"azemin-3-{name}"]) / 100 for name in ("sensitivity", "specificity")
}
say("prevalence", printed["azemin-2-prevalence"])
say("printed-ppv", f"{100 * metrics.at_prevalence(**own_point, prevalence=prevalence)[0]:.1f}")
say(
    "half-ppv",
    f"{100 * metrics.at_prevalence(half['sensitivity'], half['specificity'], prevalence)[0]:.1f}",
)
say("half-accuracy", f"{100 * half['accuracy']:.1f}")
say("null-accuracy", f"{100 * half['null_accuracy']:.1f}")
say("each", EACH)
groups = subgroups.of(four.predictions)
covid = (four.predictions["y_true"] == "covid").to_numpy()
for name, column, value in (("ap", "view", "AP"), ("child", "age", "0–17")):
    say(f"covid-{name}", int((covid & (groups[column] == value)).sum()))
    say(f"others-{name}", int((~covid & (groups[column] == value)).sum()))
say("covid-images", int(covid.sum()))
say("others", int((~covid).sum()))

# %% [markdown]
# ## Worth a try
#
# Each of these opens a view above. The address in the browser always holds the view you see, so you can pass it on.

# %% tags=["remove-input"]
SUGGESTIONS = {
    "The usual one half.": (
        {"run": standin.name, "threshold": 0.5, "prevalence": prevalence},
        (
            "At the prevalence of Study A's test set. Compare the accuracy with that of calling no"
            " one."
        ),
    ),
    "As sensitive as the study.": (
        {
            "run": standin.name,
            "threshold": metrics.suggested_thresholds(
                standin.predictions, "covid", prevalence, own_point["sensitivity"]
            )["printed"],
            "prevalence": 0.001,
        },
        (
            "The threshold with which the stand-in reaches the sensitivity that Study A prints,"
            " where one in a thousand is ill."
        ),
    ),
    "What a perfect score is worth.": (
        {"run": binary.name, "threshold": 0.5, "prevalence": 0.001},
        (
            "Study B's two classes: no mistake in the test set, and yet look at the interval of the"
            " PPV at a low prevalence."
        ),
    ),
    "The class that is mistaken.": (
        {"run": four.name, "positive_class": "viral", "threshold": 0.5, "prevalence": 0.1},
        (
            "Viral pneumonia against the rest. Move the threshold until nine in ten are found, and"
            " see who else is called."
        ),
    ),
    "Children only.": (
        {"run": four.name, "threshold": 0.5, "subgroup": {"age": "0–17"}},
        "Ask Study B's four classes for COVID-19 among children. There is nothing to compare.",
    ),
}
if studies.recorded("zhu-binary-shown/frame"):
    SUGGESTIONS["The lungs blacked out."] = (
        {"run": "zhu-binary-shown/frame", "threshold": 0.5, "prevalence": prevalence},
        (
            "Study B's two classes, told apart by a network that saw nothing of each picture but"
            " its outer frame."
        ),
    )
lines = [
    f'<li><a href="{escape(explorer.link(**state))}">{escape(title)}</a> {escape(words)}</li>'
    for title, (state, words) in SUGGESTIONS.items()
]
HTML(f"<ul>{''.join(lines)}</ul>")

# %% [markdown]
# ## How to read it
#
# - **Called** means: the probability is at least the threshold. "Called positive" chooses the class that is asked about, against all others together.
#   The tables of Study B call the most probable of four classes, which is not the same as at least one half, so rates differ a little; the printed point of four classes is by that rule, too.
# - The thousand people are like those pictured, but as many of them are ill as the prevalence says. Sensitivity and specificity stay, PPV and NPV do not. At {glue:text}`prevalence` %, the share of
#   COVID-19 in Study A's test set, the sensitivity and specificity that it prints give a PPV of {glue:text}`printed-ppv` %, the stand-in at one half {glue:text}`half-ppv` %.
# - **Accuracy** needs a yardstick where one class is rare: the stand-in at one half is right in {glue:text}`half-accuracy` % of its test images; calling no one would be right in {glue:text}`null-accuracy` %.
# - **Net benefit** counts a case found as one and a false alarm as the odds of the threshold. That makes sense where the probability means what it says; calling no one has nought.
# - **Runs** are the headline runs, Study A's other learning rates, the first {glue:text}`each` of each model's [re-draws](06_study_b_how_sure.ipynb), and those that saw the frame or the centre of each picture alone.
# - The presets but *One half* look at the test set to choose the threshold, so what they show is a little too good.
# - **Stars** are the points that the studies print, of their own networks and images. A printed 1.00 may be anything that rounds to it: the bar in the prevalence chart shows what that leaves open.
#
# ### The intervals
#
# Images of one patient are alike, so an interval must not count them as independent. Resampling patients, as the other pages do, takes too long for a slider. Here the variance of a sensitivity or specificity
# over patients says how many independent images it is worth, and Wilson's interval is taken for that many; where nothing is wrong, each patient counts once. The likelihood ratios, PPV, NPV, accuracy and
# net benefit get theirs from these two (`cxrlib.metrics.intervals` has the formulas with their sources). The size of each class is taken as given, as it was chosen; only the accuracy of calling no one, which is that size, gets an interval of its own. RSNA's normals and most
# children are known by image only, so each counts as a patient. The page computes all this itself, and a test compares it with the Python code.
#
# ## What it cannot show
#
# - **Study A here is a stand-in**, with other training labels, another network and other normal images: see [Results, by a stand-in](13_study_a_results.ipynb). Its numbers are not the study's.
# - **The classes differ by more than the disease.** In Study B's test set {glue:text}`covid-ap` of {glue:text}`covid-images` COVID-19 images are plain AP views and {glue:text}`covid-child` are of children; of the
#   {glue:text}`others` others {glue:text}`others-ap` are AP views and {glue:text}`others-child` of children. View and age of Kermany's images are those that the collection's description gives for all of them (anterior-posterior, one to five years); of Study A's normal
#   images nothing is known. So within most subgroups one class is missing: choose one and the page says so. A rate at a prevalence supposes that the ill and the well of a clinic look as different as those of these collections, which no clinic's do.
# - **The prevalence moves, the patients do not.** Where the disease is rarer, it is often milder or earlier, too, and sensitivity falls.
# - This is no medical device. Nothing here may guide the care of a patient.
#
# ## A perfect score at low prevalence
#
# Table 4.1 of {cite:t}`zhu2020` has no mistake among {glue:text}`printed-covid` images of COVID-19 and {glue:text}`printed-others` others. So many right answers are compatible with a sensitivity of {glue:text}`perfect-sensitivity` and a specificity of {glue:text}`perfect-specificity`,
# were all images independent. What can a positive result be worth?

# %% tags=["remove-cell"]
sizes = studies.printed("zhu2020").set_index("id")["printed"]
counts = {name: int(sizes[f"zhu-t4.1-{name}-size"]) for name in ("covid", "non-covid")}
perfect = {
    name: (1.0, *(float(end) for end in intervals.wilson(n, n))) for name, n in counts.items()
}
say("printed-covid", counts["covid"])
say("printed-others", counts["non-covid"])
say("perfect-sensitivity", formatting.interval(*perfect["covid"][1:]))
say("perfect-specificity", formatting.interval(*perfect["non-covid"][1:]))

# %% tags=["remove-input"]
Ppv(perfect["covid"], perfect["non-covid"], marks={"Study A": prevalence}, prevalence=0.001)

# %% [markdown]
# *PPV and NPV of Table 4.1's two classes by prevalence; bands: 95 % intervals from Wilson's of sensitivity and specificity.*
#
# ## With your own code
#
# In a live notebook (Binder, Colab, JupyterLab) the explorer is an object whose traits move with the page, and the page with them. So it can be linked to any control, and read from code.
# The published page shows the code only.

# %% tags=["remove-output"]
import ipywidgets

threshold = ipywidgets.FloatSlider(value=0.5, min=0, max=1, step=0.01, description="threshold")
prior = ipywidgets.FloatLogSlider(value=0.01, min=-4, max=-0.1, description="prevalence")
ipywidgets.link((threshold, "value"), (explorer, "threshold"))
ipywidgets.link((prior, "value"), (explorer, "prevalence"))

heard = ipywidgets.Label()


def count(change=None):
    """Whenever the threshold moves, here or in the page: a number of your own from the predictions
    shown.
    """
    called = explorer.frame[f"p_{explorer.positive_class}"] >= explorer.threshold
    heard.value = f"{called.sum():,} of {len(called):,} images are called {explorer.positive_class}"


explorer.observe(count, "threshold")
count()
ipywidgets.VBox([threshold, prior, heard])

# %% [markdown]
# What the page shows is also a table, of the same run, class, subgroup, threshold and prevalence:

# %%
explorer.table().round(3)

# %% [markdown]
# Predictions of your own, in a table with the columns `image_id, patient_id, source, split, y_true` and one `p_<class>` for each class, go into `widgets.Explorer(table)`; `.html()` of it is a
# page that needs nothing else.

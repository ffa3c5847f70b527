# ---
# jupyter:
#   cxr:
#     records:
#     - azemin-standin-resnet50
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
# # How fast? Operational efficiency
#
# **Question.** {cite:t}`cheazemin2020` gives its network {glue:text}`mpm` images a minute, a radiologist {glue:text}`rpm`, and concludes that the network is {glue:text}`efficiency` times as efficient. What is such a number worth?
#
# **Answer.** Little. On one and the same machine the slowest and the fastest way of running the {term}`stand-in`'s network are a factor of {glue:text}`range` apart. At the paper's operating point the network flags {glue:text}`flagged` % of the images, and somebody has to read those: the reading as a whole would go {glue:text}`gain` times as fast, not {glue:text}`efficiency` times, and {glue:text}`missed` % of the COVID-19 images would never be looked at.
#
# **How sure.** The rates were measured on {glue:text}`device` with {glue:text}`threads` threads, and repeats were up to {glue:text}`spread` % of the median apart. The paper's own computer, batch and way of running are not known.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
# figures of python -m benchmarks efficiency; default results/efficiency of this clone
folder: str | None = None
prevalence: float | None = None  # share of COVID-19 among the images read; default: the paper's

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the figures", "code_prompt_hide": "Load the figures"}
import itertools
import json
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import cxrlib
from companion import pages, parameters, studies
from companion.studies import cheazemin2020
from cxrlib import InputError, formatting, plots

parameters.check(globals())
folder = Path(folder or studies.results_folder() / "efficiency")


def figures_of(folder):
    """What was measured on CPUs and on other devices, the newest first. InputError where no file
    of the folder is of a CPU.
    """
    found = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    found = sorted(found, key=lambda info: info["recorded"], reverse=True)
    on_cpu = [info for info in found if info["device"]["type"] == "cpu"]
    if not on_cpu:
        way = "python -m benchmarks efficiency --device cpu writes one"
        raise InputError(f"folder: {folder} holds no figures of a CPU; {way}")
    return on_cpu, [info for info in found if info["device"]["type"] != "cpu"]


processors, gpus = figures_of(folder)
cpu = processors[0]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What the paper prints", "code_prompt_hide": "What the paper prints"}
reported = studies.printed("cheazemin2020").set_index("id")
printed = reported["printed"]
mpm, rpm = float(printed["azemin-3-mpm"]), float(printed["azemin-3-rpm"])
efficiency = printed["azemin-3-efficiency"]


def named(rows):
    """A table of measured rows, with the way of each spelled out."""
    table = pd.DataFrame(rows)
    return table.assign(way=table["library"] + " " + table["format"] + ", " + table["how"])


# %% [markdown]
# ## The formula
#
# The formula is lost in the text we have. The paper says that it takes a "relative operational efficiency formula from the literature", with MPM the images that the model processes per minute and RPM those of a radiologist. Two readings are possible:

# %% tags=["hide-input"] cxr={"items": ["Operational efficiency"]} mystnb={"code_prompt_show": "Operational efficiency", "code_prompt_hide": "Operational efficiency", "figure": {"caption": "Relative operational efficiency from the printed {glue:text}`mpm` and {glue:text}`rpm`, by two readings of the formula."}}
readings = pd.Series({"MPM / RPM": mpm / rpm, "(MPM − RPM) / RPM": (mpm - rpm) / rpm})
rounded = readings.map("{:.0f}".format)
table = pd.DataFrame({"Value": readings.map("{:.2f}".format), "Rounded": rounded})
table[f"Prints {efficiency}"] = rounded.eq(efficiency).map({True: "yes", False: "no"})
pages.table(table.rename_axis("Reading").reset_index())

# %% [markdown]
# Rounded as usual, only {glue:text}`fits` gives the printed {glue:text}`efficiency`; it is the reading used below. The two rates are rounded as well, so the other reading is [less likely, not excluded](25_study_a_forensics.ipynb).
#
# ## Measured here
#
# Pictures of {glue:text}`side` × {glue:text}`side` pixels, from memory to probability, {glue:text}`date` ({glue:text}`packages`). Reading and decoding files is not counted; the paper does not say whether it counted them. The ways took turns, and the numbers are medians.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Rates by way", "code_prompt_hide": "Rates by way"}
ways = named(cpu["rates"])  # a row for each network, way and batch
plain = ways["way"].iloc[0]
small, large = sorted(ways["batch"].unique())
wide = ways.pivot_table(index=["network", "way"], columns="batch", values="per_minute", sort=False)
(paper,) = [name for name in ways["network"].unique() if name != cpu["network"]]
order = list(dict.fromkeys(ways["way"]))
COLORS = {cpu["network"]: pages.COLORS["stand-in"], paper: pages.COLORS["the paper's network"]}
MARKERS = {small: "s", large: "o"}

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Draw them", "code_prompt_hide": "Draw them", "figure": {"caption": "Images a minute by way, of both networks, with the paper's two rates as dotted lines.", "name": "rates"}, "image": {"alt": "Dot chart, logarithmic: images a minute of ResNet-50 and ResNet-101 in each way, single images and batches, with the paper's rate and the radiologist's as vertical lines."}}
with plots.style():
    ax = plt.subplots(figsize=(7, 4.6))[1]
    for network, batch in itertools.product(COLORS, MARKERS):
        color, marker = COLORS[network], MARKERS[batch]
        part = ways[(ways["network"] == network) & (ways["batch"] == batch)]
        text = "single images" if batch == small else f"batches of {batch}"
        look = {"color": color, "markerfacecolor": "white" if batch == small else color}
        label = f"{network.replace('resnet', 'ResNet-')}, {text}"
        rows = part["way"].map(order.index)
        ax.plot(part["per_minute"], rows, marker, label=label, markersize=7, **look)
    for value, text in ((rpm, "radiologist"), (mpm, "paper, CPU")):
        ax.axvline(value, color="0.4", linestyle=":")
        ax.text(value, -0.75, f" {text}: {value:g}", ha="left", va="center")
    ax.set(xscale="log", xlim=(1, 20_000), xlabel="Images a minute (logarithmic)")
    ax.set(yticks=range(len(order)), yticklabels=order, ylim=(len(order) - 0.5, -1.1))
    ax.grid(axis="x", color="0.9")
    ax.figure.legend(loc="outside lower center", ncol=2, frameon=False)
plt.show()

# %% [markdown]
# ### Does a faster way lose anything?
#
# The stand-in's ResNet-50 is trained, so its area under the curve ({term}`AUC`) shows whether a faster way loses anything.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What each way changes", "code_prompt_hide": "What each way changes"}
ends = ["patients_low", "patients_high"]  # not in figures recorded before patients were resampled
agreement = named(cpu["agreement"]).set_index("way")
if "change" not in agreement:  # nor these in still older ones
    agreement["change"] = agreement["auc"] - agreement.loc[plain, "auc"]
agreement = agreement.reindex(columns=[*agreement.columns.difference(ends), *ends])
rates = wide.loc[cpu["network"]].join(agreement)
rates["change"] = rates["change"].map(lambda value: formatting.signed(value, decimals=4))
if agreement[ends].notna().any(axis=None):
    texts = [formatting.signed(*row, decimals=4) for row in agreement[["change", *ends]].to_numpy()]
    rates["change"] = pd.Series(texts, agreement.index)
table = pd.DataFrame(
    {
        "Single images": rates[small].map("{:,.0f}".format),
        f"Batches of {large}": rates[large].map("{:,.0f}".format),
        "Times the plain way": (rates[large] / rates.loc[plain, large]).map("{:.2f}".format),
        "AUC": rates["auc"].map("{:.4f}".format),
        "Change of AUC": rates["change"],
        "Largest change of p": rates["largest_difference"].map("{:.3f}".format),
        "Other answers at one half": (100 * rates["other_answers"] / cpu["test_images"]).map(
            "{:.1f} %".format
        ),
    }
)
pages.table(
    table.rename_axis("Way").reset_index(),
    caption="Images a minute of the stand-in's ResNet-50, and what a faster way changes",
    name="ways",
)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "What could not be run here", "code_prompt_hide": "What could not be run here"}
pages.items([f"{name}: {why}" for name, why in cpu["skipped"].items()], "Could not be run here")

# %% [markdown]
# AUC is over the same {glue:text}`images` test images ({glue:text}`positives` with COVID-19). p is the probability of COVID-19. {glue:text}`interval-note` The ranges of int8 were set on {glue:text}`calibration` training images, its method on the validation images; they showed that the first block moves the probabilities most, so in some ways it is left as it is.
#
# The fastest way, {glue:text}`best`, reads {glue:text}`best-ratio` times as many images a minute as the plain one, and its AUC differs by {glue:text}`best-change`. Over all ways the AUC changes by at most {glue:text}`largest-change`; the 95 % interval of the AUC itself, over patients, is {glue:text}`auc-interval`.
#
# Something else does change: at a {term}`threshold` of one half the fastest way answers otherwise for {glue:text}`best-others` % of the images. Anyone who changes the number format must set the threshold again.
#
# ### On other processors
#
# What a way gains depends on the processor: {glue:text}`widest`.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The same network on each processor", "code_prompt_hide": "The same network on each processor"}
by_processor = {}
for info in processors:
    if info["run"] == cpu["run"]:
        found = named(info["rates"])
        found = found[(found["network"] == cpu["network"]) & (found["batch"] == large)]
        name = f"{info['device']['name']}, {info['device']['threads']} threads, {info['recorded']}"
        by_processor[name] = found.set_index("way")["per_minute"]
by_processor = pd.DataFrame(by_processor).loc[wide.loc[cpu["network"]].index]
ratios = by_processor / by_processor.loc[plain]
text = ratios.map(formatting.number, decimals=2)
text.loc[plain, :] = [f"1 ({rate:,.0f} a minute)" for rate in by_processor.loc[plain]]
pages.table(
    text.rename_axis("Way").reset_index(),
    caption=f"Rate of ResNet-50 in batches of {large}, divided by that of the plain way",
)

# %% [markdown]
# ### The paper's network
#
# The paper's ResNet-101 is twice as deep. Its rate does not depend on the weights, so it is measured with random ones and has no AUC.


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Relative efficiency of ResNet-101", "code_prompt_hide": "Relative efficiency of ResNet-101"}
def relative(rate):
    """Relative operational efficiency by the reading that fits what is printed."""
    return f"{(rate - rpm) / rpm:,.0f}"


rows = [
    (
        "The paper: CPU of its time, way not stated",
        f"{mpm:.0f} (batch not stated)",
        "",
        relative(mpm),
    )
]
for way, rate in wide.loc[paper].iterrows():
    rows.append((way, f"{rate[small]:,.0f}", f"{rate[large]:,.0f}", relative(rate[large])))
for info in gpus:
    found = named(info["rates"])
    found = found[(found["network"] == paper) & (found["batch"] == found["batch"].max())]
    for way, rate in zip(found["way"], found["per_minute"], strict=True):
        rows.append((f"{info['device']['name']}: {way}", "", f"{rate:,.0f}", relative(rate)))
if not gpus:
    rows.append(
        ("GPU: not measured; benchmarks efficiency --device cuda fills this row", "–", "–", "–")
    )
columns = ["Way", "Single images", f"Batches of {large}", "Relative efficiency"]
pages.table(
    pd.DataFrame(rows, columns=columns),
    caption="Images a minute of ResNet-101, and the relative operational efficiency in batches",
)

# %% [markdown]
# Repeats were up to {glue:text}`spread-paper` % of the median apart. How many images at a time the paper's rate is for is not stated. Of a GPU the paper says: "{glue:text}`gpu-quote`"; {glue:text}`gpu-note`.
#
# ## What the number is worth
#
# A rate is a property of the computer and of the software as much as of the network. While the ways above are a factor of {glue:text}`range` apart, the AUC changes by no more than {glue:text}`largest-change`, and at most {glue:text}`most-others` % of the answers at one half.
#
# The radiologist's {glue:text}`rpm` images a minute is an average over images with various findings, and ends with an interpretation. The network's answer is one number, wrong for {glue:text}`missed` % of the COVID-19 images. And what the network flags has to be read all the same. At the paper's operating point it flags {glue:text}`flagged` % of the images: one minute of the network makes {glue:text}`alarms` alarms, which a radiologist reads in {glue:text}`minutes` minutes.
#
# If nobody looked at the other images, the reading as a whole would go {glue:text}`gain` times as fast, and {glue:text}`missed` % of the cases would never be seen. No faster computer changes that: the share of flagged images does.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What is flagged at the paper's operating point", "code_prompt_hide": "What is flagged at the paper's operating point"}
share = cheazemin2020.POSITIVES / (cheazemin2020.POSITIVES + cheazemin2020.NEGATIVES)
ill = share if prevalence is None else prevalence
sensitivity = float(printed["azemin-3-sensitivity"]) / 100
specificity = float(printed["azemin-3-specificity"]) / 100
flagged = sensitivity * ill + (1 - specificity) * (1 - ill)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "All numbers of the text", "code_prompt_hide": "All numbers of the text"}
here, base = wide.loc[cpu["network"], large], wide.loc[(cpu["network"], plain), large]
best = here.idxmax()
apart = (100 * (ways["high"] - ways["low"]) / ways["per_minute"]).groupby(ways["network"]).max()
area = cxrlib.bootstrap_by_patient(studies.run(cpu["run"]).predictions, "auc", "covid")
widest = (ratios.max(axis=1) / ratios.min(axis=1)).idxmax()
low, high = ratios.loc[widest].min(), ratios.loc[widest].max()
other = "the other" if len(ratios.columns) == 2 else "another"
between = (
    f"{widest} is {low:.2f} times as fast as the plain way on one of them and {high:.2f} times on"
    f" {other}"
)
interval_note = (
    "The change of AUC is given without an interval: the recorded one takes the images of one"
    " patient as independent, so it may be too narrow."
)
if agreement[ends].notna().any(axis=None):
    interval_note = (
        "The change of AUC has its 95 % interval over patients, the same patients for both ways."
    )
pages.glue_all(
    {
        "mpm": printed["azemin-3-mpm"],
        "rpm": printed["azemin-3-rpm"],
        "efficiency": efficiency,
        "fits": " and ".join(readings.index[rounded == efficiency]),
        "gpu-quote": reported.loc["azemin-3-gpu", "quote"].replace("*", ""),
        "gpu-note": "the rows of a GPU are in the table" if gpus else "none was measured here",
        "device": cpu["device"]["name"],
        "threads": cpu["device"]["threads"],
        "date": cpu["recorded"],
        "images": cpu["test_images"],
        "positives": cpu["positives"],
        "calibration": cpu["calibration_images"],
        "packages": ", ".join(f"{name} {version}" for name, version in cpu["packages"].items()),
        "side": cpu["side"],
        "best": best,
        "best-ratio": f"{here[best] / base:.1f}",
        "best-change": rates.loc[best, "change"],
        "best-others": f"{100 * agreement.loc[best, 'other_answers'] / cpu['test_images']:.1f}",
        "most-others": f"{100 * agreement['other_answers'].max() / cpu['test_images']:.1f}",
        "largest-change": f"{agreement['change'].abs().max():.4f}",
        "auc-interval": formatting.interval(area.low, area.high),
        "interval-note": interval_note,
        "range": f"{here.max() / here.min():.1f}",
        "spread": f"{apart[cpu['network']]:.0f}",
        "spread-paper": f"{apart[paper]:.0f}",
        "widest": between if len(ratios.columns) > 1 else "only one has been measured",
        "flagged": f"{100 * flagged:.1f}",
        "alarms": f"{mpm * flagged:.0f}",
        "minutes": f"{mpm * flagged / rpm:.0f}",
        "gain": f"{1 / flagged:.1f}",
        "missed": f"{100 * (1 - sensitivity):.1f}",
    }
)

# %% [markdown]
# ## Measure it yourself
#
# ```bash
# make train-env
# .venv/bin/uv pip install --python .venv/bin/python \
#     openvino nncf    # for the int8 rows
# .venv/bin/python -m benchmarks efficiency
# .venv/bin/python -m benchmarks efficiency --device cuda
# ```
#
# Each writes `results/efficiency/<device>-<its name>.json`; the newest of a CPU is the one that this page shows in full. They need the images of the stand-in in `CXR_DATA` and its ImageNet weights; without OpenVINO its rows are left out.

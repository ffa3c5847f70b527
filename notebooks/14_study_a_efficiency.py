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
# {cite:t}`cheazemin2020` report that their network reads {glue:text}`mpm` images a minute on a CPU, a radiologist {glue:text}`rpm`, and that the network is therefore
# "{glue:text}`efficiency` times more efficient". This page reads the formula, measures the same kind of network in several ways, and asks what such a number is worth.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
# figures of python -m benchmarks efficiency; default results/efficiency of this clone
folder: str | None = None

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the figures", "code_prompt_hide": "Load the figures"}
import json
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display

from companion import pages, studies
from companion.pages import say
from companion.studies import cheazemin2020
from cxrlib import formatting, metrics, plots

folder = Path(folder or studies.results_folder() / "efficiency")
measured = sorted(
    (json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))),
    key=lambda info: info["recorded"],
    reverse=True,
)
processors = [info for info in measured if info["device"]["type"] == "cpu"]
gpus = [info for info in measured if info["device"]["type"] != "cpu"]
cpu = processors[0]  # the newest
reported = studies.printed("cheazemin2020").set_index("id")
printed = reported["printed"]
MPM, RPM = float(printed["azemin-3-mpm"]), float(printed["azemin-3-rpm"])
EFFICIENCY = printed["azemin-3-efficiency"]


def named(rows):
    """A table of measured rows, with the way of each spelled out."""
    table = pd.DataFrame(rows)
    return table.assign(way=table["library"] + " " + table["format"] + ", " + table["how"])


ways = named(cpu["rates"])
PLAIN = ways["way"].iloc[0]


def number(value):
    """Images a minute, for a table."""
    return f"{value:,.0f}"


# %% tags=["remove-cell"]
say("mpm", printed["azemin-3-mpm"])
say("rpm", printed["azemin-3-rpm"])
say("efficiency", EFFICIENCY)
say("gpu-quote", reported.loc["azemin-3-gpu", "quote"].replace("*", ""))
say("device", cpu["device"]["name"])
say("threads", cpu["device"]["threads"])
say("date", cpu["recorded"])
say("images", cpu["test_images"])
say("positives", cpu["positives"])
say("calibration", cpu["calibration_images"])
say("packages", ", ".join(f"{name} {version}" for name, version in cpu["packages"].items()))
say("side", cpu["side"])

# %% [markdown]
# ## The formula
#
# It is lost in the text at hand; the paper says that it takes a "relative operational efficiency formula from the literature", with MPM the images the model processes per minute and RPM those of a
# radiologist. Two readings are at hand:

# %% tags=["remove-input"] cxr={"items": ["Operational efficiency"]}
readings = {"MPM / RPM": MPM / RPM, "(MPM − RPM) / RPM": (MPM - RPM) / RPM}
rows = [
    (text, f"{value:.2f}", f"{value:.0f}", "yes" if f"{value:.0f}" == EFFICIENCY else "no")
    for text, value in readings.items()
]
pages.table(pd.DataFrame(rows, columns=["Reading", "Value", "Rounded", f"Prints {EFFICIENCY}"]))

# %% tags=["remove-cell"]
fits = [text for text, value in readings.items() if f"{value:.0f}" == EFFICIENCY]
say("fits", " and ".join(fits))


def relative(rate):
    """Relative operational efficiency by the reading that fits."""
    return (rate - RPM) / RPM


# %% [markdown]
# *Relative operational efficiency from the printed {glue:text}`mpm` and {glue:text}`rpm`.* Rounded as usual, only {glue:text}`fits` gives the printed {glue:text}`efficiency`; it is the one used below. The two rates are rounded
# as well, so that the other reading is [less likely, not excluded](25_study_a_forensics.ipynb).
#
# ## Measured here
#
# On {glue:text}`device` with {glue:text}`threads` threads, {glue:text}`date` ({glue:text}`packages`), pictures of {glue:text}`side` × {glue:text}`side` pixels from memory to probability; reading and decoding files is not counted, and
# the paper does not say whether it counted them. The ways took turns; the table gives medians. First the stand-in's ResNet-50, trained, so that its area under the curve shows whether a faster way loses anything.

# %% tags=["remove-input"]
wide = ways.pivot_table(index=["network", "way"], columns="batch", values="per_minute", sort=False)
small, large = sorted(ways["batch"].unique())
ENDS = ["patients_low", "patients_high"]  # not in figures recorded before patients were resampled
agreement = named(cpu["agreement"]).set_index("way")
agreement = agreement.reindex(columns=[*agreement.columns.difference(ENDS), *ENDS])
base = wide.loc[(cpu["network"], PLAIN)]
rows = []
for way, rate in wide.loc[cpu["network"]].iterrows():
    found = agreement.loc[way]
    rows.append(
        (
            way,
            number(rate[small]),
            number(rate[large]),
            f"{rate[large] / base[large]:.2f}",
            f"{found['auc']:.4f}",
            (formatting.signed(*found[["change", *ENDS]], decimals=4) if found["change"] else "0"),
            f"{found['largest_difference']:.3f}",
            f"{100 * found['other_answers'] / cpu['test_images']:.1f} %",
        )
    )
heads = [
    "Way",
    "Single images",
    f"Batches of {large}",
    "Times the plain way",
    "AUC",
    "Change of AUC (95 % interval)",
    "Largest change of p",
    "Other answers at one half",
]
display(pages.table(pd.DataFrame(rows, columns=heads)))
display(
    pages.items([f"{name}: {why}" for name, why in cpu["skipped"].items()], "Could not be run here")
)

# %% tags=["remove-cell"]
best = wide.loc[cpu["network"]][large].idxmax()
say("best", best)
paper = next(
    name for name in wide.index.get_level_values("network").unique() if name != cpu["network"]
)
apart = (100 * (ways["high"] - ways["low"]) / ways["per_minute"]).groupby(ways["network"]).max()
say("spread", f"{apart[cpu['network']]:.0f}")
say("spread-paper", f"{apart[paper]:.0f}")
say("range", f"{wide.loc[cpu['network']][large].max() / wide.loc[cpu['network']][large].min():.1f}")
say("most-others", f"{100 * agreement['other_answers'].max() / cpu['test_images']:.1f}")
say("best-ratio", f"{wide.loc[(cpu['network'], best), large] / base[large]:.1f}")
say("best-change", formatting.signed(*agreement.loc[best, ["change", *ENDS]], decimals=4))
say("best-others", f"{100 * agreement.loc[best, 'other_answers'] / cpu['test_images']:.1f}")
say(
    "auc-interval",
    formatting.interval(
        *metrics.bootstrap_by_patient(studies.run(cpu["run"]).predictions, "auc", "covid")[1:]
    ),
)
say("largest-change", f"{agreement['change'].abs().max():.4f}")
differ = agreement.loc[(agreement[ENDS[0]] > 0) | (agreement[ENDS[1]] < 0)]
text = "none" if agreement[ENDS].notna().any(axis=None) else "not known from the figures at hand"
say("differ", "; ".join(differ.index) or text)

# %% [markdown]
# *Images a minute, ResNet-50 of the stand-in, singly and in batches; ratio of the latter to the plain way. Area under the curve over the same {glue:text}`images` test images ({glue:text}`positives` with COVID-19), its change with its interval (patients drawn anew, the same for both ways; a dash where the figures at hand have none), the largest
# move of a probability p, and the share of images whose answer at one half is another. Rates are medians of repeats, which were up to {glue:text}`spread` % of the median apart. The ranges of int8 were set on {glue:text}`calibration` training images, its method on
# the validation images: they showed that the first block moves the probabilities most, so it is also left as it is.*
#
# The fastest way, {glue:text}`best`, reads {glue:text}`best-ratio` times as many images a minute as the plain one, and its area differs by {glue:text}`best-change`, 95 % interval over patients; over all ways it changes by at most {glue:text}`largest-change`,
# where the area itself is known to {glue:text}`auc-interval` (95 % interval, patients drawn anew). Ways whose change's interval excludes no change: {glue:text}`differ`.
# That is not to say that nothing else changes: at a threshold of one half the fastest way answers otherwise for {glue:text}`best-others` % of the images. Who changes the number format must set the threshold anew.
#
# What a way gains depends on the processor. The same network, in batches of {glue:text}`batch`:

# %% tags=["remove-input"]
rates = {}
for info in processors:
    if info["run"] == cpu["run"]:
        found = named(info["rates"])
        found = found[(found["network"] == cpu["network"]) & (found["batch"] == large)]
        name = f"{info['device']['name']}, {info['device']['threads']} threads, {info['recorded']}"
        rates[name] = found.set_index("way")["per_minute"]
rates = pd.DataFrame(rates).loc[wide.loc[cpu["network"]].index]
ratios = rates / rates.loc[PLAIN]
text = ratios.map(lambda ratio: "–" if pd.isna(ratio) else f"{ratio:.2f}")
text.loc[PLAIN] = [f"1 ({number(rate)} a minute)" for rate in rates.loc[PLAIN]]
pages.table(text.rename_axis("Way").reset_index())

# %% tags=["remove-cell"]
say("batch", large)
widest = (ratios.max(axis=1) / ratios.min(axis=1)).idxmax()
low, high = ratios.loc[widest].min(), ratios.loc[widest].max()
text = (
    f"{widest} is {low:.2f} times as fast as the plain way on one of them and {high:.2f} times on"
    " another"
)
say("widest", text if len(rates.columns) > 1 else "only one has been measured")

# %% [markdown]
# *Images a minute of ResNet-50 in each way, divided by those of the plain way, by processor: {glue:text}`widest`.*
#
# The paper's ResNet-101 is twice as deep. Its rate does not depend on the weights, so it is measured with random ones, and has no area under the curve:

# %% tags=["remove-input"]
rows = [
    (
        "The paper: CPU of its time, way not stated",
        f"{MPM:.0f} (batch not stated)",
        "",
        f"{relative(MPM):.0f}",
    )
]
for way, rate in wide.loc[paper].iterrows():
    rows.append((way, number(rate[small]), number(rate[large]), f"{relative(rate[large]):,.0f}"))
for info in gpus:
    for row in info["rates"]:
        if row["network"] == paper and row["batch"] == max(item["batch"] for item in info["rates"]):
            rows.append(
                (
                    f"{info['device']['name']}: {row['library']}, {row['format']}, {row['how']}",
                    "",
                    number(row["per_minute"]),
                    f"{relative(row['per_minute']):,.0f}",
                )
            )
if not gpus:
    rows.append(
        ("GPU: not measured; benchmarks efficiency --device cuda fills this row", "–", "–", "–")
    )
pages.table(
    pd.DataFrame(
        rows, columns=["Way", "Single images", f"Batches of {large}", "Relative efficiency"]
    )
)

# %% tags=["remove-cell"]
say("gpu-note", "none was measured here" if not gpus else "the rows of a GPU are in the table")

# %% [markdown]
# *Images a minute, ResNet-101, and the relative operational efficiency in batches; repeats were up to {glue:text}`spread-paper` % of the median apart. How many images at a time the paper's rate is for is not stated.* Of a GPU the paper says: "{glue:text}`gpu-quote`"; {glue:text}`gpu-note`.

# %% tags=["remove-input"] mystnb={"image": {"alt": "Dot chart, logarithmic: images a minute of ResNet-50 and ResNet-101 in each way, single images and batches, with the paper's rate and the radiologist's as vertical lines."}}
with plots.style():
    ax = plt.subplots(figsize=(7, 4.6))[1]
    order = list(dict.fromkeys(ways["way"]))
    for place, (network, batch) in enumerate(
        [(name, batch) for name in (cpu["network"], paper) for batch in (small, large)]
    ):
        part = ways[(ways["network"] == network) & (ways["batch"] == batch)]
        color, marker = (("#0072B2", "s"), ("#0072B2", "o"), ("#D55E00", "s"), ("#D55E00", "o"))[
            place
        ]
        text = (
            f"{network.replace('resnet', 'ResNet-')},"
            f" {'single images' if batch == small else f'batches of {batch}'}"
        )
        ax.plot(
            part["per_minute"],
            [order.index(way) for way in part["way"]],
            marker,
            color=color,
            label=text,
            markersize=7,
            markerfacecolor="white" if batch == small else color,
        )
    for value, text in ((RPM, "radiologist"), (MPM, "paper, CPU")):
        ax.axvline(value, color="0.4", linestyle=":")
        ax.text(value, -0.75, f" {text}: {value:g}", ha="left", va="center")
    ax.set(
        xscale="log",
        xlim=(1, 20_000),
        yticks=range(len(order)),
        yticklabels=order,
        xlabel="Images a minute (logarithmic)",
    )
    ax.set_ylim(len(order) - 0.5, -1.1)
    ax.grid(axis="x", color="0.9")
    ax.figure.legend(loc="outside lower center", ncol=2, frameon=False)
plt.show()

# %% tags=["remove-cell"]
sensitivity, specificity = (
    float(printed[f"azemin-3-{name}"]) / 100 for name in ("sensitivity", "specificity")
)
prevalence = cheazemin2020.POSITIVES / (cheazemin2020.POSITIVES + cheazemin2020.NEGATIVES)
flagged = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
say("flagged", f"{100 * flagged:.1f}")
say("alarms", f"{MPM * flagged:.0f}")
say("minutes", f"{MPM * flagged / RPM:.0f}")
say("gain", f"{1 / flagged:.1f}")
say("missed", f"{100 * (1 - sensitivity):.1f}")

# %% [markdown]
# *Images a minute by way, both networks, beside the two numbers of the paper.*
#
# ## What the number is worth
#
# A rate is a property of the computer and of the software as much as of the network: on one and the same machine the slowest and the fastest way are a factor of {glue:text}`range` apart, while the area under the curve changes by no more than {glue:text}`largest-change` and at most {glue:text}`most-others` % of the answers at one half. The radiologist's
# {glue:text}`rpm` images a minute is an average over images with various findings, and ends with an interpretation; the network's answer is one number, wrong in {glue:text}`missed` % of the COVID-19 images. And what the network
# flags has to be read all the same. At the paper's operating point it flags {glue:text}`flagged` % of the images: one minute of the network makes {glue:text}`alarms` alarms, which a radiologist reads in {glue:text}`minutes` minutes. If
# nobody looked at the other images, the reading as a whole would go {glue:text}`gain` times as fast, not {glue:text}`efficiency` times, and {glue:text}`missed` % of the cases would never be seen. No faster computer changes that: the share of flagged images does.
#
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

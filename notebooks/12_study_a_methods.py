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
# # How the paper worked: network, options, formulas
#
# **Question.** How did {cite:t}`cheazemin2020` train its network, and what does the output of that network mean?
#
# **Answer.** It kept a pretrained ResNet-101 as it was and trained a new last layer only: {glue:text}`trained` of {glue:text}`all` parameters. The training labels were airspace opacity, present or absent. So the output is a probability of opacity, not of COVID-19, and it holds where opacities are as common as in the training set. Where {glue:text}`prevalence` % of images have one, an output of {glue:text}`high` means a probability of {glue:text}`validation-moved` or {glue:text}`test-moved`, depending on the set that was trained on.
#
# **How sure.** The parameters were counted in torchvision's network; the last step is Bayes' rule, with the assumptions named below. The text of the paper that we have lacks its pictures and formulas, and with them the initial learning rate, the size of the input and the share of opacities in the training set.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
from typing import Literal

# the network to draw: Study A's or Study B's
model: Literal["resnet101", "resnet18"] = "resnet101"
p_covid: float = 0.2  # of the paper's image A, for the label COVID-19; between 0 and 1
prevalence: float = 2.57  # of opacity where the network is used, in %; default: the printed one

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the network's record", "code_prompt_hide": "Load the network's record"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import expit, logit, softmax

from companion import networks, pages, parameters, studies
from companion.diagrams import arrow, box, canvas, chain, note, shape
from cxrlib import plots

parameters.check(globals())
facts = networks.recorded(model)  # one image's way through the network, layer by layer
modules = pd.DataFrame(facts["modules"])
blocks = modules[modules["downsample"].notna()]  # residual blocks, in order
layers = modules[modules["downsample"].isna()]
image_a = {"none": 1 - p_covid, "COVID-19": p_covid}  # the paper's example

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Count the parameters", "code_prompt_hide": "Count the parameters"}
part = layers["name"].str.partition(".")[0]  # conv1, …, layer1, …, fc
parts = layers.groupby(part, sort=False).agg({"parameters": "sum", "output": "last"})
parts["output"] = parts["output"].map(shape)
members = blocks["name"].str.partition(".")[0].value_counts()
features = layers["output"].iloc[-2][0]  # numbers that the last layer is given
trained = facts["fc"][str(len(image_a))]
frozen = facts["parameters"] - facts["fc"]["1000"]

# %% [markdown]
# ## The network
#
# The network is ResNet-101 from {cite:t}`he2016`, pretrained "on not less than a million images" of ImageNet. "Learning rates of all the parameters of all layers were set to zero except new_fc, prob, and new_classoutput."


# %% tags=["hide-input"] mystnb={"code_prompt_show": "What each part does", "code_prompt_hide": "What each part does"}
def window(name):
    """``7×7``, and the stride."""
    row = layers.set_index("name").loc[name]
    return "×".join(map(str, row["kernel"])), f"stride {row['stride'][0]}"


parts["text"] = {
    "conv1": "{} conv, {}".format(*window("conv1")),
    "bn1": "batch normalisation",
    "relu": "negative values to 0",
    "maxpool": "{} maximum, {}".format(*window("maxpool")),
    "avgpool": "average pooling",
} | (members.astype(str) + " blocks").to_dict()

# %% tags=["hide-input"] mystnb={"code_prompt_show": "How a column is drawn", "code_prompt_hide": "How a column is drawn"}
LOOKS = {"frozen": "conv", "trained": "head", "no parameters": "norm", "data": "data"}
rows = 0.88 + 1.02 * np.arange(5)


def given(*names):
    """Name, text, look and output of parts that stay as they are."""
    for name in names:
        output, count, text = parts.loc[name, ["output", "parameters", "text"]]
        kind = "frozen" if count else "no parameters"
        yield name, text + (f"\n{count:,} frozen" if count else ""), kind, output


def column(ax, x, y, title, *shown):
    """Boxes, and beside the arrows what is passed on."""
    note(ax, x, 0.28, title, fontsize=11, weight="bold")
    boxes = [("", LOOKS[kind]) for _, _, kind, _ in shown]
    chain(ax, [(x, each) for each in y], *boxes, width=1.86, height=0.68)
    for place, (name, text, _, output) in enumerate(shown):
        middle = y[place] - 0.08 * text.count("\n")
        note(ax, x, middle - 0.01, name, weight="bold", va="bottom")
        note(ax, x, middle + 0.03, text, va="top", fontsize=9)
        if place + 1 < len(y):
            note(ax, x + 0.1, (y[place] + y[place + 1]) / 2, output, ha="left", fontsize=9)


# %% tags=["hide-input"] cxr={"items": ["Figure 2"]} mystnb={"code_prompt_show": "Figure 2", "code_prompt_hide": "Figure 2", "figure": {"caption": "Figure 2, rebuilt: initial and final layers of {glue:text}`network` as employed; the middle column, which the paper's caption does not name, in short. Beside the arrows: height × width × channels. new_fc, prob and new_classoutput are the paper's names, the others torchvision's."}, "image": {"alt": "The network in three columns joined by arrows. Left the initial layers: image, conv1, bn1, relu, maxpool. Middle the four stages of residual blocks. Right the final layers: avgpool, new_fc, prob (softmax), new_classoutput (cross-entropy). Everything before new_fc is frozen, new_fc is trained, prob and new_classoutput have no parameters."}}
ax, low = canvas(5.75), rows[4] + 0.56
arrow(ax, (1.1, rows[4]), (1.1, low), (3.42, low), (3.42, rows[4] + 0.34))
white = {"facecolor": "white", "edgecolor": "none", "pad": 3}
note(ax, 2.26, low, parts.at["maxpool", "output"], fontsize=9, bbox=white)
arrow(ax, (3.42, rows[1]), (3.42, rows[0]), (4.81, rows[0]))
note(ax, 3.52, rows[0] + 0.5, parts.at["layer4", "output"], ha="left", fontsize=9)
image = ("image", shape(facts["input"]), "data", "")
column(ax, 1.1, rows, "Initial layers", image, *given("conv1", "bn1", "relu", "maxpool"))
column(ax, 3.42, rows[:0:-1], "Residual blocks", *given(*members.index.sort_values()))
new = ("new_fc", f"{features:,} → {len(image_a)}\n{trained:,} trained", "trained", "2 scores")
softmax_layer = ("prob", "softmax", "no parameters", "2 probabilities")
loss_layer = ("new_classoutput", "cross-entropy", "no parameters", "")
column(ax, 5.74, rows[:4], "Final layers", *given("avgpool"), new, softmax_layer, loss_layer)
for place, kind in enumerate(("frozen", "trained", "no parameters")):
    box(ax, 5.11, rows[4] - 0.14 + 0.26 * place, "", LOOKS[kind], 0.3, 0.17)
    note(ax, 5.37, rows[4] - 0.14 + 0.26 * place, kind, ha="left", fontsize=9)
plt.show()

# %% [markdown]
# The convolutions outside the shortcuts and the last layer make the {glue:text}`weighted` layers of the name. Shapes and counts were read from a forward pass of torchvision's network, recorded in `results/networks/`. "All images need to be resampled", says the caption. To what size is lost. {glue:text}`side` pixels a side, the network's usual input, is an assumption.
#
# "Only these three layers were retrained", but prob and new_classoutput have nothing to train. What is trained is new_fc: {glue:text}`features` weights and one bias for each of {glue:text}`labels` labels, {glue:text}`trained` parameters. The other {glue:text}`frozen` stay as ImageNet left them. Of all {glue:text}`all` parameters, one in {glue:text}`one-in` is trained.
#
# ## Training options

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What was printed, and what we set", "code_prompt_hide": "What was printed, and what we set"}
PRINTED = studies.printed("cheazemin2020").set_index("id")["printed"]
setting = studies.AZEMIN_ADJUDICATED  # the paper's own training; what is lost in it is ours
variants = studies.FAMILIES["azemin-standin-resnet50-variants"].values()
rates = sorted({variant.lr for variant in variants} - {setting.lr})
others = " and ".join(map(str, rates))
batch, epochs = PRINTED["azemin-t1-batch"], PRINTED["azemin-t1-epochs"]
lost, ours = "lost in the text we have", "assumption"

# %% tags=["hide-input"] cxr={"items": ["Table 1"]} mystnb={"code_prompt_show": "Table 1", "code_prompt_hide": "Table 1"}
options = [
    ("Mini batch size", batch, str(setting.batch), "printed, Table 1"),
    ("Maximum epochs", epochs, str(setting.epochs), "printed, Table 1"),
    ("Initial learning rate", lost, f"{setting.lr}; also tried: {others}", ours),
    ("Shuffle", "Every epoch", "Every epoch", "printed, Table 1"),
    ("Validation frequency", "Every epoch", "Every epoch", "printed, Table 1"),
    ("Optimiser", "Stochastic gradient descent with momentum", "the same", "printed, text"),
    ("Momentum", "not printed", str(setting.momentum), ours),
    ("Layers trained", "new_fc, prob, new_classoutput", "new_fc", "printed, text"),
    ("Input", lost, shape(facts["input"]), ours),
    ("Batch normalisation", "not printed", "statistics kept; also re-estimated", "two variants"),
]
caption = "Table 1, rebuilt: options set for the network training. Rows 1–5 are the paper's table"
columns = ["Property", "Paper", "Here", "Source"]
pages.table(pd.DataFrame(options, columns=columns), caption=caption)

# %% [markdown]
# Below the five rows of the paper's table is what its text says, or leaves open.
#
# - **Learning rate.** The names new_fc and new_classoutput and the batch size are those of an example by MathWorks, whose rate is {glue:text}`rate`. That the paper took this rate too is our assumption. {glue:text}`other-rates` were tried as well, with the {term}`stand-in`.
# - **Momentum.** {glue:text}`momentum` is the default of MATLAB's `sgdm`. That the paper used MATLAB is inferred from the names of its layers; the text that we have does not say so.
# - **Batch normalisation.** A learning rate of zero holds the scales and offsets of the {glue:text}`norms` normalisations, {glue:text}`norm-parameters` parameters. It says nothing of their {glue:text}`norm-statistics` means and variances, which are not learned but measured on images. There are two variants: those of ImageNet kept, and all measured again on the training images.
#
# How much the rate and the batch normalisation matter is measured under [Results](13_study_a_results.ipynb).
#
# ## From scores to probabilities: softmax
#
# Both formulas of the paper are lost in the text that we have. Given here are the standard definitions, in the quantities that its words name. The layer prob "outputs probability assigned to each label $j$ = {none, COVID-19}" from the output $z$ of new_fc, whose weights are $\mathbf{w}$ and biases $b$:
#
# $$p_j = \frac{e^{z_j}}{\sum_{k=1}^{K} e^{z_k}}, \qquad z_j = \mathbf{w}_j^{T} \mathbf{x} + b_j$$
#
# $\mathbf{x}$ are the {glue:text}`features` numbers that avgpool gives, $K$ = {glue:text}`labels` the labels.

# %% tags=["hide-input"] cxr={"items": ["Softmax"]} mystnb={"code_prompt_show": "Softmax of the example", "code_prompt_hide": "Softmax of the example"}
scores = np.array([np.log(image_a["none"] / image_a["COVID-19"]), 0.0])
p = softmax(scores)
rows = {"Label": list(image_a), "Score z": scores, "exp z": np.exp(scores), "Probability": p}
shown = pd.DataFrame(rows)
shown.loc[len(shown)] = ["Sum", np.nan, shown["exp z"].sum(), p.sum()]
formats = {"Score z": "{:.3f}".format, "exp z": "{:.1f}".format}
formats["Probability"] = lambda value: str(round(value, 3))
caption = "Softmax with the paper's example, image A"
pages.table(shown, caption=caption, formatters=formats, na_rep="")

# %% [markdown]
# The paper's example is an image A of probability {glue:text}`p-none` for none and {glue:text}`p-COVID-19` for COVID-19. The scores are ours: any two that differ by ln {glue:text}`ratio` = {glue:text}`difference` give these probabilities. They sum to {glue:text}`sum`, as the paper says they must.
#
# ## What training lowers: cross-entropy
#
# The layer new_classoutput "measures the cross entropy loss" over $N$ samples and $K$ labels from the output $p$ of prob:
#
# $$L = -\frac{1}{N} \sum_{n=1}^{N} \sum_{k=1}^{K} t_{nk} \, \ln \, p_{nk}$$
#
# $t_{nk}$ is 1 if $k$ is the true label of sample $n$, else 0. So each sample counts with $-\ln \, p$ of its true label. That the sum is divided by $N$ belongs to the standard definition. Whether the paper's formula has it cannot be seen in the text that we have.


# %% tags=["hide-input"] cxr={"items": ["Cross-entropy"]} mystnb={"code_prompt_show": "Cross-entropy of the example", "code_prompt_hide": "Cross-entropy of the example"}
def cross_entropy(t, p):
    """Mean loss of N samples from their true labels, as 0 and 1, and their probabilities, both
    (N, K).
    """
    return -(t * np.log(p)).sum() / len(t)


losses = [cross_entropy(t[None], p[None]) for t in np.eye(len(p))]  # image A, for either label
shown = pd.DataFrame({"True label of image A": list(image_a), "Its probability p": p})
shown["Loss −ln p"] = losses
formats = {"Its probability p": formats["Probability"], "Loss −ln p": "{:.3f}".format}
pages.table(shown, caption="Cross-entropy of image A alone, for either label", formatters=formats)

# %% [markdown]
# If A is a COVID-19 image, it costs {glue:text}`loss-ratio` times what it costs if it is not. Two equal scores cost ln {glue:text}`labels` = {glue:text}`loss-even` for either label.
#
# ## A probability of what?
#
# The two labels are called none and COVID-19, but no image with COVID-19 was trained on: the training labels are airspace opacity, present or absent. So the output of prob is a probability of opacity, in a set with the training set's share $\pi$ of opacities.
#
# That share is lost with the numbers of Figure 1. The adjudicated labels come as two sets, and the text that we have does not say which was trained on, or whether all of it. The validation set has {glue:text}`validation-positive` opacities in {glue:text}`validation-all` images ({glue:text}`validation-share` %), the test set {glue:text}`test-positive` in {glue:text}`test-all` ({glue:text}`test-share` %). The paper's own test set was composed for a {term}`prevalence` of {glue:text}`printed-prevalence` %.
#
# At another share $\rho$ the same scores mean another probability, $q$. By Bayes' rule,
#
# $$\ln \, \frac{q}{1-q} = \ln \, \frac{p}{1-p} + \ln \, \frac{\rho}{1-\rho} - \ln \, \frac{\pi}{1-\pi}$$
#
# provided that $p$ is right in the training mix and that images with and without opacity look the same in both. The first term on the right is the difference of the two scores.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Move a probability to another share", "code_prompt_hide": "Move a probability to another share"}
flow = pd.read_csv(studies.results_folder() / "flow/cheazemin2020.csv").set_index("step")["images"]
images = {name: flow[f"adjudicated {name} set"] for name in ("validation", "test")}
positive = {name: flow[f"adjudicated {name} set, opacity"] for name in images}
shares = {name: positive[name] / images[name] for name in images}


def moved(p, share, prevalence=prevalence / 100):
    """Probability at a prevalence of what prob gives as p, for a training set with this share of
    opacities.
    """
    return expit(logit(p) + logit(prevalence) - logit(share))


# %% tags=["hide-input"] mystnb={"code_prompt_show": "What the output means", "code_prompt_hide": "What the output means", "figure": {"caption": "What prob gives as $p$ for the label COVID-19, and the probability $q$ of opacity where $\\rho$ = {glue:text}`prevalence` % of images have it (not in the paper).", "name": "probability-of-what"}, "image": {"alt": "Two curves of the probability of opacity over the output of the network, one for each set that may have been trained on. Both stay near zero up to high outputs and rise steeply at the end, far below the diagonal."}}
p = np.linspace(0.001, 0.999, 500)
lines = dict(zip(shares, ("-", "--"), strict=True))
with plots.style():
    ax = plt.subplots(figsize=(7, 4))[1]
    for name, share in shares.items():
        text = f"trained on the {name} set ({100 * share:.1f} % opacity)"
        look = {"color": pages.COLORS["possible"], "linestyle": lines[name]}
        ax.plot(p, moved(p, share), label=text, **look)
    ax.plot(
        [0, 1], [0, 1], color="0.45", linestyle=":", linewidth=1.2, label="as if nothing changed"
    )
    ax.set(xlabel="Output of prob for the label COVID-19, p")
    ax.set(ylabel=f"Probability of opacity at {prevalence:g} %, q")
    ax.legend(loc="upper left")
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The same as a table", "code_prompt_hide": "The same as a table"}
outputs = np.array([p_covid, 0.5, 1 - p_covid])
shown = pd.DataFrame({"Softmax p": outputs, "Difference of scores": logit(outputs)})
for name, share in shares.items():
    shown[f"q, trained on the {name} set ({100 * share:.1f} %)"] = moved(outputs, share)
pages.table(
    shown,
    caption=f"The output p, and the probability q of opacity at {prevalence:g} %",
    float_format=lambda value: f"{value:.3f}".replace("-", "−"),
    formatters={"Softmax p": lambda value: str(round(value, 3))},
)

# %% [markdown]
# A softmax of {glue:text}`high` becomes {glue:text}`validation-moved` or {glue:text}`test-moved`. For $q$ to reach one half, the softmax must be {glue:text}`validation-half` or {glue:text}`test-half`. The shift is the same for all images, so it changes what a {term}`threshold` does and leaves the {term}`ROC curve` as it is.
#
# Two things stay open. {glue:text}`printed-prevalence` % is the share of COVID-19 images in the paper's test set, and how many of its images show opacity is not known. And no change of shares turns a probability of opacity into one of COVID-19.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Numbers of the text", "code_prompt_hide": "Numbers of the text"}
weighted = layers["type"].isin(["Conv2d", "Linear"]) & ~layers["name"].str.contains("downsample")
norms = layers[layers["type"] == "BatchNorm2d"]
of_sets = {
    f"{name}-{key}": value
    for name, share in shares.items()
    for key, value in {
        "positive": int(positive[name]),
        "all": int(images[name]),
        "share": f"{100 * share:.1f}",
        "half": f"{expit(logit(share) - logit(prevalence / 100)):.3f}",
        "moved": f"{moved(max(outputs), share):.3f}",
    }.items()
}
pages.glue_all(
    of_sets
    | {f"p-{label}": f"{value:g}" for label, value in image_a.items()}
    | {
        "network": model.replace("resnet", "ResNet-"),
        "weighted": int(weighted.sum()),
        "side": facts["input"][1],
        "features": features,
        "labels": len(image_a),
        "trained": trained,
        "frozen": frozen,
        "all": frozen + trained,
        "one-in": round((frozen + trained) / trained),
        "norms": len(norms),
        "norm-parameters": int(norms["parameters"].sum()),
        "norm-statistics": int(2 * norms["output"].str[0].sum()),  # a mean and a variance a channel
        "rate": setting.lr,
        "other-rates": others,
        "momentum": setting.momentum,
        "ratio": f"{image_a['none'] / p_covid:.3g}",
        "difference": f"{scores[0]:.3f}",
        "sum": f"{softmax(scores).sum():.1f}",
        "loss-even": f"{np.log(len(image_a)):.3f}",
        "loss-ratio": f"{losses[1] / losses[0]:.1f}",
        "prevalence": f"{prevalence:g}",
        "printed-prevalence": PRINTED["azemin-2-prevalence"],
        "high": f"{max(outputs):g}",
    }
)

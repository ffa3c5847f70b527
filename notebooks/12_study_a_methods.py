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
# {cite:t}`cheazemin2020` took a pretrained network, kept it as it was and trained a new last layer. This page rebuilds Figure 2, Table 1 and the two
# formulas of the paper. The text at hand has their words; the picture and everything set as a formula are lost in it, the initial learning rate and the
# size of the input among them. What stands in their place is marked.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the network's record", "code_prompt_hide": "Load the network's record"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import expit, logit, softmax

from companion import diagrams, networks, pages
from companion.diagrams import arrow, box, canvas, note, shape
from companion.pages import say

diagrams.vector()
facts = networks.recorded("resnet101")
blocks = [row for row in facts["modules"] if "downsample" in row]  # residual blocks, in order
layers = [row for row in facts["modules"] if "downsample" not in row]
at = {row["name"]: row for row in layers}
stages = {
    name: [row for row in blocks if row["name"].startswith(f"{name}.")]
    for name in ("layer1", "layer2", "layer3", "layer4")
}

PAPER = {"none": 0.8, "COVID-19": 0.2}  # its image A, section 2
PREVALENCE = 0.0257  # of its test set, section 2
LABELS = ("none", "COVID-19")
# images with airspace opacity, all images; counted in the label files of Majkowska et al. as
# torchxrayvision ships them
ADJUDICATED = {"validation": (1031, 2414), "test": (1135, 1962)}
RATES = (3e-4, 1e-4, 1e-3)  # the first is the assumption, the others stand beside it
MOMENTUM = 0.9

features = at["avgpool"]["output"][0]
trained = facts["fc"][str(len(LABELS))]
frozen = facts["parameters"] - facts["fc"]["1000"]

# %% tags=["remove-cell"]
KINDS = {
    "frozen": "conv",
    "trained": "head",
    "no parameters": "norm",
    "data": "data",
}  # what training does to the box: its look


def window(row, word):
    return f"{'×'.join(map(str, row['kernel']))} {word}, stride {row['stride'][0]}"


# %% tags=["remove-cell"]
weighted = [
    row
    for row in layers
    if row["type"] in {"Conv2d", "Linear"} and ".downsample." not in row["name"]
]
norms = [row for row in layers if row["type"] == "BatchNorm2d"]
say("weighted", len(weighted))
say("blocks", len(blocks))
say("stages", len(stages))
say("side", facts["input"][1])
say("features", features)
say("labels", len(LABELS))
say("trained", trained)
say("frozen", frozen)
say("all", frozen + trained)
say("one-in", round((frozen + trained) / trained))
say("norms", len(norms))
say("norm-parameters", sum(row["parameters"] for row in norms))
say(
    "norm-statistics", sum(2 * row["output"][0] for row in norms)
)  # a mean and a variance for each channel

# %% [markdown]
# ## The network
#
# The network is ResNet-101 from {cite:t}`he2016`, pretrained "on not less than a million images" of ImageNet. Its convolutions outside the shortcuts and its
# last layer make the {glue:text}`weighted` layers of its name. "Learning rates of all the parameters of all layers were set to zero except new_fc, prob, and
# new_classoutput."

# %% tags=["remove-input"] mystnb={"image": {"alt": "ResNet-101 in three columns joined by arrows. Left the initial layers: image, conv1, bn1, relu, maxpool. Middle the four stages of residual blocks. Right the final layers: avgpool, new_fc, prob (softmax), new_classoutput (cross-entropy). Everything before new_fc is frozen, new_fc is trained, prob and new_classoutput have no parameters."}} cxr={"items": ["Figure 2"]}
ax = canvas(5.7)
left, middle, right, wide, tall = 1.1, 3.42, 5.74, 1.86, 0.68
rows = [0.88 + 1.02 * place for place in range(5)]


def layer(x, y, name, what, kind, parameters=0):
    """A layer: its name, what it does, and how many parameters are frozen or trained."""
    box(ax, x, y, "", KINDS[kind], wide, tall)
    lines = [what] + ([f"{parameters:,} {kind}"] if parameters else [])
    top = y - 0.0875 * len(lines)
    note(ax, x, top, name, weight="bold")
    for place, line in enumerate(lines, start=1):
        note(ax, x, top + 0.01 + 0.17 * place, line, fontsize=9)


def step(x, begin, end, given, side=0.1):
    """An arrow from one row to a neighbouring one, beside it what is passed on."""
    way = 1 if end > begin else -1
    arrow(ax, (x, begin + way * tall / 2), (x, end - way * tall / 2))
    note(ax, x + side, (begin + end) / 2, given, ha="left", fontsize=9)


for x, text in ((left, "Initial layers"), (middle, "Residual blocks"), (right, "Final layers")):
    note(ax, x, 0.28, text, fontsize=11, weight="bold")

conv1, bn1, relu, maxpool = (at[name] for name in ("conv1", "bn1", "relu", "maxpool"))
layer(left, rows[0], "image", shape(facts["input"]), "data")
layer(left, rows[1], "conv1", window(conv1, "conv"), "frozen", conv1["parameters"])
layer(left, rows[2], "bn1", "batch normalisation", "frozen", bn1["parameters"])
layer(left, rows[3], "relu", "negative values to 0", "no parameters")
layer(left, rows[4], "maxpool", window(maxpool, "maximum"), "no parameters")
for upper, lower, given in zip(rows, rows[1:], (None, conv1, bn1, relu), strict=False):
    step(left, upper, lower, shape(given["output"]) if given else "")

bottom = rows[4] + tall / 2
arrow(ax, (left, bottom), (left, bottom + 0.22), (middle, bottom + 0.22), (middle, bottom))
note(
    ax,
    (left + middle) / 2,
    bottom + 0.22,
    shape(maxpool["output"]),
    fontsize=9,
    bbox={"facecolor": "white", "edgecolor": "none", "pad": 3},
)
upward = rows[:0:-1]
for y, (name, members) in zip(upward, stages.items(), strict=True):
    layer(
        middle,
        y,
        name,
        f"{len(members)} blocks",
        "frozen",
        sum(row["parameters"] for row in members),
    )
for lower, upper, members in zip(upward, upward[1:], stages.values(), strict=False):
    step(middle, lower, upper, shape(members[-1]["output"]))
arrow(ax, (middle, rows[1] - tall / 2), (middle, rows[0]), (right - wide / 2, rows[0]))
note(
    ax,
    middle + 0.1,
    (rows[0] + rows[1]) / 2,
    shape(stages["layer4"][-1]["output"]),
    ha="left",
    fontsize=9,
)

layer(right, rows[0], "avgpool", "average pooling", "no parameters")
layer(right, rows[1], "new_fc", f"{features:,} → {len(LABELS)}", "trained", trained)
layer(right, rows[2], "prob", "softmax", "no parameters")
layer(right, rows[3], "new_classoutput", "cross-entropy", "no parameters")
for upper, lower, given in zip(
    rows,
    rows[1:],
    (shape(at["avgpool"]["output"]), f"{len(LABELS)} scores", f"{len(LABELS)} probabilities"),
    strict=False,
):
    step(right, upper, lower, given)
for place, kind in enumerate(("frozen", "trained", "no parameters")):
    y = rows[4] - 0.14 + 0.26 * place
    box(ax, right - wide / 2 + 0.3, y, "", KINDS[kind], 0.3, 0.17)
    note(ax, right - wide / 2 + 0.56, y, kind, ha="left", fontsize=9)
plt.show()

# %% [markdown]
# *Figure 2, rebuilt: initial and final layers of ResNet-101 as employed; the middle column, which the paper's caption does not name, in short. Beside the
# arrows height × width × channels, read from a forward pass of torchvision's network recorded in `results/networks/resnet101.json`. new_fc, prob and
# new_classoutput are the paper's names, the others torchvision's. "All images need to be resampled", says the caption; to what size is lost, and {glue:text}`side`
# pixels a side, the network's usual input, is an assumption.*
#
# "Only these three layers were retrained", but prob and new_classoutput have nothing to train. What is trained is new_fc: {glue:text}`features` weights for
# each of {glue:text}`labels` labels and one bias for each, {glue:text}`trained` parameters. The other {glue:text}`frozen` stay as ImageNet left them: of all
# {glue:text}`all` parameters, one in {glue:text}`one-in` is trained.
#
# ## Training options

# %% tags=["remove-input"] cxr={"items": ["Table 1"]}
LOST, TABLE, TEXT, ASSUMED = (
    "lost in the text at hand",
    "printed, Table 1",
    "printed, text",
    "assumption",
)
beside = " and ".join(f"{rate:.4f}".rstrip("0") for rate in RATES[1:])
options = [
    ("Mini batch size", "10", "10", TABLE),
    ("Maximum epochs", "8", "8", TABLE),
    ("Initial learning rate", LOST, f"{RATES[0]}; beside it {beside}", ASSUMED),
    ("Shuffle", "Every epoch", "Every epoch", TABLE),
    ("Validation frequency", "Every epoch", "Every epoch", TABLE),
    ("Optimiser", "Stochastic gradient descent with momentum", "the same", TEXT),
    ("Momentum", "not printed", str(MOMENTUM), ASSUMED),
    ("Layers trained", "new_fc, prob, new_classoutput", "new_fc", TEXT),
    ("Input", LOST, shape(facts["input"]), ASSUMED),
    (
        "Batch normalisation",
        "not printed",
        "statistics kept; statistics re-estimated",
        "two variants",
    ),
]
pages.table(pd.DataFrame(options, columns=["Property", "Paper", "Here", "Standing"]))

# %% tags=["remove-cell"]
say("rate", RATES[0])
say("rates-beside", beside)
say("momentum", MOMENTUM)

# %% [markdown]
# *Table 1, rebuilt: options set for the network training. The first five rows are the paper's table; below them what its text says, or leaves open.*
#
# - **Learning rate.** The names new_fc and new_classoutput and the batch size are those of an example by MathWorks, whose rate is {glue:text}`rate`. That
#   the paper took this rate too is our assumption; {glue:text}`rates-beside` stand beside it.
# - **Momentum.** {glue:text}`momentum` is the default of MATLAB's `sgdm`. That the paper used MATLAB is inferred from the names of its layers; the text at hand does not say so.
# - **Batch normalisation.** A learning rate of zero holds the scales and offsets of the {glue:text}`norms` normalisations, {glue:text}`norm-parameters`
#   parameters. It says nothing of their {glue:text}`norm-statistics` means and variances, which are not learned but measured on images. Two variants:
#   those of ImageNet kept, and all measured anew on the training images.
#
# ## From scores to probabilities: softmax
#
# Both formulas of the paper are lost in the text at hand. Given here are the standard definitions, in the quantities that its words name. The layer prob "outputs
# probability assigned to each label $j$ = {none, COVID-19}" from the output $z$ of new_fc, whose weights are $\mathbf{w}$ and biases $b$:
#
# $$p_j = \frac{e^{z_j}}{\sum_{k=1}^{K} e^{z_k}}, \qquad z_j = \mathbf{w}_j^{T} \mathbf{x} + b_j$$
#
# $\mathbf{x}$ are the {glue:text}`features` numbers that avgpool gives, $K$ = {glue:text}`labels` the labels.

# %% tags=["remove-input"] cxr={"items": ["Softmax"]}
difference = np.log(PAPER["none"] / PAPER["COVID-19"])
scores = np.array([difference, 0.0])
p = softmax(scores)
assert np.allclose(p, [PAPER[label] for label in LABELS])
shown = pd.DataFrame(
    {"Label": LABELS, "Score z": scores, "exp z": np.exp(scores), "Probability": p}
)
shown.loc[len(shown)] = ["Sum", np.nan, shown["exp z"].sum(), p.sum()]
pages.table(
    shown,
    formatters={
        "Score z": "{:.3f}".format,
        "exp z": "{:.1f}".format,
        "Probability": "{:.1f}".format,
    },
    na_rep="",
)

# %% tags=["remove-cell"]
say("ratio", f"{PAPER['none'] / PAPER['COVID-19']:.0f}")
say("difference", f"{difference:.3f}")
say("sum", f"{p.sum():.1f}")
for label, value in PAPER.items():
    say(f"p-{label}", value)

# %% [markdown]
# *Softmax with the paper's example, an image A of probability {glue:text}`p-none` for none and {glue:text}`p-COVID-19` for COVID-19. The scores are ours: any two that
# differ by ln {glue:text}`ratio` = {glue:text}`difference` give these probabilities. They sum to {glue:text}`sum`, as the paper says they must.*
#
# ## What training lowers: cross-entropy
#
# The layer new_classoutput "measures the cross entropy loss" over $N$ samples and $K$ labels from the output $p$ of prob:
#
# $$L = -\frac{1}{N} \sum_{n=1}^{N} \sum_{k=1}^{K} t_{nk} \, \ln \, p_{nk}$$
#
# $t_{nk}$ is 1 if $k$ is the true label of sample $n$, else 0. So each sample counts with $-\ln \, p$ of its true label. That the sum is divided by $N$ belongs to the
# standard definition; whether the paper's has it cannot be seen in the text at hand.


# %% tags=["remove-input"] cxr={"items": ["Cross-entropy"]}
def cross_entropy(t, p):
    """Mean loss of N samples from their true labels, as 0 and 1, and their probabilities, both (N,
    K).
    """
    return -(t * np.log(p)).sum() / len(t)


losses = [cross_entropy(t[None], p[None]) for t in np.eye(len(LABELS))]
pages.table(
    pd.DataFrame({"True label of image A": LABELS, "Its probability p": p, "Loss −ln p": losses}),
    formatters={"Its probability p": "{:.1f}".format, "Loss −ln p": "{:.3f}".format},
)

# %% tags=["remove-cell"]
say("loss-even", f"{-np.log(1 / len(LABELS)):.3f}")
say("loss-ratio", f"{losses[1] / losses[0]:.1f}")

# %% [markdown]
# *Cross-entropy with the paper's example: the loss of image A alone, for either true label.* If A is a COVID-19 image, it costs {glue:text}`loss-ratio`
# times what it costs if it is not. Two equal scores cost ln {glue:text}`labels` = {glue:text}`loss-even` for either label.
#
# ## A probability of what?
#
# The two labels are called none and COVID-19, but no image with COVID-19 was trained on: the training labels are airspace opacity, present or absent. So the
# output of prob is a probability of opacity, in a set with the training set's share $\pi$ of opacities. That share is lost with the numbers of Figure 1. The
# adjudicated labels come as two sets, and the text at hand does not say which was trained on, or whether all of it: validation with
# {glue:text}`validation-positive` opacities in {glue:text}`validation-all` images ({glue:text}`validation-share` %) and test with {glue:text}`test-positive` in
# {glue:text}`test-all` ({glue:text}`test-share` %). The paper's own test set was composed for a prevalence of {glue:text}`prevalence` %.
#
# At another share $\rho$ the same scores mean another probability, $q$. By Bayes' rule,
#
# $$\ln \, \frac{q}{1-q} = \ln \, \frac{p}{1-p} + \ln \, \frac{\rho}{1-\rho} - \ln \, \frac{\pi}{1-\pi}$$
#
# provided that $p$ is right in the training mix and that images with and without opacity look the same in both. The first term on the right is the
# difference of the two scores.

# %% tags=["remove-input"]
outputs = np.array([PAPER["COVID-19"], 0.5, PAPER["none"]])
shares = {name: positive / images for name, (positive, images) in ADJUDICATED.items()}


def moved(p, share):
    """Probability at the test set's prevalence of what prob gives as p, for a training set with
    this share of opacities.
    """
    return expit(logit(p) + logit(PREVALENCE) - logit(share))


shown = pd.DataFrame({"Softmax p": outputs, "Difference of scores": logit(outputs)})
for name, share in shares.items():
    shown[f"q, trained on the {name} set ({100 * share:.1f} %)"] = moved(outputs, share)
pages.table(
    shown,
    float_format=lambda value: f"{value:.3f}".replace("-", "−"),
    formatters={"Softmax p": "{:.1f}".format},
)

# %% tags=["remove-cell"]
say("prevalence", f"{100 * PREVALENCE:.2f}")
for name, (positive, images) in ADJUDICATED.items():
    say(f"{name}-positive", positive)
    say(f"{name}-all", images)
    say(f"{name}-share", f"{100 * shares[name]:.1f}")
    say(f"{name}-half", f"{expit(logit(shares[name]) - logit(PREVALENCE)):.3f}")
    say(f"{name}-moved", f"{moved(PAPER['none'], shares[name]):.3f}")
    assert np.isclose(moved(expit(logit(shares[name]) - logit(PREVALENCE)), shares[name]), 0.5)

# %% [markdown]
# *What prob gives as $p$ for the label COVID-19, and the probability $q$ of opacity where $\rho$ = {glue:text}`prevalence` % of images have it.* A softmax of
# {glue:text}`p-none` becomes {glue:text}`validation-moved` or {glue:text}`test-moved`; for $q$ to reach one half, the softmax must be {glue:text}`validation-half` or
# {glue:text}`test-half`. The shift is the same for all images, so it changes what a threshold does and leaves the ROC curve as it is.
#
# Two things stay open. {glue:text}`prevalence` % is the share of COVID-19 images in the paper's test set, and how many of its images show opacity is not known. And
# no change of shares turns a probability of opacity into one of COVID-19.

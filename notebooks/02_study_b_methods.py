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
# # How the thesis worked: network, transfer, measures
#
# **Question.** Which network did {cite:t}`zhu2020` take, how was it turned to chest radiographs, and by which measures was it judged?
#
# **Answer.** {glue:text}`network`, pretrained on the photographs of ImageNet. Its last layer was replaced by one with as many outputs as there are classes, and the network was trained further. It was judged by five measures and the {term}`AUC`. One name is misleading: the column "Accuracy" of Table {glue:text}`table` holds the {term}`recall`, in {glue:text}`rows-same` of {glue:text}`rows` rows.
#
# **How sure.** Shapes and numbers of parameters were counted in torchvision's network. That "Accuracy" is the recall follows from the printed numbers. The look of the figures is ours: the text of the thesis that we have lacks its pictures. Which layers were trained, and how the new one began, the thesis does not say.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
from typing import Literal

model: Literal["resnet18", "resnet101"] = "resnet18"  # the network to draw: Study B's or Study A's
table: Literal["4.1", "4.2"] = "4.2"  # whose printed numbers are held against the formulas
separation: float = 2.5  # of the great classifier's scores in Figure 3.5, in standard deviations

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the network's record", "code_prompt_hide": "Load the network's record"}
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.metrics import auc

from companion import networks, pages, parameters, studies
from companion.diagrams import arrow, box, canvas, chain, note, shape
from cxrlib import plots

parameters.check(globals())
facts = networks.recorded(model)  # one image's way through the network, layer by layer
modules = pd.DataFrame(facts["modules"]).set_index("name", drop=False)
blocks = modules[modules["downsample"].notna()]  # residual blocks, in order
layers = modules[modules["downsample"].isna()].reset_index(drop=True)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Name the layers", "code_prompt_hide": "Name the layers"}
WORDS = {  # type of a layer: its name and the look of its box
    "Conv2d": ("", "conv"),
    "BatchNorm2d": ("Batch norm", "norm"),
    "ReLU": ("ReLU", "relu"),
    "MaxPool2d": ("Max-pooling ", "pool"),
    "AdaptiveAvgPool2d": ("Average pooling", "pool"),
    "Linear": ("Fully connected", "head"),
}


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Describe each layer", "code_prompt_hide": "Describe each layer"}
def words(layer):
    """What a layer is, e.g. ``3×3, 128, /2``: a convolution's window, filters and stride."""
    name = WORDS[layer["type"]][0]
    if isinstance(layer["kernel"], list):
        name += "×".join(map(str, layer["kernel"]))
        name += f", {layer['output'][0]}" if layer["type"] == "Conv2d" else ""
        name += f", /{layer['stride'][0]}" if layer["stride"][0] > 1 else ""
    return name


layers["text"] = layers.apply(words, axis=1)
layers["look"] = layers["type"].map(lambda kind: WORDS[kind][1])
layers["block"] = layers["name"].str.extract(r"^(layer\d\.\d+)")[0]
layers["side"] = layers["name"].str.contains("downsample")  # on a shortcut

# %% [markdown]
# ## The network
#
# The thesis takes ResNet-18 from {cite:t}`he2016`. A residual block learns a residual mapping $F(x)$ instead of the desired mapping $H(x)$ itself, so that
#
# $$H(x) = F(x) + x.$$
#
# Each block of ResNet-18 has two 3×3 convolutions; "periodically, the number of filters are doubled and spatial downsampling is operated". There $x$ and $F(x)$ differ in shape, and the thesis does not say how they are added. The network passes $x$ through a 1×1 convolution, written $D(x)$ here. It also has batch normalisation and ReLU, which the text does not mention.


# %% tags=["hide-input"] mystnb={"code_prompt_show": "How a block is drawn", "code_prompt_hide": "How a block is drawn"}
def residual_block(ax, x, name, title):
    """A block from top to bottom, as it is called; its shortcut on the right."""
    inside = layers[layers["block"] == name]
    side = inside.loc[inside["side"], ["text", "look"]].to_numpy()
    path = inside.loc[~inside["side"], ["text", "look"]].to_numpy()[:-1]  # ReLU comes last
    given, made = shape(blocks.at[name, "input"]), shape(blocks.at[name, "output"])
    total = "$F(x) + D(x)$" if len(side) else "$H(x) = F(x) + x$"
    ends = [(total, "data"), ("ReLU", "relu"), (made, "data")]
    y = np.append(0.68, 1.55 + 0.6 * np.arange(len(path) + 3))
    note(ax, x + 0.3, 0.2, title, fontsize=11, weight="bold")
    box(ax, x, (y[1] + y[-4]) / 2, "", "group", 1.95, y[-4] - y[1] + 0.62)
    note(ax, x - 1.03, y[1], "$F(x)$", ha="right")
    chain(ax, [(x, each) for each in y], (f"$x$:  {given}", "data"), *path, *ends, width=1.6)
    shortcut(ax, x, (y[0] + 0.3, y[-3]), side)


def shortcut(ax, x, ends, side):
    """From above the block to its sum; the layers on it, if there are any."""
    skip, middle = x + 1.55, np.mean(ends)
    arrow(ax, (x, ends[0]), (skip, ends[0]), (skip, ends[1]), (x + 0.8, ends[1]))
    text = "$D(x)$" if len(side) else "$x$ (identity)"
    note(ax, skip + 0.1, ends[0] - 0.12, text)
    if len(side):
        chain(ax, [(skip, middle - 0.3), (skip, middle + 0.3)], *side, width=1)


# %% tags=["hide-input"] cxr={"items": ["Figure 3.1"]} mystnb={"code_prompt_show": "Figure 3.1", "code_prompt_hide": "Figure 3.1", "figure": {"caption": "Figure 3.1, rebuilt: structure of a residual block. Left {glue:text}`same`, whose shortcut is the identity; right {glue:text}`changed`, which goes from {glue:text}`size-before` to {glue:text}`size-after` (height × width × channels). 3×3, 128, /2 is a convolution with a 3×3 window, 128 filters and stride 2, which halves height and width; norm is a normalisation; ReLU sets negative values to zero."}, "image": {"alt": "Two residual blocks, top to bottom: convolutions, each with batch norm, ReLU between them, then a sum and ReLU. Left, a shortcut adds the input x itself to the sum. Right, where the shape changes, a 1×1 convolution and a batch norm stand on the shortcut."}}
kept, changed = (blocks[blocks["downsample"].eq(away)].iloc[0] for away in (False, True))
ax = canvas(2.5 + 0.6 * (layers["block"] == kept["name"]).sum())
residual_block(ax, 1.4, kept["name"], "Shape kept")
residual_block(ax, 4.9, changed["name"], "Shape changed")
plt.show()

# %% [markdown]
# {glue:text}`network` has {glue:text}`blocks` such blocks in {glue:text}`stages` stages. Its convolutions outside the shortcuts and its last layer make the {glue:text}`weighted` layers of its name.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "How a stage is drawn", "code_prompt_hide": "How a stage is drawn"}
convs = layers[(layers["type"] == "Conv2d") & layers["block"].notna() & ~layers["side"]]
in_block = convs.groupby("block", sort=False)["text"].agg("\n".join)
stages = blocks.groupby(blocks["name"].str.partition(".")[0])["name"].agg(list)
most = max(map(len, stages))  # blocks of a stage; of more than two, the second stands for the rest
tall = 0.37 + 0.17 * in_block.iloc[0].count("\n") + 0.17 * (most > 2)
ends = np.array([1.25 + tall / 2, 2.15 + 2.5 * tall])  # of the columns


def one_block(ax, x, y, way, name, text):
    """A block as one box with its shortcut; ``way`` is 1 downward, -1 upward."""
    reach = way * (tall / 2 + 0.3)
    way_round = [(x, y - reach), (x + 0.56, y - reach), (x + 0.56, y + reach), (x + 0.1, y + reach)]
    arrow(ax, *way_round, dashed=blocks.at[name, "downsample"])
    box(ax, x, y, text, "conv", 0.98, tall)
    box(ax, x, y + reach, "+", "data", 0.2, 0.2)


def stage(ax, x, way, members):
    """The blocks of a stage in a column."""
    first, last = ends[::way]
    arrow(ax, (x, first), (x, last - way * tall / 2))
    more = f"\n({len(members) - 1} such)" if len(members) > 2 else ""
    one_block(ax, x, first, way, members[0], in_block[members[0]])
    one_block(ax, x, last, way, members[1], in_block[members[1]] + more)


# %% tags=["hide-input"] mystnb={"code_prompt_show": "First and last boxes of Figure 3.2", "code_prompt_hide": "First and last boxes of Figure 3.2"}
size, (features,), (many,) = (
    shape(facts["input"]),
    modules.at["fc", "input"],
    modules.at["fc", "output"],
)
start = [(f"Image\n{size}", "data"), (f"{words(modules.loc['conv1'])}\nnorm, ReLU", "conv")]
start += [(words(modules.loc["maxpool"]).replace(" ", "\n", 1), "pool")]
finish = [("Average\npooling", "pool"), (f"Last layer\n{features:,} → {many:,}", "head")]
finish += [(f"{many:,}\nscores", "data")]

# %% tags=["hide-input"] cxr={"items": ["Figure 3.2"]} mystnb={"code_prompt_show": "Figure 3.2", "code_prompt_hide": "Figure 3.2", "figure": {"caption": "Figure 3.2, rebuilt: schema of {glue:text}`network` as published, for ImageNet, with the shape that each stage gives. Lines beside the blocks are shortcuts: solid the identity, dashed a 1×1 convolution. Within the blocks batch normalisation and ReLU are left out."}, "image": {"alt": "The network in six columns, to be read from left to right, down and up in turn: the image, a 7×7 convolution and max-pooling; four stages of residual blocks with shortcuts; average pooling, the last layer and its scores. Above each stage stands the shape that it gives."}}
x, y = 0.62 + 1.15 * np.arange(len(stages) + 2), [ends[0], ends.mean(), ends[1]]
ax = canvas(ends[1] + tall / 2 + 0.8)
for place, (here, there) in enumerate(pairwise(x)):  # from the foot or head of a column to the next
    way, edge = (-1, ends[0]) if place % 2 else (1, ends[1])
    out = edge + way * (tall / 2 + 0.65)
    arrow(ax, (here, edge), (here, out), (there, out), (there, edge + way * tall / 2))
chain(ax, [(x[0], each) for each in y], *start, width=1.05, height=tall)
chain(ax, [(x[-1], each) for each in y[::-1]], *finish, width=1.05, height=tall)
for place, members in enumerate(stages, start=1):
    note(ax, x[place], 0.16, f"Stage {place}", weight="bold")
    note(ax, x[place], 0.38, shape(modules.at[members[-1], "output"]), fontsize=9)
    stage(ax, x[place], -1 if place % 2 else 1, members)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Parameters of each part", "code_prompt_hide": "Parameters of each part"}
part = layers["block"].fillna(layers["name"])
text = np.where(layers["side"], "shortcut ", "") + layers["text"]
listed = layers["type"].eq("Conv2d") | layers["block"].isna() & layers["type"].ne("ReLU")
parts = text[listed].groupby(part, sort=False).agg("; ".join).to_frame("Layers")
outputs = layers.groupby(part)["output"].last().map(shape)
parts["Output"] = outputs.str.replace(" ", "\u00a0")
parts["Parameters"] = layers.groupby(part)["parameters"].sum()
parts.loc["all"] = ["", "", parts["Parameters"].sum()]
parts = parts.rename_axis("Name").reset_index()
caption = "The network from image to scores, with torchvision's names"
pages.table(parts, caption=caption, formatters={"Parameters": "{:,}".format})

# %% [markdown]
# The folded table has all {glue:text}`total` parameters of the network, part by part. The record in `results/networks/` has each layer by itself.
#
# ## Transfer learning
#
# The network is pretrained on ImageNet ({term}`transfer learning`). The thesis names two strategies: to use it unchanged for extracting features, or to change and tune it. It takes the second. The last layer gets as many outputs as there are classes, and "parameters of the pretrained model" are fine-tuned. Of which layers it does not say; here, of all. An image is given the class with the largest score.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "How the transfer is drawn", "code_prompt_hide": "How the transfer is drawn"}
body = facts["parameters"] - modules.at["fc", "parameters"]


def row(ax, y, title, images, old, new, scores, count):
    """Images, all layers but the last, the last layer, its scores."""
    note(ax, 0.15, y - 0.75, title, ha="left", fontsize=11, weight="bold")
    head = f"{new}\n{features:,} → {count:,}\n{facts['fc'][str(count)]:,}\nparameters"
    boxes = [(images, "data"), (f"{old}\n{body:,}\nparameters", "conv"), (head, "head")]
    boxes += [(f"{count:,} scores:\n{scores}", "data")]
    chain(ax, [(x, y) for x in (0.88, 2.62, 4.36, 6.1)], *boxes, width=1.5, height=1)


def transfer(classes):
    """Pretraining above, fine-tuning below; what is taken over between them."""
    ax, upper, lower = canvas(4.25), 1.0, 3.5
    names = ",\n".join(map(plots.label, classes))
    images, pixels = "ImageNet\n1.2 million images", "Chest radiographs\n" + size
    old = "All layers but\nthe last", "The same layers,\ntrained further"
    row(ax, upper, "1  Pretraining", images, old[0], "Last layer", "fish, bird,\ntree, …", many)
    title = "2  Fine-tuning, all layers"
    row(ax, lower, title, pixels, old[1], "New last layer", names, len(classes))
    for x, text in ((2.62, "parameters\ntaken over"), (4.36, "replaced")):
        arrow(ax, (x, upper + 0.5), (x, lower - 0.5), dashed=text == "replaced")
        note(ax, x + 0.1, (upper + lower) / 2 - 0.2, text, ha="left")


# %% tags=["hide-input"] cxr={"items": ["Figure 3.3 A"]} mystnb={"code_prompt_show": "Figure 3.3 A", "code_prompt_hide": "Figure 3.3 A", "figure": {"caption": "Figure 3.3 A, rebuilt: transfer learning with {glue:text}`network` for the four-class problem."}, "image": {"alt": "Two rows. Above, ImageNet trains all layers and a last layer of a thousand scores. Below, chest radiographs train the same layers further and a new last layer of four scores: COVID-19, Viral, Bacterial, Normal."}}
transfer(studies.ZHU_FOURCLASS.classes)
plt.show()

# %% tags=["hide-input"] cxr={"items": ["Figure 3.3 B"]} mystnb={"code_prompt_show": "Figure 3.3 B", "code_prompt_hide": "Figure 3.3 B", "figure": {"caption": "Figure 3.3 B, rebuilt: the same for the binary problem."}, "image": {"alt": "The same two rows for the binary problem: above, pretraining on ImageNet with a thousand scores; below, fine-tuning on chest radiographs with a new last layer of two scores, COVID-19 and Non-COVID-19."}}
transfer(studies.ZHU_BINARY.classes)
plt.show()

# %% [markdown]
# The last layer has {glue:text}`fc-1000` parameters for 1,000 classes, {glue:text}`fc-4` for four and {glue:text}`fc-2` for two: for each class, one for each of the {glue:text}`features` features and one more. The other {glue:text}`body` parameters are taken over. How the new layer starts is not stated; here, at random. The number of ImageNet's images and three of its classes are named as in the thesis.
#
# ## Measures

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The five measures", "code_prompt_hide": "The five measures"}
MEASURES = {  # above and below the line of the fraction
    "Recall": (r"\mathrm{TP}", r"\mathrm{TP + FN}"),
    "Specificity": (r"\mathrm{TN}", r"\mathrm{TN + FP}"),
    "Precision": (r"\mathrm{TP}", r"\mathrm{TP + FP}"),
    "Accuracy": (r"\mathrm{TP + TN}", r"\mathrm{TP + FP + TN + FN}"),
    "F1-score": (r"\mathrm{2 \times precision \times recall}", r"\mathrm{precision + recall}"),
}

# %% tags=["hide-input"] cxr={"items": ["Figure 3.4"]} mystnb={"code_prompt_show": "Figure 3.4", "code_prompt_hide": "Figure 3.4", "figure": {"caption": "Figure 3.4, rebuilt: schema of the confusion matrix. Recall (sensitivity) and specificity (selectivity) are shares of a row, precision of a column; blue is right, orange is wrong."}, "image": {"alt": "Two-by-two table: rows true label positive and negative, columns predicted label; true positives and false negatives above, false positives and true negatives below. Beside the rows recall and specificity, below the first column precision, below the table accuracy and F1-score."}}
ax, x, y = canvas(4.2), (2.1, 3.75), (1.2, 2.2)
note(ax, np.mean(x), 0.22, "Predicted label", weight="bold")
note(ax, 0.25, np.mean(y), "True label", weight="bold", rotation=90)
for row, true in enumerate(("Positive", "Negative")):
    note(ax, 1.2, y[row], true, ha="right")
    note(ax, x[row], 0.55, true)
    for column, called in enumerate(("Positive", "Negative")):
        answer, look = ("True", "conv") if row == column else ("False", "head")
        text = f"{answer} {called}\n({answer[0]}{called[0]})"
        box(ax, x[column], y[row], text, look, 1.6, 0.95)
for at in ([(4.6, y[0]), (4.85, y[0])], [(4.6, y[1]), (4.85, y[1])], [(2.1, 2.7), (2.1, 2.95)]):
    arrow(ax, *at)
places = [(4.95, y[0]), (4.95, y[1]), (1.4, 3.2), (3.6, 3.2), (1.4, 3.8)]
for at, (name, (above, below)) in zip(places, MEASURES.items(), strict=True):
    note(ax, *at, rf"{name} $= \dfrac{{{above}}}{{{below}}}$", ha="left", fontsize=11)
plt.show()

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The printed table", "code_prompt_hide": "The printed table"}
printed = studies.printed("zhu2020", f"Table {table}")
printed = printed.pivot(index="row", columns="column", values="printed").astype(float)
averages = [name for name in ("Macro avg", "Weighted avg") if name in printed.index]
classwise, half = printed.drop(averages), 0.005  # two decimals are printed
sizes = classwise["Size"]

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Accuracy by the formula", "code_prompt_hide": "Accuracy by the formula"}
others = sizes.sum() - sizes
low, high = (
    ((classwise["Recall"] + off) * sizes + (classwise["Selectivity"] + off) * others) / sizes.sum()
    for off in (-half, half)
)
columns = {"printed": classwise["Accuracy"], "low": low, "high": high.clip(upper=1)}
by_formula = pd.DataFrame(columns)
worst = (by_formula["printed"] - by_formula["low"]).idxmin()
heads = {"printed": "Accuracy, printed", "low": "By the formula, at least", "high": "At most"}
shown = by_formula.rename_axis(None).rename(columns=heads)
caption = f"Accuracy in Table {table}: printed, and by the formula from the rounded numbers"
pages.table(shown, index=True, caption=caption, float_format="{:.2f}".format)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "F1-score and averages by their formulas", "code_prompt_hide": "F1-score and averages by their formulas"}
f1_low, f1_high = (
    2 / (1 / (classwise["Precision"] + off) + 1 / (classwise["Recall"] + off))
    for off in (-half, half)
)
f1_fits = (f1_low <= classwise["F1-score"] + half) & (classwise["F1-score"] - half <= f1_high)
measures = classwise.drop(columns="Size")


def means(values):
    """Macro and weighted average, by the formulas below."""
    weighted = values.mul(sizes, axis=0).sum() / sizes.sum()
    return pd.DataFrame({"Macro avg": values.mean(), "Weighted avg": weighted}).T.loc[averages]


# every printed number stands for all that round to it, and none is above 1
given = printed.loc[averages, measures.columns]
fits = means(measures - half) <= given + half
fits &= given - half <= means((measures + half).clip(upper=1))

# %% [markdown]
# ### What the formulas say, and what Table {glue:text}`table` prints
#
# | Formula | In Table {glue:text}`table` |
# |---|---|
# | **Accuracy**<br>$\dfrac{\text{TP} + \text{TN}}{\text{TP} + \text{FP} + \text{TN} + \text{FN}}$ | Another number has this name: in {glue:text}`rows-same` of {glue:text}`rows` rows, Accuracy repeats Recall. |
# | **Precision**<br>$\dfrac{\text{TP}}{\text{TP} + \text{FP}}$ | Under its name, for each class against the rest. |
# | **Recall** (or sensitivity)<br>$\dfrac{\text{TP}}{\text{TP} + \text{FN}}$ | Twice, as Recall and as Accuracy. |
# | **Specificity** (or selectivity)<br>$\dfrac{\text{TN}}{\text{TN} + \text{FP}}$ | As Selectivity. Negative are the images of all other classes. |
# | **F1-score**<br>$\dfrac{2 \times \text{precision} \times \text{recall}}{\text{precision} + \text{recall}}$ | Under its name. In {glue:text}`f1-same` of {glue:text}`classes` classes it agrees, within rounding, with the printed precision and recall. |
#
# For the class {glue:text}`worst`, the printed recall, {term}`specificity` and sizes give an {term}`accuracy` of {glue:text}`worst-low` to {glue:text}`worst-high` by the formula. Printed is {glue:text}`worst-printed`.
#
# Averages over $K$ classes are made of the measure $m_k$ of each class and, if weighted, of its number of images $n_k$:
#
# $$\text{macro average} = \frac{1}{K} \sum_{k=1}^{K} m_k$$
#
# $$\text{weighted average} = \frac{\sum_k n_k m_k}{\sum_k n_k}$$
#
# The {term}`weighted average` of the recall is the share of all images classified correctly. The table prints {glue:text}`averages` averages. Of these, {glue:text}`averages-same` agree, within rounding, with the class values printed above them. The exception: {glue:text}`averages-other` ([Four classes](04_study_b_four_classes.ipynb) says more).
#
# ### ROC curve and AUC
#
# A classifier gives a score. Every {term}`threshold` on the score gives a point: the true positive rate (recall) and the false positive rate (1 − specificity). The curves below are computed. Scores are normally distributed with standard deviation 1, and the mean of the positives is higher by $d$.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Three classifiers", "code_prompt_hide": "Three classifiers"}
fpr = np.concatenate([[0], np.logspace(-6, -2, 200), np.linspace(0.01, 1, 500)[1:]])
great = norm.cdf(norm.ppf(fpr) + separation)
curves = {  # name: false and true positive rates, colour as the thesis names it, and line
    "Perfect classifier": ([0, 0, 1], [0, 1, 1], "#CC1111", "-"),
    f"Great classifier ($d$ = {separation:g})": (fpr, great, "#0072B2", (0, (5, 1.5))),
    "Random classifier ($d$ = 0)": (fpr, fpr, "#F0D000", (0, (6, 1.5, 1.5, 1.5))),
}

# %% tags=["hide-input"] cxr={"items": ["Figure 3.5"]} mystnb={"code_prompt_show": "Figure 3.5", "code_prompt_hide": "Figure 3.5", "figure": {"caption": "Figure 3.5, rebuilt: schema of ROC curve and AUC. Red: a perfect classifier; blue, dashed: a great classifier, $d$ = {glue:text}`separation` standard deviations, our choice; yellow, dash-dotted: a random classifier; shaded: its AUC."}, "image": {"alt": "ROC curves: a perfect classifier as a solid red line along the left and upper edge, a great classifier as a dashed blue curve near the upper left corner, a random classifier as a dash-dotted yellow diagonal with the area below it shaded."}}
with plots.style():
    ax = plt.subplots(figsize=(7, 5.6))[1]
    ax.fill_between(fpr, fpr, color="#F0D000", alpha=0.22, linewidth=0)
    for name, (x, y, color, line) in curves.items():
        ax.plot(
            x, y, color="#444444", linewidth=4, alpha=0.35, clip_on=False
        )  # yellow needs an edge
        text = f"{name}: AUC {auc(x, y):.3f}"
        ax.plot(x, y, color=color, linestyle=line, linewidth=2.6, clip_on=False, label=text)
    ax.text(0.68, 0.42, f"shaded: AUC {auc(fpr, fpr):.1f}", ha="center")
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.set(xlabel="False positive rate (1 − specificity)")
    ax.set(ylabel="True positive rate (sensitivity)")
    ax.spines[["left", "bottom"]].set_position(("outward", 6))
    ax.legend(loc="lower right", title="Area under the curve", handlelength=4)
plt.show()

# %% [markdown]
# With several classes there is one curve for each class, against all others.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Numbers of the text", "code_prompt_hide": "Numbers of the text"}
weighted = layers["type"].isin(["Conv2d", "Linear"]) & ~layers["side"]
unlike = [f"the {row.lower()} of {name}" for row, name in fits.stack()[lambda fit: ~fit].index]
pages.glue_all(
    {f"fc-{classes}": count for classes, count in facts["fc"].items()}
    | {
        "network": model.replace("resnet", "ResNet-"),
        "same": kept["name"],
        "changed": changed["name"],
        "size-before": shape(changed["input"]),
        "size-after": shape(changed["output"]),
        "blocks": len(blocks),
        "stages": len(stages),
        "weighted": int(weighted.sum()),
        "total": facts["parameters"],
        "body": int(body),
        "features": features,
        "table": table,
        "rows": len(printed),
        "rows-same": int((printed["Accuracy"] == printed["Recall"]).sum()),
        "f1-same": int(f1_fits.sum()),
        "classes": len(classwise),
        "worst": worst,
        "worst-low": f"{by_formula.at[worst, 'low']:.2f}",
        "worst-high": f"{by_formula.at[worst, 'high']:.2f}",
        "worst-printed": f"{by_formula.at[worst, 'printed']:.2f}",
        "averages": int(fits.size),
        "averages-same": int(fits.to_numpy().sum()),
        "averages-other": ", ".join(unlike).replace("avg", "average") or "none",
        "separation": f"{separation:g}",
    }
)

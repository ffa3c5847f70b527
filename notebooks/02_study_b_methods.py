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
# Chapter 3 of {cite:t}`zhu2020` describes the network, how it was transferred to chest radiographs, and how it was judged. This page redraws its
# five schematic figures. The text of the thesis at hand has their captions and the words of Figure 3.4 but no pictures, so the layout is ours.
# What they show of the network is read from a forward pass of torchvision's ResNet-18, recorded in `results/networks/resnet18.json`.

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
from matplotlib.patches import Circle, Rectangle
from matplotlib.patheffects import withStroke
from scipy.stats import norm
from sklearn.metrics import auc

from companion import diagrams, networks, pages, studies
from companion.diagrams import DARK, LOOKS, arrow, box, canvas, note, shape
from companion.pages import say
from cxrlib import plots

diagrams.vector()
facts = networks.recorded("resnet18")
modules = facts["modules"]
blocks = [row for row in modules if "downsample" in row]  # residual blocks, in order
layers = [row for row in modules if "downsample" not in row]
at = {row["name"]: row for row in modules}
stages = sorted({row["name"].partition(".")[0] for row in blocks})


# %% tags=["remove-cell"]
def plus(ax, x, y, radius=0.14):
    ax.add_patch(Circle((x, y), radius, facecolor="white", edgecolor=DARK, linewidth=1.3, zorder=3))
    ax.plot(
        [x - radius / 2, x + radius / 2, x, x, x],
        [y, y, y, y - radius / 2, y + radius / 2],
        color=DARK,
        linewidth=1.5,
        zorder=4,
    )


def window(row):
    return "×".join(map(str, row["kernel"]))


def stride(row, text):
    return text.format(row["stride"][0]) if row["stride"][0] > 1 else ""


# %% tags=["remove-cell"]
on_path = [row for row in layers if row["type"] == "Conv2d" and ".downsample." not in row["name"]]
same, changed = blocks[0], next(row for row in blocks if row["downsample"])
body = facts["parameters"] - at["fc"]["parameters"]
say("same", same["name"])
say("changed", changed["name"])
say("size-before", shape(changed["input"]))
say("size-after", shape(changed["output"]))
say("blocks", len(blocks))
say("stages", len(stages))
say("weighted", len(on_path) + 1)
say("shortcuts", sum(row["downsample"] for row in blocks))
say("total", facts["parameters"])
say("body", body)
for classes, count in facts["fc"].items():
    say(f"fc-{classes}", count)
say("features", at["fc"]["input"][0])

# %% [markdown]
# ## The network
#
# The thesis takes ResNet-18 from {cite:t}`he2016`. A residual block learns a residual mapping $F(x)$ instead of the desired mapping
# $H(x)$ itself, so that
#
# $$H(x) = F(x) + x.$$
#
# Each block has two 3×3 convolutions; "periodically, the number of filters are doubled and spatial downsampling is operated". There $x$ and $F(x)$
# differ in shape, and the thesis does not say how they are added. The network passes $x$ through a 1×1 convolution, written $D(x)$ here. The text
# does not speak of batch normalisation and ReLU either, which the network has.


# %% tags=["remove-cell"]
def residual_block(ax, left, block, title):
    """The block's main path from top to bottom as it is called, its shortcut on the right."""
    inside = [row for row in layers if row["name"].startswith(f"{block['name']}.")]
    side = [row for row in inside if ".downsample." in row["name"]]
    *main, last = [row for row in inside if row not in side]
    words = {"BatchNorm2d": ("Batch norm", "norm"), "ReLU": ("ReLU", "relu")}
    x, skip, step, split = left + 1.3, left + 2.85, 0.64, 1.08
    note(ax, left + 1.8, 0.2, title, fontsize=11, weight="bold")
    box(ax, x, 0.68, f"$x$:  {shape(block['input'])}", "data", 1.7)
    y, before = 1.5, 0.86
    for row in main:
        conv = "kernel" in row
        text = (
            f"{window(row)} conv, {row['output'][0]}" + stride(row, "\nstride {}")
            if conv
            else words[row["type"]][0]
        )
        tall = 0.5 if "\n" in text else 0.36
        arrow(ax, (x, before), (x, y - tall / 2))
        box(ax, x, y, text, "conv" if conv else words[row["type"]][1], 1.4, tall)
        y, before = y + step, y + tall / 2
    arrow(ax, (x, before), (x, y - 0.14))
    plus(ax, x, y)
    top, bottom, edge = 1.24, y - step + 0.26, x - 0.8  # bracket of F(x)
    ax.plot(
        [edge, edge - 0.08, edge - 0.08, edge],
        [top, top, bottom, bottom],
        color=DARK,
        linewidth=1.2,
    )
    note(ax, edge - 0.14, (top + bottom) / 2, "$F(x)$", ha="right")
    middle, white = (top + bottom) / 2, {"facecolor": "white", "edgecolor": "none", "pad": 3}
    if side:
        conv, normal = side
        arrow(ax, (x, split), (skip, split), (skip, middle - 0.57))
        arrow(ax, (skip, middle - 0.07), (skip, middle + 0.14))
        arrow(ax, (skip, middle + 0.5), (skip, y), (x + 0.14, y))
        box(
            ax,
            skip,
            middle - 0.32,
            f"{window(conv)} conv, {conv['output'][0]}" + stride(conv, "\nstride {}"),
            "conv",
            1.2,
            0.5,
        )
        box(ax, skip, middle + 0.32, words[normal["type"]][0], "norm", 1.2)
        note(ax, skip, middle + 0.85, "$D(x)$", bbox=white)
    else:
        arrow(ax, (x, split), (skip, split), (skip, y), (x + 0.14, y))
        note(ax, skip, middle, "$x$\n(identity)", bbox=white)
    note(ax, x + 0.12, y + 0.3, "$F(x) + D(x)$" if side else "$H(x) = F(x) + x$", ha="left")
    arrow(ax, (x, y + 0.14), (x, y + 0.52))
    box(ax, x, y + 0.7, *words[last["type"]])
    arrow(ax, (x, y + 0.88), (x, y + 1.17))
    box(ax, x, y + 1.35, shape(block["output"]), "data", 1.7)


# %% tags=["remove-input"] mystnb={"image": {"alt": "Two residual blocks, top to bottom: 3×3 convolution, batch norm, ReLU, 3×3 convolution, batch norm, addition, ReLU. Left, a shortcut adds the input x itself. Right, where the shape changes, a 1×1 convolution and a batch norm stand on the shortcut."}} cxr={"items": ["Figure 3.1"]}
ax = canvas(6.35)
residual_block(ax, 0, same, "Shape kept")
residual_block(ax, 3.5, changed, "Shape changed")
plt.show()

# %% [markdown]
# *Figure 3.1, rebuilt: structure of a residual block. Left {glue:text}`same`, whose shortcut is the identity; right {glue:text}`changed`, which goes from
# {glue:text}`size-before` to {glue:text}`size-after` (height × width × channels). "3×3 conv, 64" is a convolution with 64 filters, norm
# a normalisation; ReLU sets negative values to zero.*
#
# The network has {glue:text}`blocks` such blocks in {glue:text}`stages` stages. Its convolutions outside the shortcuts and its last layer make the
# {glue:text}`weighted` layers of its name.


# %% tags=["remove-cell"]
def stage(ax, left, y, name, number):
    """A stage: its blocks side by side, their shortcuts above them, the shape it gives below."""
    members = [row for row in blocks if row["name"].startswith(f"{name}.")]
    wide, gap, width = 1.1, 0.46, 3.15
    box(ax, left + width / 2, y - 0.12, "", "group", width, 1.16)
    note(ax, left + 0.1, y - 0.55, f"Stage {number}", ha="left", weight="bold")
    x, entry = left + 0.24 + wide / 2, left
    for row in members:
        convs = [conv for conv in on_path if conv["name"].startswith(f"{row['name']}.")]
        text = "\n".join(
            f"{window(conv)}, {conv['output'][0]}" + stride(conv, ", /{}") for conv in convs
        )
        begin, end = x - wide / 2 - 0.11, x + wide / 2 + 0.15
        arrow(ax, (entry, y), (x - wide / 2, y))
        box(ax, x, y, text, "conv", wide, 0.5)
        arrow(ax, (x + wide / 2, y), (end, y))
        arrow(
            ax,
            (begin, y),
            (begin, y - 0.38),
            (end, y - 0.38),
            (end, y - 0.1),
            dashed=row["downsample"],
        )
        if row["downsample"]:
            note(
                ax,
                x,
                y - 0.4,
                "1×1",
                bbox={"facecolor": LOOKS["group"][0], "edgecolor": "none", "pad": 2},
            )
        plus(ax, end, y, 0.1)
        x, entry = x + wide + gap, end + 0.1
    note(ax, left + width / 2, y + 0.62, shape(members[-1]["output"]))
    return entry


# %% tags=["remove-input"] mystnb={"image": {"alt": "ResNet-18 in four rows: the image, a 7×7 convolution and max-pooling; stages 1 and 2; stages 3 and 4, each of two residual blocks with shortcuts; average pooling, the last layer and its scores. The shape of the output stands under each part."}} cxr={"items": ["Figure 3.2"]}
ax = canvas(5.85)
rows, left, second = (0.5, 2.05, 3.75, 5.15), 0.25, 3.6
conv1, pool, average, fc = at["conv1"], at["maxpool"], at["avgpool"], at["fc"]


def parts(y, *texts):
    """Three boxes in a row with arrows between; below each the shape it gives."""
    for place, (text, kind, below) in enumerate(texts):
        x = 1.15 + 2.35 * place
        box(ax, x, y, text, kind, 1.7, 0.52)
        note(ax, x, y + 0.42, below)
        if place:
            arrow(ax, (x - 1.5, y), (x - 0.85, y))


def wrap(start, upper, lower, end):
    """From the end of a row to the begin of the next."""
    middle = upper + (0.8 if upper > rows[0] else 0.68)
    arrow(
        ax, (start, upper), (6.9, upper), (6.9, middle), (0.1, middle), (0.1, lower), (end, lower)
    )


def lane(y, first, lower, end):
    """Two stages in a row."""
    arrow(ax, (stage(ax, left, y, stages[first], first + 1), y), (second, y))
    wrap(stage(ax, second, y, stages[first + 1], first + 2), y, lower, end)


parts(
    rows[0],
    ("Image", "data", shape(facts["input"])),
    (
        f"{window(conv1)}, {conv1['output'][0]}{stride(conv1, ', /{}')}\nBatch norm, ReLU",
        "conv",
        shape(conv1["output"]),
    ),
    (f"Max-pooling\n{window(pool)}{stride(pool, ', /{}')}", "pool", shape(pool["output"])),
)
wrap(6.7, rows[0], rows[1], left)
lane(rows[1], 0, rows[2], left)
lane(rows[2], 2, rows[3], 0.3)
parts(
    rows[3],
    ("Average pooling", "pool", shape(average["output"])),
    (
        f"Last layer\n{fc['input'][0]} → {fc['output'][0]:,}",
        "head",
        f"{fc['parameters']:,} parameters",
    ),
    (f"{fc['output'][0]:,} scores", "data", "one for each class"),
)
plt.show()

# %% [markdown]
# *Figure 3.2, rebuilt: schema of ResNet-18 as published, for ImageNet. "3×3, 128, /2" is a 3×3 convolution with 128 filters and stride 2, which halves
# height and width. Arcs are shortcuts: solid the identity, dashed a 1×1 convolution. Within the blocks batch normalisation and ReLU are left out.*
#
# Its {glue:text}`total` parameters are divided so:

# %% tags=["remove-input"]
KINDS = {
    "Conv2d": "convolution",
    "BatchNorm2d": "batch normalisation",
    "MaxPool2d": "max-pooling",
    "AdaptiveAvgPool2d": "average pooling",
    "Linear": "fully connected",
}
listed = []
for row in modules:
    inner = [
        conv
        for conv in modules
        if conv["type"] == "Conv2d" and conv["name"].startswith(f"{row['name']}.")
    ]
    if row in blocks:
        own, side = (
            [window(conv) for conv in inner if (conv not in on_path) == away]
            for away in (False, True)
        )
        kind = f"block: {', '.join(own)}" + (f"; shortcut {', '.join(side)}" if side else "")
    elif row["name"].count(".") or row["type"] not in KINDS:
        continue  # inside a block; ReLU
    else:
        kind = (
            f"{window(row)} {KINDS[row['type']]}{stride(row, ', stride {}')}"
            if "kernel" in row
            else KINDS[row["type"]]
        )
    output = (
        shape(row["output"]).replace(" ", "\u00a0")
        if len(row["output"]) == 3
        else f"{row['output'][0]:,}"
    )
    listed.append((row["name"], kind, output, row["parameters"]))
listed.append(("all", "", "", sum(count for *_, count in listed)))
pages.table(
    pd.DataFrame(listed, columns=["Name", "Layers", "Output", "Parameters"]),
    formatters={"Parameters": "{:,}".format},
)

# %% [markdown]
# *The network from image to scores, with torchvision's names. Blocks with the sizes of their convolutions and the parameters of all that is in them;
# ReLU has none and is left out. Output: height × width × channels. Each layer by itself stands in the record.*
#
# ## Transfer learning
#
# The network is pretrained on ImageNet. The thesis names two strategies, to use it unchanged for extracting features or to change and tune it, and takes
# the second: the last layer gets as many outputs as there are classes, and "parameters of the pretrained model" are fine-tuned. Of which layers
# it does not say; here, of all. An image is given the class with the largest score.


# %% tags=["remove-cell"]
def transfer(classes):
    """Pretraining above, fine-tuning below; what is taken over between them."""
    ax, (source, trunk, head, outputs) = (
        canvas(4.8 if len(classes) > 2 else 4.2),
        (0.9, 2.7, 4.47, 6.22),
    )
    features, many = at["fc"]["input"][0], at["fc"]["output"][0]
    names, few = [plots.label(name) for name in classes], len(classes)
    upper, lower = 1.15, 3.35
    for y, title in ((upper, "1  Pretraining"), (lower, "2  Fine-tuning, all layers")):
        note(ax, 0.15, y - 0.93, title, ha="left", fontsize=11, weight="bold")
    for y, kind, images, old, new, count, scores in (
        (
            upper,
            "norm",
            f"ImageNet\n1.2 million images\n{many:,} classes",
            "All layers but\nthe last",
            "Last layer",
            many,
            ["fish", "bird", "tree", "…"],
        ),
        (
            lower,
            "head",
            f"Chest radiographs\n{facts['input'][1]} × {facts['input'][2]} pixels\n{few} classes",
            "The same layers,\ntrained further",
            "New last layer",
            few,
            names,
        ),
    ):
        box(ax, source, y, images, "data", 1.5, 0.84)
        box(ax, trunk, y, f"{old}\n{body:,}\nparameters", "conv", 1.4, 0.84)
        box(
            ax,
            head,
            y,
            f"{new}\n{features} → {count:,}\n{facts['fc'][str(count)]:,} parameters",
            kind,
            1.54,
            0.84,
        )
        arrow(ax, (source + 0.75, y), (trunk - 0.7, y))
        arrow(ax, (trunk + 0.7, y), (head - 0.77, y))
        tops = [y + 0.37 * (place - (len(scores) - 1) / 2) for place in range(len(scores))]
        for top, name in zip(tops, scores, strict=True):
            box(ax, outputs + 0.08, top, name, "data", 1.2, 0.31)
            arrow(ax, (head + 0.77, y), (5.45, y), (5.45, top), (outputs - 0.52, top))
        decided = ": the\nlargest decides" if count == few else ""
        note(ax, outputs + 0.08, tops[-1] + 0.24, f"{count:,} scores{decided}", va="top")
    arrow(ax, (trunk, upper + 0.42), (trunk, lower - 0.42))
    note(ax, trunk + 0.1, (upper + lower) / 2 - 0.1, "parameters\ntaken over", ha="left")
    arrow(ax, (head, upper + 0.42), (head, lower - 0.42), dashed=True)
    note(ax, head + 0.1, (upper + lower) / 2 - 0.1, "replaced", ha="left")
    plt.show()


# %% tags=["remove-input"] mystnb={"image": {"alt": "Two rows. Above, ImageNet trains all layers and a last layer of a thousand scores. Below, chest radiographs train the same layers further and a new last layer of four scores: COVID-19, Viral, Bacterial, Normal."}} cxr={"items": ["Figure 3.3 A"]}
transfer(studies.ZHU_FOURCLASS.classes)

# %% [markdown]
# *Figure 3.3 A, rebuilt: transfer learning with ResNet-18 for the four-class problem.*

# %% tags=["remove-input"] mystnb={"image": {"alt": "The same two rows for the binary problem: above, pretraining on ImageNet with a thousand scores; below, fine-tuning on chest radiographs with a new last layer of two scores, COVID-19 and Non-COVID-19."}} cxr={"items": ["Figure 3.3 B"]}
transfer(studies.ZHU_BINARY.classes)

# %% [markdown]
# *Figure 3.3 B, rebuilt: the same for the binary problem.*
#
# The last layer has {glue:text}`fc-1000` parameters for 1,000 classes, {glue:text}`fc-4` for four and {glue:text}`fc-2` for two: one for each of the
# {glue:text}`features` features and one more, for each class. The other {glue:text}`body` parameters are taken over. How the new layer starts is not
# stated; here, at random. The number of ImageNet's images and the three of its classes that are drawn are named as in the thesis.
#
# ## Measures
#
# ### Confusion matrix

# %% tags=["remove-input"] mystnb={"image": {"alt": "Two-by-two table: rows true label positive and negative, columns predicted label; true positives and false negatives above, false positives and true negatives below. Beside the rows recall and specificity, below the first column precision, below the table accuracy and F1-score."}} cxr={"items": ["Figure 3.4"]}
ax = canvas(4.45)
left, top, wide, tall = 1.25, 0.75, 1.65, 0.95
cells = [
    [("True Positive", "TP", "conv"), ("False Negative", "FN", "head")],
    [("False Positive", "FP", "head"), ("True Negative", "TN", "conv")],
]
note(ax, left + wide, 0.22, "Predicted label", weight="bold")
note(ax, 0.2, top + tall, "True label", weight="bold", rotation=90)
for place, name in enumerate(("Positive", "Negative")):
    note(ax, left + wide * (place + 0.5), 0.53, name)
    note(ax, left - 0.1, top + tall * (place + 0.5), name, ha="right")
    for column, (text, short, kind) in enumerate(cells[place]):
        fill, edge = LOOKS[kind]
        corner = (left + wide * column, top + tall * place)
        ax.add_patch(Rectangle(corner, wide, tall, facecolor=fill, edgecolor="white", linewidth=3))
        note(ax, corner[0] + wide / 2, corner[1] + tall / 2 - 0.12, text)
        note(ax, corner[0] + wide / 2, corner[1] + tall / 2 + 0.14, f"({short})", weight="bold")


def measure(x, y, name, gap, above, below):
    note(ax, x, y, name, ha="left", fontsize=11)
    note(ax, x + gap, y, f"$= \\dfrac{{{above}}}{{{below}}}$", ha="left", fontsize=11)


right, bottom = left + 2 * wide, top + 2 * tall
for y, name, *formula in (
    (top + tall / 2, "Recall\n(sensitivity)", r"\mathrm{TP}", r"\mathrm{TP + FN}"),
    (top + 3 * tall / 2, "Specificity\n(selectivity)", r"\mathrm{TN}", r"\mathrm{TN + FP}"),
):
    arrow(ax, (right + 0.03, y), (right + 0.28, y))
    measure(right + 0.36, y, name, 1.08, *formula)
arrow(ax, (left + wide / 2, bottom + 0.03), (left + wide / 2, bottom + 0.28))
measure(left + 0.08, bottom + 0.58, "Precision", 0.82, r"\mathrm{TP}", r"\mathrm{TP + FP}")
measure(
    left + wide + 0.85,
    bottom + 0.58,
    "Accuracy",
    0.82,
    r"\mathrm{TP + TN}",
    r"\mathrm{TP + FP + TN + FN}",
)
measure(
    left + 0.08,
    bottom + 1.3,
    "F1-score",
    0.82,
    r"2 \times \mathrm{precision} \times \mathrm{recall}",
    r"\mathrm{precision + recall}",
)
plt.show()

# %% [markdown]
# *Figure 3.4, rebuilt: schema of the confusion matrix. Recall and specificity are shares of a row, precision of a column; blue is right, orange is wrong.*

# %% tags=["remove-cell"]
printed = studies.printed("zhu2020")
printed = (
    printed[printed["table"] == "4.2"]
    .pivot(index="row", columns="column", values="printed")
    .astype(float)
)
averages = ["Macro avg", "Weighted avg"]
classwise, half = printed.drop(averages), 0.005  # two decimals are printed
sizes = classwise["Size"]
say("rows", len(printed))
say("rows-same", int((printed["Accuracy"] == printed["Recall"]).sum()))
row = classwise.loc["Viral"]
others = sizes.sum() - row["Size"]
ends = [
    ((row["Recall"] + off) * row["Size"] + (row["Selectivity"] + off) * others) / sizes.sum()
    for off in (-half, half)
]
say("viral-low", f"{ends[0]:.2f}")
say("viral-high", f"{ends[1]:.2f}")
say("viral-printed", f"{row['Accuracy']:.2f}")
f1 = [
    2 / (1 / (classwise["Precision"] + off) + 1 / (classwise["Recall"] + off))
    for off in (-half, half)
]
say("classes", len(classwise))
say(
    "f1-same",
    int(((f1[0] <= classwise["F1-score"] + half) & (classwise["F1-score"] - half <= f1[1])).sum()),
)
measures = classwise.drop(columns="Size")


def means(values):
    """Macro and weighted average, by the formulas below."""
    return pd.DataFrame(
        {averages[0]: values.mean(), averages[1]: values.mul(sizes, axis=0).sum() / sizes.sum()}
    ).T


given = printed.loc[
    averages, measures.columns
]  # every printed number stands for all that round to it, and none is above 1
fits = (means(measures - half) <= given + half) & (
    given - half <= means((measures + half).clip(upper=1))
)
say("averages", int(fits.size))
say("averages-same", int(fits.to_numpy().sum()))
say(
    "averages-other",
    ", ".join(
        f"{row.lower()} of {column}" for row, column in fits.stack()[lambda fit: ~fit].index
    ).replace("avg", "average"),
)

# %% [markdown]
# ### What the five formulas say, and what Table 4.2 prints
#
# $$\text{accuracy} = \frac{\text{TP} + \text{TN}}{\text{TP} + \text{FP} + \text{TN} + \text{FN}}$$
#
# Another number is printed under this name: in {glue:text}`rows-same` of {glue:text}`rows` rows, Accuracy repeats Recall. For the class Viral, the printed
# recall, specificity and sizes give {glue:text}`viral-low` to {glue:text}`viral-high` by the formula; printed is {glue:text}`viral-printed`.
#
# $$\text{precision} = \frac{\text{TP}}{\text{TP} + \text{FP}}$$
#
# Printed under its name, for each class against the rest.
#
# $$\text{recall (or sensitivity)} = \frac{\text{TP}}{\text{TP} + \text{FN}}$$
#
# Printed twice, as Recall and as Accuracy.
#
# $$\text{specificity (or selectivity)} = \frac{\text{TN}}{\text{TN} + \text{FP}}$$
#
# Printed as Selectivity; negative are the images of all other classes.
#
# $$\text{F1-score} = \frac{2 \times \text{precision} \times \text{recall}}{\text{precision} + \text{recall}}$$
#
# Printed under its name; in {glue:text}`f1-same` of {glue:text}`classes` classes it agrees, within rounding, with the printed precision and recall.
#
# Averages over $K$ classes are made of the measure $m_k$ of each class and, if weighted, of its number of images $n_k$:
#
# $$\text{macro average} = \frac{1}{K} \sum_{k=1}^{K} m_k$$
#
# $$\text{weighted average} = \frac{\sum_k n_k m_k}{\sum_k n_k}$$
#
# Weighted, the average of recall is the share of all images classified correctly. Of the {glue:text}`averages` averages printed,
# {glue:text}`averages-same` agree with the class values printed above them, within rounding. The exception, the {glue:text}`averages-other`, is
# taken up under [Four classes](04_study_b_four_classes.ipynb).
#
# ### ROC curve and AUC
#
# A classifier gives a score; every threshold on it gives a point, the true positive rate (recall) over the false positive rate (1 − specificity). The curves below
# are computed, not drawn by eye: scores are normally distributed with standard deviation 1, and the positives' mean is higher by $d$.

# %% tags=["remove-input"] mystnb={"image": {"alt": "ROC curves: a perfect classifier as a solid red line along the left and upper edge, a great classifier as a dashed blue curve near the upper left corner, a random classifier as a dash-dotted yellow diagonal with the area below it shaded."}} cxr={"items": ["Figure 3.5"]}
separation = 2.5
fpr = np.concatenate([[0], np.logspace(-6, -2, 200), np.linspace(0.01, 1, 500)[1:]])
curves = {  # colours as the thesis names them
    "Perfect classifier": (np.array([0, 0, 1]), np.array([0, 1, 1]), "#CC1111", "-", 3),
    f"Great classifier ($d$ = {separation})": (
        fpr,
        norm.cdf(norm.ppf(fpr) + separation),
        "#0072B2",
        (0, (5, 1.5)),
        2.5,
    ),
    "Random classifier ($d$ = 0)": (fpr, fpr, "#F0D000", (0, (6, 1.5, 1.5, 1.5)), 3),
}
figure, ax = plt.subplots(figsize=(7, 5.6), facecolor="white", layout="constrained")
for name, (x, y, color, line, width) in curves.items():
    outline = (
        [withStroke(linewidth=width + 1.6, foreground="#444444")]
        if name.startswith("Random")
        else None
    )
    ax.plot(
        x,
        y,
        color=color,
        linestyle=line,
        linewidth=width,
        path_effects=outline,
        clip_on=False,
        label=f"{name}: AUC {auc(x, y):.3f}",
    )
ax.fill_between(fpr, fpr, color="#F0D000", alpha=0.22, linewidth=0)
ax.text(0.02, 1.02, "perfect", color="#A00D0D", ha="left", va="bottom", fontsize=11)
ax.text(0.16, 0.88, "great", color="#005A8C", ha="left", va="top", fontsize=11)
ax.text(0.5, 0.53, "random", color=DARK, ha="right", va="bottom", fontsize=11)
ax.text(0.68, 0.42, f"shaded: AUC {auc(fpr, fpr):.1f}", color=DARK, ha="center", va="center")
ax.set(
    xlim=(0, 1),
    ylim=(0, 1),
    aspect="equal",
    xlabel="False positive rate (1 − specificity)",
    ylabel="True positive rate (sensitivity)",
)
ax.spines[["top", "right"]].set_visible(False)
ax.spines[["left", "bottom"]].set_position(("outward", 6))
ax.legend(loc="lower right", title="Area under the curve", handlelength=4)
plt.show()

# %% tags=["remove-cell"]
say("separation", separation)

# %% [markdown]
# *Figure 3.5, rebuilt: schema of ROC curve and AUC. Red: a perfect classifier; blue, dashed: a great classifier, $d$ = {glue:text}`separation` standard deviations,
# our choice; yellow, dash-dotted: a random classifier; shaded: its AUC.*
#
# With several classes there is one curve for each class, against all others.

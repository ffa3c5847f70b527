# ---
# jupyter:
#   cxr:
#     records:
#     - audits/blackout-probes
#     - audits/one-pipeline-probes
#     - audits/leave-source-out
#     - audits/leakage
#     - audits/frozen-against-finetuned
#     - audits/other-adults
#     - audits/lungs-out
#     - audits/marks
#     - audits/cam-texture
#     - audits/duplicates
#     families: [zhu-fourclass-redraws]
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
# # Do these models read lungs?
#
# **Question.** The networks of both studies tell COVID-19 images from others, those of Study B nearly without a mistake. Do they find the disease in the lungs, or something else that goes with it?
#
# **Answer.** Study B's results do not need the lungs: its classes can be told apart without them. Those of Study A's {term}`stand-in` are lost with them.
#
# - *Without lungs.* With 90 % of each side black, a median of {glue:text}`left-90` of the lungs is left in the COVID-19 images, adults', in which the lungs are known. (How much of the children's lungs is left was not measured: nothing says where they are.) {term}`Probes <probe>` (logistic regressions on what an ImageNet network makes of a picture) of Study B's two classes still reach an {term}`AUC` of {glue:text}`two-90`: the mean of five draws, with the lowest and highest end of their intervals. Fine-tuned networks, {glue:text}`tuned-networks` of them, reach {glue:text}`tuned-90`. For Study A's stand-in the AUC of probes falls to {glue:text}`a-90`, about chance.
# - *Covered lungs.* With the lungs black Study B's recorded models still find {glue:text}`covered-two` (two classes) and {glue:text}`covered-four` (four) of the COVID-19 images; with the same area elsewhere black, {glue:text}`elsewhere-two` and {glue:text}`elsewhere-four`. So they do not ignore the lungs; but how they rank the images suffers no more than from the control.
# - *Other adults.* Study B's recorded models were shown {glue:text}`normals` radiographs of other adults without finding. They call {glue:text}`normals-two` (two classes) and {glue:text}`normals-four` (four) of these COVID-19. Yet the two-class model ranks COVID-19 above them (AUC {glue:text}`nih-two`; four classes {glue:text}`nih-four`).
# - *Other diseases of the same collection.* Against them the AUC is at most modest: {glue:text}`same-two`, {glue:text}`same-four`, and {glue:text}`same-a` of the stand-in.
#
# **How sure.** {term}`Intervals <95 % interval>` are over patients. Probes have five draws, fine-tuned networks one to three. Other adults, covered lungs and marks were tried on one recorded network for each task. What speaks for the models is told as well: three steps of file handling that can be shared do not explain the results, no single publisher is needed for them, and marks hardly move Study B's models. No audit tells what a network goes by instead. The copies of the images here differ from the originals, and Study A is judged by a stand-in. [Objections](objections) are answered at the end.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
level: float = 0.95  # of the intervals
threshold: float = 0.5  # probability from which on an image is called COVID-19
replicates: int = 2000  # resamples of the patients

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The records", "code_prompt_hide": "The records"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import cxrlib
from companion import pages, parameters, studies
from companion.audits import curves, record
from cxrlib import formatting, occlusion, plots
from cxrlib.data import phantom, radiographs
from cxrlib.metrics import Interval, intervals

parameters.check(globals())
AUDITS = ["blackout-probes", "other-adults", "one-pipeline-probes", "lungs-out", "marks"]
AUDITS += ["leave-source-out", "leakage", "duplicates", "frozen-against-finetuned", "cam-texture"]
audits = {name: record.read(name) for name in AUDITS}  # what each says, and its tables
tables = {name: found for name, (_, found) in audits.items()}
MODELS = list(curves.MODELS)
TWO, FOUR, STANDIN = MODELS
how = {"replicates": replicates, "level": level}

blackout = curves.blackout(level, threshold)
probes = blackout[blackout["how"] == "probe"].set_index(["model", "arm", "size"])
tuned = blackout[blackout["how"] == "fine-tuned"].set_index(["arm", "size"])
steps = tables["one-pipeline-probes"]["predictions"]
pipeline = curves.measured(steps, ["arm", "draw"], level, threshold)
pipeline = curves.over_draws(pipeline, ["arm"]).set_index("arm")


# %% tags=["hide-input"] mystnb={"code_prompt_show": "What is measured on them", "code_prompt_hide": "What is measured on them"}
def share(rows, right):
    """The share of images for which ``right`` is true, with its interval over patients."""
    everyone = np.ones(len(rows), bool)
    return intervals.share_by_patient(right, everyone, rows["patient_id"], level)


def by_group(rows, keys, measure):
    """``estimate, low, high`` of ``measure(rows)`` for each group of rows."""
    found = {key: measure(group) for key, group in rows.groupby(keys, sort=False)}
    index = pd.MultiIndex.from_tuples(found, names=keys)
    return pd.DataFrame([*found.values()], index, Interval._fields)


def percent(found):
    """A share with its interval, in per cent."""
    return formatting.with_interval(*(100 * value for value in found), decimals=0) + " %"


def dots(found, ax, xlabel, scale=1):
    """Draw ``found``, with the index levels ``model`` and ``line``, as points with intervals."""
    lines = list(dict.fromkeys(found.index.get_level_values("line")))
    for place, (model, (label, color)) in enumerate(curves.MODELS.items()):
        if model not in found.index.get_level_values("model"):
            continue
        of = scale * found.xs(model, level="model")
        at = np.array([lines.index(line) for line in of.index]) + 0.22 * (place - 1)
        error = np.nan_to_num([of["estimate"] - of["low"], of["high"] - of["estimate"]])
        drawn = {"fmt": "o", "capsize": 2, "color": color, "label": label}
        ax.errorbar(of["estimate"], at, xerr=error, **drawn)
    ax.set_yticks(range(len(lines)), lines)
    ax.set(ylim=(len(lines) - 0.5, -0.5), xlabel=xlabel)
    ax.grid(axis="x", alpha=0.3)


# other adults
COVID = "covid"  # the class; below also the side and the group of the runs' own test images
adults = tables["other-adults"]["images"].rename(columns={"group": "line", "p": "p_covid"})
called = by_group(adults, ["model", "line"], lambda rows: share(rows, rows["p_covid"] >= threshold))
aucs = {}
for model, line in called.index.drop([(model, COVID) for model in curves.MODELS]):
    pair = adults[(adults["model"] == model) & adults["line"].isin([COVID, line])]
    pair = curves.against_rest(pair, pair["line"] == COVID)
    aucs[model, line] = intervals.auc_interval(pair, COVID, level)

# covered lungs
covered = tables["lungs-out"]["images"]
covered["side"] = np.where(covered["y_true"] == COVID, COVID, "others")
keys = ["model", "side", "part", "fill", "control"]
after = by_group(covered, keys, lambda rows: share(rows, rows["p_after"] >= threshold))
before = by_group(covered, keys, lambda rows: share(rows, rows["p_before"] >= threshold))

# marks, and images found by publisher
marked = tables["marks"]["images"]
marked["side"] = np.where(marked["y_true"] == COVID, COVID, "others")
marked["change"] = marked["p_after"] - marked["p_before"]
moved = by_group(
    marked,
    ["model", "side", "mark", "control"],
    lambda rows: cxrlib.mean_by_patient(rows["change"], rows["patient_id"], **how),
)
sources = tables["leave-source-out"]["predictions"].query("y_true == @COVID")
sources = sources.assign(found=sources["p_covid"] >= threshold)
each = ["publisher", "patient_id", "image_id"]
own = sources.query("arm == 'publisher-out' and publisher == held_out").groupby(each)["found"]
rest = sources[sources["arm"] == "patients-out"].groupby(each)["found"]
sources = pd.DataFrame({"out": own.mean(), "in": rest.mean()}).reset_index()
leaks = tables["leakage"]["summary"]

# publishers and mistakes
rows = []
for name, of in sources.dropna().groupby("publisher"):
    most = [share(of, of[arm] > 0.5) for arm in ("out", "in")]  # in most of the five draws
    change = cxrlib.mean_by_patient(of["out"] - of["in"], of["patient_id"], **how)
    right = (of["out"] > 0.5).sum()
    rows.append([name, len(of), of["patient_id"].nunique(), right, *most, change])
columns = ["publisher", "images", "patients", "right", "out", "in", "change"]
publishers = pd.DataFrame(rows, columns=columns).sort_values("images", ascending=False)
wide = leaks.set_index(["mistake", "by", "task", "draw", "made"])[["auc", "recall", "accuracy"]]
added = wide.xs(True, level="made") - wide.xs(False, level="made")

# pairs, probes of four classes, texture
pairs, without = tables["duplicates"]["pairs"], tables["duplicates"]["results"]
across = pairs[pairs["first_split"] != pairs["second_split"]]
tested = (across["first_split"] == "test") | (across["second_split"] == "test")
same_pairs = pairs[pairs["seen"] == "same radiograph"]
once = without.pivot_table("estimate", ["run", "statistic"], "kept")
change_by_copies = (once["one of each copy"] - once["all"]).abs().max()
frozen = tables["frozen-against-finetuned"]["predictions"].query("arm == 'unchanged'")
frozen = frozen.drop(columns="arm").assign(source="", split="test")
by_draw = {draw: cxrlib.per_class(rows) for draw, rows in frozen.groupby("draw")}
redrawn = [studies.run(f"zhu-fourclass-redraws/seed-{draw}") for draw in by_draw]
again = [cxrlib.per_class(run.predictions) for run in redrawn]
frozen_right, tuned_right = (
    [table.loc["weighted avg", "recall"] for table in found] for found in (by_draw.values(), again)
)
texture = tables["cam-texture"]["images"]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "How much is left as the lungs go", "code_prompt_hide": "How much is left as the lungs go", "figure": {"caption": "How much of the result is left as a black square grows over the lungs. Lines: probes, mean of five draws, with a band from the lowest to the highest end of the five 95 % intervals over patients: no interval itself, but a wider span. Diamonds: fine-tuned networks, trained to the end of their schedule. Dotted: chance; grey: from the lowest to the highest AUC that probes and fine-tuned networks of any task reach on unchanged pictures after permuting their training labels. The upright strokes at 100 % go from whole pictures to those with a square so small that it hides no lung. The lungs left are known for COVID-19 test images with a mask or boxes; those of the other class, children's in Study B, are not.", "name": "as-the-lungs-go"}, "image": {"alt": "AUC of COVID-19 against the rest, from 100 percent of the lungs left to few. The lines of Study B with two and with four classes stay close to 1 to the end, and so do the diamonds of fine-tuned networks. The line of Study A's stand-in begins below them and falls to chance. Chance and permuted labels lie about one half."}}
with plots.style():
    fig, ax = plt.subplots(figsize=(7, 4.2))
    curves.draw(blackout, "square-black", ax)
    ax.set(title="", ylabel="AUC of COVID-19 against the rest")
    ax.legend(loc="center left", bbox_to_anchor=(0.02, 0.52), frameon=False)
plt.show()

# %% [markdown]
# To the right less and less of the lungs is left, in training and in test. If the networks needed the lungs, the lines would fall to the dotted one. Those of Study B do not, though at a fixed {term}`threshold` some images are lost: at the right end probes of two classes find {glue:text}`found-90`, of unchanged pictures {glue:text}`found-whole`. The line of Study A's stand-in does fall: {glue:text}`a-within`. It drops at the very beginning, too, which is its upright stroke at 100 %: a small black square that hides no lung already disturbs it. The line is the probe's of that task, {glue:text}`a-whole` on whole pictures; the stand-in itself, another network, has {glue:text}`a-itself` ([its page](13_study_a_results.ipynb)).

# %% [markdown]
# ## All audits at a glance
#
# Each line is one experiment, told below. "Found" means a probability of {glue:text}`threshold` or more for COVID-19.


# %% tags=["hide-input"] mystnb={"code_prompt_show": "The table of audits", "code_prompt_hide": "The table of audits"}
def auc_words(row):
    return f"{row['auc']:.3f} ({formatting.interval(row['low'], row['high'], decimals=3)})"


def left(model, size):
    return probes.loc[(model, "square-black", size)]


answers = {}  # question, who asked it first; by model; and what it means
answers["black-out"] = (
    ("How much of the picture can go?", "Maguolo and Nanni 2021"),
    *[f"90 % of each side black: AUC of probes {auc_words(left(model, 0.9))}" for model in MODELS],
    "The edge of the picture is enough to tell Study B's classes apart. The task of Study A's"
    " stand-in falls to about chance.",
)
same, NIH = "same collection, other disease", "NIH, No Finding"
against = {model: formatting.with_interval(*aucs[model, same], decimals=2) for model in MODELS}
answers["other-adults"] = (
    ("Does it tell COVID-19 from other adults?", "in part DeGrave et al. 2021"),
    *[
        f"{percent(called.loc[model, NIH])} of adults without finding (NIH) called COVID-19; AUC"
        f" against other diseases of its own collection {against[model]}"
        for model in (TWO, FOUR)
    ],
    f"{percent(called.loc[STANDIN, 'RSNA normal'])} of normal adults (RSNA) called COVID-19; AUC"
    f" against other diseases {against[STANDIN]}",
    "Study B's models call most adults COVID-19. Within one collection the ranking is modest at"
    " most.",
)
answers["one-pipeline"] = (
    ("Is it the handling of the files?", "this book"),
    "After three steps of shared handling: AUC of probes"
    f" {auc_words(pipeline.loc['jpeg, histogram and px-56'])}",
    *["not asked"] * 2,
    "What remains after a shared handling is enough to tell the two classes apart.",
)
lungs_black, other_black = ((COVID, "lungs", "black", control) for control in (0, 1))
answers["lungs-out"] = (
    ("Where is the signal?", "DeGrave et al. 2021"),
    *[
        f"COVID-19 images found with black lungs {percent(after.loc[(model, *lungs_black)])}, with"
        f" the same area elsewhere black {percent(after.loc[(model, *other_black)])}"
        for model in MODELS
    ],
    "Fewer are found without lungs. Study B's ranking of the images loses no more by it than by the"
    " control; the stand-in's does with masks, not with boxes.",
)
answers["leave-source-out"] = (
    ("Does it travel to another publisher?", "this book"),
    f"{int(publishers['right'].sum())} of {publishers['images'].sum()} images of publishers never"
    " seen are found, by probes",
    *["not asked"] * 2,
    "Yes, within this collection: no single publisher is needed.",
)

test_copies = across[tested & (across["seen"] == "same radiograph")].groupby("study").size()
PERMUTED = f"{TWO}, labels permuted"
copied = added.loc[("copies before the split", "probe", PERMUTED), "auc"]
most_added = added["accuracy"].xs(FOUR, level="task").drop("copies before the split")
most_added = most_added.groupby("mistake").mean().max()
threshold_moves = added.loc[("threshold by test set", "recorded run", STANDIN)].iloc[0]
answers["leakage"] = (
    ("How much does each mistake give?", "this book"),
    "Labels permuted: copying before the division adds"
    f" {formatting.signed(copied.mean(), copied.min(), copied.max(), decimals=2)} of AUC",
    f"At most {formatting.signed(most_added, decimals=2)} of accuracy, by mistakes other than"
    " copies",
    "A threshold chosen on the test set: accuracy"
    f" {formatting.signed(threshold_moves['accuracy'], decimals=2)}, sensitivity"
    f" {formatting.signed(threshold_moves['recall'], decimals=2)}",
    "A mistake can make a result from nothing. To one that is perfect already it cannot add.",
)
of_one = same_pairs.groupby("study").size()
answers["duplicates"] = (
    ("Is the same picture on both sides?", "this book"),
    f"{of_one['zhu2020']} pairs show one radiograph, {test_copies.get('zhu2020', 0)} of them with"
    " one picture in the test set and one outside",
    "the same images",
    f"{of_one['cheazemin2020']} pairs, {test_copies.get('cheazemin2020', 0)} of them so",
    "Hardly; results without the copies are the same to within"
    f" {100 * change_by_copies:.1f} points.",
)
letter = moved.xs(0, level="control")["estimate"]
most = letter.xs("others", level="side").abs().groupby("model").max()
answers["marks"] = (
    ("Does an annotation move it?", "in part Zech et al. 2018"),
    *[f"Largest mean change on normal images {most[model]:.2f}" for model in (TWO, FOUR)],
    f"By a tube {formatting.signed(letter[STANDIN, 'others', 'tube'], decimals=2)}, by its control"
    f" {formatting.signed(moved.loc[(STANDIN, 'others', 'tube', 1), 'estimate'], decimals=2)}",
    "Study B's models hardly. The stand-in reacts to brightness, not to the form of a mark.",
)

answers["frozen"] = (
    ("Can pretrained features be used directly?", "this book"),
    "not asked",
    f"Right, of the test images: probes {min(frozen_right):.2f}–{max(frozen_right):.2f}, fine-tuned"
    f" networks {min(tuned_right):.2f}–{max(tuned_right):.2f} (five draws each)",
    "not asked: Study A uses them directly",
    "Yes, though the thesis writes that they cannot (section 3.2). Fine-tuning adds a few points.",
)
follow = {
    (model, kind): cxrlib.mean_by_patient(of["own"] - of["others"], of["patient_id"], **how)
    for (model, kind), of in texture.groupby(["model", "texture"])
}
answers["texture"] = (
    ("What does Grad-CAM look at?", "this book"),
    *[
        "Own map less other patients', correlation with the gradient"
        f" {formatting.signed(*follow[model, 'gradient'], decimals=2)}"
        for model in MODELS
    ],
    "Maps follow their own picture's texture little more than other patients' maps do, if at all."
    " The thesis's sentence on texture is not confirmed.",
)

rows = []
heads = ["Study B, two classes", "Study B, four classes", "Study A's stand-in", "What it means"]
for name, ((question, proposed), *said) in answers.items():
    link = f'<a href="#{name}">{question}</a><br><small>{proposed}</small>'
    rows.append({"Question, and who asked it": link} | dict(zip(heads, said, strict=True)))
pages.table(
    pd.DataFrame(rows), caption="Ten audits, and what they say", name="audits", escape=False
)

# %% [markdown]
# (black-out)=
# ## How much of the picture can go?
#
# {cite:t}`maguolo2021` covered the middle of radiographs with a black square ({term}`black-out`) and trained a network on what was left. It still told collections with COVID-19 from others. The same is done here with squares of nine sizes, in training **and** in test.
#
# Most of these networks are **probes**: a logistic regression on the features of an ImageNet network that never saw a radiograph. A probe trains in seconds, so each size has five draws of the test patients, in Study A five draws of the validation {term}`fold`. It shows what is *in* the pictures for a network to find. Whether the studies' own networks use it is another question, which later sections take up. At {glue:text}`tuned-sizes` sizes there are fine-tuned networks as well ({term}`transfer learning`): all of their weights were trained, as Study B's were, in up to three draws. The recorded runs on the frame alone and without it ([How sure?](06_study_b_how_sure.ipynb)) are among them.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What the square hides", "code_prompt_hide": "What the square hides", "figure": {"caption": "What a network sees, on a synthetic picture: whole; with a black square over 50 % and over 80 % of each side; and the smaller square alone.", "name": "what-the-square-hides"}, "image": {"alt": "A synthetic radiograph four times: whole; with the middle half of each side black; with the middle 80 percent black, which leaves a frame; and the middle half alone."}}
drawn = phantom.radiograph(np.random.default_rng(5), "bilateral", size=224).image[None]
shown = {"Whole": drawn}
for size in (0.5, 0.8):
    shown[f"{100 * size:.0f} % black"] = occlusion.black_out(drawn, size)
shown["50 % left"] = occlusion.black_out(drawn, 0.5, rest=True)
plots.radiographs([picture[0] for picture in shown.values()], [*shown])
plt.show()

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Both arms", "code_prompt_hide": "Both arms", "figure": {"caption": "The same against the side of the square: that square black (left), and all but that square black (right).", "name": "black-out-curves"}, "image": {"alt": "Two panels of AUC against the side of the square. Left, the square is black: Study B's lines stay near 1, Study A's stand-in falls to chance. Right, all but the square is black: Study B's lines rise quickly to 1; the stand-in's rises from near chance to about 0.8 and falls a little at the end."}}
with plots.style():
    fig, axes = plt.subplots(1, 2, figsize=(7, 4), sharey=True, layout="constrained")
    for ax, arm in zip(axes, curves.ARMS, strict=True):
        curves.draw(blackout, arm, ax, x="size")
    axes[0].set_ylabel("AUC of COVID-19 against the rest")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The curves as a table", "code_prompt_hide": "The curves as a table"}
rows = []
for (model, arm, size), row in probes.iterrows():
    net = tuned.loc[[(arm, size)]].iloc[0] if model == TWO and (arm, size) in tuned.index else None
    rows.append(
        {
            "Model": curves.MODELS[model][0],
            "Black": curves.ARMS.get(arm, arm.replace("-", " ")),
            "Side of the square": f"{100 * size:.0f} %",
            "Lungs left (median)": "" if np.isnan(row["lungs"]) else f"{100 * row['lungs']:.0f} %",
            "AUC of the draws": formatting.interval(row["least"], row["most"], decimals=3),
            "Ends of the intervals": formatting.interval(row["low"], row["high"], decimals=3),
            "Found": f"{row['found']} of {row['of']}",
            "Others called COVID-19": f"{row['taken']} of {row['others']:,}",
            "AUC, fine-tuned": "" if net is None else f"{net['auc']:.4f} ({net['draws']} draws)",
        }
    )
pages.table(pd.DataFrame(rows), caption="Probes and fine-tuned networks by what is black")

# %% [markdown]
# "Found" counts the images of all draws together. An area of exactly 1 has no interval; it counts as 1 at both ends.
#
# With 90 % of each side black, probes of two classes reach {glue:text}`two-90`, those of four {glue:text}`four-90`. The middle alone is enough as well: a square of half of each side gives {glue:text}`two-rest-50` (two classes). So Study B's classes can be told apart by nearly any part of the picture. The frame that is left there, {glue:text}`frame-width` % of each side wide, is that of [How sure?](06_study_b_how_sure.ipynb); {glue:text}`frame-lungs`.
#
# In the task of Study A's stand-in it is otherwise. Whole pictures give its probe {glue:text}`a-whole`. (The stand-in itself, the recorded run, trains its last layer in another way and is tested on all normals: {glue:text}`a-itself`, on [its page](13_study_a_results.ipynb).) With 80 % of each side black it is {glue:text}`a-80`, with 90 % {glue:text}`a-90`. Its probe learns airspace opacity in adults of one collection and must find COVID-19 in another. Without the middle it cannot. But it needs the frame as well: with all lungs left and only the outer tenth black it falls to {glue:text}`a-rest-90`, about as far as with 70 % of each side black ({glue:text}`a-70`). So this is no proof that it reads lungs. The middle half alone gives {glue:text}`a-rest-50`.
#
# Probes whose training labels were permuted reach {glue:text}`permuted` over all three tasks, those of the stand-in's task {glue:text}`permuted-a`. They scatter more widely about one half than the patients alone would make them, because the COVID-19 images are alike and go up or down together.
#
# (other-adults)=
# ## Does it tell COVID-19 from other adults?
#
# In Study B nearly all COVID-19 images are of adults, and all others are of children. So its models were never asked to tell one adult from another. Here the recorded models of both studies are asked, without further training, about adults who do not have COVID-19: with other diseases or none in the *same* collection as the COVID-19 images, and from two other collections. Nothing that a model was trained on is among them.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Adults called COVID-19", "code_prompt_hide": "Adults called COVID-19", "figure": {"caption": "Share of the images called COVID-19, with 95 % intervals over patients. The first line shows the models' own COVID-19 test images; on the others every call is a false alarm.", "name": "adults"}, "image": {"alt": "Points with intervals for six groups and three models. Study B's models call nearly all of their own COVID-19 images COVID-19, and nearly all of the same collection's other images, and most normal adults of RSNA and NIH."}}
with plots.style():
    fig, ax = plt.subplots(figsize=(7, 3.6))
    dots(called.rename({COVID: "own COVID-19 test images"}), ax, "Called COVID-19 (%)", 100)
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=3, frameon=False)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The same as a table", "code_prompt_hide": "The same as a table"}
rows = []
for (model, line), row in called.iterrows():
    size = adults[(adults["model"] == model) & (adults["line"] == line)]
    auc = aucs.get((model, line))
    rows.append(
        {
            "Model": curves.MODELS[model][0],
            "Group": "own COVID-19 test images" if line == COVID else line,
            "Images (patients)": f"{len(size):,} ({size['patient_id'].nunique():,})",
            "Called COVID-19": percent(row),
            "AUC, own COVID-19 against it": "" if auc is None else formatting.with_interval(*auc),
        }
    )
pages.table(pd.DataFrame(rows), caption="Adults by model and group")

# %% [markdown]
# An image of an adult is called COVID-19 by Study B's models nearly whatever it shows. They rank COVID-19 above other collections' adults all the same: the AUC of the two-class model against RSNA's normals is {glue:text}`rsna-two`, so a higher threshold would help there. Within the same collection little of that is left. Against its images with other diseases the AUC is {glue:text}`same-two` (two classes), {glue:text}`same-four` (four) and {glue:text}`same-a` (Study A's stand-in). There are few of these images, {glue:text}`same-images` of {glue:text}`same-patients` patients, and SARS or pneumonia may look like COVID-19 to anyone. The collection's {glue:text}`none-images` images without finding are too few for a number.
#
# Ages of RSNA's images are not known; nearly all of ChestX-ray14 are adults. Images of unknown age are kept, those below 18 years left out.
#
# The stand-in was trained on adults. Its false alarms among normals are those of its threshold of one half ([its page](13_study_a_results.ipynb)). The NIH groups are missing for it, since its training images come from there.
#
# (one-pipeline)=
# ## Is it the handling of the files?
#
# Here Kermany's images were squashed to 224 pixels and stored anew as JPEG; the COVID-19 images were not. That alone could tell them apart. So the COVID-19 images were put through the same: stored with Kermany's own JPEG tables; given Kermany's distribution of grey values; and both classes reduced to 56 pixels a side, where fine traces of files are gone. Then probes were trained and tested again, for each step by itself and for all three together.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "After each step", "code_prompt_hide": "After each step", "figure": {"caption": "Two classes: AUC of probes after each step of a shared handling, mean of five draws, with the lowest and highest end of their 95 % intervals over patients.", "name": "one-pipeline-chart"}, "image": {"alt": "Five points between 0.997 and 1: unchanged, stored like Kermany's, Kermany's greys, 56 pixels a side, and all three steps."}}
STEPS = {"unchanged": "unchanged", "jpeg": "stored like Kermany's", "histogram": "Kermany's greys"}
STEPS |= {"px-56": "56 pixels a side", "jpeg, histogram and px-56": "all three"}
shown = pipeline.loc[[*STEPS]].rename(STEPS, axis=0)
shown = shown.assign(model=TWO, line=shown.index).set_index(["model", "line"])
shown = shown.rename(columns={"auc": "estimate"})
with plots.style():
    fig, ax = plt.subplots(figsize=(7, 2.8))
    dots(shown[["estimate", "low", "high"]], ax, "AUC of COVID-19 (the axis does not begin at 0)")
plt.show()

# %% [markdown]
# The handling that could be shared does not explain the result: probes still tell the classes apart after all three steps. A few more COVID-19 images are missed at 56 pixels ({glue:text}`small-found` found, {glue:text}`whole-found` before) and after JPEG ({glue:text}`jpeg-found`). Fine-tuned networks say the same of the first step: {glue:text}`tuned-jpeg`.
#
# This audit cannot undo what was done to the files before. Here Kermany's images are copies, reduced and stored anew, and the COVID-19 images were reduced too. With the originals in place the same command runs on them, and the record says how large its files were.
#
# (lungs-out)=
# ## Where is the signal?
#
# {cite:t}`degrave2021` asked trained networks about pictures without lungs. The recorded models are asked the same here, about their COVID-19 test images that have a lung mask or lung boxes: with the lungs covered, and with all but the lungs covered. Covering may itself look like COVID-19, or hide it. So the same area is also covered elsewhere (the mask moved to where it overlaps the lungs least), and the same masks are laid on the test images of the other classes.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "COVID-19 images still found", "code_prompt_hide": "COVID-19 images still found", "figure": {"caption": "COVID-19 test images still called COVID-19 after a part was covered with black, grey or blur; 95 % intervals over patients.", "name": "lungs-covered"}, "image": {"alt": "Points with intervals for twelve ways of covering and up to three models. Fewest images are found with the lungs covered; with the same area elsewhere covered, and with all but the lungs covered, nearly all."}}
LINES = {("lungs", 0): "lungs", ("lungs", 1): "same area elsewhere"}
LINES |= {("rest", 0): "all but lungs", ("rest", 1): "all but that area"}


def lines(side):
    """The shares of a side by what is covered, as `dots` draws them."""
    found = after.xs(side, level="side").reset_index()
    words = [
        LINES[part, control] for part, control in zip(found["part"], found["control"], strict=True)
    ]
    found["line"] = [f"{what}: {fill}" for what, fill in zip(words, found["fill"], strict=True)]
    return found.sort_values(["part", "control", "fill"]).set_index(["model", "line"])[
        ["estimate", "low", "high"]
    ]


with plots.style():
    fig, ax = plt.subplots(figsize=(7, 5.4))
    dots(lines(COVID), ax, "COVID-19 images still found (%)", 100)
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=3, frameon=False)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Both sides as a table", "code_prompt_hide": "Both sides as a table"}
shown = after.join(before["estimate"].rename("before")).reset_index()
rows = [
    {
        "Model": curves.MODELS[row["model"]][0],
        "Images": "COVID-19" if row["side"] == COVID else "other classes",
        "Covered": LINES[row["part"], row["control"]],
        "With": row["fill"],
        "Called COVID-19 before": f"{100 * row['before']:.0f} %",
        "after": percent(row[["estimate", "low", "high"]]),
    }
    for _, row in shown.iterrows()
]
pages.table(pd.DataFrame(rows), caption="Called COVID-19 before and after covering")

# %% tags=["hide-input"] mystnb={"code_prompt_show": "How well COVID-19 is still ranked, paired", "code_prompt_hide": "How well COVID-19 is still ranked, paired"}
black = covered.query("part == 'lungs' and fill == 'black'")
rows = []
for (model, kind), of in black.groupby(["model", "kind"], sort=False):
    sides = []
    for control in (0, 1):
        side = of[of["control"] == control].rename(columns={"p_after": "p_covid"})
        sides.append(curves.against_rest(side, side["y_true"] == COVID))
    line = {"Model": curves.MODELS[model][0], "Regions": f"{kind.removeprefix('lung ')}s"}
    for head, table in zip(("AUC, lungs black", "AUC, elsewhere black"), sides, strict=True):
        line[head] = formatting.with_interval(
            *intervals.auc_interval(table, COVID, level), decimals=3
        )
    line["Difference"] = formatting.signed(
        *cxrlib.difference_by_patient(*sides, "auc", COVID, **how)
    )
    rows.append(line)
pages.table(
    pd.DataFrame(rows).replace({"boxs": "boxes"}),
    caption="COVID-19 against other classes, the same images",
)

# %% [markdown]
# With the lungs black fewer COVID-19 images are found than with the same area elsewhere black: of Study B's {glue:text}`region-images` images with a region, all found before, {glue:text}`covered-two` against {glue:text}`elsewhere-two` (two classes) and {glue:text}`covered-four` against {glue:text}`elsewhere-four` (four); of the stand-in's, {glue:text}`covered-a` against {glue:text}`elsewhere-a`. But a share found depends on the threshold, and covering moves all probabilities. So the last table compares how well COVID-19 is still *ranked* above the other classes under the same masks.
#
# By that measure Study B's models lose no more by covering the lungs than by covering as much elsewhere, with masks and with boxes. The stand-in does lose more with masks and not with boxes. The two kinds of region differ: boxes cover heart and body wall as well and a larger part of the picture, and {glue:text}`overlap-box` of their control is lung (masks: {glue:text}`overlap-mask`); masks come from a network and can leave out opaque lung. Shown *nothing but* the lungs, with the rest black, Study B's models still find {glue:text}`alone-two` and {glue:text}`alone-four`; shown nothing but the same area elsewhere, {glue:text}`else-two` and {glue:text}`else-four`. For the four-class model that is the best evidence here that it does use the lungs. So the recorded models do not ignore them; that they need them this audit cannot say.
#
# Covering also makes false alarms: of other classes' images, none of which was called COVID-19 before, {glue:text}`others-two` and {glue:text}`others-four` are called so with black lungs, {glue:text}`others-rest-two` and {glue:text}`others-rest-four` with all but the mask black.
#
# (leave-source-out)=
# ## Does it travel to another publisher?
#
# The COVID-19 images were gathered from many publishers: journals, case collections, hospitals. Each publisher with 15 images or more was held out in turn. Probes trained on the other COVID-19 images were asked about its images. For comparison the same images were tested by probes that had seen that publisher, but not these patients.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Held out and not", "code_prompt_hide": "Held out and not"}
shown = publishers[["publisher", "images", "patients"]].rename(columns=str.capitalize)
shown["Found, publisher never seen"] = [percent(value) for value in publishers["out"]]
shown["Found, only patients never seen"] = [percent(value) for value in publishers["in"]]
shown["Difference (points)"] = [
    formatting.signed(*(100 * end for end in value), decimals=1) for value in publishers["change"]
]
pages.table(shown, caption="COVID-19 images found, by publisher", name="publishers")

# %% [markdown]
# An image counts as found where most of the five draws find it; the difference is of the mean over draws, and a dash in its brackets says that no draw differs. A probe that never saw a publisher finds the same images as one that did, to within one. So no single publisher is needed. With so few patients each, a loss of up to a tenth or two could have gone unseen, and small publishers were never held out. This is no other hospital: publishers are mixtures themselves, gathered into one collection, and Kermany's children stay the comparison.
#
# (leakage)=
# ## How much does each mistake give?
#
# Some mistakes let a test set be known in training ({term}`leakage`). They were made on purpose: by probes in five draws, or in one recorded run. A number above 0 is what the mistake adds. In the table "C by test set" chooses the strength of a probe, its setting C, on the test set. "All by image" divides all images anew by image, Kermany's too, and is compared with the same by patient.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What each mistake adds", "code_prompt_hide": "What each mistake adds"}
summary = added.groupby(["mistake", "by", "task"]).agg(["mean", "min", "max"]) + 0.0
rows = []
for (mistake, by, task), row in summary.iterrows():
    name, _, permuted = task.partition(", ")
    words = curves.MODELS[name][0] + f", {permuted}" * bool(permuted)
    source = by.replace("recorded run", "one run").replace("probe", "probes, five draws")
    line = {"Mistake": mistake, "By": source, "Task": words}
    for measure, head in {"auc": "AUC", "recall": "Recall", "accuracy": "Accuracy"}.items():
        of = row[measure].round(3) + 0.0
        line[head] = formatting.signed(*(of[:1] if by == "recorded run" else of), decimals=3)
    rows.append(line)
pages.table(
    pd.DataFrame(rows),
    caption="What it adds: mean, lowest and highest of the draws; of one run, what it gave",
    name="mistakes",
)

# %% [markdown]
# Where a result is perfect already, a mistake cannot add to it: with true labels no AUC moves by more than {glue:text}`auc-moved`. That such a mistake can make a result from nothing shows where labels were permuted, so that there is nothing to learn: copies of one image on both sides of the division raise the AUC from {glue:text}`copies-before` to {glue:text}`copies-after`. (The accuracy of that mistake is not comparable: its test set has more COVID-19 images.)
#
# A threshold chosen on the test set moves {term}`sensitivity` and {term}`specificity` against each other. Differences of a recorded run with one seed are within what another seed gives ([How sure?](06_study_b_how_sure.ipynb)).
#
# (duplicates)=
# ## Is the same picture on both sides?
#
# Two copies of one radiograph, one in training and one in test, make a test too easy. All images of each study were compared by a perceptual hash and by what an ImageNet network makes of them. {glue:text}`pairs` pairs were close enough to be looked at, and each was looked at by eye.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Pairs, and results without them", "code_prompt_hide": "Pairs, and results without them"}
counts = pairs.groupby(["study", "seen"]).size().rename("Pairs").to_frame()
counts["across parts of the split"] = across.groupby(["study", "seen"]).size()
counts["one of them tested"] = across[tested].groupby(["study", "seen"]).size()
counts = counts.fillna(0).astype(int).reset_index()
counts["study"] = counts["study"].map(studies.LETTERS)
counts = counts.rename(columns={"study": "Study", "seen": "Judged by eye"})
pages.table(counts, caption="Pairs that were looked at, by what the eye said", name="pairs")

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The pairs of one radiograph, by name", "code_prompt_hide": "The pairs of one radiograph, by name"}
columns = ["first", "first_split", "second", "second_split", "same_patient", "hamming", "cosine"]
shown = same_pairs[columns].rename(columns=lambda name: name.replace("_", " ").capitalize())
pages.table(shown, caption="The pairs that show one radiograph")

# %% [markdown]
# No picture of a test set of Study B has a copy outside it. Of its {glue:text}`same-b` pairs of one radiograph {glue:text}`same-patient` are of one patient; nearly all others are COVID-19 images that two sources published under two patient numbers. {glue:text}`across-b` of these have one picture in training and one in validation. With one picture of each pair left out, no recorded share moves by more than {glue:text}`copy-change` points.
#
# Near-duplicates between RSNA's normals and the NIH images of Study A's stand-in were removed before. This audit found {glue:text}`a-copies` more, and {glue:text}`a-perhaps` pairs that perhaps show the same person. Both collections come from ChestX-ray14, but RSNA's copies do not say which patient they show. So how many patients are shared cannot be known; [Study A's page](13_study_a_results.ipynb) says so too.
#
# (marks)=
# ## Does an annotation move it?
#
# A side letter, a caption, a black border and a line like a tube were drawn on test images. The control changes as many pixels to the same grey elsewhere, without the form.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Change of the probability", "code_prompt_hide": "Change of the probability", "figure": {"caption": "Mean change of the probability of COVID-19 by a mark and by its control, with 95 % intervals over patients.", "name": "marks-chart"}, "image": {"alt": "Two panels, normal and COVID-19 images: mean change of probability for letter, caption, border and tube and their controls. Study B's models stay near 0; the stand-in falls with a dark border and its ring, and rises on normal images with bright lines or dots."}}
SIDES = {"others": "Normal", COVID: "COVID-19"}


def mark_lines(side):
    """The changes of a side by mark, as `dots` draws them."""
    found = moved.xs(side, level="side").reset_index()
    words = found["mark"] + found["control"].map({0: "", 1: ", control"})
    return found.assign(line=words).set_index(["model", "line"])[["estimate", "low", "high"]]


with plots.style():
    fig, axes = plt.subplots(1, 2, figsize=(7, 4), sharey=True, layout="constrained")
    for ax, (side, title) in zip(axes, SIDES.items(), strict=True):
        dots(mark_lines(side), ax, "Change of the probability")
        ax.set_title(title)
        ax.axvline(0, color=curves.CHANCE, linestyle=":")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
plt.show()

# %% [markdown]
# Letter, caption and tube hardly move Study B's models; on normal images no mark changes the mean probability by more than {glue:text}`mark-most`. A dark border as such does nothing to COVID-19 images either, but its control, a dark ring further inside, lowers the four-class model's mean by {glue:text}`ring-four`. So it minds dark rings more than dark edges. Study A's stand-in is moved by all that is bright or dark: on normals a tube adds {glue:text}`tube-a`, as many bright pixels scattered in the middle {glue:text}`tube-control-a`; a border and its ring take away. It reacts to brightness, not to the form of a tube.
#
# (frozen)=
# ## Can pretrained features be used directly?
#
# The thesis writes that features learnt on ImageNet "cannot be used directly" and fine-tunes the whole network (section 3.2). A probe of four classes on these very features tests that sentence.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Table 4.2 beside probes", "code_prompt_hide": "Table 4.2 beside probes"}
printed = studies.printed("zhu2020", "Table 4.2").dropna(subset="metric").set_index("metric")
rows = []
for name in by_draw[0].index:
    for column, head in {"precision": "Precision", "recall": "Recall"}.items():
        cells = {"Label": plots.label(name), "Measure": head}
        cells["Printed"] = printed["printed"].get(f"{name}.{column}", "")
        for title, found in {"Fine-tuned networks": again, "Probes": [*by_draw.values()]}.items():
            values = [table.loc[name, column] for table in found]
            ends = formatting.interval(min(values), max(values), decimals=2)
            cells[f"{title}, mean (range of draws)"] = f"{np.mean(values):.2f} ({ends})"
        rows.append(cells)
pages.table(
    pd.DataFrame(rows), caption="Table 4.2, by fine-tuned networks and by probes", name="probe-4-2"
)

# %% [markdown]
# A probe, which trains in seconds, is right on {glue:text}`frozen-right` of the images in five draws, fine-tuned networks on {glue:text}`tuned-right`, and the thesis prints {glue:text}`printed-right`. So the features can be used directly. Fine-tuning adds a few points, most of them among the children's classes: COVID-19 is told apart either way.
#
# (texture)=
# ## What does Grad-CAM look at?
#
# The thesis concludes from its {term}`Grad-CAM` maps that the model looks at the lungs, and at places with rich texture (section 4.3). [Where does the network look?](05_study_b_gradcam.ipynb) measures the lungs: on test images with a mask the four-class model's maps have {glue:text}`cam-lungs` percentage points more of their activation in the lungs than an even spread would put there. Most of that other patients' maps would give as well, and networks with random weights differ by more among themselves. Here each map is correlated with the local texture of its picture: the standard deviation of the grey values in each of the 7 × 7 cells, and the mean size of their gradient. The maps of *other* patients on the same picture tell what correlation to expect from maps that cannot follow this picture.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Correlation with texture", "code_prompt_hide": "Correlation with texture"}
rows = []
for (model, kind), of in texture.groupby(["model", "texture"], sort=False):
    values = [of["own"], of["others"], of["own"] - of["others"]]
    found = [cxrlib.mean_by_patient(value, of["patient_id"], **how) for value in values]
    rows.append([curves.MODELS[model][0], kind, *(formatting.signed(*each) for each in found)])
columns = ["Model", "Texture", "Own map", "Maps of other patients", "Difference"]
pages.table(pd.DataFrame(rows, columns=columns), caption="Spearman's correlation, mean of images")

# %% [markdown]
# Of the four-class model's maps the correlation with texture is what chance gives: other patients' maps correlate as much with the same picture. The two-class model's maps follow the gradient a little, and no more than other patients' maps do. The stand-in's maps follow texture a little, and hardly more than other patients' maps do.
#
# (objections)=
# ## Objections
#
# **You looked many times.** Yes: ten audits, most with several arms and three models. Among hundreds of intervals some miss by chance. Two things in the answer at the top are far beyond their intervals: that Study B's classes are told apart without the lungs, in every draw, and that its models call most other adults COVID-19. The stand-in's AUC near chance and the AUCs within one collection have wide intervals and are no more than they say.
#
# **You chose the {term}`seeds <seed>`.** Probes have draws 0 to 4 and fine-tuned networks draws 0 to 2 of the {term}`re-draws <re-draw>` that were recorded before. None was left out but those of {glue:text}`unfinished` fine-tuned networks that the clock stopped; their records name them. The strength of the probes was chosen on validation images alone; its range was widened once after a first look, because validation chose its edges. The draws of Study B share Kermany's test images, and those of Study A their whole test set, so they vary less than new data would.
#
# **An AUC of 1 cannot show what adds what.** It cannot. Where nearly every part of the picture is enough, the curves of Study B say only that, and the shares found at a threshold say a little more. Whether Kermany's own classes need the lungs was not asked.
#
# **Study A does better only because its task is harder.** That may be so. The two differ in task, images, ages and network, so they are no controlled comparison.
#
# **Masks miss lung.** They do, and mostly opaque lung. That works against us where lungs are covered, because some diseased lung may stay visible. Boxes err the other way. Both are shown above.
#
# **The frame still holds lung.** It does: {glue:text}`frame-lungs`. What any other square leaves of them is the horizontal axis of the first figure, a median: {glue:text}`known` of {glue:text}`known-of` test images have a mask or boxes, and for the others it is unknown.
#
# **Posture, collimation, age and size are not artefacts.** They are properties of the patient and the examination, but none is COVID-19. A clinic where the ill and the well are both adults and lie on the same table would lose them.
#
# **The sources are mixtures themselves.** Publishers took images from many hospitals, and Kermany's come from one. The audits cannot tell a hospital from an age group or a machine. They tell only whether the lungs are needed.
#
# **Probes are not your networks.** They show what can be found in the pictures. The recorded networks are asked directly by covering, marks and other adults; the fine-tuned diamonds were trained as Study B's are.
#
# **What fires without a cause?** The rules were tried on pictures into which a shortcut had been planted, and on pictures without one; the matrix is in `tests/companion/audits/test_planted.py`.
#
# (make-again)=
# ## Making them again
#
# Every number here is computed from records in `results/audits/`. With the collections on disk (`cxr fetch`), `python -m companion.build audit NAME` makes one again. Seconds are those of the recorded machine. With *other adults*, *lungs out* and *marks* they hold all that is computed. With the others what the networks make of the pictures lay in the library's cache: the first time takes many times as long, with a bar, and goes on after an interruption:

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Records and seconds", "code_prompt_hide": "Records and seconds"}
rows = []
for name, (info, _) in audits.items():
    device = f"{info['device']['name']}, {info['device'].get('threads', '')} threads"
    rows.append([name, info["what"], f"{info['seconds']:,.0f}", device, info["recorded"]])
columns = ["NAME", "What", "Seconds", "On", "Recorded"]
pages.table(pd.DataFrame(rows, columns=columns), caption="The audits' records")


# %% tags=["hide-input"] mystnb={"code_prompt_show": "The numbers in the sentences", "code_prompt_hide": "The numbers in the sentences"}
def range_of(values):
    return formatting.interval(min(values), max(values), decimals=2)


def words(model, arm, size):
    return auc_words(probes.loc[(model, arm, size)])


def still(model, side=COVID, part="lungs", control=0):
    return percent(after.loc[(model, side, part, "black", control)])


shared = covered.query("y_true == @COVID").groupby("kind")["overlap"].mean()
same_rows = adults[(adults["model"] == TWO) & (adults["line"] == same)]
known = tables["blackout-probes"]["lung-left"]["image_id"]
_, where = studies.read_maps(studies.run(FOUR))
masked = where.query("kind == 'lung mask' and stage == 'trained' and split == 'test'")
more = cxrlib.mean_by_patient(masked["inside"] - masked["region"], masked["patient_id"], **how)
first = tables["blackout-probes"][TWO].query(
    "y_true == 'covid' and arm == 'unchanged' and draw == 0"
)
frame = tables["blackout-probes"]["lung-left"]
frame = frame[frame["size"] == round(1 - 2 * radiographs.FRAME, 6)]  # of the square
frame = frame.groupby("kind")["square_black"]
frame_lungs = (
    f"it holds a median of {100 * left(TWO, 0.9)['lungs']:.1f} % of the lungs of the COVID-19 test"
    " images with a mask or boxes; of all such images it holds"
    f" {100 * frame.mean()['lung mask']:.1f} % on average and at most"
    f" {100 * frame.max()['lung mask']:.1f} % by masks, and {100 * frame.mean()['lung box']:.1f} %"
    f" and {100 * frame.max()['lung box']:.1f} % by boxes where there is no mask"
)
jpeg = curves.measured(curves.finetuned("one-pipeline"), ["draw"], level)
lowest = jpeg["auc"].min()
perfect = "1" if lowest == 1 else f"{lowest:.4f} or more"
ninety = tuned.loc[[("square-black", 0.9)]].iloc[0]
itself = cxrlib.per_class(studies.run(STANDIN).predictions).loc[COVID, "auc"]
permuted = blackout.query("arm == 'permuted-labels'")
reached = permuted["most"].max()
permuted = permuted[permuted["how"] == "probe"].set_index("model")
of_squares = probes["auc"].sort_index().loc[(STANDIN, "square-black")]
low = of_squares[of_squares <= reached].index
within = (
    f"from {100 * low.min():.0f} % of each side black on it lies within the grey, which reaches up"
    f" to {reached:.2f}"
    if len(low)
    else f"it stays above the grey, which reaches up to {reached:.2f}"
)
normal = letter.xs("others", level="side")
copies = wide["auc"].loc[("copies before the split", "probe", PERMUTED)]
same_b = same_pairs[same_pairs["study"] == "zhu2020"]
unfinished = sum(int((~curves.runs(curve)["finished"]).sum()) for curve in curves.FINETUNED)
NAMES = {"two": TWO, "four": FOUR, "a": STANDIN}

pages.glue_all(
    {
        "threshold": f"{threshold:g}",
        "found-90": "{found:.0f} of {of:.0f}".format_map(left(TWO, 0.9)),
        "found-whole": "{found:.0f} of {of:.0f}".format_map(probes.loc[(TWO, "unchanged", 0)]),
        "left-90": f"{100 * left(TWO, 0.9)['lungs']:.1f} %",
        "tuned-90": f"at least {ninety['least']:.4f}",
        "tuned-networks": int(ninety["draws"]),
        "tuned-sizes": len(tuned.dropna(subset="lungs").groupby("size")),
        "two-90": words(TWO, "square-black", 0.9),
        "four-90": words(FOUR, "square-black", 0.9),
        "two-rest-50": words(TWO, "rest-black", 0.5),
        "a-itself": f"{itself:.3f}",
        "a-within": within,
        "a-whole": words(STANDIN, "unchanged", 0),
        "a-80": words(STANDIN, "square-black", 0.8),
        "a-90": words(STANDIN, "square-black", 0.9),
        "a-rest-90": words(STANDIN, "rest-black", 0.9),
        "a-70": words(STANDIN, "square-black", 0.7),
        "a-rest-50": words(STANDIN, "rest-black", 0.5),
        "permuted": range_of([*permuted[["least", "most"]].stack()]),
        "permuted-a": range_of([*permuted.loc[STANDIN, ["least", "most"]]]),
        "normals": f"{len(adults.query('model == @TWO and line == @NIH')):,}",
        "nih-two": formatting.with_interval(*aucs[TWO, NIH], decimals=2),
        "nih-four": formatting.with_interval(*aucs[FOUR, NIH], decimals=2),
        "normals-two": percent(called.loc[TWO, NIH]),
        "normals-four": percent(called.loc[FOUR, NIH]),
        "same-two": formatting.with_interval(*aucs[TWO, same], decimals=2),
        "same-four": formatting.with_interval(*aucs[FOUR, same], decimals=2),
        "same-a": formatting.with_interval(*aucs[STANDIN, same], decimals=2),
        "rsna-two": formatting.with_interval(*aucs[TWO, "RSNA normal"], decimals=2),
        "same-images": len(same_rows),
        "same-patients": same_rows["patient_id"].nunique(),
        "none-images": len(adults.query("model == @TWO and line == 'same collection, No Finding'")),
        "small-found": "{found:.0f} of {of:.0f}".format_map(pipeline.loc["px-56"]),
        "jpeg-found": "{found:.0f} of {of:.0f}".format_map(pipeline.loc["jpeg"]),
        "whole-found": "{found:.0f} of {of:.0f}".format_map(pipeline.loc["unchanged"]),
        "tuned-jpeg": f"an AUC of {perfect} in all {len(jpeg)} draws",
        "region-images": covered.query("y_true == @COVID and model == @TWO")["image_id"].nunique(),
        "overlap-box": f"{100 * shared['lung box']:.0f} %",
        "overlap-mask": f"{100 * shared['lung mask']:.0f} %",
        "pairs": len(pairs),
        "auc-moved": f"{added['auc'].drop(PERMUTED, level='task').abs().max():.4f}",
        "copies-before": f"{copies.xs(False, level='made').mean():.2f}",
        "copies-after": f"{copies.xs(True, level='made').mean():.2f}",
        "same-b": len(same_b),
        "a-copies": len(across.query("seen == 'same radiograph' and study == 'cheazemin2020'")),
        "a-perhaps": int((pairs["seen"] == "perhaps the same person").sum()),
        "same-patient": int(same_b["same_patient"].sum()),
        "across-b": int((same_b["first_split"] != same_b["second_split"]).sum()),
        "copy-change": f"{100 * change_by_copies:.1f}",
        "frame-width": f"{100 * radiographs.FRAME:g}",
        "mark-most": f"{normal[[TWO, FOUR]].abs().max():.2f}",
        "ring-four": f"{-moved.loc[(FOUR, COVID, 'border', 1), 'estimate']:.2f}",
        "tube-a": f"{moved.loc[(STANDIN, 'others', 'tube', 0), 'estimate']:.2f}",
        "tube-control-a": f"{moved.loc[(STANDIN, 'others', 'tube', 1), 'estimate']:.2f}",
        "cam-lungs": formatting.signed(*(100 * end for end in more), decimals=1),
        "frozen-right": range_of(frozen_right),
        "tuned-right": range_of(tuned_right),
        "printed-right": printed["printed"]["weighted avg.recall"],
        "frame-lungs": frame_lungs,
        "known": int(first["image_id"].isin(known).sum()),
        "known-of": len(first),
        "unfinished": unfinished,
    }
    | {f"covered-{word}": still(model) for word, model in NAMES.items()}
    | {f"elsewhere-{word}": still(model, control=1) for word, model in NAMES.items()}
    | {f"alone-{word}": still(model, part="rest") for word, model in NAMES.items()}
    | {f"else-{word}": still(model, part="rest", control=1) for word, model in NAMES.items()}
    | {f"others-{word}": still(model, "others") for word, model in NAMES.items()}
    | {f"others-rest-{word}": still(model, "others", "rest") for word, model in NAMES.items()}
)

# %% [markdown]
# `cxr audit MODEL --data FOLDER` asks some of these questions of your own network and your own images: [Evaluate your own](../book/evaluate.md).

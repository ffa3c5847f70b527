# ---
# jupyter:
#   cxr:
#     records:
#     - zhu-fourclass
#     - zhu-binary
#     families:
#     - zhu-fourclass-redraws
#     - zhu-binary-redraws
#     - zhu-fourclass-cv
#     - zhu-binary-cv
#     - zhu-fourclass-variants
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
# # How sure? Other draws, cross-validation, and what it would take
#
# **Question.** The tables of {cite:t}`zhu2020` come from one draw of 60 COVID-19 test images, one {term}`seed`, and one choice of everything that the thesis leaves open. How far do its results depend on these?
#
# **Answer.** The share of images classified correctly by the four-class model went {glue:text}`accuracy-range` over {glue:text}`runs` runs: the {term}`headline run` and {glue:text}`redraws` {term}`re-draws <re-draw>` of it. Of these {glue:text}`reach` reach the printed {glue:text}`printed-accuracy`. {glue:text}`reaching-short`. A network trained on the outer frame of the pictures alone, which holds little of the lungs, finds {glue:text}`frame-found` of {glue:text}`frame-size` COVID-19 images, with {glue:text}`frame-taken` false alarms.
#
# **How sure.** The interval covers only which patients were tested, not seed or settings. That is why the runs were repeated. All of them share Kermany's test images, so they are not independent; each variant was trained with one seed.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
level: float = 0.95  # of the intervals
replicates: int = 2000  # resamples of the patients
most_redraws: int | None = None  # so many of the re-draws of each task; None: all that are recorded

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The runs, and what is measured", "code_prompt_hide": "The runs, and what is measured"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display

import cxrlib
from companion import headline, pages, parameters, studies
from cxrlib import formatting, metrics, plots
from cxrlib.data import phantom, radiographs

parameters.check(globals())
main = {name: studies.run(name) for name in studies.EXPERIMENTS}
families, missing = {}, {}
for name in studies.FAMILIES:
    families[name], missing[name] = studies.family(name)
    if name.endswith("-redraws"):
        families[name] = families[name][:most_redraws]
base = main["zhu-fourclass"]  # the headline run
redraws = families["zhu-fourclass-redraws"]
printed = studies.printed("zhu2020").set_index(["run", "metric"])["printed"]

how = {"replicates": replicates, "level": level}


def found_of(predictions, cls="covid"):
    """Images of a class found, and all of it; others taken for it, and all others."""
    matrix = cxrlib.confusion(predictions)
    found, size, taken = matrix.loc[cls, cls], matrix.loc[cls].sum(), matrix[cls].sum()
    return found, size, taken - found, len(predictions) - size


def difference(run, other):
    """Accuracy of ``run`` less that of ``other`` on the same test images, with its interval over
    patients; None if the images differ.
    """
    if set(run.predictions["image_id"]) != set(other.predictions["image_id"]):
        return None
    return cxrlib.difference_by_patient(run.predictions, other.predictions, "accuracy", **how)


# %% [markdown]
# ## Other draws of the test patients
#
# Study B has {glue:text}`covid-images` COVID-19 images. It tests 60, drawn at random by patient; one or two of them are not on disk here. Each {term}`re-draw` takes another seed for this draw, for the validation fold, for the new last layer and for the order of images. Kermany's test images stay the same.
#
# Four classes: {glue:text}`note-zhu-fourclass-redraws`. Two classes: {glue:text}`note-zhu-binary-redraws`. In each task one of these is of seed 0, the {term}`headline run`'s own draw: it is {glue:text}`repeat`. The other {glue:text}`other-seeds` (two classes: {glue:text}`other-seeds-two`) draw anew. Where this page counts {glue:text}`runs` runs, the headline run is counted as well; where only other draws matter, as for two classes on [their page](03_study_b_binary.ipynb), the repeat is left out.

# %% tags=["remove-input"]
if absent := missing["zhu-fourclass-redraws"] + missing["zhu-binary-redraws"]:
    display(pages.not_recorded(absent))

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Printed, rebuilt and re-drawn", "code_prompt_hide": "Printed, rebuilt and re-drawn", "figure": {"caption": "Four classes: the measures of the headline table, printed, rebuilt with 95 % intervals over patients, and re-drawn.", "name": "redraws"}, "image": {"alt": "Dot chart of the main measures of Table 4.2: printed value, rebuilt value with its interval, and every re-draw as a strip below it."}}
bounds = cxrlib.bootstrap_by_patient(base.predictions, **how)
redrawn = [cxrlib.per_class(run.predictions) for run in redraws]
rows, again = {}, {}
for title, metric in headline.MEASURES[headline.FOUR].items():
    name, _, column = metric.rpartition(".")
    ends = bounds.loc[name, column].rename({"estimate": "rebuilt"})
    rows[title] = {**ends, "printed": float(printed["zhu-fourclass", metric])}
    again[title] = [table.loc[name, column] for table in redrawn]
pages.comparison_chart(
    pd.DataFrame(rows).T, pd.DataFrame(again).T, "Value (the axis does not begin at 0)"
)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Every run", "code_prompt_hide": "Every run"}
rows = []
for run in [base, *redraws]:
    overall, (found, size, taken, _) = metrics.overall(run.predictions), found_of(run.predictions)
    covid = run.predictions[run.predictions["y_true"] == "covid"]
    rows.append(
        {
            "Seed": run.info["seed"],
            "Epoch kept": f"{run.info['epochs']['kept']} of {run.info['epochs']['run']}",
            "COVID-19 patients": covid["patient_id"].nunique(),
            "COVID-19 found": f"{found} of {size}",
            "False COVID-19": taken,
            "Accuracy": f"{overall['accuracy']:.3f}",
            "Macro recall": f"{overall['macro_recall']:.3f}",
        }
    )
draws = pd.DataFrame(rows)
pages.table(draws, caption="Four classes, one run per row; the first is the headline run")

# %% [markdown]
# "Epoch kept" is of the epochs run, up to where early stopping ended the run. Re-draws: {glue:text}`time-redraws`.
#
# Every COVID-19 test image was found in {glue:text}`all-found` of the {glue:text}`runs` runs. (The headline's draw counts twice among them, because seed 0 was drawn again.) By {term}`accuracy`, highest first, the headline run ranks {glue:text}`rank`. On the headline's own draw the re-draw has an accuracy of {glue:text}`same-draw`. That is noise of training, which an interval over test patients does not measure.
#
# The thesis's early stopping waits {glue:text}`patience` epochs, and its learning rate is first lowered after epoch {glue:text}`first-milestone`. So a run whose validation loss happens to be lowest in one of the first epochs ends before that or soon after it. The epoch kept comes before the rate was lowered in {glue:text}`early`, and after it in {glue:text}`late`. What keeping the last epoch would give instead is a row of {ref}`the table below <what-would-it-take>`. How often all images of two classes were right is on [their page](03_study_b_binary.ipynb).
#
# ## Cross-validation
#
# The thesis used five-fold cross-validation and does not report its results. Here all images, Kermany's test images too, are cut into five {term}`folds <fold>` by patient, with the classes spread evenly, **before** any copying. Each fold is tested once, by a network trained on the other four. So more COVID-19 patients are tested than those of one draw: {glue:text}`cv-tested`; the images of the others are not on disk.
#
# Cross-validation mixes Kermany's training and test images, and the two are unlike ([Four classes](04_study_b_four_classes.ipynb)). For comparison the chart and the tables also have the fixed test set, by the re-draw of seed 0, which trained as the folds did. Four classes: {glue:text}`note-zhu-fourclass-cv`. Two classes: {glue:text}`note-zhu-binary-cv`.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Measure the folds", "code_prompt_hide": "Measure the folds"}
repeats = {
    name: pages.same_seed_again(run, families[f"{name}-redraws"]) for name, run in main.items()
}


def pooled(task):
    """A row for each class: images right over all folds, and recall and AUC of the folds and of the
    fixed test set.
    """
    folds = families[f"{task}-cv"]
    fixed = (
        repeats[task][0] or main[task]
    ).predictions  # on the schedule of the folds, if recorded
    together = pd.concat([run.predictions for run in folds], ignore_index=True)
    each = pd.concat([cxrlib.per_class(run.predictions) for run in folds], keys=range(len(folds)))
    recall = cxrlib.bootstrap_by_patient(together, **how)["recall"]
    fixed_recall = cxrlib.bootstrap_by_patient(fixed, **how)["recall"]
    classes = main[task].classes
    lists = {
        column: {name: each.xs(name, level=1)[metric].to_list() for name in classes}
        for column, metric in (("folds", "recall"), ("fold_aucs", "auc"))
    }
    table = recall.loc[classes].join(fixed_recall.loc[classes].add_prefix("fixed_"))
    table["fixed_auc"] = cxrlib.per_class(fixed)["auc"]
    return table.join(pd.DataFrame(lists)), together


measured = {task: pooled(task) for task in main if families[f"{task}-cv"]}

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Recall in the folds and on the fixed test set", "code_prompt_hide": "Recall in the folds and on the fixed test set", "figure": {"caption": "Cross-validation: recall of each class over all folds together and on the fixed test set, with 95 % intervals over patients, and in each fold.", "name": "cross-validation"}, "image": {"alt": "Two panels, four classes and two classes. For each class the recall over all folds with its interval, the recall on the fixed test set with its interval, and a small dot for each fold."}}
sizes = [len(table) for table, _ in measured.values()] or [1]
fig, axes = plt.subplots(
    len(sizes),
    1,
    figsize=(7, 4.4),
    height_ratios=sizes,
    sharex=True,
    squeeze=False,
    layout="constrained",
)
for ax, (task, (table, _)) in zip(axes.flat, measured.items(), strict=False):
    at = np.arange(len(table))
    for column, shift, kind, text in (
        ("estimate", -0.12, "fold", "all folds"),
        ("fixed_estimate", 0.2, "rebuilt", "fixed test set"),
    ):
        low, high = (table[column.replace("estimate", end)] for end in ("low", "high"))
        error = np.nan_to_num([table[column] - low, high - table[column]])
        drawn = {"fmt": "o", "capsize": 3, "color": pages.COLORS[kind]}
        ax.errorbar(table[column], at + shift, xerr=error, label=text, **drawn)
    for place, values in zip(at, table["folds"], strict=True):
        ax.scatter(values, np.full(len(values), place - 0.32), marker=".", color="0.4", zorder=3)
    ax.set_yticks(at, [plots.label(name) for name in table.index])
    ax.set(ylim=(len(table) - 0.5, -0.6), title=studies.experiment(task).title)
axes[-1, 0].set_xlabel("Recall (small dots: each fold)")
if measured:
    axes[0, 0].legend(frameon=False)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The same as tables", "code_prompt_hide": "The same as tables"}
for task, (table, together) in measured.items():
    rows = []
    for cls, row in table.iterrows():
        right, size, taken, others = found_of(together, cls)
        patients = together.loc[together["y_true"] == cls, "patient_id"].nunique()
        recall = formatting.with_interval(row["estimate"], row["low"], row["high"])
        fixed = [row[f"fixed_{end}"] for end in ("estimate", "low", "high")]
        ends = [min(row["folds"]), max(row["folds"])]
        aucs = [min(row["fold_aucs"]), max(row["fold_aucs"])]
        rows.append(
            {
                "Class": plots.label(cls),
                "Images right (patients)": f"{right:,} of {size:,} ({patients:,})",
                "Recall (95 % interval)": recall,
                "Recall, lowest–highest fold": formatting.interval(*ends),
                "Others taken for it": f"{taken:,} of {others:,}",
                "AUC, lowest–highest fold": formatting.interval(*aucs, decimals=4),
                "Fixed test set: recall (95 % interval)": formatting.with_interval(*fixed),
                "Fixed test set: AUC": f"{row['fixed_auc']:.4f}",
            }
        )
    display(pages.table(pd.DataFrame(rows), caption=studies.experiment(task).title))

# %% tags=["remove-input"]
if absent := missing["zhu-fourclass-cv"] + missing["zhu-binary-cv"]:
    display(pages.not_recorded(absent))

# %% [markdown]
# Four classes: {glue:text}`folds`. Two classes: {glue:text}`folds-two`. The intervals are over the patients tested; how far the folds' networks differ shows in the small dots.
#
# (what-would-it-take)=
# ## What would it take?
#
# The thesis prints a weighted accuracy of {glue:text}`printed-accuracy`. Which of its silences, or which misprint, could make up the difference to the rebuilt run? One thing is changed at a time, and everything else stays ({glue:text}`note-zhu-fourclass-variants`). "No change" is the re-draw of seed 0 ({glue:text}`repeat`), with which the others must be compared.
#
# This rebuild departs from the thesis in ways that are no rows here, because they cannot be undone: its weights are in part reconstructed, its images were reduced and stored again, and a tenth of the training images is held out ([the list](04_study_b_four_classes.ipynb)). They are suspects as much as the thesis is.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What is changed, one thing at a time", "code_prompt_hide": "What is changed, one thing at a time"}
CHANGES = {
    "as-printed": ("No change", ""),
    "batch-64": ("Batch of 64 images, not 256", "stated; tests a misprint"),
    "lr-0.0003": ("Learning rate 0.0003, not 0.003", "stated; tests a misprint"),
    "weight-decay-0.01": ("Weight decay 0.01, not 0.1", "stated; tests a misprint"),
    "weight-decay-0.0001": ("Weight decay 0.0001, not 0.1", "stated; tests a misprint"),
    "no-oversampling": ("No copies of COVID-19 images", "stated; tests an omission"),
    "no-augmentation": ("No augmentation", "stated; tests an omission"),
    "split-by-image": ("Images, not patients, drawn at random", "stated otherwise; tests a slip"),
    "epoch-by-test": ("Epoch chosen by the loss on the test set", "not stated"),
    "last-epoch": ("Last epoch kept, no early stopping", "not stated; early stopping is"),
}
variants = {run.name.rpartition("/")[2]: run for run in families["zhu-fourclass-variants"]}
same_draw, repeat = repeats["zhu-fourclass"]
if same_draw is not None:
    variants["as-printed"] = same_draw
compared = {"headline": base} | {name: variants[name] for name in CHANGES if name in variants}
ends = {name: cxrlib.bootstrap_by_patient(run.predictions, **how) for name, run in compared.items()}

# %% tags=["remove-input"]
if absent := missing["zhu-fourclass-variants"]:
    display(pages.not_recorded(absent))

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Accuracy of each variant", "code_prompt_hide": "Accuracy of each variant", "figure": {"caption": "Accuracy of the headline run and of each variant, with 95 % intervals over patients. Dotted: the printed value.", "name": "variants"}, "image": {"alt": "Dot chart of the accuracy of the headline run and of each recorded variant with 95 percent intervals, beside the printed accuracy as a dotted line."}}
titles = {"headline": "Headline run"} | {name: text for name, (text, _) in CHANGES.items()}
accuracy = pd.DataFrame(
    {name: table.loc["weighted avg", "recall"] for name, table in ends.items()}
).T
accuracy.insert(0, "label", [titles[name] for name in accuracy.index])
accuracy.insert(1, "kind", "Accuracy, with 95 % interval")
target = float(printed["zhu-fourclass", "weighted avg.recall"])
plots.ladder(
    accuracy.rename(columns={"estimate": "value"}),
    "Accuracy (share of test images right)",
    line=target,
)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The variants as a table", "code_prompt_hide": "The variants as a table"}
rows = []
for name, (title, standing) in {"headline": ("Headline run", ""), **CHANGES}.items():
    row = {"Changed": title, "Standing in the thesis": standing}
    if (run := compared.get(name)) is None:
        rows.append(row | {"Accuracy (95 % interval)": "not yet recorded"})
        continue
    change = None
    if name != "as-printed" and same_draw is not None:
        change = difference(run, same_draw)
    kind = "GPU" if run.info["device"]["type"] == "cuda" else run.info["device"]["type"].upper()
    recall = ends[name]["recall", "estimate"]
    rows.append(
        row
        | {
            "Accuracy (95 % interval)": formatting.with_interval(
                *ends[name].loc["weighted avg", "recall"]
            ),
            "Difference from “No change” (95 % interval)": "–"
            if change is None
            else formatting.signed(*change),
            "Macro recall": f"{recall['macro avg']:.3f}",
            "COVID-19 recall": f"{recall['covid']:.3f}",
            "Viral recall": f"{recall['viral']:.3f}",
            "Trained in": f"{run.info['config']['precision']}, {kind}",
        }
    )
pages.table(pd.DataFrame(rows).fillna(""), caption="One thing changed at a time")

# %% [markdown]
# The column of differences compares each run with "No change" on the same test images, with the interval over patients; a dash where the test images are others. That interval holds for the two trained networks, not for their settings: one seed was run of each, and the table of re-draws shows how far another draw and seed together move the accuracy. Variants: {glue:text}`time-variants`.
#
# {glue:text}`reaching`. The printed value has an uncertainty of its own, {glue:text}`printed-low`–{glue:text}`printed-high` if its images were independent, {glue:text}`overlap`.
#
# Which change matters at all? The accuracies of the headline run and its re-draws went {glue:text}`accuracy-range`. {glue:text}`beyond` The effect of each other change cannot be told from that of another draw and seed. One more re-draw would itself fall outside that range in about 2 of {glue:text}`by-chance` cases, and several changes were tried, so a change just outside is no finding. Two changes at once were not tried.
#
# The run whose epoch is chosen by the test set and the run that keeps its last epoch trained as "No change" did{glue:text}`same-training`. They differ in which epoch is kept, and in how long the training went on. The record of the former knows both choices: {glue:text}`epoch-chosen`. Over its epochs the test accuracy lay between {glue:text}`epoch-range`. So one and the same training can be reported with any of these numbers. Which epoch is kept, and by what rule, is a choice that the thesis does not state.
#
# (frame-alone)=
# ## What the frame alone gives away
#
# In Study B COVID-19 goes together with other hospitals, with adults, and with other ways of making and storing a picture. How far can that alone carry? The same trainings were run on pictures of which all but an outer frame, {glue:text}`frame-width` % of each side wide, is black, in training and in test, and on pictures of which only that frame is black. (They are blackened first, and turned and shifted after, so that augmentation brings back nothing.) Nothing else was changed. The frame holds {glue:text}`frame-lungs`. Of Kermany's images it is not known.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What the network saw", "code_prompt_hide": "What the network saw", "figure": {"caption": "What the network saw, on a synthetic picture.", "name": "frame-and-centre"}, "image": {"alt": "A synthetic radiograph three times: whole; all but a narrow outer frame black; the frame black and the rest left."}}
drawn = phantom.radiograph(np.random.default_rng(5), "bilateral", size=224).image
parts = {"whole": "Whole picture", "frame": "Frame alone", "centre": "Centre alone"}
plots.radiographs(
    [radiographs.show_part(drawn[None], part)[0] for part in parts], [*parts.values()]
)
plt.show()

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Results from the frame and from the centre", "code_prompt_hide": "Results from the frame and from the centre"}
rows, shown = [], {}
for task, title in {"zhu-binary": "Two classes", "zhu-fourclass": "Four classes"}.items():
    shown[task] = {"whole": repeats[task][0] or main[task]}
    shown[task] |= {run.name.rpartition("/")[2]: run for run in families[f"{task}-shown"]}
    for part, run in shown[task].items():
        bounds_shown = cxrlib.bootstrap_by_patient(run.predictions, **how)
        right, size, taken, others = found_of(run.predictions)
        change = (
            "–" if part == "whole" else formatting.signed(*difference(run, shown[task]["whole"]))
        )
        auc = formatting.with_interval(*bounds_shown.loc["covid", "auc"], decimals=4)
        rows.append(
            {
                "Task": title,
                "Seen": parts[part],
                "Epoch kept": f"{run.info['epochs']['kept']} of {run.info['epochs']['run']}",
                "Accuracy (95 % interval)": formatting.with_interval(
                    *bounds_shown.loc["weighted avg", "recall"]
                ),
                "Difference from the whole picture (95 % interval)": change,
                "COVID-19 found": f"{right} of {size}",
                "False COVID-19": f"{taken} of {others}",
                "COVID-19 AUC (95 % interval)": auc,
            }
        )
pages.table(
    pd.DataFrame(rows), caption="Seed 0's test images, by what the network saw", name="frame"
)

# %% tags=["remove-input"]
if absent := missing["zhu-fourclass-shown"] + missing["zhu-binary-shown"]:
    display(pages.not_recorded(absent))

# %% [markdown]
# Trainings: {glue:text}`time-shown`. Always answering the commonest class would be right for {glue:text}`null-accuracy-two` of the images (two classes) and {glue:text}`null-accuracy` (four). {term}`Recall <recall>` of the four classes from the frame alone: {glue:text}`frame-recalls`. Each run has one seed; the four-class re-draws, of whole pictures, span {glue:text}`redraw-range`. A dash in brackets: no resample differs, so there is no interval.
#
# The frame holds little of the lungs. So what a network learns from it about COVID-19 images is hardly a finding in a lung. It may be the edge of the body and its posture, side letters, collimation, age and size, contrast, or how a file was processed (the last in part by the copies used here).
#
# Cues that are no disease therefore go most of the way to these results. What the whole picture adds may be disease, or more of the same cues: age, size, contrast and processing are in the centre as well, and this test set cannot tell. That a network which sees the whole picture *uses* the frame is not shown by this.


# %% tags=["hide-input"] mystnb={"code_prompt_show": "The numbers in the sentences", "code_prompt_hide": "The numbers in the sentences"}
def times(runs):
    """Device, training time and number format of a family, in a clause."""
    if not runs:
        return "none recorded yet"
    minutes = sorted(round(run.info["seconds"]["training"] / 60) for run in runs)
    devices = sorted({pages.device(run) for run in runs})
    formats = pd.Series([run.info["config"]["precision"] for run in runs]).value_counts()
    kinds = f"in {formats.index[0]}"
    if len(formats) > 1:
        kinds = " and ".join(f"{count} of them in {name}" for name, count in formats.items())
    span = "–".join(dict.fromkeys([str(minutes[0]), str(minutes[-1])]))
    where = " or ".join(devices)
    return (
        f"{span} minutes of training each on {where}, other work of the machine included, {kinds}"
    )


def folds_in_words(task):
    """How many folds there are, their accuracy together, and how long they took."""
    folds, absent = families[f"{task}-cv"], missing[f"{task}-cv"]
    if not folds:
        return "no fold is recorded yet"
    total = len(folds) + len(absent)
    which = f"{len(folds)} of {total}" if absent else f"all {total}"
    accuracy = metrics.overall(measured[task][1])["accuracy"]
    return f"{which} folds together, accuracy {accuracy:.3f}. Folds: {times(folds)}"


def patients_tested(task):
    """COVID-19 patients that the folds tested, of all that the study has."""
    whole = base.split.loc[base.split["y_true"] == "covid", "patient_id"].nunique()
    together = measured[task][1] if task in measured else base.predictions.iloc[:0]
    tested = together.loc[together["y_true"] == "covid", "patient_id"].nunique()
    return f"{tested} of {whole}"


accuracies = draws["Accuracy"].astype(float)
bottom, top = accuracies.min(), accuracies.max()
ranks = accuracies.rank(ascending=False, method="min")
lowered = next(iter(base.info["config"]["milestones"]), base.info["epochs"]["run"])


def spread(after):
    """The runs whose epoch kept comes after the first lower learning rate, or before it."""
    chosen = [
        metrics.overall(run.predictions)["accuracy"]
        for run in [base, *redraws]
        if (run.info["epochs"]["kept"] > lowered) == after
    ]
    if not chosen:
        return "none"
    ends = f"{min(chosen):.3f} to {max(chosen):.3f}, median {np.median(chosen):.3f}"
    return f"{len(chosen)} of the runs (accuracy {ends})"


same = "not yet known"
if same_draw is not None:
    accuracy_again = metrics.overall(same_draw.predictions)["accuracy"]
    change = formatting.signed(*difference(same_draw, base))
    same = (
        f"{accuracy_again:.3f}, {change} against the headline run (95 % interval over patients)."
        f" It kept epoch {same_draw.info['epochs']['kept']}, that run epoch"
        f" {base.info['epochs']['kept']}"
    )

half, images = 0.005, metrics.overall(base.predictions)["images"]
printed_low, printed_high = cxrlib.wilson(target * images, images)
inside = accuracy[(accuracy["low"] <= target + half) & (accuracy["high"] >= target - half)]
outside = accuracy[~accuracy["estimate"].round(3).between(bottom, top)]
reaching = f"No interval of these {len(accuracy)} runs reaches the printed value as it was rounded"
reaching_short = "None of the changes tried reaches it either"
if len(inside):
    reaching = (
        f"The intervals of these runs reach the printed value as it was rounded:"
        f" {'; '.join(inside['label'])}. What they changed could explain the difference to it,"
        " which is no evidence that it does"
    )
    reaching_short = f"The intervals of {len(inside)} of the changed runs reach it"
overlap = "which some of these intervals overlap"
if not (accuracy["high"] >= printed_low).any():
    overlap = (
        "and none of these intervals overlaps it. Nearly all test images are the thesis's own,"
        " those of Kermany's test set, so other test images can hardly explain the difference"
    )
apart = [f"“{row['label']}” with {row['estimate']:.3f}" for _, row in outside.iterrows()]
beyond = "No changed run lies outside of that."
if apart:
    runs_lie = "One changed run lies" if len(apart) == 1 else f"{len(apart)} changed runs lie"
    beyond = f"{runs_lie} outside of that, each with one seed: {' and '.join(apart)}."

epoch_chosen = epoch_range = "not yet recorded"
chosen, last, same_training = variants.get("epoch-by-test"), variants.get("last-epoch"), ""
if chosen is not None:  # one training, and both choices of its epoch
    epochs = chosen.history.set_index("epoch")
    by_test, by_validation = (
        epochs.loc[epochs[f"{part}_loss"].idxmin()] for part in ("test", "val")
    )
    epoch_chosen = (
        f"the test set chose epoch {by_test.name:.0f} (test accuracy"
        f" {by_test['test_accuracy']:.3f}), the validation set would have chosen epoch"
        f" {by_validation.name:.0f} ({by_validation['test_accuracy']:.3f})"
    )
    tested = epochs["test_accuracy"]
    extremes = tested.loc[[tested.idxmin(), tested.idxmax()]]
    epoch_range = " and ".join(f"{value:.3f} (epoch {epoch})" for epoch, value in extremes.items())
if chosen is not None and last is not None and same_draw is not None:
    losses = [run.history["train_loss"] for run in (same_draw, chosen, last)]
    common = min(map(len, losses))
    if all((loss[:common] == losses[0][:common]).all() for loss in losses):
        same_training = (
            " (the training losses of all three agree to the last digit stored, over the"
            f" {common} epochs they have in common)"
        )

frame_lungs = (
    "no more than the edge of the lungs; how much, `python -m companion.build audit"
    " blackout-probes` measures"
)
measured_lungs = studies.results_folder() / "audits/blackout-probes/lung-left.csv"
if measured_lungs.is_file():
    left = pd.read_csv(measured_lungs)
    left = left[left["size"] == round(1 - 2 * radiographs.FRAME, 6)]  # of the square
    held = left.groupby("kind")["square_black"].agg(["size", "mean", "max"])
    which = {"lung box": "boxes alone", "lung mask": "lung masks"}
    frame_lungs = "on average " + " and ".join(
        f"{100 * row['mean']:.1f} % of the lungs (at most {100 * row['max']:.1f} %) in the"
        f" {row['size']:.0f} COVID-19 images that have {which[kind]}"
        for kind, row in held.iterrows()
    )
frame_recalls, frame_found, frame_size, frame_taken = "not yet known", "–", "–", "–"
if "frame" in shown["zhu-fourclass"]:
    framed = shown["zhu-fourclass"]["frame"].predictions
    recalls = cxrlib.bootstrap_by_patient(framed, **how)["recall"].loc[base.classes]
    frame_found, frame_size, frame_taken, _ = found_of(framed)
    frame_recalls = ", ".join(
        f"{plots.label(name)} {formatting.with_interval(*row)}"
        for name, row in zip(recalls.index, recalls.to_numpy(), strict=True)
    )

four, two = patients_tested("zhu-fourclass"), patients_tested("zhu-binary")
two_classes = metrics.overall(main["zhu-binary"].predictions)
reach = sum(value >= target - half for value in accuracies)
pages.glue_all(
    {f"note-{name}": pages.schedule(runs) for name, runs in families.items()}
    | {
        "covid-images": int((base.split["y_true"] == "covid").sum()),
        "repeat": repeat,
        "runs": len(draws),
        "redraws": len(redraws),
        "other-seeds": len(redraws) - (same_draw is not None),
        "other-seeds-two": len(families["zhu-binary-redraws"])
        - (repeats["zhu-binary"][0] is not None),
        "all-found": sum(
            found == size
            for found, size, *_ in map(found_of, (run.predictions for run in [base, *redraws]))
        ),
        "accuracy-range": f"from {bottom:.3f} to {top:.3f}",
        "redraw-range": f"{bottom:.3f}–{top:.3f}",
        "printed-accuracy": printed["zhu-fourclass", "weighted avg.recall"],
        "reach": reach or "none",
        "rank": f"{ranks.iloc[0]:.0f} of {len(ranks)}",
        "time-redraws": times(redraws),
        "first-milestone": lowered,
        "patience": studies.spell(base.info["config"]["patience"]),
        "early": spread(False),
        "late": spread(True),
        "same-draw": same,
        "cv-tested": four if four == two else f"{four} (four classes), {two} (two)",
        "folds": folds_in_words("zhu-fourclass"),
        "folds-two": folds_in_words("zhu-binary"),
        "reaching": reaching,
        "reaching-short": reaching_short,
        "beyond": beyond,
        "printed-low": f"{printed_low:.2f}",
        "printed-high": f"{printed_high:.2f}",
        "overlap": overlap,
        "time-variants": times(families["zhu-fourclass-variants"]),
        "epoch-chosen": epoch_chosen,
        "epoch-range": epoch_range,
        "same-training": same_training,
        "frame-width": f"{100 * radiographs.FRAME:g}",
        "frame-lungs": frame_lungs,
        "frame-recalls": frame_recalls,
        "frame-found": str(frame_found),
        "frame-size": str(frame_size),
        "frame-taken": str(frame_taken),
        "by-chance": len(draws) + 1,
        "null-accuracy": f"{metrics.overall(base.predictions)['null_accuracy']:.3f}",
        "null-accuracy-two": f"{two_classes['null_accuracy']:.3f}",
        "time-shown": times(families["zhu-binary-shown"] + families["zhu-fourclass-shown"]),
    }
)

# %% [markdown]
# ## Make a run yourself
#
# ```bash
# make records
# ```
#
# trains every record that is missing. The command below trains one of them alone, or trains it again. The runs of a family are compared with each other, so all should have one schedule ([Rerun it](../book/rerun.md) says more):
#
# ```bash
# .venv/bin/cxr train zhu-fourclass-variants/batch-64 --resume
# ```

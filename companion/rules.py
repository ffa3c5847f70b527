"""How a printed number is checked: one small function per rule, each giving a verdict, a sentence
and the rebuilt value.

A row of ``book/studies/*/printed.yml`` names rules of :data:`RULES` with their arguments. Each
takes the row, all rows of its study by id, and those arguments; ``times`` 100 makes per cent. The
verdicts of :data:`VERDICTS` are given here and nowhere else.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import softmax

from companion import forensics, networks, studies
from companion.studies import cheazemin2020
from companion.studies.printed import texts
from cxrlib import metrics
from cxrlib.files import InputError
from cxrlib.metrics import intervals

VERDICTS = texts("verdicts")  # with the rule, from bad to good

NAN = float("nan")


class Finding(NamedTuple):
    """What one check says: a verdict or, for a mere remark, None; a sentence; the rebuilt value and
    its 95 % interval, NaN where there is none.

    ``by_formula``: the value is not what the study printed but what it defines under the same name.
    """

    verdict: str | None
    why: str
    value: float = NAN
    low: float = NAN
    high: float = NAN
    by_formula: bool = False


def findings(row: dict, rows: dict[str, dict]) -> list[Finding]:
    """What all checks of a row say, the finding that gives its verdict first.

    Raises:
        InputError: a check is no rule, has other arguments or cannot be made, or none gives a
            verdict. The line names file and row.
    """
    at, found = f"{row['study']}/printed.yml: {row['id']}", []
    for check in row["check"]:
        arguments = dict(check) if isinstance(check, dict) else {"rule": check}
        name = arguments.pop("rule", None)
        if name not in RULES:
            raise InputError(f"{at}: check has no rule {name!r}, only {', '.join(RULES)}")
        try:
            found += RULES[name](row, rows, **arguments)
        except (TypeError, KeyError, AttributeError, IndexError) as error:
            raise InputError(f"{at}: check {name}: {error}") from None
    if not any(finding.verdict for finding in found):
        raise InputError(f"{at}: none of its checks gives a verdict")
    return sorted(found, key=lambda finding: [*VERDICTS, None].index(finding.verdict))


def holds(relation: str, value: float, printed: float) -> bool:
    """Whether a value is what is printed: the number, ``more than`` it or ``at least`` it."""
    if relation == "more than":
        return value > printed
    if relation == "at least":
        return value >= printed
    return bool(np.isclose(value, printed, rtol=1e-9))


def same(row: dict, value: float, why: str) -> Finding:
    """The verdict on a count, a setting or a formula."""
    printed = float(row["printed"])
    if np.isnan(value):
        why += f"; it is not the printed {row['printed']} throughout."
        return Finding("differs", why, value)
    if holds(row["relation"], value, printed):
        return Finding("exact", f"{why}.", value)
    gap = f"{abs(printed - value):,.9g} {'more' if printed > value else 'less'}"
    return Finding("differs", f"{why}; printed is {gap}.", value)


def near(row: dict, found: Sequence[float], times: float, name: str) -> Finding:
    """The verdict on a result, ``found`` (value, low, high), by the rules of :data:`VERDICTS`;
    ``times`` 100 where it is in per cent.
    """
    value, low, high = found
    printed, n = float(row["printed"]), row["denominator"]
    bottom, top = forensics.unrounded(row["printed"])
    own_low, own_high = intervals.wilson(printed / times * n, n) if n else (NAN, NAN)
    gap = f"{name} is {abs(value - printed):.2g} {'lower' if value < printed else 'higher'}"
    verdict = "agrees"
    if row["relation"]:
        fits = holds(row["relation"], value, printed)
        why = f"{name} is {'' if fits else 'not '}{row['relation']} this"
        if not fits and holds(row["relation"], high, printed):
            why += "; its interval reaches it"
        elif not fits:
            verdict = "differs"
    elif forensics.printed_as(value, row["printed"]):
        why = f"{name} prints the same"
    elif low <= top and bottom <= high:
        why = f"{gap}; its interval reaches the printed one"
    elif times * own_low <= value <= times * own_high:
        own = f"{times * own_low:.3g}–{times * own_high:.3g}"
        why = f"{gap}, within the {own} that the printed share of {n} images has"
    elif np.isnan([low, own_low]).all():
        verdict = "not testable here"
        why = (
            f"{gap}. Missing: an interval of either, as resamples of what is perfect do not differ"
        )
    else:
        verdict, why = "differs", f"{gap}; no interval reaches across"
    return Finding(verdict, f"{why}.", value, low, high)


def rebuilt(metric: str, rates: pd.DataFrame, bounds: pd.DataFrame) -> tuple[float, float, float]:
    """The rebuilt value of a printed cell such as ``viral.recall``, and its 95 % interval, NaN
    where there is none.

    What Study B prints as accuracy is the recall.
    """
    row, _, column = metric.rpartition(".")
    column = "recall" if column == "accuracy_as_printed" else column
    if column == "size":
        return rates.loc[row, column], NAN, NAN
    return rates.loc[row, column], *bounds.loc[row, [(column, "low"), (column, "high")]]


# Each rule takes the row, all rows of its study by id, and the arguments that the row gives it.


@functools.lru_cache
def _recorded(name: str, folder: Path):
    run = studies.run(name, results=folder)
    return run, metrics.per_class(run.predictions), metrics.bootstrap_by_patient(run.predictions)


def _waits(run: str) -> Finding:
    why = f"The run {run} is not yet recorded; cxr train {run} makes it."
    return Finding("not testable here", why)


def cell(row, rows, *, run, metric, times=1):
    """A result of a recorded run, of several (``metric`` is a list) the lowest; and what the
    study's own table says of it. While Study A's own rule is not recorded, its stand-in's.
    """
    run = studies.or_stand_in(run)
    names = [metric] if isinstance(metric, str) else metric
    said = _own_table(row, rows, run, metric, times) if names == [metric] else []
    if not studies.recorded(run):
        return [_waits(run), *said]
    record, *tables = _recorded(run, studies.results_folder())
    found = {name: [times * value for value in rebuilt(name, *tables)] for name in names}
    ends = {name: np.nan_to_num(values[:2], nan=np.inf).tolist() for name, values in found.items()}
    lowest = min(ends, key=ends.get)  # of equals the one whose interval reaches down the furthest
    first = [_result(row, record, found, lowest, times)]
    if lowest.endswith(".accuracy_as_printed"):
        by_formula = rebuilt(lowest.removesuffix("_as_printed"), *tables)
        value, low, high = (times * number for number in by_formula)
        why = (
            f"Rebuilt by the study's formula, (TP + TN) / all, it is {value:.3g}, and the recall"
            f" {first[0].value:.3g}."
        )
        first.append(Finding(None, why, value, low, high, by_formula=True))
    return [*first, *said]


def _result(row, record, found, lowest, times) -> Finding:
    if studies.experiment(record.info["experiment"]).lacks:
        why = (
            "The study's network and training images are missing here; the value beside is a"
            f" stand-in's ({record.name}), no test."
        )
        return Finding("not testable here", why, *found[lowest])
    row_of = lowest.rpartition(".")[0]
    several = f"The lowest of {len(found)} rebuilt values ({row_of})"
    return near(row, found[lowest], times, several if len(found) > 1 else "The rebuilt value")


def _own_table(row, rows, run, metric, times) -> list[Finding]:
    """An average against the class values printed above it; an accuracy against the study's formula
    and the other columns of its table.
    """
    texts = {other["metric"]: other["printed"] for other in rows.values() if other["run"] == run}
    name, _, key = metric.rpartition(".")
    of_size = [cell for cell in texts if cell.endswith(".size")]
    sizes = {cell.removesuffix(".size"): int(texts[cell]) for cell in of_size}
    weights = list(sizes.values()) if name == "weighted avg" else None
    found = []
    if name in metrics.AVERAGES:
        each = [texts[f"{cls}.{key}"] for cls in sizes]
        low, high = (times * end for end in forensics.mean_range(each, weights))
        bottom, top = forensics.unrounded(row["printed"])
        fits = low <= top + 1e-9 and bottom - 1e-9 <= high
        ends = f"from {low:.5g} to {high:.5g}"
        why = f"The average of what is printed for the {len(sizes)} classes is {ends}."
        found.append(Finding(None if fits else "cannot be true", why))
    if key == "accuracy_as_printed":
        each = _accuracies(tuple(sizes.items()), tuple(texts.items()))
        values = each[:, list(sizes).index(name)] if name in sizes else np.average(each, 1, weights)
        recall = times * float(texts[f"{name}.recall"]) == float(row["printed"])
        found.append(_by_formula(row, times * values, recall))
    return found


@functools.lru_cache
def _accuracies(sizes: tuple, texts: tuple) -> np.ndarray:
    """Accuracy of each class by the formula (TP + TN) / all, for every set of counts that prints
    the other columns of a table: (M, K).
    """
    columns = {cell: text for cell, text in texts if not cell.endswith("accuracy_as_printed")}
    wrong = []  # FN + FP
    for counts in forensics.class_counts(dict(sizes), columns):
        wrong.append([size - counts[name][0] + counts[name][1] for name, size in sizes])
    return 1 - np.reshape(wrong, (-1, len(sizes))) / sum(size for _, size in sizes)


def _by_formula(row, values: np.ndarray, recall: bool) -> Finding:
    """What the table's other columns leave for an accuracy, ``values``, against the printed one."""
    ends = [f"{end:.3g}" for end in (values.min(), values.max())] if len(values) else ["nothing"]
    fits = forensics.printed_as(values, row["printed"]).any()
    why = "By the study's formula, (TP + TN) / all, the table's other columns leave "
    why += " to ".join(dict.fromkeys(ends))
    if recall and not fits:
        why += "; printed is the recall"
    return Finding(None if fits else "cannot be true", f"{why}.")


def total(row, rows, *, of):
    """The sum of other printed numbers, by their ids."""
    value, printed = sum(float(rows[name]["printed"]) for name in of), float(row["printed"])
    off = "it" if value == printed else f"{value:,.9g}, {abs(value - printed):,.9g} off"
    verdict = "exact" if value == printed else "cannot be true"
    return [Finding(verdict, f"The parts that the study prints add to {off}.", value)]


def flow(row, rows, *, file, step, column="images"):
    """A count of ``results/flow/<file>.csv``."""
    table = pd.read_csv(studies.results_folder() / "flow" / f"{file}.csv", index_col="step")
    return [same(row, float(table.loc[step, column]), f"Counted in flow/{file}.csv, “{step}”")]


def images(row, rows, *, run, classes, part="", what="image_id", copies=False):
    """Images (or patients) of some classes in a run's split, or a part of it, those not on disk
    included, copies counted if asked.
    """
    if not studies.recorded(run):
        return [_waits(run)]
    split = _recorded(run, studies.results_folder())[0].split
    training = split["split"] != "test"
    inside = split["y_true"].isin(classes)
    if part:
        inside &= training if part == "train" else ~training
    if what == "image_id":
        times = split["y_true"].map(studies.experiment(run).oversample).fillna(1)
        value = int(times.where(copies & training, 1)[inside].sum())
    else:
        value = split.loc[inside, what].nunique()
    lost = int(split.loc[inside, "missing"].sum())
    missing = f" ({lost} of these images not on disk)" if lost else ""
    return [same(row, value, f"Counted in the split of {run}{missing}")]


def setting(row, rows, *, experiment, key="", item=None, times=1, means=None):
    """A setting of an experiment or, of a family of runs, how many there are; ``means``: what the
    setting must be.
    """
    family = studies.FAMILIES.get(experiment)
    value = family or getattr(studies.experiment(experiment), key)
    if item is not None:
        value = len(value) if item == "count" else value[item]
    if means is not None:
        value = float(row["printed"]) if value == means else NAN
    alike = holds(row["relation"], times * value, float(row["printed"]))
    said = "to what is printed, which is no test of it" if alike else "otherwise"
    why = f"The book's runs ({experiment}) are set {said}"
    if not any(studies.recorded(name) for name in family or [experiment]):
        why += "; none of them is recorded yet"
    return [same(row, times * value, why)]


def network(row, rows, *, name, count):
    """A count in a forward pass of a network; it must be the same wherever it is counted."""
    values = _counts(networks.recorded(name)["modules"])[count]
    value = float(values.pop()) if len(values) == 1 else NAN
    return [same(row, value, f"Counted in a forward pass of {name}")]


def _counts(modules: list[dict]) -> dict[str, set]:
    """All values of each count, of a network's convolutions outside the shortcuts and its last
    layer.
    """
    kind = "Conv2d"
    path = [each for each in modules if each["type"] == kind and ".downsample." not in each["name"]]
    inside = path[1:]  # of the blocks
    widths = sorted({each["output"][0] for each in inside})
    blocks = Counter(each["name"].rpartition(".")[0] for each in inside)
    return {
        "layers": {len(path) + 1},
        "classes": set(modules[-1]["output"]),
        "convolutions in a block": set(blocks.values()),
        "side of a block's kernels": {side for each in inside for side in each["kernel"]},
        "filters by those of the stage before": {b / a for a, b in pairwise(widths)},
    }


def formula(row, rows, *, name):
    """A definition of a study, put to the book's own code."""
    return [same(row, _formulas()[name], f"Computed: {name}")]


@functools.cache
def _formulas() -> dict[str, float]:
    def rates(*p: float) -> pd.Series:
        """Of two sick and three well, from their probabilities of being sick."""
        names = {"image_id": range(5), "patient_id": range(5), "source": "s", "split": "test"}
        frame = pd.DataFrame(names | {"y_true": ["sick"] * 2 + ["well"] * 3, "p_sick": p})
        return metrics.per_class(frame.assign(p_well=1 - frame["p_sick"])).loc["sick"]

    perfect, wrong, random = rates(1, 1, 0, 0, 0), rates(0, 0, 1, 1, 1), rates(*[0.5] * 5)
    erring = rates(0.9, 0.2, 0.6, 0.4, 0.1)
    inverse = 1 / erring["precision"] + 1 / erring["recall"]
    return {
        "AUC of a perfect classifier": perfect["auc"],
        "AUC of a random classifier": random["auc"],
        "AUC of a classifier that is always wrong": wrong["auc"],
        "sensitivity of a perfect classifier, per cent": 100 * perfect["recall"],
        "specificity of a perfect classifier, per cent": 100 * perfect["specificity"],
        "F1-score by precision × recall / (precision + recall)": inverse * erring["f1"],
        "sum of a softmax": softmax([0.9, 0.2, 0.6, 0.4, 0.1]).sum(),
    }


def listed(row, rows, *, items):
    """As many as the text itself names."""
    return [same(row, len(items), f"The text names {', '.join(items)}")]


def missing(row, rows, *, what):
    """Nothing here can tell."""
    return [Finding("not testable here", f"Missing: {what}.")]


def share(row, rows, *, file, step, negatives):
    """Per cent of positives, counted in a flow table, among them and the printed negatives."""
    n, others = int(flow(row, rows, file=file, step=step)[0].value), int(rows[negatives]["printed"])
    fitting = forensics.possible_positives(others, row["printed"])
    numbers = " or ".join(map(str, fitting))
    why = f"{n} of {n + others:,} images ({step}); only {numbers} round to what is printed."
    return [Finding("exact" if n in fitting else "differs", why, 100 * n / (n + others))]


def matrices(row, rows, *, sensitivity, specificity, accuracy):
    """Whether any confusion matrix prints all three."""
    ids = {"sensitivity": sensitivity, "specificity": specificity, "accuracy": accuracy}
    texts = {key: rows[name]["printed"] for key, name in ids.items()}
    found = forensics.binary_matrices(cheazemin2020.POSITIVES, cheazemin2020.NEGATIVES, **texts)
    why = f"{len(found)} confusion matrices print the three percentages."
    return [Finding(None if found else "cannot be true", why)]


def efficiency(row, rows, *, model, reader):
    """Images per minute of the model over those of a reader, as a relative difference."""
    mpm, rpm = (float(rows[name]["printed"]) for name in (model, reader))
    value = (mpm - rpm) / rpm
    why = (
        f"(MPM − RPM) / RPM is {value:.1f} with the printed numbers; MPM / RPM would be"
        f" {mpm / rpm:.1f}."
    )
    fits = forensics.printed_as(value, row["printed"])
    return [Finding("exact" if fits else "cannot be true", why, value)]


_MOST = (cell, flow, images, setting, network, formula, total, listed, missing, share, matrices)
RULES = {rule.__name__: rule for rule in (*_MOST, efficiency)}

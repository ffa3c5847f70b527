"""How a printed number is checked: one small function per rule, each giving a verdict, a sentence
and the rebuilt value.
 A row of ``book/studies/*/printed.yml`` names rules of :data:`RULES` with their arguments. Each
takes the row, all rows of its study by id, and those arguments; ``times`` 100 makes per cent. The
verdicts of :data:`VERDICTS` are given here and nowhere else.
"""

from __future__ import annotations

import functools
import inspect
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import softmax

from companion import forensics, networks, studies
from companion.studies import cheazemin2020
from cxrlib import metrics
from cxrlib.files import InputError
from cxrlib.metrics import intervals

# from bad to good, with the rule: a number has the first of these that one of its checks gives
VERDICTS = {
    "cannot be true": (
        "Arithmetic excludes it, as the study itself defines it: no counts of images, or no"
        " unrounded values, that print the study's other numbers print this one too; or the parts"
        " that the study prints do not add to it."
    ),
    "differs": (
        "A count or a setting is another one here. Or a result, if none of the three ways to agree"
        " is open and at least one interval is known."
    ),
    "not testable here": (
        "Something is missing, and is named. What a stand-in gives is no test: its value stands"
        " beside and counts for nothing."
    ),
    "agrees": (
        "A result, in one of three ways: the rebuilt value prints as the printed one; or its 95 %"
        " interval reaches the printed one, half a unit of the last digit allowed; or the rebuilt"
        " value lies in the printed share's own 95 % interval (Wilson's, images taken as"
        " independent), where the number of its images is known."
    ),
    "exact": "A count, a setting or a formula: the same number comes out here.",
}


class Finding(NamedTuple):
    """What one check says: a verdict or, for a mere remark, None; a sentence; the rebuilt value and
    its 95 % interval, NaN where there is none.

    ``by_formula``: the value is not what the study printed but what it defines under the same name.
    """

    verdict: str | None
    why: str
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    by_formula: bool = False


def _same(row: dict, value: float, why: str) -> Finding:
    """Counts, settings, formulas."""
    printed = float(row["printed"])
    holds = {
        "": np.isclose(value, printed, rtol=1e-9),
        "more than": value > printed,
        "at least": value >= printed,
    }[row["relation"]]
    gap = (
        ""
        if holds
        else f"; printed is {abs(printed - value):,.9g} {'more' if printed > value else 'less'}"
    )
    return Finding("exact" if holds else "differs", f"{why}{gap}.", value)


def _near(row: dict, value: float, low: float, high: float, times: float, name: str) -> Finding:
    """Results of a model: the rules of :data:`VERDICTS`."""
    printed, n, (bottom, top) = (
        float(row["printed"]),
        row["denominator"],
        forensics.unrounded(row["printed"]),
    )
    own = (
        [times * end for end in intervals.wilson(printed / times * n, n)] if n else [np.nan, np.nan]
    )
    verdict, gap = (
        "agrees",
        f"{name} is {abs(value - printed):.2g} {'lower' if value < printed else 'higher'}",
    )
    if row["relation"]:
        verdict = "agrees" if value > printed or high > printed else "differs"
        why = f"{name} is {'' if value > printed else 'not '}{row['relation']} this"
        why += "; its interval reaches it" if value <= printed < high else ""
    elif forensics.printed_as(value, row["printed"]):
        why = f"{name} prints the same"
    elif low <= top and bottom <= high:
        why = f"{gap}; its interval reaches the printed one"
    elif own[0] <= value <= own[1]:
        why = (
            f"{gap}, within the {own[0]:.3g}–{own[1]:.3g} that the printed share of {n} images has"
        )
    elif np.isnan([low, own[0]]).all():
        verdict, why = (
            "not testable here",
            f"{gap}. Missing: an interval of either, as resamples of what is perfect do not differ",
        )
    else:
        verdict, why = "differs", f"{gap}; no interval reaches across"
    return Finding(verdict, f"{why}.", value, low, high)


@functools.lru_cache
def _recorded(name: str, root: Path):
    run = studies.run(name, results=root)
    return run, metrics.per_class(run.predictions), intervals.table(run.predictions)


def _waits(name: str) -> Finding | None:
    return (
        None
        if studies.recorded(name)
        else Finding(
            "not testable here", f"The run {name} is not yet recorded; cxr train {name} makes it."
        )
    )


def cell(row, rows, *, run, metric, times=1):
    """A cell of :func:`cxrlib.metrics.rates.per_class` of a recorded run, of several cells the
    lowest; and what the study's own table says of it.
    """
    names = [name.rsplit(".", 1) for name in ([metric] if isinstance(metric, str) else metric)]
    found = [_waits(run) or _lowest(row, run, names, times)]
    if names[0][1] == "accuracy_as_printed" and found[0].value == found[0].value:
        value, low, high = _values(run, (names[0][0], "accuracy"), times)
        why = (
            f"Rebuilt by the study's formula, (TP + TN) / all, it is {value:.3g}, and the recall"
            f" {found[0].value:.3g}."
        )
        found.append(Finding(None, why, value, low, high, by_formula=True))
    return [*found, *(_own_table(row, rows, run, *names[0], times) if len(names) == 1 else [])]


def _values(run: str, pair: tuple[str, str], times: float) -> tuple[float, float, float]:
    """A cell of a recorded run with its interval; NaN ends where there is none."""
    _, rates, bounds = _recorded(run, studies.results_folder())
    return tuple(times * number for number in rebuilt(".".join(pair), rates, bounds))


def rebuilt(metric: str, rates: pd.DataFrame, bounds: pd.DataFrame) -> tuple[float, float, float]:
    """The rebuilt value of a printed cell such as ``viral.recall``, and its 95 % interval, NaN
    where there is none.

    What Study B prints as accuracy is the recall.
    """
    row, _, column = metric.rpartition(".")
    column = "recall" if column == "accuracy_as_printed" else column
    if column == "size":
        return rates.loc[row, column], float("nan"), float("nan")
    return rates.loc[row, column], *bounds.loc[row, [(column, "low"), (column, "high")]]


def _lowest(row, run, names, times) -> Finding:
    record, table, bounds = _recorded(run, studies.results_folder())

    def lowest(pair):  # of equal values the one that is known least
        return rebuilt(".".join(pair), table, bounds)[:2]

    name, key = min(names, key=lowest)
    value, low, high = _values(run, (name, key), times)
    if studies.experiment(record.info["experiment"]).lacks:
        why = (
            "The study's network and training images are missing here; the value beside is a"
            f" stand-in's ({run}), no test."
        )
        return Finding("not testable here", why, value, low, high)
    said = (
        "The rebuilt value"
        if len(names) == 1
        else f"The lowest of {len(names)} rebuilt values ({name})"
    )
    return _near(row, value, low, high, times, said)


@functools.lru_cache
def _accuracies(sizes: tuple, texts: tuple) -> np.ndarray:
    """Accuracy of each class by the formula (TP + TN) / all, for every set of counts that prints
    the table: (M, K).
    """
    whole, found = sum(size for _, size in sizes), forensics.class_counts(dict(sizes), dict(texts))
    missed = [
        [size - counts[name][0] + counts[name][1] for name, size in sizes] for counts in found
    ]  # FN + FP
    return 1 - np.array(missed).reshape(-1, len(sizes)) / whole


def _own_table(row, rows, run, name, key, times):
    """An average against the class values printed above it; an accuracy against the study's formula
    and the other columns of its table.
    """
    texts = {other["metric"]: other["printed"] for other in rows.values() if other["run"] == run}
    sizes = {
        cell.removesuffix(".size"): int(text)
        for cell, text in texts.items()
        if cell.endswith(".size")
    }
    weights = list(sizes.values()) if name == "weighted avg" else None
    if name in metrics.AVERAGES:
        low, high = (
            times * end
            for end in forensics.mean_range([texts[f"{cls}.{key}"] for cls in sizes], weights)
        )
        bottom, top = forensics.unrounded(row["printed"])
        fits = low <= top + 1e-9 and bottom - 1e-9 <= high
        why = (
            f"The average of what is printed for the {len(sizes)} classes is from {low:.5g} to"
            f" {high:.5g}."
        )
        yield Finding(None if fits else "cannot be true", why)
    if key == "accuracy_as_printed":
        other = {
            cell: text for cell, text in texts.items() if not cell.endswith((".size", key, ".auc"))
        }
        each = _accuracies(tuple(sizes.items()), tuple(other.items()))
        values = times * (
            np.average(each, axis=1, weights=weights)
            if name in metrics.AVERAGES
            else each[:, list(sizes).index(name)]
        )
        ends = (
            " to ".join(dict.fromkeys(f"{end:.3g}" for end in (values.min(), values.max())))
            if len(values)
            else "nothing"
        )
        why = f"By the study's formula, (TP + TN) / all, the table's other columns leave {ends}"
        fits, recall = (
            forensics.printed_as(values, row["printed"]).any(),
            times * float(texts[f"{name}.recall"]) == float(row["printed"]),
        )
        yield Finding(
            None if fits else "cannot be true",
            f"{why}{'; printed is the recall' if recall and not fits else ''}.",
        )


def total(row, rows, *, of):
    """The sum of other printed numbers, by their ids."""
    value, printed = sum(float(rows[name]["printed"]) for name in of), float(row["printed"])
    why = "The parts that the study prints add to " + (
        "it" if value == printed else f"{value:,.9g}, {abs(value - printed):,.9g} off"
    )
    return [Finding("exact" if value == printed else "cannot be true", f"{why}.", value)]


def flow(row, rows, *, file, step, column="images"):
    """A count of ``results/flow/<file>.csv``."""
    table = pd.read_csv(studies.results_folder() / "flow" / f"{file}.csv").set_index("step")
    return [_same(row, float(table.loc[step, column]), f"Counted in flow/{file}.csv, “{step}”")]


def images(row, rows, *, run, classes, part="", what="image_id", copies=False):
    """Images (or patients) of some classes in a run's split, or a part of it, those not on disk
    included, copies counted if asked.
    """
    if _waits(run):
        return [_waits(run)]
    split = _recorded(run, studies.results_folder())[0].split
    inside = split["y_true"].isin(classes) & (
        split["split"].replace("val", "train").eq(part) | (not part)
    )
    times = (
        split["y_true"]
        .map(studies.experiment(run).oversample)
        .fillna(1)
        .where(copies & (split["split"] != "test"), 1)
    )
    value = int(times[inside].sum()) if what == "image_id" else split.loc[inside, what].nunique()
    lost = int(split.loc[inside, "missing"].sum())
    return [
        _same(
            row,
            value,
            f"Counted in the split of {run}"
            + (f" ({lost} of these images not on disk)" if lost else ""),
        )
    ]


def setting(row, rows, *, experiment, key="", item=None, times=1, means=None):
    """A setting of an experiment or, of a family of runs, how many there are; ``means``: what the
    setting must be.
    """
    families = studies.families()
    value = (
        families[experiment]
        if experiment in families
        else getattr(studies.experiment(experiment), key)
    )
    value = len(value) if item == "count" else value if item is None else value[item]
    if means is not None:
        value = float(row["printed"]) if value == means else float("nan")
    members = families.get(experiment, [experiment])
    waits = (
        "" if any(studies.recorded(name) for name in members) else "; none of them is recorded yet"
    )
    return [
        _same(
            row,
            times * value,
            f"The book's runs ({experiment}) are set to what is printed, which is no test of"
            f" it{waits}",
        )
    ]


COUNTS = {  # of a recorded network, by its convolutions outside the shortcuts and its last layer
    "layers": lambda on, last: {len(on) + 1},
    "classes": lambda on, last: set(last["output"]),
    "convolutions in a block": lambda on, last: set(
        Counter(row["name"].rpartition(".")[0] for row in on[1:]).values()
    ),
    "side of a block's kernels": lambda on, last: {
        side for row in on[1:] for side in row["kernel"]
    },
    "filters by those of the stage before": lambda on, last: {
        b / a for a, b in pairwise(sorted({row["output"][0] for row in on}))
    },
}


def network(row, rows, *, name, count):
    """A count of :data:`COUNTS` in a forward pass of a network; it must be the same wherever it is
    counted.
    """
    modules = networks.recorded(name)["modules"]
    on_path = [
        module
        for module in modules
        if module["type"] == "Conv2d" and ".downsample." not in module["name"]
    ]
    values = COUNTS[count](on_path, modules[-1])
    return [
        _same(
            row,
            float(values.pop()) if len(values) == 1 else float("nan"),
            f"Counted in a forward pass of {name}",
        )
    ]


def _five(*p: float) -> pd.Series:
    """The class ``sick`` of :func:`cxrlib.metrics.rates.per_class` for two sick and three well,
    from their probabilities of being sick.
    """
    frame = pd.DataFrame(
        {"image_id": range(5), "patient_id": range(5), "source": "s", "split": "test", "p_sick": p}
    )
    return metrics.per_class(
        frame.assign(y_true=["sick"] * 2 + ["well"] * 3, p_well=1 - frame["p_sick"])
    ).loc["sick"]


_PERFECT, _ERRING = (1, 1, 0, 0, 0), (0.9, 0.2, 0.6, 0.4, 0.1)
FORMULAS = {  # definitions of the studies, put to the book's own code
    "AUC of a perfect classifier": lambda: _five(*_PERFECT)["auc"],
    "AUC of a random classifier": lambda: _five(*[0.5] * 5)["auc"],
    "AUC of a classifier that is always wrong": lambda: _five(*[1 - p for p in _PERFECT])["auc"],
    "sensitivity of a perfect classifier, per cent": lambda: 100 * _five(*_PERFECT)["recall"],
    "specificity of a perfect classifier, per cent": lambda: 100 * _five(*_PERFECT)["specificity"],
    "F1-score by precision × recall / (precision + recall)": lambda: (
        (_five(*_ERRING)[["precision", "recall"]] ** -1).sum() * _five(*_ERRING)["f1"]
    ),
    "sum of a softmax": lambda: softmax(_ERRING).sum(),
}


def formula(row, rows, *, name):
    """A definition, computed."""
    return [_same(row, float(FORMULAS[name]()), f"Computed: {name}")]


def listed(row, rows, *, items):
    """As many as the text itself names."""
    return [_same(row, len(items), f"The text names {', '.join(items)}")]


def missing(row, rows, *, what):
    """Nothing here can tell."""
    return [Finding("not testable here", f"Missing: {what}.")]


def share(row, rows, *, file, step, negatives):
    """Per cent of positives, counted in a flow table, among them and the printed negatives."""
    n, others = int(flow(row, rows, file=file, step=step)[0].value), int(rows[negatives]["printed"])
    fitting = forensics.possible_positives(others, row["printed"])
    why = (
        f"{n} of {n + others:,} images ({step}); it prints so for {' or '.join(map(str, fitting))}"
        " positives only"
    )
    return [Finding("exact" if n in fitting else "differs", f"{why}.", 100 * n / (n + others))]


def matrices(row, rows, *, sensitivity, specificity, accuracy):
    """Whether any confusion matrix prints all three."""
    texts = dict(
        sensitivity=rows[sensitivity]["printed"],
        specificity=rows[specificity]["printed"],
        accuracy=rows[accuracy]["printed"],
    )
    found = forensics.binary_matrices(cheazemin2020.POSITIVES, cheazemin2020.NEGATIVES, **texts)
    return [
        Finding(
            None if found else "cannot be true",
            f"{len(found)} confusion matrices print the three percentages.",
        )
    ]


def efficiency(row, rows, *, model, reader):
    """Images per minute of the model over those of a reader, as a relative difference."""
    mpm, rpm = (float(rows[name]["printed"]) for name in (model, reader))
    value, ratio = (mpm - rpm) / rpm, mpm / rpm
    verdict = "exact" if forensics.printed_as(value, row["printed"]) else "cannot be true"
    return [
        Finding(
            verdict,
            f"(MPM − RPM) / RPM is {value:.1f} with the printed numbers; MPM / RPM would be"
            f" {ratio:.1f}.",
            value,
        )
    ]


RULES = {
    rule.__name__: rule
    for rule in (
        cell,
        total,
        flow,
        images,
        setting,
        network,
        formula,
        listed,
        missing,
        share,
        matrices,
        efficiency,
    )
}


def findings(row: dict, rows: dict[str, dict]) -> list[Finding]:
    """What all checks of a row say, the finding that gives its verdict first. :class:`InputError`
    names the row whose check cannot be made.
    """
    at, found = f"{row['study']}/printed.yml: {row['id']}", []
    for check in row["check"]:
        arguments = dict(check) if isinstance(check, dict) else {"rule": check}
        name = arguments.pop("rule", None)
        if name not in RULES:
            raise InputError(f"{at}: check has no rule {name!r}, only {', '.join(RULES)}")
        try:
            inspect.signature(RULES[name]).bind(row, rows, **arguments)
            found += RULES[name](row, rows, **arguments)
        except TypeError as error:
            raise InputError(f"{at}: check {name}: {error}") from None
        except (KeyError, AttributeError, IndexError) as error:
            raise InputError(f"{at}: check: no {error} to be found") from None
    if not any(finding.verdict for finding in found):
        raise InputError(f"{at}: none of its checks gives a verdict")
    return sorted(found, key=lambda finding: [*VERDICTS, None].index(finding.verdict))

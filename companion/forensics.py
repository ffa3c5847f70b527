"""What printed numbers say about themselves: the counts, means and curves that can have been
rounded to them.

A number is given as printed, as text: ``"0.97"`` stands for all values from 0.965 to 0.975, both
ends included, as ties are rounded either way. Searches give **all** solutions; where there is none,
the numbers contradict each other. K classes, M solutions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from cxrlib.files import InputError
from cxrlib.metrics.rates import AVERAGES, rates

JOINS = 1_000_000  # no search tries more: so much would be left open that it said nothing


def unrounded(text: str) -> tuple[float, float]:
    """Lowest and highest value that prints as ``text``; InputError if that is no number in plain
    digits.
    """
    if not isinstance(text, str) or not re.fullmatch(r"-?\d+(\.\d+)?", text):
        raise InputError(f"printed: {text!r} is not a number as text, such as '0.97'")
    half = 0.5 * 10 ** -len(text.partition(".")[2])
    return float(text) - half, float(text) + half


def printed_as(value, text: str):
    """Whether ``value`` rounds to ``text``, up or down at a tie; an array gives an array, NaN is
    never printed.

    >>> printed_as(0.965, "0.97"), printed_as(0.965, "0.96"), printed_as(60 / 62, "0.98")
    (True, True, False)
    """
    low, high = unrounded(text)
    hair = 1e-9 * (high - low)  # so that a tie counts although floats are inexact
    inside = (np.asarray(value) >= low - hair) & (np.asarray(value) <= high + hair)
    return inside if inside.ndim else bool(inside)


def binary_matrices(
    positives: int, negatives: int, *, sensitivity: str, specificity: str, accuracy: str
) -> list[tuple[int, int, int, int]]:
    """Every confusion matrix ``(TP, FN, FP, TN)`` of so many images whose three percentages print
    as given, e.g. ``"77.3"``.
    """
    hits = [k for k in range(positives + 1) if printed_as(100 * k / positives, sensitivity)]
    clear = [k for k in range(negatives + 1) if printed_as(100 * k / negatives, specificity)]
    whole = positives + negatives
    return [
        (tp, positives - tp, negatives - tn, tn)
        for tp in hits
        for tn in clear
        if printed_as(100 * (tp + tn) / whole, accuracy)
    ]


def _rates(size: int, total: int, tp: np.ndarray, fp: np.ndarray) -> dict[str, np.ndarray]:
    """The cells of a table of results that TP and FP of a class of ``size`` images decide; 0/0 is
    NaN. What Study B prints as accuracy is the recall.
    """
    sums = np.stack(np.broadcast_arrays(size, tp + fp, tp, total), axis=-1)
    found = rates(sums)  # of all images, whose scores are not known
    names = ("accuracy", "precision", "recall", "specificity", "f1")
    return {name: found[name] for name in names} | {"accuracy_as_printed": found["recall"]}


def class_counts(
    sizes: Mapping[str, int], printed: Mapping[str, str]
) -> list[dict[str, tuple[int, int]]]:
    """Every set of one-against-the-rest counts, ``{class: (TP, FP)}``, that reproduces a printed
    table.

    ``sizes``: images of each class. ``printed``: text of each cell, named as the ``metric`` of
    :func:`companion.studies.printed` names it, ``"viral.recall"`` or ``"macro avg.f1"``; sizes and
    AUCs do not depend on the counts and are passed over. A cell that is absent says nothing.

    For each class all TP and FP that print its row; then the combinations whose false positives are
    as many as their false negatives (every error is both) and whose means over the classes print
    the average rows.

    Raises InputError for a row that is no class or average, a text that is no number, or cells that
    leave over a million joins.
    """
    total, counts = sum(sizes.values()), list(sizes.values())
    cells = [(*name.rpartition(".")[::2], text) for name, text in printed.items()]
    for row, metric, _ in cells:
        if row not in sizes and row not in AVERAGES:
            known = ", ".join([*sizes, *AVERAGES])
            raise InputError(f"printed: {row}.{metric} is of none of {known}")
    of_class = {name: [cell[1:] for cell in cells if cell[0] == name] for name in sizes}
    pairs = [_pairs(size, total, of_class[name]) for name, size in sizes.items()]
    if math.prod(map(len, pairs)) > JOINS:
        raise InputError(f"printed: so few cells that more than {JOINS:,} joins of counts remain")
    places = np.indices([len(each) for each in pairs]).reshape(len(sizes), -1)
    joined = np.stack([each[place] for each, place in zip(pairs, places, strict=True)], axis=1)
    joined = joined[joined.sum(axis=(1, 2)) == total]  # (M, K, 2): sum of TP + FP = of TP + FN
    each = [_rates(size, total, *joined[:, k].T) for k, size in enumerate(counts)]
    fits = np.ones(len(joined), bool)
    for row, metric, text in cells:
        if row in AVERAGES and metric in each[0]:
            weights = np.ones(len(sizes)) if row == AVERAGES[0] else np.array(counts)
            means = weights @ [found[metric] for found in each] / weights.sum()
            fits &= printed_as(means, text)
    return [dict(zip(sizes, map(tuple, one.tolist()), strict=True)) for one in joined[fits]]


def _pairs(size: int, total: int, cells: Sequence[tuple[str, str]]) -> np.ndarray:
    """TP and FP of a class that print its cells (metric, text): (n, 2)."""
    tp, fp = np.arange(size + 1)[:, None], np.arange(total - size + 1)[None, :]
    known = _rates(size, total, tp, fp)
    fits = np.ones((size + 1, total - size + 1), bool)
    for metric, text in cells:
        if metric in known:
            fits &= printed_as(known[metric], text)
    return np.argwhere(fits)


def mean_range(
    printed: Sequence[str], weights: Sequence[float] | None = None
) -> tuple[float, float]:
    """Lowest and highest mean, plain or weighted, of shares from 0 to 1 that print as given.

    >>> print("{:.4f} {:.5f}".format(*mean_range(["1.00", "0.96", "0.98", "0.98"])))  # Table 4.2
    0.9750 0.98375
    """
    ends = np.clip([unrounded(text) for text in printed], 0, 1)
    low, high = np.average(ends, axis=0, weights=weights)
    return float(low), float(high)


def possible_positives(negatives: int, share: str) -> list[int]:
    """Every number of positives n whose share among ``negatives`` + n prints as ``share`` per cent;
    a share near 100 is refused.
    """
    low, high = (end / 100 for end in unrounded(share))
    if high >= 1:
        raise InputError(f"share: no largest number of positives prints as {share} %")
    least = max(0, math.floor(negatives * low / (1 - low)))
    most = math.ceil(negatives * high / (1 - high))
    tried = range(least, most + 1)
    return [n for n in tried if printed_as(100 * n / (n + negatives), share)]

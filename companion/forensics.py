"""What printed numbers say about themselves: the counts, means and curves that can have been
rounded to them.

A number is given as printed, as text: ``"0.97"`` stands for all values from 0.965 to 0.975, both
ends included, as ties are rounded either way. Searches give **all** solutions; where there is none,
the numbers contradict each other. K classes, M solutions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from cxrlib.files import InputError
from cxrlib.metrics.rates import AVERAGES

JOINS, MATRICES = (
    1_000_000,
    20_000,
)  # no search tries more: so much would be left open that the answer said nothing


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

    Raises InputError for a text that is no number, or a side without an image.
    """
    if positives < 1 or negatives < 1:
        raise InputError(
            f"binary_matrices: {positives} positives and {negatives} negatives; needs one or more"
            " of each"
        )
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
    """The cells of :func:`cxrlib.metrics.rates.per_class` that TP and FP of a class of ``size``
    images decide; 0/0 is NaN, as there.
    """
    fn, tn = size - tp, total - size - fp
    with np.errstate(invalid="ignore"):
        recall, precision, f1 = tp / size, tp / (tp + fp), 2 * tp / (2 * tp + fp + fn)
        specificity, accuracy = tn / (total - size), (tp + tn) / total
    return dict(
        accuracy_as_printed=recall,
        accuracy=accuracy,
        precision=precision,
        recall=recall,
        specificity=specificity,
        f1=f1,
    )


def class_counts(
    sizes: Mapping[str, int], printed: Mapping[str, str]
) -> list[dict[str, tuple[int, int]]]:
    """Every set of one-against-the-rest counts, ``{class: (TP, FP)}``, that reproduces a printed
    table.

    ``sizes``: images of each class. ``printed``: text of each cell, named as the ``metric`` of
    :func:`companion.studies.printed` names it, ``"viral.recall"`` or ``"macro avg.f1"``; metrics
    are those of :func:`cxrlib.metrics.rates.per_class`, of which size and AUC do not depend on the
    counts and are passed over. A cell that is absent says nothing.

    For each class all TP and FP that print its row; then the combinations whose false positives are
    as many as their false negatives (every error is both) and whose means over the classes print
    the average rows.

    Raises InputError for a row that is no class or average, a text that is no number, or cells that
    leave over a million joins.
    """
    total = sum(sizes.values())
    if len(sizes) < 2 or min(sizes.values()) < 1:
        raise InputError(
            f"sizes: needs two classes or more of one image or more, has {dict(sizes)}"
        )
    cells = [(*name.rpartition(".")[::2], text) for name, text in printed.items()]
    for row, metric, _ in cells:
        if row not in sizes and row not in AVERAGES:
            raise InputError(
                f"printed: {row}.{metric} is of none of {', '.join([*sizes, *AVERAGES])}"
            )
    candidates = []  # of each class: TP and FP that print its row, as rows of an array (n, 2)
    for name, size in sizes.items():
        tp, fp = np.arange(size + 1)[:, None], np.arange(total - size + 1)[None, :]
        rates, fits = _rates(size, total, tp, fp), np.ones((size + 1, total - size + 1), bool)
        for row, metric, text in cells:
            if row == name and metric in rates:
                fits &= printed_as(rates[metric], text)
        candidates.append(np.argwhere(fits))
    if math.prod(map(len, candidates)) > JOINS:
        raise InputError(f"printed: so few cells that more than {JOINS:,} joins of counts remain")
    places = np.indices([len(pairs) for pairs in candidates]).reshape(len(sizes), -1)
    joined = np.stack(
        [pairs[place] for pairs, place in zip(candidates, places, strict=True)], axis=1
    )  # (M, K, 2)
    joined = joined[joined.sum(axis=(1, 2)) == total]  # sum of TP + FP = sum of TP + FN
    each = [_rates(size, total, *joined[:, k].T) for k, size in enumerate(sizes.values())]
    for row, metric, text in cells:
        if row in AVERAGES and metric in each[0]:
            weights = np.array([1 if row == AVERAGES[0] else size for size in sizes.values()])
            fits = printed_as(
                weights @ np.stack([rates[metric] for rates in each]) / weights.sum(), text
            )
            joined, each = (
                joined[fits],
                [{key: values[fits] for key, values in rates.items()} for rates in each],
            )
    return [
        {name: tuple(map(int, pair)) for name, pair in zip(sizes, pairs, strict=True)}
        for pairs in joined
    ]


def _parts(total: int, most: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Every way to write ``total`` as a sum of counts, one per place, none above its ``most``."""
    if not most:
        yield from [()] if total == 0 else []
        return
    for first in range(max(0, total - sum(most[1:])), min(total, most[0]) + 1):
        yield from ((first, *rest) for rest in _parts(total - first, most[1:]))


def _errors(
    missed: tuple[int, ...], alarms: tuple[int, ...], k: int = 0
) -> Iterator[list[tuple[int, ...]]]:
    """Every matrix of errors, from row ``k`` on: its diagonal is 0, its rows sum to ``missed`` and
    its columns to ``alarms``.
    """
    if k == len(missed):
        yield from [[]] if not any(alarms) else []
        return
    for row in _parts(missed[k], tuple(0 if j == k else n for j, n in enumerate(alarms))):
        left = tuple(n - used for n, used in zip(alarms, row, strict=True))
        yield from ([row, *below] for below in _errors(missed, left, k + 1))


def multiclass_matrices(sizes: Mapping[str, int], printed: Mapping[str, str]) -> np.ndarray:
    """All integer confusion matrices, (M, K, K), rows true, classes in the order of ``sizes``, that
    reproduce a printed table.

    As :func:`class_counts`, whose solutions give the diagonal (TP) and the sums of errors by row
    (FN) and by column (FP); InputError also where more than 20,000 matrices remain.
    """
    found = []
    for counts in class_counts(sizes, printed):
        (tp, fp), fn = (
            zip(*counts.values(), strict=True),
            (size - counts[name][0] for name, size in sizes.items()),
        )
        for errors in _errors(tuple(fn), fp):
            found.append(np.array(errors, int) + np.diag(tp))
            if len(found) > MATRICES:
                raise InputError(
                    f"printed: so few cells that more than {MATRICES:,} matrices remain"
                )
    return np.array(found, int).reshape(-1, len(sizes), len(sizes))


def mean_range(
    printed: Sequence[str], weights: Sequence[float] | None = None
) -> tuple[float, float]:
    """Lowest and highest mean, plain or weighted, of shares from 0 to 1 that print as given.

    >>> print("{:.4f} {:.5f}".format(*mean_range(["1.00", "0.96", "0.98", "0.98"])))  # Table 4.2
    0.9750 0.98375
    """
    low, high = np.average(
        np.clip([unrounded(text) for text in printed], 0, 1), axis=0, weights=weights
    )
    return float(low), float(high)


def possible_positives(negatives: int, share: str) -> list[int]:
    """Every number of positives n whose share among ``negatives`` + n prints as ``share`` per cent;
    a share near 100 is refused.
    """
    low, high = (end / 100 for end in unrounded(share))
    if high >= 1:
        raise InputError(f"share: no largest number of positives prints as {share} %")
    most = math.ceil(negatives * high / (1 - high))
    return [
        n
        for n in range(max(0, math.floor(negatives * low / (1 - low))), most + 1)
        if printed_as(100 * n / (n + negatives), share)
    ]


def auc_range(sensitivity: float, specificity: float) -> tuple[float, float]:
    """Smallest and largest area under a concave ROC curve through one operating point (a classifier
    whose likelihood ratio rises with its score has such a curve).

    Smallest: two chords, (sensitivity + specificity) / 2. Largest: under the best line through the
    point, cut off at 1; its slope is (1 - sensitivity) / (1 - specificity) and it leaves out 2 (1 -
    sensitivity)(1 - specificity), unless it would begin below 0 or end below 1. Raises InputError
    for rates outside [0, 1] or below chance, where no such curve passes.
    """
    missed, alarm = 1 - sensitivity, 1 - specificity
    if not (0 <= missed <= 1 and 0 <= alarm <= 1 and missed + alarm <= 1):
        raise InputError(
            f"operating point: no concave ROC curve passes sensitivity {sensitivity}, specificity"
            f" {specificity}"
        )
    if not missed or not alarm:
        left_out = 0.0
    elif sensitivity < 0.5:
        left_out = alarm / (2 * sensitivity)
    elif specificity < 0.5:
        left_out = missed / (2 * specificity)
    else:
        left_out = 2 * missed * alarm
    return (sensitivity + specificity) / 2, 1 - left_out


def binormal_auc(sensitivity: float, specificity: float, ratio: float = 1.0) -> float:
    """Area under the binormal ROC curve through a point: scores normal in both classes, ``ratio`` =
    sd of negatives / sd of positives.

    With z the normal quantile: TPR = Φ(a + ratio z(FPR)), so a = z(sensitivity) + ratio
    z(specificity), and the area is Φ(a / sqrt(1 + ratio²)) (Pepe 2003, The Statistical Evaluation
    of Medical Tests, 4.4). NaN for a rate outside [0, 1].
    """
    return float(ndtr((ndtri(sensitivity) + ratio * ndtri(specificity)) / math.sqrt(1 + ratio**2)))


def no_crossing(copies: int, folds: int) -> float:
    """Probability that all copies of an image fall into one fold, each copy drawn into any fold
    alike: folds^(1 - copies).

    Folds of equal size make it a little smaller, as copies compete for places. It is also the
    probability that no twin of a held-out copy is trained on. InputError for less than one copy or
    fold.
    """
    if copies < 1 or folds < 1:
        raise InputError(
            f"no_crossing: {copies} copies in {folds} folds; needs one or more of each"
        )
    return float(folds) ** (1 - copies)

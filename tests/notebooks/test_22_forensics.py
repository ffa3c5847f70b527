"""What the chapter computes by itself: all matrices that print a table, and areas under curves
through one operating point.
"""

import math
from itertools import product

import numpy as np
import pytest
from chapters import function
from frames import FOUR, THESIS, from_matrix
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, special, stats
from sklearn.metrics import auc as trapezoids

from companion import forensics, studies
from cxrlib import metrics

auc_range = function("22_forensics", "auc_range")
binormal_auc = function(
    "22_forensics", "binormal_auc", np=np, ndtr=special.ndtr, ndtri=special.ndtri
)
errors = function("22_forensics", "errors", product=product)
SIZES = dict(zip(FOUR, (60, 148, 242, 234), strict=True))
COUNTED = ["precision", "recall", "specificity", "f1"]


def matrices(sizes, printed) -> np.ndarray:
    """As the chapter's cell: the counts of each class, and all errors that have their sums."""
    found = []
    for counts in forensics.class_counts(sizes, printed):
        tp, fp = zip(*counts.values(), strict=True)
        fn = [size - hits for size, hits in zip(sizes.values(), tp, strict=True)]
        found += [np.diag(tp) + rows for rows in errors(fn, fp)]
    return np.array(found, int).reshape(-1, len(sizes), len(sizes))


@pytest.fixture(scope="module")
def table_4_2():
    return studies.printed("zhu2020", "Table 4.2").set_index("metric")["printed"].to_dict()


def test_table_4_2_has_72_matrices_and_each_prints_the_whole_table(table_4_2):
    found = matrices(SIZES, table_4_2)
    assert found.shape == (72, 4, 4) and len(np.unique(found, axis=0)) == 72
    assert np.bincount(found[:, 1, 1])[121:].tolist() == [36, 36]
    assert (found == THESIS).all(axis=(1, 2)).sum() == 1
    for matrix in found:
        table = metrics.per_class(from_matrix(matrix))
        for name, text in table_4_2.items():
            row, metric = name.split(".")
            metric = "recall" if metric == "accuracy_as_printed" else metric  # what it is
            if metric in COUNTED:
                assert abs(table.loc[row, metric] - float(text)) <= 0.005 + 1e-12, name
        assert [table.loc[name, "size"] for name in FOUR] == list(SIZES.values())
    ranges = {(1, 2): (19, 27), (3, 1): (7, 14), (3, 2): (4, 12), (2, 1): (0, 7), (1, 3): (0, 5)}
    for cell, ends in ranges.items():
        assert (found[:, *cell].min(), found[:, *cell].max()) == ends
    assert (
        (np.trace(found, axis1=1, axis2=2) == 632).all()
        and (found[:, 1:, 0].sum(axis=1) == 2).all()
        and (found[:, 0, 1:] == 0).all()
    )


def cells(matrix, classes):
    """The per-class table of a matrix as ``{"a.recall": value}``, from the metrics module; cells of
    0/0 are left out.
    """
    table = metrics.per_class(from_matrix(matrix))[COUNTED]
    table.index = [*classes, *metrics.AVERAGES]
    return {
        f"{row}.{name}": table.loc[row, name]
        for row in table.index
        for name in table
        if table.loc[row, name] >= 0
    }


def test_search_finds_neither_more_nor_less_than_brute_force():
    """All 216 matrices of three classes of two images, against every table that one of them
    prints.
    """
    sizes = dict.fromkeys("abc", 2)
    rows = [row for row in product(range(3), repeat=3) if sum(row) == 2]
    tables = {matrix: cells(np.array(matrix), sizes) for matrix in product(rows, repeat=3)}
    assert len(tables) == 216
    distinct = {
        tuple(f"{name}={value:.1f}" for name, value in table.items()) for table in tables.values()
    }
    for printed in (dict(cell.split("=") for cell in table) for table in distinct):
        expected = {
            matrix
            for matrix, table in tables.items()
            if all(
                abs(table.get(name, math.nan) - float(text)) <= 0.05 + 1e-9
                for name, text in printed.items()
            )
        }
        found = matrices(sizes, printed)
        assert {tuple(map(tuple, matrix.tolist())) for matrix in found} == expected and len(
            found
        ) == len(expected)


@given(st.integers(2, 4), st.data())
@settings(max_examples=40, deadline=None)
def test_a_matrix_is_among_the_solutions_of_its_own_table(k, data):
    most = {2: 200, 3: 12, 4: 4}[k]
    matrix = np.array(
        data.draw(
            st.lists(
                st.lists(st.integers(0, most), min_size=k, max_size=k).filter(any),
                min_size=k,
                max_size=k,
            )
        )
    )
    sizes = {name: int(n) for name, n in zip(FOUR, matrix.sum(axis=1), strict=False)}
    printed = {name: f"{value:.2f}" for name, value in cells(matrix, sizes).items()}
    found = matrices(sizes, printed)
    assert (found == matrix).all(axis=(1, 2)).sum() == 1
    assert (found.sum(axis=2) == list(sizes.values())).all() and (found >= 0).all()


rates = st.floats(0.01, 0.99)
half_or_more = st.floats(0.5, 0.99)


@given(half_or_more, half_or_more)
@settings(max_examples=25, deadline=None)
def test_auc_range_against_linear_programming(sensitivity, specificity):
    """The largest and the smallest area of a concave polygon through the point, on a fine grid, by
    linear programming.
    """
    x = np.unique(np.append(np.linspace(0, 1, 120), 1 - specificity))
    area = np.convolve(np.diff(x), [0.5, 0.5])  # trapezoids
    bend = np.zeros((len(x) - 2, len(x)))  # slope after less slope before, at most 0
    for i in range(1, len(x) - 1):
        before, after = x[i] - x[i - 1], x[i + 1] - x[i]
        bend[i - 1, i - 1 : i + 2] = 1 / before, -1 / before - 1 / after, 1 / after
    bend = np.vstack([bend, np.eye(len(x))[-2] - np.eye(len(x))[-1]])  # never falling
    bounds = [(sensitivity, sensitivity) if value == 1 - specificity else (0, 1) for value in x]
    bounds[-1] = (1, 1)
    ends = [
        optimize.linprog(sign * area, bend, np.zeros(len(bend)), bounds=bounds).fun * sign
        for sign in (1, -1)
    ]
    np.testing.assert_allclose(auc_range(sensitivity, specificity), ends, atol=5e-3)


def test_auc_range_of_the_papers_point():
    np.testing.assert_allclose(auc_range(0.773, 0.718), (0.7455, 0.872), atol=5e-4)
    line = [(0, 2 * 0.773 - 1), (2 * 0.282, 1), (1, 1)]  # through (0.282, 0.773), which halves it
    assert auc_range(0.773, 0.718)[1] == pytest.approx(trapezoids(*zip(*line, strict=True)))
    assert auc_range(1, 1) == (1, 1)


@given(rates, rates, st.floats(0.2, 4))
@settings(max_examples=50, deadline=None)
def test_binormal_auc_by_integration(sensitivity, specificity, ratio):
    """Two normal distributions that have the operating point: the probability that a positive
    scores above a negative.
    """
    negatives, threshold = stats.norm(0, ratio), ratio * stats.norm.ppf(specificity)
    positives = stats.norm(threshold + stats.norm.ppf(sensitivity), 1)
    assert positives.sf(threshold) == pytest.approx(sensitivity) and negatives.cdf(
        threshold
    ) == pytest.approx(specificity)
    above = integrate.quad(
        lambda score: negatives.cdf(score) * positives.pdf(score),
        *positives.ppf([1e-12, 1 - 1e-12]),
        limit=200,
    )[0]
    assert binormal_auc(sensitivity, specificity, ratio) == pytest.approx(above, abs=1e-6)


def test_binormal_auc_of_the_papers_point():
    assert binormal_auc(0.773, 0.718) == pytest.approx(0.826, abs=5e-4)
    assert math.isnan(binormal_auc(1.2, 0.5))

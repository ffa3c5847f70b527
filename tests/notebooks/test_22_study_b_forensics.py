"""What the chapter computes by itself: all matrices that print a table."""

import math
from itertools import product

import numpy as np
import pytest
from chapters import function
from frames import FOUR, THESIS, from_matrix
from hypothesis import given, settings
from hypothesis import strategies as st

from companion import forensics, studies
from cxrlib import metrics

errors = function("22_study_b_forensics", "errors", product=product)
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
@settings(max_examples=40)
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

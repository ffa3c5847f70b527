"""forensics.py: against the fact sheet's numbers, and every search against brute force."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import numpy as np
import pytest
from frames import FOUR
from hypothesis import given
from hypothesis import strategies as st

from companion import forensics, studies
from cxrlib.files import InputError

SIZES = dict(zip(FOUR, (60, 148, 242, 234), strict=True))
COUNTED = ["precision", "recall", "specificity", "f1"]


@pytest.fixture(scope="module")
def table_4_2():
    printed = studies.printed("zhu2020")
    return printed[printed["run"] == "zhu-fourclass"].set_index("metric")["printed"].to_dict()


def rounded(value: Fraction, decimals: int, rule: str) -> str:
    """An exact fraction to so many decimals, by decimal arithmetic with 60 digits."""
    exact = Decimal(value.numerator * 10**60 // value.denominator).scaleb(-60)
    return str(exact.quantize(Decimal(1).scaleb(-decimals), rule))


@given(
    st.integers(0, 3000),
    st.integers(1, 3000),
    st.integers(0, 4),
    st.sampled_from([ROUND_HALF_UP, ROUND_HALF_EVEN]),
)
def test_printed_as_accepts_either_way_of_rounding_and_no_neighbour(k, n, decimals, rule):
    share = Fraction(min(k, n), n)
    text = rounded(share, decimals, rule)
    assert forensics.printed_as(float(share), text)
    step = Fraction(1, 10**decimals)
    for neighbour in (Fraction(text) - step, Fraction(text) + step):
        tie = abs(share - neighbour) == step / 2
        assert (
            forensics.printed_as(float(share), rounded(abs(neighbour), decimals, rule)) == tie
            or neighbour < 0
        )


def test_printed_as_of_arrays_and_nan():
    np.testing.assert_array_equal(
        forensics.printed_as(np.array([0.9649, 0.965, 0.975, 0.9751, np.nan]), "0.97"),
        [0, 1, 1, 0, 0],
    )
    assert forensics.printed_as(float("nan"), "0.97") is False
    assert forensics.unrounded("258") == (257.5, 258.5) and forensics.unrounded(
        "-0.5"
    ) == pytest.approx((-0.55, -0.45))
    assert forensics.printed_as(257.857, "258") and not forensics.printed_as(258.857, "258")


@pytest.mark.parametrize("text", [0.97, "", "nan", "about 1", "97 %", "1e-2", "1,000", None])
def test_what_is_no_printed_number_is_refused(text):
    with pytest.raises(InputError, match="is not a number as text"):
        forensics.printed_as(0.97, text)


def test_study_a_leaves_the_four_matrices_of_the_fact_sheet():
    printed = studies.printed("cheazemin2020").set_index("id")["printed"]
    given = {
        name: printed[f"azemin-3-{name}"] for name in ("sensitivity", "specificity", "accuracy")
    }
    found = forensics.binary_matrices(154, 5828, **given)
    assert sorted(found, key=lambda matrix: matrix[3]) == [
        (119, 35, 5828 - tn, tn) for tn in (4182, 4183, 4184, 4185)
    ]
    for tp, fn, fp, tn in found:
        assert (
            f"{100 * tp / (tp + fn):.1f} {100 * tn / (tn + fp):.1f} {100 * (tp + tn) / 5982:.1f}"
            == "77.3 71.8 71.9"
        )
    assert forensics.binary_matrices(154, 5828, **given | {"accuracy": "80.0"}) == []


def test_table_4_2_has_two_sets_of_counts(table_4_2):
    found = forensics.class_counts(SIZES, table_4_2)
    assert [[counts[name] for name in FOUR] for counts in found] == [
        [(60, 2), (121, 14), (235, 31), (216, 5)],
        [(60, 2), (122, 14), (235, 31), (215, 5)],
    ]
    rows = {name: text for name, text in table_4_2.items() if "avg" not in name}
    assert (
        len(forensics.class_counts(SIZES, rows)) == 3
    )  # before the averages are used, as the fact sheet counts
    without = {name: text for name, text in table_4_2.items() if name.split(".")[1] in COUNTED}
    assert (
        forensics.class_counts(SIZES, without) == found
    )  # the column "Accuracy" adds nothing: it is the recall
    assert forensics.class_counts(SIZES, table_4_2 | {"macro avg.recall": "0.90"}) == []


def test_searches_refuse_what_they_cannot_use():
    with pytest.raises(InputError, match="typo.recall is of none of covid, viral"):
        forensics.class_counts(SIZES, {"typo.recall": "0.9"})
    with pytest.raises(InputError, match="is not a number as text"):
        forensics.class_counts(SIZES, {"viral.recall": 0.9})
    with pytest.raises(InputError, match="joins of counts remain"):
        forensics.class_counts(SIZES, {})


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 50)), min_size=1, max_size=6))
def test_mean_lies_in_the_range_of_its_printed_values(pairs):
    values, weights = np.array(pairs).T / [[1000], [1]]
    texts = [f"{value:.2f}" for value in values]
    for weighting in (None, weights):
        low, high = forensics.mean_range(texts, weighting)
        assert low >= 0 and high <= 1
        assert low - 1e-9 <= np.average(values, weights=weighting) <= high + 1e-9
        assert high - low <= 0.01 + 1e-9


def test_mean_of_four_aucs_cannot_be_0_99(table_4_2):
    printed = [table_4_2[f"{name}.auc"] for name in FOUR]
    macro, weighted = (
        forensics.mean_range(printed),
        forensics.mean_range(printed, list(SIZES.values())),
    )
    np.testing.assert_allclose([*macro, *weighted], [0.9750, 0.98375, 0.9724, 0.9820], atol=5e-5)
    assert macro[1] < 0.985 and table_4_2["macro avg.auc"] == "0.99"


def test_possible_positives():
    assert forensics.possible_positives(5828, "2.57") == [154]
    for negatives, share in [
        (100, "10"),
        (37, "0.0"),
        (5828, "2.6"),
        (11, "50.00"),
        (20, "97.123"),
    ]:
        brute = [
            n
            for n in range(5000)
            if abs(100 * n / (n + negatives) - float(share))
            <= 0.5 * 10 ** -len(share.partition(".")[2]) + 1e-9
        ]
        assert forensics.possible_positives(negatives, share) == brute
    with pytest.raises(InputError, match="no largest number"):
        forensics.possible_positives(10, "100")

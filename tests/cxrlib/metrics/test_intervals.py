"""intervals.py against statsmodels, scipy and plain loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from frames import scored
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.lib.pretty import pretty
from scipy import stats
from sklearn import metrics as skl
from statsmodels.stats.proportion import proportion_confint

from cxrlib.files import InputError
from cxrlib.metrics import intervals

pytestmark = pytest.mark.filterwarnings("error")  # what is undefined is NaN without a warning


@given(st.integers(0, 5000), st.integers(1, 5000), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_shares_against_statsmodels(k, n, level):
    k = min(k, n)
    expected = proportion_confint(k, n, alpha=1 - level, method="wilson")
    low, high = intervals.wilson(k, n, level)
    np.testing.assert_allclose([low, high], expected, rtol=0, atol=1e-11)
    assert 0 <= low <= k / n <= high <= 1


def test_wilson_arrays_and_edges():
    low, high = intervals.wilson(np.array([60, 235, 0, 0]), [60, 242, 10, 0])
    np.testing.assert_allclose(
        low[:2], [0.940, 0.942], atol=5e-4
    )  # COVID-19 and bacterial recall in the thesis
    np.testing.assert_allclose(high[:2], [1, 0.986], atol=5e-4)
    assert high[0] == 1 and low[2] == 0 and np.isnan([low[3], high[3]]).all()
    assert isinstance(intervals.wilson(1, 2)[0], float)
    assert np.shape(intervals.wilson([[1], [2]], [3, 4, 5])) == (2, 2, 3)


@pytest.mark.parametrize(
    "k, n, level", [(3, 2, 0.9), (-1, 2, 0.9), (1, np.nan, 0.9), (1, 2, 0), (1, 2, 95)]
)
def test_shares_refuse(k, n, level):
    with pytest.raises(InputError):
        intervals.wilson(k, n, level)


def test_effective_number_where_images_of_a_patient_say_the_same():
    """Without a variance over patients: the number of patients, or Kish's where sizes differ."""
    three = np.array([2, 2, 2])
    assert intervals.effective_number(three, three) == 3
    assert intervals.effective_number(0 * three, three) == 3
    assert intervals.effective_number(np.array([4, 0]), np.array([4, 1])) == 25 / 17
    assert intervals.effective_number(np.array([]), np.array([])) == 0
    rng = np.random.default_rng(0)  # copies of one answer per patient
    sizes = rng.integers(1, 9, 40)
    shares = ((rng.random((20_000, 40)) < 0.3) * sizes).sum(axis=1) / sizes.sum()
    found = [intervals.effective_number((rng.random(40) < 0.3) * sizes, sizes) for _ in range(300)]
    assert 0.21 / shares.var() == pytest.approx(np.median(found), rel=0.1)


@pytest.mark.parametrize(
    ("right", "among"), [([1] * 30 + [0], [1] * 31), ([2] * 19 + [1], [2] * 20)]
)
def test_few_errors_never_make_images_worth_more_than_they_are(right, among):
    """One error says little of how alike the images of a patient are."""
    right, among = np.array(right), np.array(among)
    assert intervals.carriers(right, among) == 1 == intervals.carriers(among - right, among)
    kish = among.sum() ** 2 / (among**2).sum()
    assert kish - 1 <= intervals.effective_number(right, among) < (kish + 3 * among.sum()) / 4


def test_effective_number_of_independent_images_is_about_theirs():
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, 400)
    found = intervals.effective_number(rng.binomial(sizes, 0.3), sizes)
    assert found == pytest.approx(sizes.sum(), rel=0.15) and found <= sizes.sum()


def test_a_share_over_patients_counts_trials_by_what_its_images_say():
    patients, every = list("aaaabcd"), [True] * 7
    found = intervals.share_by_patient(every, every, patients, 0.9)
    assert found == pytest.approx([1, *intervals.wilson(4, 4, 0.9)]), "nobody's images differ"
    found = intervals.share_by_patient([False] * 7, every, patients)
    assert found == pytest.approx([0, *intervals.wilson(0, 4)])
    inside = [True] * 5 + [False] * 2
    found = intervals.share_by_patient([True] * 4 + [False] * 3, inside, patients)
    assert found == pytest.approx([0.8, *intervals.wilson(0.8 * 25 / 17, 25 / 17)])
    assert np.isnan(intervals.share_by_patient([], [], [])).all()


def auc_by_image(frame, cls):
    return intervals.auc_interval(frame, cls, by="image_id")


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 8), min_size=2, max_size=25),
    st.lists(st.integers(0, 8), min_size=2, max_size=25),
)
def test_delong_is_its_definition(positive, negative):
    """Placements counted pair by pair, ties half; AUC as scikit-learn's."""
    positive, negative = np.array(positive) / 8, np.array(negative) / 8
    auc, low, high = auc_by_image(scored(positive, negative), "covid")
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    assert auc == pytest.approx(
        skl.roc_auc_score([1] * len(positive) + [0] * len(negative), [*positive, *negative])
    )
    error = np.sqrt(
        wins.mean(1).var(ddof=1) / len(positive) + wins.mean(0).var(ddof=1) / len(negative)
    )
    expected = (
        (max(auc - 1.959964 * error, 0), min(auc + 1.959964 * error, 1))
        if error > 1e-12 and min(len(positive), len(negative)) >= 4
        else (np.nan, np.nan)
    )
    assert (low, high) == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_delong_of_the_rest_is_the_mirror_image_and_needs_four_on_each_side():
    rng = np.random.default_rng(1)
    frame = scored(rng.random(30), rng.random(40))
    found = auc_by_image(frame, "covid")
    assert auc_by_image(frame, "none") == pytest.approx(found)
    assert np.isnan(auc_by_image(frame[27:], "covid")[1:]).all()
    assert np.isnan(auc_by_image(frame[30:], "covid")).all()
    with pytest.raises(InputError, match="no class 'viral'"):
        auc_by_image(frame, "viral")


HANLEY = {
    "normal": [33, 6, 6, 11, 2],
    "abnormal": [3, 2, 2, 11, 33],
}  # ratings 1 to 5 of 109 CT images: Hanley and McNeil 1982, Radiology 143:29, Table I


def test_delong_of_a_published_example():
    """Area 0.8932, standard error 0.0307, interval 0.8330 to 0.9534, as statistics manuals print
    DeLong's for these ratings.
    """
    normal, abnormal = (np.repeat(np.arange(1, 6), counts) / 6 for counts in HANLEY.values())
    auc, low, high = auc_by_image(scored(abnormal, normal), "covid")
    assert (f"{auc:.4f}", f"{low:.4f}", f"{high:.4f}") == ("0.8932", "0.8330", "0.9534")
    assert f"{(high - auc) / 1.959964:.4f}" == "0.0307"


def slow_variance(first, second, positive):
    """Of the difference of two areas on the same images, by DeLong's definition, pair by pair."""
    wins = [
        (s[positive][:, None] > s[~positive]) + 0.5 * (s[positive][:, None] == s[~positive])
        for s in (first, second)
    ]
    return sum(
        np.cov([win.mean(axis) for win in wins]) / size
        for axis, size in ((1, positive.sum()), (0, (~positive).sum()))
    )


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 6)), min_size=5, max_size=40
    )
)
def test_difference_of_paired_areas_is_its_definition(rows):
    positive, first, second = (np.array(column) for column in zip(*rows, strict=True))
    if min(positive.sum(), (~positive).sum()) < 2:
        return
    order = np.argsort(~positive, kind="stable")
    positive, first, second = positive[order], first[order] / 6, second[order] / 6
    areas, covariance = intervals.delong(
        positive, np.stack([first, second]), np.arange(len(positive))
    )
    expected = [skl.roc_auc_score(positive, s) for s in (first, second)]
    assert areas.tolist() == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(covariance, slow_variance(first, second, positive), atol=1e-12)


def test_difference_of_areas_against_mlstatkit():
    delong_test = pytest.importorskip("MLstatkit").Delong_test
    rng = np.random.default_rng(2)
    positive = np.repeat([True, False], [40, 90])
    first = stats.norm.cdf(rng.normal(positive, 1)).round(2)  # with ties
    second = np.clip(first + rng.normal(0, 0.2, 130), 0, 1).round(2)
    areas, covariance = intervals.delong(positive, np.stack([first, second]), np.arange(130))
    z = (areas[1] - areas[0]) / np.sqrt([1, -1] @ covariance @ [1, -1])
    assert delong_test(positive.astype(int), first, second, return_ci=False, return_auc=False) == (
        pytest.approx((z, 2 * stats.norm.sf(abs(z))), abs=1e-9)
    )


def obuchowski(first, second, positive, patients):
    """Covariance of two clustered areas by the sums of Obuchowski 1997, patient by patient."""
    parts, names = [], np.unique(patients)
    m, n = positive.sum(), (~positive).sum()
    for s in (first, second):
        win = (s[positive][:, None] > s[~positive]) + 0.5 * (s[positive][:, None] == s[~positive])
        up, down = win.mean(1) - win.mean(), win.mean(0) - win.mean()
        parts.append(
            [
                [up[patients[positive] == name].sum() for name in names],
                [down[patients[~positive] == name].sum() for name in names],
            ]
        )
    (a1, b1), (a2, b2) = np.array(parts)
    g, h, k = (len(np.unique(of)) for of in (patients[positive], patients[~positive], patients))
    across = (a1 * b2 + b1 * a2).sum() * k / (k - 1)
    return (
        g / (g - 1) * (a1 * a2).sum() / m**2
        + h / (h - 1) * (b1 * b2).sum() / n**2
        + across / (m * n)
    )


def test_clustered_areas_are_their_definition():
    rng = np.random.default_rng(3)
    patients = rng.integers(0, 30, 120)
    positive = rng.random(120) < 0.4
    scores = np.stack([(rng.normal(size=120) + k * positive).round(1) for k in (1, 0.5)])
    _, covariance = intervals.delong(positive, scores, patients)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        expected = obuchowski(scores[i], scores[j], positive, patients)
        assert covariance[i, j] == pytest.approx(expected) == covariance[j, i]


def test_an_area_of_1_has_no_interval():
    rng = np.random.default_rng(1)
    frame = scored(*(low + 0.3 * rng.random(20) for low in (0.6, 0.1)))
    auc, *ends = auc_by_image(frame, "covid")
    assert auc == 1 and np.isnan(ends).all()


REFERENCES = Path(__file__).resolve().parents[2] / "references"  # proc.R wrote them


@pytest.mark.parametrize("case", pd.read_csv(REFERENCES / "proc.csv")["case"])
def test_areas_against_proc(case):
    """pROC 1.18 (R): areas, DeLong's interval, variance and covariance, the test of two areas."""
    expected = pd.read_csv(REFERENCES / "proc.csv").set_index("case").loc[case]
    scores = pd.read_csv(REFERENCES / "proc_scores.csv").query("case == @case")
    truth, both = scores["truth"].to_numpy() == 1, scores[["first", "second"]].to_numpy().T
    areas, covariance = intervals.delong(truth, both, np.arange(len(scores)))
    assert areas.tolist() == pytest.approx([expected["auc"], expected["other"]], abs=1e-12)
    assert covariance[0].tolist() == pytest.approx(
        [expected["variance"], expected["covariance"]], rel=1e-9
    )
    z = (areas[0] - areas[1]) / np.sqrt([1, -1] @ covariance @ [1, -1])
    assert (z, 2 * stats.norm.sf(abs(z))) == pytest.approx(
        (expected["z"], expected["p_value"]), rel=1e-9
    )
    p = (both[0] - both[0].min()) / np.ptp(both[0])  # as probabilities: the order counts
    found = auc_by_image(scored(p[truth], p[~truth]), "covid")
    assert found == pytest.approx(expected[["auc", "low", "high"]].tolist(), abs=1e-9)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.93, 0.88, 0.97), "0.93 (0.88 to 0.97)"),
        ((0.12345, 0.1229, 0.1241), "0.123 (0.123 to 0.124)"),
        ((-0.5, -1.25, 0.0), "−0.50 (−1.25 to 0.00)"),
        ((0.75,), "0.75"),
        ((float("nan"),), "–"),
        ((12.0, 10.0, float("inf")), "12.00 (10.00 to inf)"),
    ],
)
def test_an_interval_is_shown_as_a_person_writes_it(values, text):
    found = intervals.Interval(*values)
    assert str(found) == pretty(found) == text
    assert tuple(found)[: len(values)] == pytest.approx(values, nan_ok=True)

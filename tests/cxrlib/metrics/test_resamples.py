"""Resamples: patients are drawn whole, within their strata, and the sums over them are those of
the images drawn.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from frames import drawn, drawn_images, made_up, resamples
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from cxrlib import metrics
from cxrlib.metrics import bootstrap
from cxrlib.metrics.rates import one_vs_rest, rates

pytestmark = pytest.mark.filterwarnings("error")


@settings(max_examples=30, deadline=None)
@given(drawn(), st.integers(0, 100))
def test_resamples_keep_patients_whole_and_their_number(frame, seed):
    weights = drawn_images(frame, 5, seed)
    classes = metrics.check_predictions(frame)
    assert (
        weights.shape == (5, len(frame))
        and np.issubdtype(weights.dtype, np.integer)
        and weights.min() >= 0
    )
    by_patient = pd.DataFrame(weights.T).groupby(frame["patient_id"].to_numpy())
    assert (by_patient.nunique() == 1).all().all()
    votes = pd.crosstab(frame["patient_id"], frame["y_true"]).reindex(columns=classes, fill_value=0)
    stratum = votes.idxmax(axis=1)  # ties: the first class
    alone = (
        stratum.map(stratum.value_counts()) == 1
    )  # these are drawn with the largest class, of equally large ones the first
    stratum[alone] = stratum.value_counts().reindex(classes).idxmax()
    drawn_per_stratum = by_patient.first().groupby(stratum).sum()
    assert (stratum.value_counts().sort_index() == drawn_per_stratum.T).all().all()


def test_resamples_are_seeded_and_vary():
    frame = made_up((9, 15, 24, 23))
    one = drawn_images(frame, 50, 1)
    assert (one == drawn_images(frame, 50, 1)).all()
    assert (one != drawn_images(frame, 50, 2)).any()
    assert abs(one.mean() - 1) < 0.05 and (one.std(axis=0) > 0.5).all()


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_sums_are_those_of_the_images_drawn(make):
    frame = made_up((9, 15, 24, 23), images_per_patient=3)
    values = np.random.default_rng(0).normal(size=(len(frame), 5))
    found, weights = resamples(frame, 40, 7), drawn_images(frame, 40, 7)
    np.testing.assert_allclose(
        found.drawn(make(values), lambda sums: sums), weights @ values, rtol=0, atol=1e-12
    )
    left = np.stack(
        [
            values[(frame["patient_id"] != name).to_numpy()].sum(axis=0)
            for name in frame["patient_id"].unique()
        ]
    )
    np.testing.assert_allclose(
        found.left_out(make(values), lambda sums: sums), left, rtol=0, atol=1e-12
    )


def test_blocks_do_not_show():
    """So many sums that few replicates fit in a block: the same as one sum at a time."""
    frame = made_up((9, 15, 24, 23))
    found, values = (
        resamples(frame, 30),
        np.random.default_rng(0).integers(0, 9, (len(frame), 60_000)),
    )
    for method in (found.drawn, found.left_out):
        whole = method(values, lambda sums: sums[:, :3])
        assert (whole == method(values[:, :3], lambda sums: sums)).all()


def test_published_draws_stay_as_they_are():
    """The book's intervals are of these draws: the first patients of the generator with seed 0."""
    frame = made_up((3, 4), images_per_patient=1)
    first, second = np.random.default_rng(0), drawn_images(frame, 2)
    expected = [np.bincount(row, minlength=3) for row in first.integers(3, size=(2, 3))]
    assert (second[:, :3] == expected).all()
    assert (
        second[:, 3:] == [np.bincount(row, minlength=4) for row in first.integers(4, size=(2, 4))]
    ).all()


def test_many_patients_are_grouped_within_their_class(monkeypatch):
    """The spread stays, the work does not grow: 900 patients in 150 groups against one by one."""
    frame = made_up((900, 2700), images_per_patient=3)
    values = np.stack([frame["p_covid"], np.ones(len(frame))], axis=1)
    mean = lambda sums: sums[:, 0] / sums[:, 1]  # noqa: E731
    alone = resamples(frame).drawn(values, mean)
    monkeypatch.setattr(bootstrap, "MOST", 200)
    monkeypatch.setattr(bootstrap, "GROUPS", 150)
    found = resamples(frame)
    assert (
        np.bincount(found.stratum).tolist() == [150, 150]
        and (found.counts.sum(axis=0) == 300).all()
    )
    grouped = pd.Series(found.patient).groupby(frame["patient_id"].to_numpy())
    assert (grouped.nunique() == 1).all(), "a patient stays whole"
    assert (grouped.first().groupby(grouped.first()).size().isin([2, 6])).all(), (
        "groups are equally large: 300 and 900 patients"
    )
    assert found.drawn(values, mean).std() == pytest.approx(alone.std(), rel=0.15)
    assert found.drawn(values, mean).mean() == pytest.approx(alone.mean(), abs=alone.std() / 5)


@pytest.mark.parametrize("shift", [0.3, 1.0, 3.0, 9.0])
@pytest.mark.parametrize("positives", [25_000, 60_000])
def test_many_scores_are_grouped_without_moving_the_auc(shift, positives):
    rng = np.random.default_rng(0)
    truth = np.arange(85_000) < positives
    score = rng.normal(shift * truth)
    coarse = bootstrap.coarse(truth, score)
    assert len(np.unique(coarse)) <= 2 * bootstrap.PLACES + 1
    areas = [rates(one_vs_rest(truth, truth, each).sum(axis=0))["auc"] for each in (score, coarse)]
    assert areas[0] == pytest.approx(areas[1], abs=3e-5)
    few = score[:15_000]
    assert bootstrap.coarse(truth[:15_000], few) is few

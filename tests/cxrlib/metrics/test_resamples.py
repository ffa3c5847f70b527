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
from cxrlib.files import InputError
from cxrlib.metrics import bootstrap

pytestmark = pytest.mark.filterwarnings("error")


@settings(max_examples=30)
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


def test_blocks_do_not_show():
    """So many sums that few replicates fit in a block: the same as one sum at a time."""
    frame = made_up((9, 15, 24, 23))
    found, values = (
        resamples(frame, 30),
        np.random.default_rng(0).integers(0, 9, (len(frame), 60_000)),
    )
    whole = found.drawn(values, lambda sums: sums[:, :3])
    assert (whole == found.drawn(values[:, :3], lambda sums: sums)).all()


def test_published_draws_stay_as_they_are():
    """The book's intervals are of these draws: the first patients of the generator with seed 0."""
    frame = made_up((3, 4), images_per_patient=1)
    first, second = np.random.default_rng(0), drawn_images(frame, 2)
    expected = [np.bincount(row, minlength=3) for row in first.integers(3, size=(2, 3))]
    assert (second[:, :3] == expected).all()
    assert (
        second[:, 3:] == [np.bincount(row, minlength=4) for row in first.integers(4, size=(2, 4))]
    ).all()


def test_more_patients_than_memory_holds_are_refused_before_any_is_drawn():
    with pytest.raises(InputError, match="500,001 patients, 2,000 replicates: at most 500,000"):
        bootstrap.Resamples(np.arange(500_001))


def test_patients_of_a_large_collection_are_drawn_one_by_one():
    """60,000 patients, more than any public collection has for testing: as the formula says."""
    values = np.random.default_rng(0).random(60_000)
    found = metrics.mean_by_patient(values, np.arange(60_000), replicates=200)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 60_000**0.5, rel=0.2)

"""What the chapter computes by itself: areas under curves through one operating point."""

import math

import numpy as np
import pytest
from chapters import function
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, special, stats
from sklearn.metrics import auc as trapezoids

auc_range = function("25_study_a_forensics", "auc_range")
binormal_auc = function(
    "25_study_a_forensics", "binormal_auc", np=np, ndtr=special.ndtr, ndtri=special.ndtri
)
rates = st.floats(0.01, 0.99)
half_or_more = st.floats(0.5, 0.99)


@given(half_or_more, half_or_more)
@settings(max_examples=25)
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
@settings(max_examples=50)
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

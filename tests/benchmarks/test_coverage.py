"""How often the policy's interval of a share holds the truth."""

import numpy as np
import pytest

from benchmarks import coverage


def test_simulated_errors_have_the_share_and_the_correlation_that_was_asked():
    rng, sizes = np.random.default_rng(0), np.array([2] * 4000)
    for alike in coverage.ALIKE:
        wrong = coverage.simulated(sizes, 0.2, alike, 1, rng)[:, 0]
        assert wrong.mean() / 2 == pytest.approx(0.2, abs=0.015)
        both = (wrong == 2).mean()  # of two images: q² + correlation q (1 - q)
        assert both == pytest.approx(0.04 + alike * 0.16, abs=0.02)


@pytest.mark.slow
def test_the_policy_covers_where_percentiles_do_not():
    """Nominal is 0.95; simulation and discrete counts move it by 0.02."""
    found = coverage.coverage(sets=600, replicates=600)
    few = found[found["carriers"].between(2, 15)]
    assert few["percentiles"].min() < 0.85 < 0.9 < found["policy"].min()
    assert few["percentiles above"].max() > 0.08 > found["policy above"].max()
    assert few["policy"].mean() > 0.95

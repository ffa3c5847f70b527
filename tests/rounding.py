"""How far rounding alone may drive two ways of computing the same apart: tolerances that follow
from the number format.
"""

import numpy as np

UNIT = {
    "float64": 2.0**-53,
    "float32": 2.0**-24,
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
}  # unit roundoff


def apart(form: str = "float32", layers: int = 18, terms: int = 512 * 3 * 3) -> float:
    """Of the largest value, for ``layers`` in a row; as they stand, those of a ResNet-18 and its
    longest sum.

    A layer rounds what it multiplies and what it gives to ``form``. Its sums are of float32 at
    least, and the error of a sum grows as the root of its ``terms`` (Higham and Mary 2019,
    doi:10.1137/18M1226312). The layers' errors add up.
    """
    unit = UNIT[form]
    return layers * (3 * unit + terms**0.5 * min(unit, UNIT["float32"]))


def assert_near(got, want, tolerance: float, what: str = "") -> None:
    """The largest difference of two arrays or tensors is at most ``tolerance`` of the largest
    value.
    """
    got, want = (np.asarray(each, float) for each in (got, want))
    assert got.shape == want.shape, what
    assert np.abs(got - want).max() <= tolerance * np.abs(want).max(), what

"""Numbers as text."""

import numpy as np

from cxrlib.formatting import interval, number, signed, with_interval


def test_a_number_and_its_interval():
    assert number(-0.0625, 2) == "−0.06" and number(float("nan")) == "–"
    assert with_interval(0.5, 0.25, 0.75, 2) == "0.50 (0.25–0.75)"
    assert with_interval(0.5, np.nan, np.nan) == "0.500 (–)"


def test_interval_is_readable_below_nought_too():
    assert interval(0.5, 0.75) == "0.500–0.750" and interval(float("nan"), 1.0) == "–"
    assert interval(-0.25, 0.5, decimals=2) == "−0.25 to 0.50", (
        "a dash after a minus sign is no range"
    )
    assert (
        signed(0.0154) == "+0.015"
        and signed(-0.25, 0.5, decimals=2) == "−0.25\N{NO-BREAK SPACE}to +0.50"
    )
    assert signed(0.0, 0.00004, -0.0004) == "+0.000 (+0.00004\N{NO-BREAK SPACE}to −0.0004)"
    assert (
        signed(0.0, np.nan, np.nan) == "+0.000 (–)"
        and signed(np.nan) == signed(np.nan, np.nan) == "–"
    )
    assert signed(0.0154, -0.005, 0.036) == "+0.015 (−0.005\N{NO-BREAK SPACE}to +0.036)"

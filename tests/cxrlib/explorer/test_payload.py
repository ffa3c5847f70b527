"""What a widget's page is given; that it arrives without loss is in
tests/browser/test_explorer.py.
"""

import pandas as pd
import pytest
from frames import made_up

from cxrlib.explorer import payload


@pytest.mark.parametrize(
    "text, expected",
    [
        ("77.3 %", (0.773, 0.7725, 0.7735)),
        ("1.00", (1.0, 0.995, 1.0)),
        ("0.0 %", (0.0, 0.0, 0.0005)),
    ],
)
def test_rounding_leaves_half_a_digit_open_and_no_more_than_a_share_can_have(text, expected):
    assert payload.printed_share(text) == pytest.approx(expected, abs=1e-12)


def test_equal_columns_are_sent_once():
    frame, columns = made_up(), {}
    groups = pd.DataFrame({"view": ["AP", "PA"] * (len(frame) // 2)})
    first = payload.pack(frame, groups, {}, columns)
    sent = len(columns)
    assert payload.pack(frame, groups, {}, columns) == first and len(columns) == sent


def test_classes_have_words():
    frame = made_up(sizes=(9, 9)).rename(columns={"p_viral": "p_flu"}).replace("viral", "flu")
    packed = payload.pack(frame, pd.DataFrame(), {"flu": ("Influenza", "have a flu")}, {})
    assert packed["labels"] == ["COVID-19", "Influenza"]
    assert packed["have"] == ["have COVID-19", "have a flu"]

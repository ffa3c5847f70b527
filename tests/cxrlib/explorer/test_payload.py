"""What a widget's page is given; that it arrives without loss is in
tests/browser/test_explorer.py.
"""

import pandas as pd
from frames import made_up

from cxrlib.explorer import payload


def test_equal_columns_are_sent_once():
    frame, columns = made_up(), {}
    groups = pd.DataFrame({"view": ["AP", "PA"] * (len(frame) // 2)})
    first = payload.pack(frame, groups, columns)
    sent = len(columns)
    assert payload.pack(frame, groups, columns) == first and len(columns) == sent


def test_classes_have_words():
    frame = made_up(sizes=(9, 9)).rename(columns={"p_viral": "p_flu"}).replace("viral", "flu")
    packed = payload.pack(frame, pd.DataFrame(), {})
    assert packed["labels"] == ["COVID-19", "flu"]
    assert packed["have"] == ["have COVID-19", "have flu"]


def test_two_classes_with_few_decimals_are_sent_as_whole_numbers():
    """So that a page stays small; what is sent gives the same probabilities again."""
    frame, columns = made_up(sizes=(9, 9)), {}
    first, second = (name for name in frame if name.startswith("p_"))
    frame[first] = frame[first].round(3)
    frame[second] = (1 - frame[first]).round(3)
    sent = payload.pack(frame, pd.DataFrame(), columns)["p"]
    units = list(columns)[sent["units"]]
    assert [x / 10 ** sent["decimals"] for x in units] == frame[first].tolist()
    frame.loc[0, [first, second]] = 0.12345, 0.87655
    assert isinstance(payload.pack(frame, pd.DataFrame(), {})["p"], list)

"""What a widget's page is given; that it arrives without loss is in
tests/browser/test_explorer.py.
"""

import pytest

from companion import studies
from cxrlib.explorer import payload


@pytest.mark.parametrize(
    "text, scale, expected",
    [
        ("77.3", 100, (0.773, 0.7725, 0.7735)),
        ("1.00", 1, (1.0, 0.995, 1.0)),
        ("0.0", 100, (0.0, 0.0, 0.0005)),
    ],
)
def test_rounding_leaves_half_a_digit_open_and_no_more_than_a_share_can_have(text, scale, expected):
    assert payload.rounded(text, scale) == pytest.approx(expected, abs=1e-12)


def test_printed_points_are_the_studies():
    azemin = payload.printed_points(studies.run("azemin-standin-resnet50"))
    assert azemin["covid"]["text"] == ["77.3 %", "71.8 %"]  # abstract of Che Azemin et al. 2020
    four = payload.printed_points(studies.run("zhu-fourclass"))
    # recall and selectivity of Table 4.2, Zhu 2020
    assert {cls: point["text"] for cls, point in four.items()} == {
        "covid": ["1.00", "1.00"],
        "viral": ["0.82", "0.97"],
        "bacterial": ["0.97", "0.93"],
        "normal": ["0.92", "0.99"],
    }


def test_equal_columns_are_sent_once():
    run, columns = studies.run("zhu-fourclass"), {}
    groups = (
        run.predictions[["image_id"]]
        .assign(source=run.predictions["source"])
        .drop(columns="image_id")
    )
    first = payload.pack(run.predictions, "a", "A", {}, groups, columns)
    sent = len(columns)
    assert (
        payload.pack(run.predictions, "b", "B", {}, groups, columns)["p"] == first["p"]
        and len(columns) == sent
    )

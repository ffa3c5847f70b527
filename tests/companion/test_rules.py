"""The rules that give verdicts: each can give every verdict that it should, against arithmetic done
here by hand.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from companion import rules, studies
from cxrlib.files import InputError

NAN = float("nan")
COUNTS = [
    "layers",
    "classes",
    "convolutions in a block",
    "side of a block's kernels",
    "filters by those of the stage before",
]


def row(printed: str, **fields) -> dict:
    return {
        "id": "x",
        "study": "s",
        "printed": printed,
        "decimals": len(printed.partition(".")[2]),
        "relation": "",
        "denominator": None,
        **fields,
    }


@pytest.fixture(scope="module")
def thesis():
    return {each["id"]: each for each in studies.printed("zhu2020").to_dict("records")}


@pytest.mark.parametrize(
    ("printed", "value", "low", "high", "denominator", "verdict", "said"),
    [
        ("0.82", 0.8249, NAN, NAN, None, "agrees", "prints the same"),
        ("0.82", 0.825, NAN, NAN, None, "agrees", "prints the same"),  # a tie may be rounded down
        (
            "0.96",
            0.923,
            0.875,
            0.9551,
            None,
            "agrees",
            "0.037 lower; its interval reaches",
        ),  # 0.96 may be 0.955
        ("0.96", 0.923, 0.875, 0.9549, None, "differs", "0.037 lower; no interval"),
        ("0.90", 0.95, 0.9049, 0.97, None, "agrees", "0.05 higher; its interval reaches"),
        ("0.90", 0.95, 0.9051, 0.97, None, "differs", "0.05 higher; no interval"),
        ("0.82", 0.88, 0.85, 0.91, 148, "differs", "no interval"),  # of 148, 0.75 to 0.87
        ("0.82", 0.87, 0.85, 0.91, 148, "agrees", "that the printed share of 148 images has"),
        ("0.98", 1.0, NAN, NAN, None, "not testable here", "Missing: an interval"),
        ("0.98", 1.0, NAN, NAN, 1000, "differs", "no interval"),
    ],
)
def test_when_a_result_agrees(printed, value, low, high, denominator, verdict, said):
    found = rules.near(row(printed, denominator=denominator), (value, low, high), 1, "It")
    assert found.verdict == verdict and said in found.why
    hundred = rules.near(
        row(f"{100 * float(printed):g}", denominator=denominator),
        (100 * value, 100 * low, 100 * high),
        100,
        "It",
    )
    assert hundred.verdict == verdict


@given(st.integers(0, 400), st.integers(1, 400), st.integers(0, 100))
def test_the_printed_share_has_wilsons_interval(k, n, percent):
    """Where nothing else decides, agreement is to lie in the interval that statsmodels gives."""
    k = min(k, n)
    value = k / n
    low, high = proportion_confint(percent / 100 * n, n, method="wilson")
    close = abs(value - percent / 100) <= 0.005 * (1 + 1e-9)
    if min(abs(value - low), abs(value - high)) > 1e-9:
        found = rules.near(row(f"{percent / 100:.2f}", denominator=n), (value, NAN, NAN), 1, "It")
        assert found.verdict == ("agrees" if close or low <= value <= high else "differs")


@pytest.mark.parametrize(
    ("relation", "value", "low", "high", "verdict"),
    [
        ("more than", 0.97, NAN, NAN, "agrees"),
        ("more than", 0.95, 0.9, 0.961, "agrees"),
        ("more than", 0.95, 0.9, 0.96, "differs"),
        ("at least", 0.96, 0.9, 0.96, "agrees"),
        ("at least", 0.95, 0.9, 0.96, "agrees"),
        ("at least", 0.95, 0.9, 0.955, "differs"),
    ],
)
def test_more_than_and_at_least(relation, value, low, high, verdict):
    found = rules.near(row("0.96", relation=relation), (value, low, high), 1, "It")
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("relation", "value", "verdict"),
    [
        ("", 1900, "exact"),
        ("", 1901, "differs"),
        ("more than", 1901, "exact"),
        ("more than", 1900, "differs"),
        ("at least", 1900, "exact"),
    ],
)
def test_counts(relation, value, verdict):
    found = rules.same(row("1900", relation=relation), value, "Counted")
    assert found.verdict == verdict
    if verdict == "differs":
        assert found.why == (
            "Counted; printed is 1 less." if value == 1901 else "Counted; printed is 0 less."
        )


def test_a_total_is_its_parts_or_cannot_be_true():
    rows = {name: row(text) for name, text in {"a": "1493", "b": "2780"}.items()}
    assert rules.total(row("4273"), rows, of=["a", "b"])[0].verdict == "exact"
    [found] = rules.total(row("4272"), rows, of=["a", "b"])
    assert found.verdict == "cannot be true" and "4,273, 1 off" in found.why


def said_of(row, rows, metric, words):
    """What the study's own table says of a cell of the four classes."""
    found = rules.cell(row, rows, run="zhu-fourclass", metric=metric)
    [said] = [finding for finding in found if finding.why.startswith(words)]
    return said


@pytest.mark.parametrize(
    ("printed", "verdict"),
    [("0.96", "cannot be true"), ("0.97", None), ("0.98", None), ("0.99", "cannot be true")],
)
def test_an_average_outside_its_values_cannot_be_true(thesis, printed, verdict):
    """1.00, 0.96, 0.98, 0.98 have a mean from 0.975, which may be rounded down, to 0.98375."""
    found = said_of(row(printed), thesis, "macro avg.auc", "The average of what is printed")
    assert found.verdict == verdict and "0.975 to 0.98375" in found.why


@pytest.mark.parametrize(
    ("name", "printed", "verdict"),
    [
        ("viral", "0.94", None),
        ("viral", "0.82", "cannot be true"),
        ("covid", "1.00", None),
        ("macro avg", "0.96", None),
    ],
)
def test_accuracy_by_the_studys_formula(thesis, name, printed, verdict):
    """TP + TN of the fact sheet's solutions: viral (121 or 122) + 522 of 684, mean over the classes
    0.962.
    """
    found = said_of(row(printed), thesis, f"{name}.accuracy_as_printed", "By the study's formula")
    assert found.verdict == verdict
    if name == "viral":
        assert f"{(121 + 522) / 684:.3g} to {(122 + 522) / 684:.3g}" in found.why


def test_a_table_that_no_counts_print(thesis):
    """Then no accuracy is possible either."""
    changed = {
        name: {**each, "printed": "0.50"} if name == "zhu-t4.2-viral-f1-score" else each
        for name, each in thesis.items()
    }
    found = said_of(row("0.82"), changed, "viral.accuracy_as_printed", "By the study's formula")
    assert found.verdict == "cannot be true" and "leave nothing" in found.why


def test_the_lowest_of_several_cells(thesis):
    found = rules.cell(
        row("96", relation="more than"),
        thesis,
        run="zhu-fourclass",
        metric=["covid.auc", "viral.auc", "bacterial.auc"],
        times=100,
    )
    one = rules.cell(row("0.96"), thesis, run="zhu-fourclass", metric="viral.auc")
    assert (
        len(found) == 1
        and found[0].value == pytest.approx(100 * one[0].value)
        and "viral" in found[0].why
    )


def test_images_are_counted_with_their_copies(thesis):
    split = studies.run("zhu-binary").split
    trained = ((split["y_true"] == "covid") & (split["split"] != "test")).sum()
    given = {"run": "zhu-binary", "classes": ["covid"]}
    assert (
        rules.images(row("4128"), thesis, **given, part="train", copies=True)[0].value
        == 24 * trained
    )
    assert rules.images(row("172"), thesis, **given, part="train")[0].value == trained
    assert rules.images(row("4188"), thesis, **given, copies=True)[0].value == 24 * trained + 60
    patients = split.loc[split["y_true"] == "covid", "patient_id"].nunique()
    assert rules.images(row("145"), thesis, **given, what="patient_id")[0].value == patients


@pytest.mark.parametrize(
    "printed, asked, verdict",
    [
        ("0.01", {"experiment": "zhu-binary", "key": "weight_decay"}, "exact"),
        ("0.1", {"experiment": "zhu-binary", "key": "weight_decay"}, "differs"),
        ("110", {"experiment": "zhu-binary", "key": "scale", "item": 1, "times": 100}, "exact"),
        ("5", {"experiment": "zhu-binary-cv", "item": "count"}, "exact"),
        ("0", {"experiment": "azemin-adjudicated", "key": "frozen", "means": True}, "exact"),
        ("0", {"experiment": "zhu-binary", "key": "frozen", "means": True}, "differs"),
    ],
)
def test_settings(printed, asked, verdict):
    (found,) = rules.setting(row(printed), {}, **asked)
    assert found.verdict == verdict and "nan" not in found.why
    assert ("set to what is printed" in found.why) == (verdict == "exact")


@pytest.mark.parametrize(
    ("name", "counts"),
    {"resnet18": [18, 1000, 2, 3, 2], "resnet101": [101, 1000, 3, None, 2]}.items(),
)
def test_networks_are_counted(name, counts):
    """The kernels of ResNet-101 have two sizes, so that there is no one value."""
    values = [rules.network(row("7"), {}, name=name, count=count)[0].value for count in COUNTS]
    np.testing.assert_array_equal(values, [NAN if count is None else count for count in counts])


@pytest.mark.parametrize(
    ("name", "value"),
    {
        "AUC of a perfect classifier": 1,
        "AUC of a random classifier": 0.5,
        "AUC of a classifier that is always wrong": 0,
        "sensitivity of a perfect classifier, per cent": 100,
        "specificity of a perfect classifier, per cent": 100,
        "F1-score by precision × recall / (precision + recall)": 2,
        "sum of a softmax": 1,
    }.items(),
)
def test_formulas(name, value):
    assert rules.formula(row("1"), {}, name=name)[0].value == pytest.approx(value)


def test_study_as_arithmetic():
    rows = {
        name: row(text)
        for name, text in {
            "n": "5828",
            "s": "77.3",
            "c": "71.8",
            "a": "71.9",
            "mpm": "453",
            "rpm": "1.75",
        }.items()
    }
    flow = {"file": "cheazemin2020", "step": "test COVID-19, 29e0b70", "negatives": "n"}
    assert [rules.share(row(text), rows, **flow)[0].verdict for text in ("2.57", "2.56")] == [
        "exact",
        "differs",
    ]
    three = {"sensitivity": "s", "specificity": "c", "accuracy": "a"}
    assert rules.matrices(row("71.9"), rows, **three)[0] == (
        None,
        "4 confusion matrices print the three percentages.",
        *[pytest.approx(NAN, nan_ok=True)] * 3,
        False,
    )
    assert (
        rules.matrices(row("80.0"), rows | {"a": row("80.0")}, **three)[0].verdict
        == "cannot be true"
    )
    verdicts = [
        rules.efficiency(row(text), rows, model="mpm", reader="rpm")[0].verdict
        for text in ("258", "259")
    ]
    assert verdicts == ["exact", "cannot be true"]


def test_the_worst_finding_decides(thesis):
    found = rules.findings(thesis["zhu-2.1-images"], thesis)
    assert [finding.verdict for finding in found] == ["cannot be true", "differs"]
    assert list(rules.VERDICTS) == [
        "cannot be true",
        "differs",
        "not testable here",
        "agrees",
        "exact",
    ]


@pytest.mark.parametrize(
    "check",
    [
        {"rule": "total", "of": ["no-such-id"]},
        {"rule": "network", "name": "resnet18", "count": "colours"},
        {"rule": "setting", "experiment": "zhu-binary", "key": "colour"},
        {"rule": "flow", "file": "zhu2020", "step": "no such step"},
        {"rule": "formula", "name": "no such formula"},
    ],
)
def test_a_check_that_cannot_be_made_names_the_row(thesis, check):
    with pytest.raises(InputError, match=rf"s/printed\.yml: x: check {check['rule']}: "):
        rules.findings(row("1", check=[check]), thesis)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ("cell", r"check cell: cell\(\) missing 2 required keyword-only arguments: 'run'"),
        ({"rule": "vote"}, "check has no rule 'vote', only cell, "),
        (
            {"rule": "missing", "what": "x", "verdict": "exact"},
            r"check missing: missing\(\) got an unexpected keyword",
        ),
    ],
)
def test_a_check_that_is_no_rule_or_has_other_arguments(check, message):
    with pytest.raises(InputError, match=rf"s/printed\.yml: x: {message}"):
        rules.findings(row("1", check=[check]), {})


def test_a_row_without_a_verdict_is_refused(thesis):
    remark = {"rule": "matrices", "sensitivity": "s", "specificity": "c", "accuracy": "a"}
    rows = {"s": row("77.3"), "c": row("71.8"), "a": row("71.9")}
    with pytest.raises(InputError, match=r"s/printed\.yml: x: none of its checks gives a verdict"):
        rules.findings(row("71.9", check=[remark]), rows)

"""The ledger: its verdicts follow from what the cells rebuild."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from companion import ledger, rules, studies
from cxrlib import metrics


@pytest.fixture(scope="module")
def recorded():
    return studies.run("zhu-fourclass")


def test_the_named_cells_are_rebuilt(recorded):
    """Against scikit-learn on the recorded predictions, and the interval holds the value."""
    printed = studies.printed("zhu2020", "Table 4.2")
    rates = metrics.per_class(recorded.predictions)
    bounds = metrics.bootstrap_by_patient(recorded.predictions)
    rows = ledger.compare(printed, rates, bounds).set_index("metric")
    frame = recorded.predictions
    for name in recorded.classes:
        truth = frame["y_true"] == name
        assert rows.loc[f"{name}.auc", "rebuilt"] == pytest.approx(
            roc_auc_score(truth, frame[f"p_{name}"]), abs=1e-12
        )
        assert rows.loc[f"{name}.size", "rebuilt"] == truth.sum()
        right = frame[[f"p_{c}" for c in recorded.classes]].to_numpy().argmax(
            1
        ) == recorded.classes.index(name)
        assert rows.loc[f"{name}.recall", "rebuilt"] == pytest.approx(
            right[truth].mean(), abs=1e-12
        )
    shares = rows.dropna(subset=["low"])
    assert len(shares) >= 30
    assert ((shares["low"] <= shares["rebuilt"]) & (shares["rebuilt"] <= shares["high"])).all()
    assert np.isfinite(rows["rebuilt"].astype(float)).all()


@pytest.fixture(scope="module")
def claims():
    return ledger.claims().set_index("id")


def test_every_number_has_one_verdict_and_a_reason(claims):
    assert (
        len(claims) == sum(len(studies.printed(study)) for study in studies.LETTERS)
        and claims.index.is_unique
    )
    assert set(claims["verdict"]) == set(rules.VERDICTS)
    assert claims["why"].str.endswith(".").all()
    assert (claims["low"].isna() == claims["high"].isna()).all() and not (
        claims["low"] > claims["rebuilt"]
    ).any()


def test_no_stand_in_agrees_with_study_a(claims):
    rests = claims[(claims["study"] == "A") & claims["records"].map(bool)]
    assert (
        len(rests) == 8
        and set(rests["verdict"]) == {"not testable here"}
        and rests["rebuilt"].notna().all()
    )


def test_study_a_is_judged_by_its_own_rule_once_recorded(tmp_path, monkeypatch):
    """A made-up record of it: the stand-in's predictions with the classes exchanged."""
    own, standin = studies.AZEMIN_ADJUDICATED.name, studies.AZEMIN_STANDIN.name
    for name in (own, standin):
        shutil.copytree(studies.results_folder() / standin, tmp_path / name)
    info = json.loads((tmp_path / own / "run.json").read_text()) | {"run": own, "experiment": own}
    (tmp_path / own / "run.json").write_text(json.dumps(info))
    frame = pd.read_csv(tmp_path / own / "predictions.csv")
    exchanged = frame.rename(columns={"p_covid": "p_none", "p_none": "p_covid"})[frame.columns]
    exchanged.to_csv(tmp_path / own / "predictions.csv", index=False)
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    auc = roc_auc_score(frame["y_true"] == "covid", frame["p_none"])

    judged = ledger.claims(ids=["azemin-3-auc"]).iloc[0]
    assert judged["records"] == [own] and judged["rebuilt"] == pytest.approx(auc)
    assert judged["verdict"] == "differs" and auc < judged["high"] < float(judged["printed"])
    assert ledger.rebuilt_in_words(judged).startswith(f"{auc:.3f} (")

    (tmp_path / own / "run.json").unlink()
    judged = ledger.claims(ids=["azemin-3-auc"]).iloc[0]
    assert judged["records"] == [standin] and judged["rebuilt"] == pytest.approx(1 - auc)
    assert judged["verdict"] == "not testable here"


def test_accuracy_that_is_recall_stands_beside_accuracy(claims):
    """Every class of Table 4.2 by scikit-learn, one class against the rest; the averages over
    classes, plain and by images.
    """
    frame = studies.run("zhu-fourclass").predictions
    classes = ["covid", "viral", "bacterial", "normal"]
    called = frame[[f"p_{name}" for name in classes]].to_numpy().argmax(axis=1)
    each = [accuracy_score(frame["y_true"] == name, called == k) for k, name in enumerate(classes)]
    sizes = [(frame["y_true"] == name).sum() for name in classes]
    rows = [f"zhu-t4.2-{name}-accuracy" for name in [*classes, "macro-avg", "weighted-avg"]]
    assert claims.loc[rows, "by_formula"].tolist() == pytest.approx(
        [*each, np.mean(each), np.average(each, weights=sizes)]
    )
    assert ledger.rebuilt_in_words(claims.loc[rows[1]]).startswith(
        f"recall {claims.loc[rows[1], 'rebuilt']:.3f} ("
    )
    assert f"; accuracy {each[1]:.3f} (" in ledger.rebuilt_in_words(claims.loc[rows[1]])
    known = claims["by_formula"].notna()
    assert (
        known.sum() == 11 and claims.loc[known, "also"].str.contains("by the study's formula").all()
    )


@pytest.mark.parametrize(
    ("name", "verdict"),
    {
        "zhu-2.1-images": "cannot be true",  # 6,216 where Table 2.1 adds to 6,088
        "zhu-t4.2-macro-avg-auc": "cannot be true",  # 0.99 of 1.00, 0.96, 0.98, 0.98
        "zhu-5-auc": "cannot be true",  # the same in the conclusion
        "zhu-t4.2-viral-accuracy": "cannot be true",  # 0.82, by its own formula 0.94
        "zhu-t4.2-covid-accuracy": "agrees",  # 1.00, by its own formula 0.997
        "zhu-t4.2-weighted-avg-auc": "agrees",
        "zhu-2.1-patients": "differs",  # one for each image
        "zhu-t4.2-normal-recall": "differs",
        "zhu-t2.2-covid-train": "exact",  # 172 images, 24 times
        "zhu-3.1-layers": "exact",
        "azemin-2-prevalence": "exact",
        "azemin-3-auc": "not testable here",
        "azemin-3-efficiency": "not testable here",
        "azemin-4-google-test": "exact",  # more than 1900: 1,962
    }.items(),
)
def test_verdicts_of_the_fact_sheet(claims, name, verdict):
    assert claims.loc[name, "verdict"] == verdict, claims.loc[name, "why"]


def test_verdicts_are_typed_nowhere():
    text = "".join(
        file.read_text(encoding="utf-8") for file in studies.folder().glob("*/printed.yml")
    )
    assert not [
        verdict for verdict in rules.VERDICTS if re.search(rf"(?m)^[^#].*\b{verdict}\b", text)
    ]


def test_places_and_numbers_in_words(claims):
    assert claims.loc["zhu-t4.2-viral-recall", "place"] == "Table 4.2, Viral, Recall"
    assert claims.loc["azemin-t1-batch", "place"] == "Table 1, Mini batch size"
    assert claims.loc["zhu-4.2-aucs", ["place", "said"]].tolist() == [
        "Section 4.2",
        "more than 96 %",
    ]
    assert claims.loc["zhu-abstract-models", ["place", "said"]].tolist() == ["Abstract", "2"]


def test_a_missing_record_is_said(monkeypatch, tmp_path):
    """Counts of images and results wait for their record; nothing else does."""
    for part in ("flow", "networks"):
        (tmp_path / part).symlink_to(studies.results_folder() / part)
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    rows = ledger.claims().set_index("id")
    waits = rows[rows["why"].str.contains("not yet recorded; cxr train zhu-")]
    assert {"zhu-t4.2-viral-auc", "zhu-t4.1-covid-recall", "zhu-t2.1-viral-images"} <= set(
        waits.index
    )
    assert (
        set(waits["verdict"]) == {"not testable here"}
        and rows.loc["zhu-2.1-covid-images", "verdict"] == "exact"
    )
    assert (
        rows.loc["zhu-t4.2-macro-avg-auc", "verdict"] == "cannot be true"
    )  # by the printed numbers alone
    assert "not yet recorded" in rows.loc["zhu-t4.2-macro-avg-auc", "also"] and rows[
        "rebuilt"
    ].isna().sum() >= len(waits)

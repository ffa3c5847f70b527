"""Reported numbers: the file is complete and the cells it names are rebuilt rightly."""

import numpy as np
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from cxrlib import InputError, claims, runs

# Table 4.2 as it stands in the thesis, section 4.2.
TABLE_4_2 = """
COVID-19      60   1.00 0.97 1.00 1.00 0.98 1.00
Viral         148  0.82 0.90 0.82 0.97 0.86 0.96
Bacterial     242  0.97 0.88 0.97 0.93 0.93 0.98
Normal        234  0.92 0.98 0.92 0.99 0.95 0.98
Macro avg     -    0.93 0.93 0.93 0.97 0.93 0.99
Weighted avg  -    0.92 0.93 0.92 0.97 0.92 0.98
"""
COLUMNS = ["Size", "Accuracy", "Precision", "Recall", "Selectivity", "F1-score", "AUC"]


def test_table_4_2_is_whole():
    rows = claims.reported("zhu2020")
    rows = rows[rows["table"] == "4.2"].set_index(["row", "column"])["printed"]
    expected = {}
    for line in TABLE_4_2.strip().splitlines():
        *name, size, a, p, r, s, f, auc = line.split()
        for column, text in zip(COLUMNS, (size, a, p, r, s, f, auc), strict=True):
            if text != "-":
                expected[(" ".join(name), column)] = text
    assert rows.to_dict() == expected


@pytest.mark.parametrize("field", claims.FIELDS)
def test_missing_field_is_named(tmp_path, field):
    content = yaml.safe_load((claims.folder() / "zhu2020.yml").read_text())
    del content["numbers"][3][field]
    (tmp_path / "x.yml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=rf"x\.yml: number 4: lacks the field {field}"):
        claims.reported("x", tmp_path)


def test_other_faults_are_one_line(tmp_path):
    number = yaml.safe_load((claims.folder() / "zhu2020.yml").read_text())["numbers"]
    number = next(number for number in number if number["decimals"] == 2)
    for numbers, message in [
        ([number, number], "occurs twice"),
        ([{**number, "printed": 0.97}], "is not text with 2 decimals"),
        ([{**number, "printed": "0.9"}], "is not text with 2 decimals"),
        ("nothing", "lacks the list numbers"),
    ]:
        (tmp_path / "x.yml").write_text(yaml.safe_dump({"numbers": numbers}))
        with pytest.raises(InputError, match=message):
            claims.reported("x", tmp_path)
    (tmp_path / "x.yml").write_text("a: [")
    with pytest.raises(InputError, match="cannot be read as YAML"):
        claims.reported("x", tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        claims.reported("absent", tmp_path)


@pytest.fixture(scope="module")
def recorded():
    return runs.read("zhu-fourclass")


def test_beside_rebuilds_the_named_cells(recorded):
    """Against scikit-learn on the recorded predictions, and the interval holds the value."""
    rows = claims.beside("zhu2020", recorded).set_index("metric")
    frame = recorded.predictions
    for name in recorded.classes:
        truth = frame["y_true"] == name
        assert rows.loc[f"{name}.auc", "rebuilt"] == pytest.approx(roc_auc_score(truth, frame[f"p_{name}"]), abs=1e-12)
        assert rows.loc[f"{name}.size", "rebuilt"] == truth.sum()
        right = frame[[f"p_{c}" for c in recorded.classes]].to_numpy().argmax(1) == recorded.classes.index(name)
        assert rows.loc[f"{name}.recall", "rebuilt"] == pytest.approx(right[truth].mean(), abs=1e-12)
    shares = rows.dropna(subset=["low"])
    assert len(shares) >= 30
    assert ((shares["low"] <= shares["rebuilt"]) & (shares["rebuilt"] <= shares["high"])).all()
    assert np.isfinite(rows["rebuilt"].astype(float)).all()

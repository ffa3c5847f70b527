"""The report's page: what it shows is what was measured. Hostile files and browsers are in
test_evaluate.py.
"""

import re

import numpy as np
import pandas as pd
import pytest
from frames import made_up
from sklearn.metrics import brier_score_loss, roc_auc_score

from cxrlib import evaluate
from cxrlib.evaluate import report


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    file = tmp_path_factory.mktemp("report") / "p.csv"
    frame = made_up((20, 50))
    frame.to_csv(file, index=False)
    return frame, evaluate.Measures(evaluate.read_file(file), 0.5, 0.01)


def test_numbers_of_the_page_are_scikit_learns(measured):
    frame, found = measured
    text = re.sub(r"<[^>]+>", " ", report.page(found, "p.csv"))
    truth, p = (frame["y_true"] == "covid").to_numpy(), frame["p_covid"].to_numpy()
    assert f"{roc_auc_score(truth, p):.3f}" in text and f"{brier_score_loss(truth, p):.3f}" in text
    assert f"{np.mean(p[truth] >= 0.5):.3f}" in text and "not a medical device" in text


def test_the_page_needs_nothing_and_escapes_its_name(measured):
    page = report.page(measured[1], "<b>&.csv")
    assert "&lt;b&gt;&amp;.csv" in page and "<b>&.csv" not in page
    assert "<script" not in page and not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert pd.Series(re.findall(r"<img [^>]*>", page)).str.contains(r'alt="[^"]+"').all()

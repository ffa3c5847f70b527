"""Mistakes made on purpose: each gives what it must where nothing is to be found."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from companion.audits import probes, record
from companion.studies import settings, training


@pytest.fixture(scope="module")
def seen(phantom_data) -> probes.Seen:
    task = training.task(settings.experiment(probes.BINARY), phantom_data)
    rows = task.manifest.reset_index(drop=True)
    return probes.Seen(SimpleNamespace(rows=rows, task=task), None)


def auc(table: pd.DataFrame) -> float:
    return roc_auc_score(table["y_true"] == "covid", table["p_covid"])


def test_copies_on_both_sides_find_what_is_not_there(seen):
    """Noise of each image's own: only a copy can be known again."""
    found = []
    for draw in range(6):
        noise = np.random.default_rng(draw).normal(size=(len(seen.ready.rows), 300))
        made = probes.mistaken(seen, noise, probes.BINARY, draw)
        found.append({name: auc(table) for name, table in made.items()})
    means = pd.DataFrame(found).mean()
    assert means["copies before the split"] > 0.9  # some have no copy there
    assert means.drop("copies before the split").between(0.3, 0.7).all()


def test_with_permuted_labels_even_a_perfect_feature_finds_nothing_but_copies(seen):
    sure = (seen.ready.rows["source"] == "kermany").to_numpy(float)[:, None]
    noise = np.random.default_rng(0).normal(size=(len(sure), 300))
    name = probes.BINARY + probes.PERMUTED
    found = [probes.mistaken(seen, np.hstack([9 * sure, noise]), name, draw) for draw in range(6)]
    means = pd.DataFrame({k: auc(t) for k, t in made.items()} for made in found).mean()
    assert means["copies before the split"] > 0.9  # some have no copy there
    assert means.drop("copies before the split").between(0.3, 0.7).all()


def test_a_patient_on_both_sides_is_known_again(seen):
    """Noise of each patient's own: only another image of the same patient can help."""
    found = []
    for draw in range(6):
        people = pd.factorize(seen.ready.rows["patient_id"])[0]
        noise = np.random.default_rng(draw).normal(size=(people.max() + 1, 300))[people]
        made = probes.mistaken(seen, noise, probes.BINARY, draw)
        found.append({name: auc(table) for name, table in made.items()})
    means = pd.DataFrame(found).mean()
    assert means["all by image"] > means["all by patient"] + 0.1
    assert means["split by image"] > means["none"] + 0.05


def test_each_distinct_image_is_counted_once(seen):
    noise = np.random.default_rng(0).normal(size=(len(seen.ready.rows), 4))
    for table in probes.mistaken(seen, noise, probes.BINARY, 0).values():
        assert table["image_id"].is_unique


def test_measures_are_scikit_learns():
    rng = np.random.default_rng(0)
    p = pd.DataFrame(rng.dirichlet([1, 1, 1], 90).round(3), columns=["p_covid", "p_a", "p_b"])
    table = p.assign(y_true=rng.permutation(["covid", "a", "b"] * 30))
    table["image_id"] = table["patient_id"] = [str(n) for n in range(90)]
    truth = table["y_true"] == "covid"
    found = probes.measured(table, 0.4)
    assert found["auc"] == pytest.approx(roc_auc_score(truth, p["p_covid"]))
    assert found["recall"] == pytest.approx(recall_score(truth, p["p_covid"] >= 0.4))
    assert found["specificity"] == pytest.approx(
        recall_score(truth, p["p_covid"] >= 0.4, pos_label=False)
    )
    named = p.set_axis(["covid", "a", "b"], axis=1).idxmax(axis=1)
    assert found["accuracy"] == pytest.approx(accuracy_score(table["y_true"], named))
    two = table.drop(columns=["p_a", "p_b"])
    right = accuracy_score(truth, p["p_covid"] >= 0.4)
    assert probes.measured(two, 0.4)["accuracy"] == pytest.approx(right)
    best = max(
        probes.measured(two, at)["recall"] + probes.measured(two, at)["specificity"]
        for at in p["p_covid"]
    )
    tuned = probes.measured(two, probes.youden(two))
    assert tuned["recall"] + tuned["specificity"] == pytest.approx(best)


def test_a_recorded_summary_follows_from_the_recorded_predictions():
    if not (record.folder("leakage") / "run.json").is_file():
        pytest.skip("not yet recorded")
    tables = record.read("leakage")[1]
    summary = tables["summary"]
    ours = summary[(summary["by"] == "probe") & summary["made"]]
    assert len(ours) == 3 * 4 * len(probes.DRAWS)
    for row in ours.itertuples():
        table = tables[row.task.replace(",", "").replace(" ", "-")]
        table = table[(table["mistake"] == row.mistake) & (table["draw"] == row.draw)]
        found = probes.measured(table)
        for name in ("auc", "recall", "specificity", "accuracy"):
            assert found[name] == pytest.approx(getattr(row, name), abs=1e-3)

"""Linear probes: what they find where something is planted, and nothing where nothing is."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from companion import studies
from companion.audits import pictures, probes, record
from companion.studies import settings
from cxrlib.data import phantom

PARTS = np.repeat(["train", "val", "test"], [240, 60, 100]).astype(object)
LABELS = np.where(np.arange(400) % 4 == 0, "covid", "non_covid").astype(object)
ROWS = pd.DataFrame({name: [f"{i}" for i in range(400)] for name in ("image_id", "patient_id")})


def auc(table: pd.DataFrame) -> float:
    return roc_auc_score(table["y_true"] == "covid", table["p_covid"])


def test_a_probe_finds_what_is_planted_and_nothing_else():
    found = []
    for seed in range(12):
        noise = np.random.default_rng(seed).normal(size=(400, 12))
        for features in (noise, noise + 9 * (LABELS == "covid")[:, None]):
            table, _ = probes.probe(ROWS, features, LABELS, PARTS, {"covid": 3}, {})
            found.append(auc(table))
    assert abs(np.mean(found[::2]) - 0.5) < 0.06
    assert found[1::2] == pytest.approx([1] * 12)


def test_a_probe_never_sees_a_label_of_the_test_set_nor_the_scale_of_its_images():
    noise = np.random.default_rng(0).normal(size=(400, 6))
    table, how = probes.probe(ROWS, noise, LABELS, PARTS, {}, {})
    swapped = np.where(PARTS == "test", "covid", LABELS)
    other, again = probes.probe(ROWS, noise, swapped, PARTS, {}, {})
    assert again == how
    assert (other["y_true"] == "covid").all() and (other["p_covid"] == table["p_covid"]).all()
    far = np.where((PARTS == "test")[:, None], noise + 100, noise)
    assert probes.probe(ROWS, far, LABELS, PARTS, {}, {})[1] == how


def test_copies_weigh_as_if_the_images_stood_there_so_often():
    features = np.random.default_rng(1).normal(size=(400, 5)) + (LABELS == "covid")[:, None]
    at = np.repeat(np.arange(400), np.where((LABELS == "covid") & (PARTS == "train"), 4, 1))
    scaled = (features - features[PARTS == "train"].mean(0)) / features[PARTS == "train"].std(0)
    weighted, how = probes.probe(ROWS, features, LABELS, PARTS, {"covid": 4}, {})
    line = probes.LogisticRegression(C=how["C"], max_iter=5000)
    train = PARTS[at] == "train"
    line.fit(scaled[at][train], LABELS[at][train])
    p = line.predict_proba(scaled[PARTS == "test"])[:, 0]
    np.testing.assert_allclose(weighted["p_covid"], p, atol=1e-3)


def test_permuted_labels_stay_in_their_part():
    changed = probes.permuted(LABELS, PARTS, draw=0)
    for part in ("train", "val", "test"):
        assert sorted(changed[part == PARTS]) == sorted(LABELS[part == PARTS])
    assert (changed != LABELS)[PARTS != "test"].any()
    assert (changed == LABELS)[PARTS == "test"].all()


class Pictures(probes.Seen):
    """Pictures of noise, COVID-19's with a bright frame, whose pixels are their features."""

    def features(self, pixels, shown, at=slice(None)):
        return pixels[at].reshape(len(pixels), -1).astype(float)

    def part(self, name, draw=0, **changes):
        order = np.random.default_rng(draw).permutation(len(PARTS))
        return LABELS, PARTS[order]


def planted() -> Pictures:
    pixels = np.random.default_rng(0).integers(0, 200, (400, 10, 10), np.uint8)
    pixels[LABELS == "covid", 0] = 255
    return Pictures(SimpleNamespace(pixels=pixels, rows=ROWS), None)


def test_a_planted_frame_is_found_until_the_frame_is_black(monkeypatch):
    monkeypatch.setattr(pictures, "SIZES", [0.8])
    seen = planted()
    table, made = probes.curve(seen, probes.BINARY, probes.blacked(seen))
    found = table.groupby(["arm", "draw"])[["y_true", "p_covid"]].apply(auc).unstack("arm")
    assert found[["unchanged", "square-black"]].min(axis=None) > 0.999
    assert abs(found["rest-black"].mean() - 0.5) < 0.1
    assert abs(found["permuted-labels"].mean() - 0.5) < 0.2
    assert len(made) == 4 * len(probes.DRAWS)
    assert (table.groupby(["arm", "draw"]).size() == 100).all()


def test_lung_left_is_counted_pixel_by_pixel(tmp_path):
    truth = phantom.write(tmp_path, 40, seed=3, size=80).set_index("image_id")
    rows = pd.DataFrame(
        {
            "image_id": truth.index,
            "source": truth.index.str.partition("/").map(lambda parts: parts[0]),
        }
    )
    pixels = np.zeros((len(rows), 224, 224), np.uint8)
    ready = SimpleNamespace(rows=rows, pixels=pixels, task=SimpleNamespace(root=tmp_path))
    table = probes.lung_left([probes.Seen(ready, None)] * 2)
    assert not table.duplicated(["image_id", "size"]).any()
    assert set(table["image_id"]) == set(rows.loc[rows["source"] == "covid-chestxray", "image_id"])
    for row in table[table["size"].isin([0.3, 0.8])].itertuples():
        with Image.open(tmp_path / truth.loc[row.image_id, "lung_mask"]) as image:
            lung = np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR)) >= 128
        edge = {0.3: 78, 0.8: 22}[row.size]
        inside = sum(
            edge <= down < 224 - edge and edge <= across < 224 - edge
            for down, across in np.argwhere(lung)
        )
        assert row.rest_black == pytest.approx(inside / lung.sum())
        assert row.square_black == pytest.approx(1 - inside / lung.sum())


def test_the_draws_are_those_of_the_recorded_re_draws(real_data):
    for name in (probes.BINARY, probes.FOURCLASS):
        run = studies.run(f"{name}-redraws/seed-3")
        rows = run.split[~run.split["missing"]].reset_index(drop=True)
        ready = SimpleNamespace(rows=rows, task=SimpleNamespace(root=real_data))
        labels, parts = probes.Seen(ready, None).part(name, 3)
        assert labels.tolist() == rows["y_true"].tolist()
        assert parts.tolist() == rows["split"].tolist()


TASKS = [("blackout-probes", name) for name in (probes.BINARY, probes.FOURCLASS)]


@pytest.mark.parametrize(
    ("audit", "table", "task"),
    [*((audit, name, name) for audit, name in TASKS)]
    + [("one-pipeline-probes", "predictions", probes.BINARY)]
    + [("frozen-against-finetuned", "predictions", probes.FOURCLASS)],
)
def test_recorded_probes_were_tested_on_the_re_draws_images(audit, table, task):
    if not (record.folder(audit) / "run.json").is_file():
        pytest.skip("not yet recorded")
    found = record.read(audit)[1][table]
    keys = [key for key in ("arm", "size") if key in found]
    for (*_, draw), each in found.groupby([*keys, "draw"]):
        own = studies.run(f"{task}-redraws/seed-{draw}").predictions
        assert set(each["image_id"]) == set(own["image_id"]) and len(each) == len(own)
        truth = own.set_index("image_id")["y_true"]
        assert (each["image_id"].map(truth) == each["y_true"]).all()


def test_of_the_stand_in_another_draw_is_another_validation_fold(real_data):
    run = studies.run(probes.STANDIN)
    rows = run.split[~run.split["missing"]].reset_index(drop=True)
    ready = SimpleNamespace(rows=rows, task=SimpleNamespace(root=real_data))
    first, second = (probes.Seen(ready, None).part(probes.STANDIN, draw) for draw in (0, 1))
    assert first[1].tolist() == rows["split"].tolist()
    assert first[0].tolist() == second[0].tolist() == rows["y_true"].tolist()
    assert ((first[1] == "test") == (second[1] == "test")).all()
    assert (first[1] != second[1]).any()
    people = pd.DataFrame({"patient": rows["patient_id"], "part": second[1]})
    people = people[people["part"] != "test"]
    assert people.groupby("patient")["part"].nunique().max() == 1
    assert set(settings.experiment(probes.STANDIN).oversample) == set()

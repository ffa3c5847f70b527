"""Study B's images and split are the thesis's."""

import functools
from pathlib import Path

import pytest

from companion import studies
from companion.studies import zhu2020
from cxrlib.data import covid_chestxray
from cxrlib.data.manifest import present

ROOT = Path(__file__).resolve().parents[2]
FOUR, TWO = studies.ZHU_FOURCLASS, studies.ZHU_BINARY
TABLES = {
    "zhu-fourclass": {
        "covid": (1376, 60),
        "viral": (1345, 148),
        "bacterial": (2538, 242),
        "normal": (1349, 234),
    },
    "zhu-binary": {"covid": (4128, 60), "non_covid": (5232, 624)},
}
each = pytest.mark.parametrize("experiment", [FOUR, TWO], ids=lambda experiment: experiment.name)


def parts(experiment, data, seed=0):
    return _parts(experiment.classes, experiment.val_folds, data, seed)


@functools.cache
def _parts(classes, val_folds, data, seed):
    manifest = zhu2020.manifest(data)
    labels = zhu2020.labels(manifest, classes)
    return manifest, zhu2020.split(manifest, labels, seed, val_folds)


@each
def test_split_is_the_thesis_tables(experiment, real_data):
    manifest, split = parts(experiment, real_data)
    assert split["image_id"].tolist() == manifest["image_id"].tolist() and len(split) == 6088
    held = split["split"] == "test"
    copies = (
        split["y_true"].map(experiment.oversample).fillna(1)
    )  # the tables count copies, in training only
    training, testing = (
        copies[~held].groupby(split["y_true"]).sum(),
        split[held].groupby("y_true").size(),
    )
    assert {name: (training[name], testing[name]) for name in experiment.classes} == TABLES[
        experiment.name
    ]
    assert set(split["split"]) == {"train", "val", "test"}
    assert split.groupby("patient_id")["split"].nunique().max() == 1
    assert (held == (manifest["predefined_split"] == "test"))[manifest["source"] == "kermany"].all()
    share = (split["split"] == "val")[~held].groupby(split["y_true"]).mean()
    assert share.between(0.07, 0.13).all()  # one fold in ten


def test_missing_images_are_split_too(real_data):
    manifest, split = parts(FOUR, real_data)
    absent = ~present(manifest, real_data)
    assert absent.sum() == 4 and (split.loc[absent, "y_true"] == "covid").all()
    assert split.loc[absent, "split"].isin(["train", "val", "test"]).all()


def test_seeds_draw_other_patients_and_both_studies_the_same(real_data):
    first = parts(FOUR, real_data)[1]
    assert first.equals(_parts.__wrapped__(FOUR.classes, FOUR.val_folds, real_data, 0)[1])
    other = parts(FOUR, real_data, seed=1)[1]
    covid = first["y_true"] == "covid"
    assert not (first["split"] == "test")[covid].equals((other["split"] == "test")[covid])
    assert ((first["split"] == "test") == (other["split"] == "test"))[~covid].all()
    assert ((first["split"] == "test") == (parts(TWO, real_data)[1]["split"] == "test")).all()


@each
def test_phantom_keeps_the_share(experiment, phantom_data):
    manifest, split = parts(experiment.variant("own", val_folds=4), phantom_data)
    covid = split["y_true"] == "covid"
    assert abs((split.loc[covid, "split"] == "test").sum() - covid.sum() * 60 / 232) <= 0.5
    assert split.groupby("patient_id")["split"].nunique().max() == 1
    assert (
        manifest.loc[covid, "view"].isin(["PA", "AP", "AP Supine"]).all()
        and not (manifest["finding"] == "SARS").any()
    )
    for part in ("train", "val", "test"):
        assert set(split.loc[split["split"] == part, "y_true"]) == set(experiment.classes)


def test_flow_is_the_fact_sheets(real_data):
    flow = zhu2020.flow(real_data)
    assert flow["images"].tolist() == [360, 316, 253, 198, 232, 5856, 6088]
    assert flow["patients"].tolist()[:1] + flow["patients"].tolist()[3:6] == [198, 131, 145, 4097]
    assert flow.to_csv(index=False) == (ROOT / "results" / "flow" / "zhu2020.csv").read_text(
        encoding="utf-8"
    )


def test_figure_4_6_is_of_a_later_snapshot(real_data):
    """The comment printed under Figure 4.6 stands in the notes of one image, which the thesis's
    snapshot does not list.
    """
    [row] = zhu2020.outside(real_data).to_dict("records")
    later = covid_chestxray.read_metadata(real_data, "9e80e4c")
    notes = later.loc[
        later["clinical_notes"].str.contains("diffuse ground-glass haze bilaterally"),
        ["filename", "patientid"],
    ]
    assert notes.to_numpy().tolist() == [[row["path"].rpartition("/")[2], "203"]] and row[
        "patient_id"
    ].endswith("/203")
    for snapshot in ("6e57ed3", "10f0e4e"):
        assert row["image_id"] not in set(
            covid_chestxray.read_manifest(real_data, snapshot)["image_id"]
        )


def test_split_by_image_and_folds(phantom_data):
    manifest = zhu2020.manifest(phantom_data)
    labels = zhu2020.labels(manifest, studies.ZHU_CLASSES)
    covid = labels == "covid"
    by_patient, by_image = (
        zhu2020.split(manifest, labels, 0, 4, unit=unit) for unit in ("patient", "image")
    )
    shared = [
        set(split["patient_id"][covid & (split["split"] == "test")])
        & set(split["patient_id"][covid & (split["split"] != "test")])
        for split in (by_patient, by_image)
    ]
    assert not shared[0] and shared[1]
    assert (by_patient["split"] == "test").sum() == (by_image["split"] == "test").sum()
    tested = []
    for fold in range(1, 6):
        split = zhu2020.split(manifest, labels, 0, 4, fold=fold)
        test = split["split"] == "test"
        assert not set(split["patient_id"][test]) & set(split["patient_id"][~test])
        assert (split["split"] == "val").any()
        tested += split["image_id"][test].tolist()
    assert sorted(tested) == sorted(manifest["image_id"]), "every image is tested once"

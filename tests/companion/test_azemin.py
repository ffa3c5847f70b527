"""Study A's images: the counts of the fact sheet, splits that share no patient, and recorded tables
that are the fresh ones.
"""

import math
from pathlib import Path

import pandas as pd
import pytest
from test_chestxray14 import FULL, image, needs_package, touch, write
from test_manifest import row, table

from companion import studies
from companion.build import __main__ as build
from companion.build.table import TABLES
from companion.studies import cheazemin2020
from cxrlib.data import chestxray14
from cxrlib.data.manifest import present
from cxrlib.files import InputError

PAPER = Path(__file__).resolve().parents[3] / "shared" / "papers" / "000_13612f393c67e4c0.txt"
COUNTS = {  # fact sheet, section 2 and 1.5: step: images, patients
    "listed by ChestX-ray14": (112_120, 30_805),
    "adjudicated": (4376, 1695),
    "adjudicated validation set": (2414, 835),
    "adjudicated test set": (1962, 860),
    "test COVID-19, 29e0b70": (154, 106),
    "test COVID-19, 0bae3ba": (154, 99),
}
IMAGES = {
    "adjudicated validation set, opacity": 1031,
    "adjudicated validation set, no opacity": 1383,
    "adjudicated test set, opacity": 1135,
    "adjudicated test set, no opacity": 827,
    "adjudicated, No Finding by text": 2090,
    "adjudicated, No Finding by text, opacity": 599,
    "No Finding": 60_361,
    "No Finding, image not adjudicated": 58_271,
    "No Finding, image not adjudicated but another of the patient": 8408,
    "No Finding, patient not adjudicated": 58_271 - 8408,
    "test negatives": 5828,
    "expected among them, another image of the patient adjudicated": 841,
    "test set": 5982,
}


@pytest.fixture(scope="module")
def flow(real_data):
    return cheazemin2020.flow(real_data).set_index("step")


@pytest.fixture(scope="module")
def divided(real_data):
    return {level: cheazemin2020.split(real_data, exclude=level) for level in ("image", "patient")}


@pytest.fixture(scope="module")
def standin(real_data):
    return cheazemin2020.standin_manifest(real_data), cheazemin2020.standin_split(real_data)


# --- counts
# --------------------------------------------------------------------------------------------------


@needs_package
def test_flow_has_the_counts_of_the_fact_sheet(flow):
    found = {step: tuple(flow.loc[step, ["images", "patients"]]) for step in COUNTS}
    assert found == COUNTS and flow.loc[list(IMAGES), "images"].to_dict() == IMAGES
    assert flow.loc[
        ["adjudicated validation set", "adjudicated test set"], "under_18"
    ].tolist() == [116, 78]
    known = flow.dropna(subset=["patients"])
    assert (known["under_18"] <= known["age_known"]).all() and (
        known["patients"] <= known["images"]
    ).all()


@needs_package
@pytest.mark.parametrize("name", [name for name in TABLES if name.startswith("flow/cheazemin2020")])
def test_recorded_table_is_the_fresh_one(real_data, tmp_path, monkeypatch, name):
    recorded = (studies.results_folder() / f"{name}.csv").read_text(encoding="utf-8")
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    assert build.main(["table", name, "--data", str(real_data)]) == 0
    rerun = f"run: python -m companion.build table {name}"
    assert (tmp_path / f"{name}.csv").read_text(encoding="utf-8") == recorded, rerun


def test_only_154_covid_images_give_the_printed_share():
    printed = studies.printed("cheazemin2020").set_index("id")["printed"]
    assert printed["azemin-2-negatives"] == str(cheazemin2020.NEGATIVES)
    share = printed["azemin-2-prevalence"]
    assert [
        n for n in range(1, 6000) if f"{100 * n / (n + cheazemin2020.NEGATIVES):.2f}" == share
    ] == [cheazemin2020.POSITIVES]


@needs_package
def test_flow_prints_what_is_reported(flow):
    printed = studies.printed("cheazemin2020").set_index("id")["printed"]
    assert flow.loc[flow["printed"] != "", "printed"].to_dict() == {
        "test negatives": printed["azemin-2-negatives"],
        "test set": f"{printed['azemin-2-prevalence']} % COVID-19",
    }


def test_reported_numbers_stand_in_the_paper():
    if not PAPER.is_file():
        pytest.skip("the paper's text is not here")
    text = PAPER.read_text(encoding="utf-8")
    said = {
        "azemin-2-negatives": "a total of {} images",
        "azemin-2-prevalence": "{}% prevalence",
        "azemin-4-google-test": "more than {} images",
    }
    printed = studies.printed("cheazemin2020").set_index("id")["printed"]
    assert set(said) <= set(printed.index) and all(
        words.format(printed[key]) in text for key, words in said.items()
    )


@pytest.mark.parametrize("snapshot, patients", [("29e0b70", 106), ("0bae3ba", 99)])
def test_covid_images(real_data, snapshot, patients):
    found = cheazemin2020.covid(real_data, snapshot)
    assert (len(found), found["patient_id"].nunique()) == (154, patients)
    assert (
        set(found["view"]) == set(cheazemin2020.SNAPSHOTS[snapshot])
        and found["finding"].str.startswith("COVID-19").all()
    )


# --- the paper's own division
# --------------------------------------------------------------------------------------------


@needs_package
@pytest.mark.parametrize("level", ["image", "patient"])
def test_split_has_the_parts_of_figure_1(divided, level):
    split = divided[level]
    assert split["image_id"].is_unique
    assert split.groupby(["split", "y_true"]).size().to_dict() == {
        ("train", "opacity"): 1031,
        ("train", "none"): 1383,
        ("val", "opacity"): 1135,
        ("val", "none"): 827,
        ("test", "covid"): 154,
        ("test", "none"): 5828,
    }
    listed, read = chestxray14.read_labels().set_index("image_id"), chestxray14.read_adjudicated()
    drawn = split.loc[(split["split"] == "test") & (split["y_true"] == "none")]
    assert set(listed.loc[drawn["image_id"], "finding"]) == {"No Finding"}
    assert not drawn["image_id"].isin(read["image_id"]).any()
    assert (
        listed.loc[drawn["image_id"], "patient_id"].to_numpy() == drawn["patient_id"].to_numpy()
    ).all()


@needs_package
def test_no_patient_is_shared_when_patients_are_excluded(divided):
    split = divided["patient"]
    assert split.groupby("patient_id")["split"].nunique().max() == 1
    assert (cheazemin2020.shared(split)[["shared_patients", "shared_images"]] == 0).all(axis=None)


@needs_package
def test_patients_are_shared_as_expected_when_images_are_excluded(divided):
    """Hypergeometric: 5,828 drawn of 58,271, of which 8,408 are of a patient with an adjudicated
    image.
    """
    share, free, drawn = 8408 / 58_271, 58_271, 5828
    sd = math.sqrt(drawn * share * (1 - share) * (free - drawn) / (free - 1))
    assert round(drawn * share) == 841 and 25 < sd < 26
    found = cheazemin2020.shared(divided["image"]).set_index(["first", "second"])["shared_images"]
    assert abs(found["train or val", "test"] - drawn * share) < 3 * sd
    assert (
        found["train", "test"] + found["val", "test"] == found["train or val", "test"]
    )  # Google's sets share no patient
    assert found["train", "val"] == 0


@needs_package
def test_arguments_of_the_split(real_data, divided):
    first = divided["patient"]
    assert first.equals(cheazemin2020.split(real_data))
    other = cheazemin2020.split(real_data, seed=1, snapshot="0bae3ba")
    negatives = [
        set(split.loc[split["y_true"].eq("none") & split["split"].eq("test"), "image_id"])
        for split in (first, other)
    ]
    assert negatives[0] != negatives[1] and len(negatives[1]) == 5828
    covid = other.loc[other["y_true"] == "covid"]
    assert (len(covid), covid["patient_id"].nunique()) == (154, 99)


def test_shared_by_hand():
    rows = [
        ("a", "train", "opacity"),
        ("a", "train", "none"),
        ("b", "train", "none"),
        ("b", "val", "none"),
        ("c", "val", "opacity"),
        ("a", "test", "none"),
        ("c", "test", "none"),
        ("c", "test", "none"),
        ("d", "test", "none"),
        ("b", "test", "covid"),
    ]
    split = pd.DataFrame(rows, columns=["patient_id", "split", "y_true"])
    # patients, of; images, of
    assert cheazemin2020.shared(split).set_index(["first", "second"]).T.to_dict("list") == {
        ("train", "val"): [1, 2, 1, 2],
        ("train", "test"): [1, 3, 1, 4],
        ("val", "test"): [1, 3, 2, 4],
        ("train or val", "test"): [2, 3, 3, 4],
    }


# --- without torchxrayvision: lists in the folder
# --------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Ten patients with two No Finding images each; of the first two patients one image is
    adjudicated; one COVID-19 row.
    """
    monkeypatch.setattr(chestxray14.importlib.util, "find_spec", lambda name, *more: None)
    write(
        tmp_path / FULL / chestxray14.LIST,
        [image(patient, number) for patient in range(1, 11) for number in (0, 1)],
    )
    write(
        tmp_path / FULL / chestxray14.ADJUDICATED,
        [image(1, opacity="YES", set="val"), image(2, opacity="NO", set="test")],
    )
    touch(tmp_path / FULL, *(f"images/{patient:08}_000.png" for patient in range(1, 11)))
    file = tmp_path / "covid-chestxray-dataset" / "metadata-2020-04-06-29e0b70.csv"
    file.parent.mkdir()
    file.write_bytes(table(row(1), row(2, view="L"), row(3, finding="SARS")))
    return tmp_path


def test_small_lists(small):
    by_image, by_patient = (
        cheazemin2020.split(small, exclude=level, negatives=n)
        for level, n in (("image", 18), ("patient", 16))
    )
    assert cheazemin2020.shared(by_image)["shared_images"].tolist() == [
        0,
        1,
        1,
        2,
    ]  # all are drawn, so both of the other images
    assert cheazemin2020.shared(by_patient)["shared_images"].tolist() == [0, 0, 0, 0]
    assert by_patient.groupby(["split", "y_true"]).size().to_dict() == {
        ("train", "opacity"): 1,
        ("val", "none"): 1,
        ("test", "covid"): 1,
        ("test", "none"): 16,
    }
    for level, there in (("image", 18), ("patient", 16)):
        with pytest.raises(
            InputError, match=f"{there + 1} test negatives cannot be drawn from {there} images"
        ):
            cheazemin2020.split(small, exclude=level, negatives=there + 1)


def test_adjudicated_image_that_is_not_listed(small):
    write(small / FULL / chestxray14.ADJUDICATED, [image(77, opacity="YES", set="val")])
    for count in (cheazemin2020.flow, cheazemin2020.split):
        with pytest.raises(
            InputError,
            match=r"google2019_.*csv: nih-chest-xray14/00000077_000 is not in Data_Entry",
        ):
            count(small)


def test_command_is_one_line(small, capsys, tmp_path, monkeypatch):
    (small / FULL / chestxray14.LIST).unlink()
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path / "results"))
    assert build.main(["table", "flow/cheazemin2020", "--data", str(small)]) == 2
    shown = capsys.readouterr()
    assert (
        shown.out == ""
        and shown.err.count("\n") == 1
        and "pip install torchxrayvision" in shown.err
        and not (tmp_path / "results").exists()
    )


# --- the stand-in
# --------------------------------------------------------------------------------------------------


@needs_package
def test_standin_parts(real_data, standin):
    manifest, split = standin
    ours = split[split["split"] != "test"]
    assert ours.groupby("y_true").size().to_dict() == {
        "opacity": 820,
        "none": 1416,
    }  # data/README.md
    assert ours.groupby("patient_id")["split"].nunique().max() == 1
    patients = ours.groupby("split")["patient_id"].nunique()
    assert patients["val"] / patients.sum() == pytest.approx(0.25, abs=0.01)
    tested = split[split["split"] == "test"].set_index("image_id")
    assert tested.groupby("y_true").size()["covid"] == 154  # four of them not on disk
    here = present(manifest, real_data)
    on_disk = tested[tested.index.isin(manifest.loc[here, "image_id"])]
    assert (len(tested) - len(on_disk), set(tested["y_true"])) == (4, {"covid", "none"})
    assert f"{100 * (on_disk['y_true'] == 'covid').mean():.2f}" == "2.57"
    source = manifest.set_index("image_id")["source"]
    assert set(source[on_disk.index[on_disk["y_true"] == "none"]]) == {"rsna-normal"}
    assert set(split["image_id"]) <= set(manifest["image_id"]) and split["image_id"].is_unique


@needs_package
def test_standin_draws_by_seed(real_data, standin):
    split = standin[1]
    assert split.equals(cheazemin2020.standin_split(real_data))
    assert set(split["image_id"]) != set(cheazemin2020.standin_split(real_data, seed=1)["image_id"])


@needs_package
def test_the_images_on_disk_are_hardly_adjudicated(real_data):
    here = {file.stem for file in (real_data / "nih-chest-xray14-subset" / "images").iterdir()}
    assert chestxray14.read_adjudicated()["image_id"].str.split("/").str[1].isin(here).sum() == 59


def test_standin_without_normals(small):
    with pytest.raises(InputError, match="no rsna-normal-224"):
        cheazemin2020.standin_split(small)
    touch(small, "rsna-normal/images/Normal-1.jpg", "covid-chestxray-dataset/images/p1.png")
    write(
        small / FULL / chestxray14.LIST,
        [
            image(patient, finding=("No Finding", "Mass|Edema")[patient % 2])
            for patient in range(1, 11)
        ],
    )
    with pytest.raises(
        InputError, match="38 test negatives cannot be drawn from 1 normal"
    ):  # 5828 / 154 = 37.8
        cheazemin2020.standin_split(small)
    touch(small, *(f"rsna-normal/images/Normal-{number}.jpg" for number in range(2, 40)))
    split = cheazemin2020.standin_split(small)
    assert split[split["split"] == "test"].groupby("y_true").size().to_dict() == {
        "covid": 1,
        "none": 38,
    }

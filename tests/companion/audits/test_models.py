"""Audits of recorded models on networks built by hand, whose answers are known, and on the records
themselves.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from companion.audits import curves, models, pictures, record
from companion.audits.curves import FOURCLASS
from companion.studies import runs
from cxrlib import occlusion
from cxrlib.files import InputError
from cxrlib.records import Record
from cxrlib.transfer import augment

CLASSES, SIDE = ["covid", "other"], 64
LUNGS = np.zeros((SIDE, SIDE), bool)
LUNGS[16:40, 8:28] = LUNGS[16:40, 36:56] = True
BORDER = np.ones((SIDE, SIDE), bool)
BORDER[3:-3, 3:-3] = False


class Sees(torch.nn.Module):
    """A network whose answer is the mean grey value of a region alone: COVID-19 where that is above
    one half.
    """

    def __init__(self, region: np.ndarray):
        super().__init__()
        mean, std = augment.IMAGENET_MEAN[0], augment.IMAGENET_STD[0]
        share = region / region.sum()
        self.look = torch.nn.Conv2d(3, 1, SIDE)
        self.fc = torch.nn.Linear(1, 2)
        with torch.no_grad():
            self.look.weight.zero_()
            self.look.weight[0, 0] = torch.from_numpy(share) * std
            self.look.bias.fill_(mean)
            self.fc.weight.copy_(torch.tensor([[20.0], [0.0]]))
            self.fc.bias.copy_(torch.tensor([-10.0, 0.0]))

    def forward(self, x):
        return self.fc(self.look(x).flatten(1))


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """No rounding to bfloat16 on any machine."""
    monkeypatch.setenv("CXR_PRECISION", "float32")


@pytest.fixture
def pixels() -> np.ndarray:
    """Bright enough for COVID-19 everywhere."""
    return np.random.default_rng(0).integers(200, 230, (4, SIDE, SIDE), np.uint8)


def ask(region: np.ndarray):
    return partial(models.asked, Sees(region), CLASSES, torch.device("cpu"))


def rows(n: int) -> pd.DataFrame:
    names = [f"a/{i}" for i in range(n)]
    return pd.DataFrame({"image_id": names, "patient_id": names, "y_true": "covid"})


def test_an_answer_is_the_networks_own(pixels):
    found = ask(LUNGS)(pixels)
    grey = pixels[:, LUNGS].mean(1) / 255
    np.testing.assert_allclose(found["p"], 1 / (1 + np.exp(10 - 20 * grey)), rtol=1e-4)
    assert set(found["called"]) == {"covid"}
    dark = ask(LUNGS)(np.zeros_like(pixels))
    assert set(dark["called"]) == {"other"}


@pytest.mark.parametrize(
    ("region", "lost", "kept"),
    [(LUNGS, "lungs", "rest"), (BORDER, "rest", "lungs")],
    ids=["reads the lungs", "reads the border"],
)
def test_what_is_lost_with_the_lungs(pixels, region, lost, kept):
    """Black lungs take all from a network that reads them, and nothing from one that reads the
    border; all but them black does the reverse.
    """
    regions = np.broadcast_to(LUNGS, pixels.shape)
    arms = pictures.lung_arms(pixels, regions, ("black",))
    found = models.changes(ask(region), rows(len(pixels)), pixels, arms)
    assert (found["called_before"] == "covid").all()
    arm = dict(list(found.groupby(["part", "control"])))
    assert (arm[lost, 0]["called_after"] == "other").all() and arm[lost, 0]["p_after"].max() < 1e-3
    np.testing.assert_allclose(arm[kept, 0]["p_after"], arm[kept, 0]["p_before"], rtol=1e-5)
    if region is LUNGS:  # which its control does not touch, and all but its control hides
        np.testing.assert_allclose(arm["lungs", 1]["p_after"], arm["lungs", 1]["p_before"], 1e-5)
        assert (arm["rest", 1]["called_after"] == "other").all()


def test_a_control_covers_as_much_elsewhere(pixels):
    regions = np.broadcast_to(LUNGS, pixels.shape)
    hidden = {
        (about["part"], about["control"]): changed == 0
        for about, changed in pictures.lung_arms(pixels, regions, ("black",))
    }
    for part, area in (("lungs", LUNGS.sum()), ("rest", (~LUNGS).sum())):
        for control in (0, 1):
            np.testing.assert_array_equal(hidden[part, control].sum((1, 2)), area)
    assert not (hidden["lungs", 1] & LUNGS).any()
    asked_for = [about for about, _ in pictures.lung_arms(pixels, regions, controls=("grey",))]
    assert sum(about["control"] for about in asked_for) == 2 and len(asked_for) == 8


def test_a_network_that_reads_the_border_sees_the_border_alone(pixels):
    found = models.changes(ask(BORDER), rows(4), pixels, pictures.mark_arms(pixels))
    assert len(found) == 4 * 2 * len(occlusion.MARKS)
    change = (
        (found["p_after"] - found["p_before"]).groupby([found["mark"], found["control"]]).mean()
    )
    assert change["border", 0] < -0.9
    inside = change.drop(index=[("border", 0), ("tube", 0), ("caption", 0)])  # they reach the edge
    np.testing.assert_allclose(inside, 0, atol=1e-6)


def test_correlations_are_scipys():
    rng = np.random.default_rng(2)
    pixels, cams = rng.integers(0, 256, (5, 56, 56), np.uint8), rng.random((5, 7, 7))
    cams[0, :3] = 0  # ties
    table = rows(5).assign(patient_id=["a", "a", "b", "c", "d"])
    found = models.follows(table, cams, pixels)
    for name, values in models.textures(pixels, 7).items():
        part = found[found["texture"] == name].reset_index(drop=True)
        for i in range(5):
            rho = [spearmanr(cam.ravel(), values[i].ravel()).statistic for cam in cams]
            null = [rho[j] for j in range(5) if table["patient_id"][j] != table["patient_id"][i]]
            assert part["own"][i] == pytest.approx(rho[i])
            assert part["others"][i] == pytest.approx(np.mean(null))
            assert part["less"][i] == pytest.approx(np.mean(np.array(null) < rho[i]))


def test_textures_are_those_of_each_cell():
    pixels = np.random.default_rng(3).integers(0, 256, (2, 28, 28), np.uint8)
    found = models.textures(pixels, 7)
    down, across = np.gradient(pixels[1].astype(float))
    cell = np.s_[8:12, 20:24]
    assert found["deviation"][1, 2, 5] == pytest.approx(pixels[1][cell].std())
    assert found["gradient"][1, 2, 5] == pytest.approx(np.hypot(down, across)[cell].mean())
    ramp = np.tile(np.arange(0, 140, 5, dtype=np.uint8), (1, 28, 1))
    np.testing.assert_allclose(models.textures(ramp, 7)["gradient"], 5)


def test_masks_of_covid_images_are_lent_to_the_others(monkeypatch, tmp_path):
    found = {"lung box": {"a/0": LUNGS, "a/1": LUNGS.T}, "lung mask": {"a/1": LUNGS}}
    monkeypatch.setattr(pictures.lungs, "regions", lambda *given: found)
    table = rows(8).assign(y_true=["covid"] * 3 + ["other"] * 5)
    lent, regions = models.masked(table, tmp_path)
    assert lent["image_id"].tolist() == ["a/0", "a/1", *(f"a/{i}" for i in range(3, 8))]
    assert lent["kind"][:2].tolist() == ["lung box", "lung mask"]
    assert set(lent["mask_of"][2:]) <= {"a/0", "a/1"}
    assert (regions == LUNGS).all() and np.allclose(lent["area"], LUNGS.mean())
    found["lung box"], found["lung mask"] = {}, {}
    with pytest.raises(InputError, match=r"^[^\n]+no lung mask and no lung box[^\n]+$"):
        models.masked(table, tmp_path)


@pytest.fixture
def lists(monkeypatch):
    """Lists of the collections without a file: what the loaders would read."""
    run = runs.run(FOURCLASS)
    trained = run.split["split"].eq("train") & run.split["y_true"].eq("covid")
    known = run.split[trained].iloc[0]
    covid = pd.DataFrame(
        {
            "patientid": ["7", "7", "8", "9", "10", "11", known["patient_id"].partition("/")[2]],
            "finding": ["COVID-19", "No Finding", "SARS", "No Finding", "SARS", "SARS", "SARS"],
            "age": ["50", "50", "", "17", "18", "60", "40"],
            "view": ["PA", "PA", "PA", "AP", "AP Supine", "L", "PA"],
            "folder": "images",
        }
    )
    covid["filename"] = [f"x{i}.png" for i in range(len(covid))]
    covid["modality"] = "X-ray"
    nih = rows(5).assign(finding=["No Finding", "Edema|Mass", "Mass", "Edema", "No Finding"])
    nih = nih.assign(age=[30.0, 18, 50, 17, np.nan], view="PA", path="n")
    nih["image_id"] = "nih/" + nih["image_id"]
    normal = rows(3).assign(finding="Normal", age=np.nan, view="", path="r")
    normal["image_id"] = normal["patient_id"] = "rsna/" + normal["image_id"]
    monkeypatch.setattr(
        models.covid_chestxray, "read_metadata", lambda *given: pd.concat([covid, covid[2:3]])
    )
    monkeypatch.setattr(
        type(models.covid_chestxray.COLLECTION), "locate", lambda self, root: self.name
    )
    monkeypatch.setattr(models.chestxray14, "read_manifest", lambda *given, absent: nih)
    monkeypatch.setattr(models.rsna, "read_manifest", lambda *given: normal)
    return run


def test_groups_hold_adults_who_were_not_trained_on(lists, tmp_path):
    found = models.others(tmp_path, lists)
    groups = found.groupby("group")["image_id"].agg(list).to_dict()
    assert groups["same collection, other disease"] == ["covid-chestxray/x2", "covid-chestxray/x4"]
    assert "same collection, No Finding" not in groups  # a child's, and a COVID-19 patient's
    assert groups["NIH, opacity"] == ["nih/a/1"]
    assert groups["NIH, No Finding"] == ["nih/a/0", "nih/a/4"]
    assert len(groups["RSNA normal"]) == 3
    used = lists.split.iloc[:1].assign(split="val", image_id="nih/a/1", patient_id="a/4")
    less = models.others(tmp_path, replace(lists, split=used))
    assert not less["image_id"].isin(["nih/a/1", "nih/a/4"]).any()


@pytest.mark.parametrize("name", curves.MODELS)
def test_no_training_image_is_in_a_recorded_group(name):
    """By each run's recorded split."""
    run: Record = runs.run(name)
    used = run.split[run.split["split"] != "test"]
    for audit in ("other-adults", "lungs-out", "marks", "cam-texture"):
        table = record.read(audit)[1]["images"]
        table = table[table["model"] == name]
        assert not table["image_id"].isin(used["image_id"]).any()
        assert not table["patient_id"].isin(used["patient_id"]).any()
        assert set(table.get("y_true", ["covid"])) >= {"covid"} or table.empty


@pytest.mark.parametrize("name", ["lungs-out", "marks"])
def test_before_a_change_the_answers_are_the_recorded_predictions(name):
    _, tables = record.read(name)
    for run, rows in tables["images"].groupby("model"):
        recorded = runs.run(run).predictions.set_index("image_id")
        of_images = rows.drop_duplicates("image_id").set_index("image_id")
        known = recorded.loc[of_images.index, "p_covid"]
        np.testing.assert_allclose(of_images["p_before"], known, atol=1e-5)

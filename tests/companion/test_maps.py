"""Maps in a record: drawn by Grad-CAM of the recorded model, measured against regions counted by
hand.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import slim  # noqa: F401  (makes the network of that name)
import torch
from PIL import Image
from rounding import apart, assert_near

from companion import studies
from companion.studies import maps, training, zhu2020
from cxrlib import gradcam, records
from cxrlib.data import lungs, radiographs
from cxrlib.files import InputError
from cxrlib.transfer import fit, frozen, resnet

RECORDS = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture(scope="module")
def run(phantom_data, tmp_path_factory) -> records.Record:
    """A record of a network that was not trained. As no weight of its last layer is negative, none
    of its maps is empty.
    """

    def untrained(experiment, pixels, *rest, **named) -> fit.Fit:
        net = resnet.build(experiment.model, 4, None, 0)
        frozen.reestimate(net, pixels)
        state = net.state_dict()
        state["fc.weight"] = state["fc.weight"].abs()
        history = pd.DataFrame([dict.fromkeys(records.HISTORY, 0.0) | {"epoch": 1}])
        Path(rest[2]).mkdir(parents=True)
        return fit.Fit(state, state, history, 1, "not trained")

    base = tmp_path_factory.mktemp("maps")
    experiment = studies.ZHU_FOURCLASS.variant(
        "phantom-maps", **studies.PHANTOM | {"model": "slim"}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "fit", untrained)
        places = {"results": base / "results", "work": base / "work"}
        folder = training.train(
            experiment,
            data=phantom_data,
            device="cpu",
            progress=False,
            keep_model=True,
            keep_maps=True,
            **places,
        )
    return records.read_record(folder)


def test_who_lacks_maps_is_told_how_to_make_them(run, tmp_path):
    bare = replace(run, folder=tmp_path)
    with pytest.raises(InputError, match=r"cams\.npz.*cxr train .*--maps.*companion\.build cams"):
        studies.read_maps(bare)


def test_maps_of_a_phantom_are_those_of_its_model(run, phantom_data):
    """Drawn again from the recorded model and the files: every test image with an opacity, each for
    its own class.
    """
    found, _ = records.read_maps(run)
    truth = pd.read_csv(phantom_data / "phantom-truth" / "truth.csv").set_index("image_id")
    with_opacity = run.predictions[run.predictions["y_true"] != "normal"]
    assert sorted(found["image_id"]) == sorted(with_opacity["image_id"]) and set(
        found["split"]
    ) == {"test"}
    model = resnet.build("slim", 4, resnet.read(run.folder / "model.safetensors"))
    rows = truth.loc[found["image_id"]]
    pixels = np.stack(
        [radiographs.read_radiograph(phantom_data / path, 64) for path in rows["path"]]
    )
    targets = [run.classes.index(name) for name in rows["class"]]
    np.testing.assert_array_equal(found["cam"], gradcam.grad_cam(model, pixels, targets))
    assert [tuple(shape) for shape in found["shape"]] == [
        Image.open(phantom_data / path).size[::-1] for path in rows["path"]
    ]
    assert list(found["stage"]) == ["fc", "layer4", "layer3", "layer2", "layer1", "conv1"]
    drawn = found["random_cam"]
    assert drawn.shape == (maps.DRAWS, 6, *found["cam"].shape) and list(found["random_id"]) == list(
        found["image_id"]
    )
    assert (found["cam"].max(axis=(1, 2)) > 0).all()
    for draw, stages in enumerate(drawn):  # the draw is its seed
        for cams, (stage, other) in zip(stages, gradcam.randomised(model, draw), strict=True):
            np.testing.assert_array_equal(
                cams, gradcam.grad_cam(other, pixels, targets), err_msg=stage
            )
            assert not np.allclose(cams, found["cam"]), stage


def test_localisation_is_of_the_true_opacity(run, phantom_data):
    found, table = records.read_maps(run)
    truth = pd.read_csv(phantom_data / "phantom-truth" / "truth.csv").set_index("image_id")
    assert set(table["kind"]) == {"opacity", "lung mask"} and set(table["stage"]) == {
        "trained",
        *found["stage"],
    }
    assert len(table) == 2 * (1 + 6 * maps.DRAWS) * len(found["image_id"])
    draws = table.groupby(["kind", "image_id", "stage"])["draw"].agg(list)
    assert all(
        found == ([0] if stage == "trained" else list(range(maps.DRAWS)))
        for (_, _, stage), found in draws.items()
    )
    row = table[(table["kind"] == "opacity") & (table["stage"] == "trained")].iloc[3]
    mask = (
        radiographs.read_radiograph(phantom_data / truth.loc[row["image_id"], "opacity_mask"], 64)
        >= 128
    )
    cam = found["cam"][list(found["image_id"]).index(row["image_id"])]
    large = torch.nn.functional.interpolate(
        torch.tensor(cam)[None, None], (64, 64), mode="bilinear", align_corners=False
    )[0, 0].numpy()
    assert row["region"] == pytest.approx(mask.mean(), rel=1e-5)  # six digits are written
    assert row["inside"] == pytest.approx(
        large[mask].sum() / large.sum(), rel=1e-5 + apart(layers=1, terms=64 * 64)
    )


def test_recorded_maps_cover_the_test_images_and_the_figures():
    run = studies.run("zhu-fourclass")
    found, table = records.read_maps(run)
    covid = run.predictions.loc[run.predictions["y_true"] == "covid", "image_id"]
    assert (
        set(covid) == set(found["image_id"][found["split"] == "test"]) == set(found["random_id"])
    ), "every COVID-19 test image"
    assert (
        found["cam"].shape[1:] == (7, 7)
        and (found["cam"] >= 0).all()
        and zhu2020.FIGURE_4_6 in found["image_id"]
    )
    assert (
        table[["region", "inside", "peak", "iou"]].stack().dropna().between(0, 1).all()
        and table["region"].notna().all()
        and set(table["kind"]) == {"lung mask", "lung box"}
    )


def test_cams_makes_the_recorded_maps_again(real_data, tmp_path, monkeypatch):
    """On a few of the images: the others are taken for missing."""
    shutil.copytree(RECORDS / "zhu-fourclass", tmp_path / "zhu-fourclass")
    recorded, where = records.read_maps(studies.run("zhu-fourclass"))
    masked = [name for name in recorded["random_id"] if name in lungs.masks(real_data)]
    keep = {*masked[:4], *recorded["random_id"][:2]}
    monkeypatch.setattr(
        maps, "present", lambda manifest, data=None: manifest["image_id"].isin(keep)
    )
    maps.cams("zhu-fourclass", real_data, tmp_path, "cpu")
    again, table = records.read_maps(studies.run("zhu-fourclass", results=tmp_path))
    assert set(again["image_id"]) == keep
    places = [list(recorded["image_id"]).index(name) for name in again["image_id"]]
    assert_near(again["cam"], recorded["cam"][places], apart())
    key = ["image_id", "kind", "stage"]
    both = table[table["stage"] == "trained"].merge(where, on=key, suffixes=("", "_recorded"))
    assert len(both) >= 4 and np.allclose(both["inside"], both["inside_recorded"], atol=1e-3)


def test_a_record_without_model_or_images_is_one_line_and_stays_as_it_was(phantom_data, tmp_path):
    shutil.copytree(
        RECORDS / "zhu-fourclass",
        tmp_path / "zhu-fourclass",
        ignore=shutil.ignore_patterns("*.safetensors"),
    )
    with pytest.raises(InputError, match=r"zhu-fourclass: holds no model"):
        maps.cams("zhu-fourclass", phantom_data, tmp_path)
    shutil.copy(RECORDS / "zhu-fourclass" / "model.safetensors", tmp_path / "zhu-fourclass")
    with pytest.raises(
        InputError, match="zhu-fourclass: no image to draw a class-activation map of"
    ):
        maps.cams("zhu-fourclass", phantom_data, tmp_path)
    assert (tmp_path / "zhu-fourclass" / "cams.npz").read_bytes() == (
        RECORDS / "zhu-fourclass" / "cams.npz"
    ).read_bytes()

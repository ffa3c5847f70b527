"""Masks of the lungs and boxes about them: those of the real collection, and where they lie."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from companion import studies
from companion.studies import zhu2020
from cxrlib.data import lungs
from cxrlib.files import InputError


@pytest.fixture(scope="module")
def chosen(real_data):
    return zhu2020.manifest(real_data)


def test_lung_regions_of_the_real_collection(real_data, chosen):
    """136 of the 232 have a mask and 124 a box, as the data folder says; one box has no place, and
    four images two files of masks.
    """
    masks, boxes = lungs.masks(real_data), lungs.boxes(real_data)
    ids = set(chosen.loc[chosen["source"] == "covid-chestxray", "image_id"])
    assert (len(masks), len(ids & set(masks)), len(ids & set(boxes))) == (205, 136, 123)
    assert all(
        0 <= left < right <= 1.01 and 0 <= top < bottom <= 1.01
        for found in boxes.values()
        for left, top, right, bottom in found
    )


def test_lung_boxes_are_shares_of_the_picture(tmp_path):
    file = (
        tmp_path
        / "covid-chestxray-dataset"
        / "annotations"
        / "imageannotation_ai_lung_bounding_boxes.json"
    )
    file.parent.mkdir(parents=True)
    assert lungs.boxes(tmp_path) == {} and lungs.masks(tmp_path) == {}
    content = {
        "images": [{"id": 7, "file_name": "a.b.png", "width": 200, "height": 100}],
        "annotations": [
            {"image_id": 7, "bbox": [20, 10, 60, 50]},
            {"image_id": 7, "bbox": [None] * 4},
        ],
    }
    file.write_text(json.dumps(content))
    assert lungs.boxes(tmp_path) == {"covid-chestxray/a.b": [(0.1, 0.1, 0.4, 0.6)]}
    for damage in (
        "[]",
        "{",
        '{"images": [], "annotations": [{"image_id": 7, "bbox": [1, 2, 3, 4]}]}',
    ):
        file.write_text(damage)
        with pytest.raises(
            InputError,
            match=r"^imageannotation_ai_lung_bounding_boxes\.json: lung boxes cannot be read",
        ):
            lungs.boxes(tmp_path)


def test_boxes_cover_the_pixels_whose_centres_they_hold():
    region = lungs._boxes([(0.1, 0.0, 0.5, 0.25), (0.5, 0.5, 1.01, 1.0)], 8)
    expected = np.zeros((8, 8), bool)
    expected[:2, 1:4] = expected[4:, 4:] = True  # centres at (i + 0.5)/8
    np.testing.assert_array_equal(region, expected)


def filled(polygons, shape) -> np.ndarray:
    """What polygons cover of a picture of ``shape`` (H, W), by Pillow."""
    picture = Image.new("1", shape[::-1])
    for xy in polygons:
        ImageDraw.Draw(picture).polygon([tuple(point) for point in xy * shape[::-1]], fill=1)
    return np.asarray(picture)


def test_outlines_enclose_what_the_masks_do(real_data):
    """Without the radiographs: nothing but the annotations is there to read."""
    found = lungs.outlines(real_data)
    recorded = pd.read_csv(studies.results_folder() / "audits/lung-outlines.csv")
    pd.testing.assert_frame_equal(found.drop(columns="points"), recorded.drop(columns="points"))
    for here, there in zip(found["points"], recorded["points"], strict=True):
        if here != there:  # another processor may leave out another point of the edge
            ours, theirs = (filled([lungs.polygon(each)], (500, 500)) for each in (here, there))
            assert (ours & theirs).sum() / (ours | theirs).sum() >= 0.98
    masks = found[found["kind"] == "lung mask"]
    assert set(masks["image_id"]) == set(lungs.masks(real_data))
    for name, points in masks.groupby("image_id")["points"]:
        with Image.open(lungs.masks(real_data)[name]) as picture:
            mask = np.asarray(picture.convert("L")) >= 128
        drawn = filled(points.map(lungs.polygon), mask.shape)
        assert len(points) == 2 and (drawn & mask).sum() / (drawn | mask).sum() >= 0.95, name
        assert points.str.split().str.len().max() <= 60, name


def test_the_outlines_of_two_ellipses_and_a_box(tmp_path):
    """There is no radiograph in the folder, and a speck is no lung."""
    folder = tmp_path / "covid-chestxray-dataset" / "annotations"
    (folder / "lungVAE-masks").mkdir(parents=True)
    with pytest.raises(InputError, match="no lung mask and no lung box is there"):
        lungs.outlines(tmp_path)
    picture = Image.new("L", (400, 200))
    for corners in ((220, 20, 360, 180), (40, 20, 180, 180), (200, 5, 206, 9)):
        ImageDraw.Draw(picture).ellipse(corners, fill=255)
    picture.save(folder / "lungVAE-masks" / "a_mask.png")
    content = {
        "images": [
            {"id": place, "file_name": f"{name}.png", "width": 200, "height": 100}
            for place, name in enumerate("ab")
        ],
        "annotations": [{"image_id": place, "bbox": [20, 10, 60, 50]} for place in (0, 1)],
    }
    (folder / "imageannotation_ai_lung_bounding_boxes.json").write_text(json.dumps(content))
    found = lungs.outlines(tmp_path)
    assert found["image_id"].str.removeprefix("covid-chestxray/").tolist() == ["a", "a", "b"]
    assert found["kind"].tolist() == ["lung mask", "lung mask", "lung box"]
    for points, across in zip(found["points"], (110 / 400, 290 / 400), strict=False):
        x, y = lungs.polygon(points).T
        area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
        assert area == pytest.approx(np.pi * (70 / 400) * (80 / 200), rel=0.03)
        assert x.mean() == pytest.approx(across, abs=0.01) and np.ptp(y) == pytest.approx(0.8, 0.02)
    box = [[0.1, 0.1], [0.4, 0.1], [0.4, 0.6], [0.1, 0.6]]
    np.testing.assert_allclose(lungs.polygon(found["points"].iloc[2]), box)
    pd.testing.assert_frame_equal(lungs.outlines(tmp_path), found)

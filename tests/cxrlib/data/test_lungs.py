"""Masks of the lungs and boxes about them: those of the real collection, and where they lie."""

import json

import numpy as np
import pytest

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

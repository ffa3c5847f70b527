"""The parts of a picture that an audit shows, and how much of the lungs its frame holds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from companion import cli, studies
from companion.studies import zhu2020
from cxrlib.data import phantom, radiographs


@given(st.integers(2, 90), st.integers(2, 90), st.integers(0, 2**32))
def test_frame_and_centre_are_the_two_parts_of_an_image(height, width, seed):
    pixels = np.random.default_rng(seed).integers(1, 256, (2, height, width), np.uint8)
    frame, centre = radiographs.show_part(pixels, "frame"), radiographs.show_part(pixels, "centre")
    np.testing.assert_array_equal(frame.astype(int) + centre, pixels)
    assert not (frame.astype(bool) & centre.astype(bool)).any()
    for (row, column), value in np.ndenumerate(
        centre[0]
    ):  # inside when a frame's width lies between it and each edge
        high, wide = round(0.05 * height), round(0.05 * width)
        inside = high <= row < height - high and wide <= column < width - wide
        assert value == (pixels[0, row, column] if inside else 0)
    assert radiographs.show_part(pixels, "whole") is pixels


def test_lungs_in_the_frame_of_phantoms_are_counted_pixel_by_pixel(tmp_path, capsys):
    truth = phantom.write(tmp_path / "data", 40, seed=3, size=80).set_index("image_id")
    assert (
        cli.main(["frame", "--data", str(tmp_path / "data"), "--output", str(tmp_path / "out.csv")])
        == 0
    )
    table = pd.read_csv(tmp_path / "out.csv")
    masks = table[table["kind"] == "lung mask"].set_index("image_id")["share"]
    assert len(masks) > 5 and set(masks.index) <= set(truth.index)
    for name, share in masks.items():
        with Image.open(tmp_path / "data" / truth.loc[name, "lung_mask"]) as image:
            lung = np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR)) >= 128
        held = sum(
            lung[row, column]
            for row, column in np.argwhere(lung)
            if min(row, column, 223 - row, 223 - column) < 11
        )
        assert share == pytest.approx(held / lung.sum(), abs=1e-6)
    assert str(tmp_path / "out.csv") in capsys.readouterr().out


def test_the_recorded_table_is_the_collections(real_data):
    found, recorded = (
        zhu2020.lungs_in_frame(real_data),
        pd.read_csv(studies.results_folder() / zhu2020.LUNGS_IN_FRAME),
    )
    pd.testing.assert_frame_equal(found, recorded, atol=1e-6)


def test_without_masks_nothing_is_written(tmp_path, capsys):
    assert cli.main(["frame", "--data", str(tmp_path), "--output", str(tmp_path / "out.csv")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1 and not (tmp_path / "out.csv").exists()

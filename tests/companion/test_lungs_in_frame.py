"""How much of the lungs the frame of a picture holds."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from companion import studies
from companion.build import __main__ as build
from companion.studies import zhu2020
from cxrlib.data import phantom


def test_lungs_in_the_frame_of_phantoms_are_counted_pixel_by_pixel(tmp_path, capsys, monkeypatch):
    truth = phantom.write(tmp_path / "data", 40, seed=3, size=80).set_index("image_id")
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    assert build.main(["table", "audits/lungs-in-frame", "--data", str(tmp_path / "data")]) == 0
    table = pd.read_csv(tmp_path / zhu2020.LUNGS_IN_FRAME)
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
    assert str(tmp_path / zhu2020.LUNGS_IN_FRAME) in capsys.readouterr().out


def test_the_recorded_table_is_the_collections(real_data):
    found, recorded = (
        zhu2020.lungs_in_frame(real_data),
        pd.read_csv(studies.results_folder() / zhu2020.LUNGS_IN_FRAME),
    )
    pd.testing.assert_frame_equal(found, recorded, atol=1e-6)


def test_without_masks_nothing_is_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path / "results"))
    assert build.main(["table", "audits/lungs-in-frame", "--data", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1 and not list(tmp_path.iterdir())

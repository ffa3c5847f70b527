"""File handling and publishers: what is done to a picture, and who is held out."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from companion.audits import pictures, probes, record
from companion.build import __main__ as build
from companion.studies import settings, training
from cxrlib.files import InputError
from cxrlib.transfer import frozen, resnet


def drawn(n=3, side=64, seed=0) -> np.ndarray:
    rough = np.random.default_rng(seed).integers(0, 256, (n, 8, 8), np.uint8)
    return np.stack([np.asarray(Image.fromarray(image).resize((side, side))) for image in rough])


def jpeg(picture: np.ndarray, file, **how) -> None:
    Image.fromarray(picture).save(file, "JPEG", **how)


def test_pictures_are_stored_as_most_of_the_files_are(tmp_path):
    for number, quality in enumerate((30, 30, 95)):
        jpeg(drawn(1)[0], tmp_path / f"{number}.jpg", quality=quality)
    Image.fromarray(drawn(1)[0]).save(tmp_path / "9.png")
    again = pictures.stored_like(drawn(2, seed=4), sorted(tmp_path.iterdir()))
    for picture, found in zip(drawn(2, seed=4), again, strict=True):
        stored = io.BytesIO()
        jpeg(picture, stored, quality=30)
        np.testing.assert_array_equal(found, np.asarray(Image.open(stored)))
        assert (found != picture).any()
    with pytest.raises(InputError, match="JPEG"):
        pictures.stored_like(drawn(), [tmp_path / "9.png"])


def test_matched_pictures_have_the_greys_that_are_wanted():
    wanted = np.bincount(drawn(9, seed=2).ravel(), minlength=256)
    for picture, found in zip(drawn(), pictures.matched(drawn(), wanted), strict=True):
        own = np.bincount(picture.ravel(), minlength=256) / picture.size
        have = np.cumsum(np.bincount(found.ravel(), minlength=256)) / found.size
        apart = np.abs(have - np.cumsum(wanted) / wanted.sum())
        assert apart.max() <= own.max() + (wanted / wanted.sum()).max()
        order = np.argsort(picture, axis=None, kind="stable")
        assert (np.diff(found.ravel()[order].astype(int)) >= 0).all()  # darker stays darker
    own = np.bincount(drawn(1).ravel(), minlength=256)
    np.testing.assert_array_equal(pictures.matched(drawn(1), own), drawn(1))


def test_reduced_pictures_hold_no_more_than_their_small_copies():
    even = np.full((1, 64, 64), 77, np.uint8)
    np.testing.assert_array_equal(pictures.reduced(even, 16), even)
    checks = np.indices((64, 64)).sum(0) % 2 * np.uint8(200)
    assert np.ptp(pictures.reduced(checks[None].astype(np.uint8), 16)[0][8:-8, 8:-8]) <= 2


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("https://pubs.rsna.org/doi/10.1148/x", "rsna.org"),
        ("https://cases.rsna.org/case/1", "rsna.org"),
        ("https://radiopaedia.org/cases/1", "radiopaedia.org"),
        ("http://www.ams.edu.sg/view-pdf.aspx", "ams.edu.sg"),
        ("no address", "not known"),
    ],
)
def test_a_publisher_is_the_owner_of_the_address(address, owner):
    assert probes.domain(address) == owner


def test_nobody_held_out_is_known(phantom_data):
    rows = training.task(settings.experiment(probes.BINARY), phantom_data).manifest
    covid = (rows["source"] == "covid-chestxray").to_numpy()
    out = covid & (np.arange(len(rows)) % 3 == 0)
    parts = probes.held_out(rows, out, draw=2)
    assert (parts[out] == "test").all() and (parts[covid & (parts == "test")]).size == out.sum()
    assert ((parts == "test") & ~covid == (rows["predefined_split"] == "test")).all()
    table = pd.DataFrame({"patient": rows["patient_id"], "part": parts})[covid]
    table = table[table["part"] != "left out"]
    assert table.groupby("patient")["part"].nunique().max() == 1
    assert {"train", "val"} <= set(table["part"])


def test_without_addresses_one_line_says_so(phantom_data, tmp_path, monkeypatch):
    listed = probes.covid_chestxray.read_metadata(phantom_data).drop(columns="url", errors="ignore")
    monkeypatch.setattr(probes.covid_chestxray, "read_metadata", lambda *_: listed)
    with pytest.raises(InputError, match="url"):
        probes.publishers(pd.DataFrame(), phantom_data)


@pytest.fixture
def small(monkeypatch):
    """An ImageNet network of no weight whose features are 49 means of the picture."""

    def means(net, pixels, hashes, on=None, **how):
        assert len(hashes) == len(pixels)
        return np.stack([np.asarray(Image.fromarray(x).resize((7, 7))) for x in pixels]).reshape(
            len(pixels), 49
        ) + np.float32(0)

    about = {"name": "none", "sha256": "", "note": ""}
    monkeypatch.setattr(resnet, "imagenet", lambda name: (None, about))
    monkeypatch.setattr(frozen, "cached", means)


@pytest.mark.parametrize("audit", ["one-pipeline-probes", "frozen-against-finetuned", "leakage"])
def test_an_audit_of_phantoms_is_recorded_and_says_that_they_are(
    audit, small, phantom_data, tmp_path
):
    words = ["audit", audit, "--data", str(phantom_data), "--output", str(tmp_path / "out")]
    assert build.main(words) == 0
    info, tables = record.read(tmp_path / "out")
    assert info["audit"] == audit
    assert {images["origin"] for images in info["images"].values()} == {"phantom"}
    for table in tables.values():
        assert len(table) and table.drop(columns="kind", errors="ignore").notna().all(axis=None)


def test_a_publisher_held_out_on_phantoms(small, phantom_data, tmp_path, monkeypatch):
    monkeypatch.setattr(probes, "LEAST", 1)
    monkeypatch.setattr(probes, "DRAWS", range(1))
    monkeypatch.setattr(probes, "FOLDS", 3)
    own = {"covid-chestxray": 1}

    def halves(rows, data=None):
        number = rows["patient_id"].str.extract(r"(\d+)$")[0].astype(int)
        return rows["source"].where(~rows["source"].isin(own), "p" + (number % 2).astype(str))

    monkeypatch.setattr(probes, "publishers", halves)
    info, tables = probes.leave_source_out(phantom_data)
    table = tables["predictions"]
    assert set(info["publishers"]) == {"p0", "p1"}
    ours = table[table["y_true"] == "covid"]
    for (arm, held), each in ours.groupby(["arm", "held_out"]):
        assert arm == "patients-out" or set(each["publisher"]) == {held}
    twice = ours.groupby("arm")["image_id"].agg(["size", "nunique"])
    assert (twice["size"] == twice["nunique"]).all() and twice["size"].nunique() == 1


@pytest.mark.parametrize("audit", ["one-pipeline-probes", "blackout-probes"])
def test_without_images_nothing_is_written(audit, tmp_path, capsys):
    words = ["audit", audit, "--data", str(tmp_path / "none"), "--output", str(tmp_path / "out")]
    assert build.main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()

"""Copies are found however they are stored; what else is close is listed and measured."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from companion.audits import duplicates, record
from cxrlib.data import phantom, radiographs


@pytest.fixture(scope="module")
def chests() -> np.ndarray:
    """Forty phantoms of different people, uint8 (40, 128, 128)."""
    drawn = [phantom.radiograph(np.random.default_rng([5, k]), size=128).image for k in range(40)]
    return np.stack(drawn)


def encoded(image: np.ndarray, side: int, **options) -> np.ndarray:
    """A picture after it was stored in another size and format, and read again."""
    file = io.BytesIO()
    Image.fromarray(image).resize((side, side)).save(file, **options)
    return radiographs.square(Image.open(file), len(image))


def test_the_hash_is_that_of_a_transform_written_out():
    small = np.random.default_rng(0).random((3, 32, 32)).astype(np.float32)
    x, k = np.arange(32), np.arange(1, 9)
    wave = np.cos(np.pi * np.outer(k, x + 0.5) / 32)  # of the DCT-II, by its definition
    for image, bits in zip(small, duplicates.hashes(small), strict=True):
        low = (wave @ image.astype(float) @ wave.T).ravel()
        assert (bits == (low > np.sort(low)[31:33].mean())).all() and bits.sum() == 32


def test_a_thumbnail_is_a_mean_of_boxes(chests):
    found = duplicates.thumbnails(chests[:2])
    assert np.abs(found - chests[:2].reshape(2, 32, 4, 32, 4).mean((2, 4))).max() <= 1, (
        "grey levels"
    )


@pytest.mark.parametrize(
    ("side", "how"),
    [(128, {"format": "PNG"}), (128, {"format": "JPEG", "quality": 60}), (90, {"format": "PNG"})],
)
def test_a_copy_is_found_among_chests_that_are_alike(chests, side, how):
    whole = np.concatenate([chests, [encoded(chests[7], side, **how)]])
    found = duplicates.pairs(duplicates.thumbnails(whole))
    assert found.loc[0, ["first", "second"]].tolist() == [7, 40]
    sure = found["correlation"] >= 0.99
    assert sure.sum() == 1, "no two people are taken for one"


def test_pairs_are_those_that_a_loop_finds_and_blocks_do_not_matter(monkeypatch):
    rng = np.random.default_rng(1)
    small = rng.random((23, 32, 32)).astype(np.float32)
    small[11:] = small[:12] + rng.random((12, 32, 32)) * np.linspace(0, 2, 12)[:, None, None]
    features = rng.random((23, 5))
    features[20] = 3 * features[2]
    bits = duplicates.hashes(small)
    expected = {
        (i, j): (bits[i] != bits[j]).sum()
        for j in range(23)
        for i in range(j)
        if (bits[i] != bits[j]).sum() <= duplicates.HAMMING or (i, j) == (2, 20)
    }
    once = duplicates.pairs(small, features)
    found = dict(zip(zip(once["first"], once["second"], strict=True), once["hamming"], strict=True))
    cosines = features @ features.T / np.outer(*[np.linalg.norm(features, axis=1)] * 2)
    also = {(i, j) for i, j in np.argwhere(np.triu(cosines >= duplicates.COSINE, 1))}
    assert {pair: n for pair, n in found.items() if pair in expected} == expected
    assert set(found) == set(expected) | also
    row = once[(once["first"] == 2) & (once["second"] == 20)].iloc[0]
    assert row["cosine"] == pytest.approx(1)
    assert row["correlation"] == pytest.approx(
        np.corrcoef(small[2].ravel(), small[20].ravel())[0, 1], abs=1e-5
    )
    monkeypatch.setattr(duplicates, "BLOCK", 4)
    pd.testing.assert_frame_equal(duplicates.pairs(small, features), once)


def test_a_flat_picture_has_no_correlation_and_many_pairs_are_cut(monkeypatch):
    monkeypatch.setattr(duplicates, "MOST", 10)
    found = duplicates.pairs(np.full((8, 32, 32), 9, np.float32))
    assert len(found) == 10 and (found["correlation"] == 0).all()


def test_what_is_left_out_of_the_test_set():
    """a and b are one picture in training and test, c and d one in the test set."""
    rows = pd.DataFrame(
        {
            "image_id": list("abcde"),
            "patient_id": list("xyzzw"),
            "split": ["train", "test", "test", "test", "val"],
            "y_true": "ill",
        }
    )
    found = pd.DataFrame({"first": [0, 2, 0], "second": [1, 3, 4], "hamming": 0})
    listed = duplicates.named(found, rows)
    assert listed["first"].tolist() == ["a", "c", "a"]
    assert listed["second_split"].tolist() == ["test", "test", "val"]
    assert listed["same_patient"].tolist() == [False, True, False]
    assert duplicates.left_out(listed) == {"no copy elsewhere": {"b"}, "one of each copy": {"d"}}
    turned = duplicates.named(found.rename(columns={"first": "second", "second": "first"}), rows)
    assert duplicates.left_out(turned) == {"no copy elsewhere": {"b"}, "one of each copy": {"c"}}


def test_the_record_holds_names_and_what_follows_from_them():
    _, tables = record.read("duplicates")
    pairs = tables["pairs"]
    close = pairs["hamming"] <= duplicates.HAMMING
    assert (close | (pairs["cosine"] >= duplicates.COSINE)).all()
    assert pairs["seen"].notna().all(), "somebody looked at every pair"
    pd.testing.assert_frame_equal(duplicates.results(pairs), tables["results"], rtol=1e-5)

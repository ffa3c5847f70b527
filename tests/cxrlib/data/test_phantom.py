"""The phantom radiographs: reproducible, laid out as the real sources, and true about where the
opacities are.
"""

import hashlib
import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cxrlib import InputError
from cxrlib.data import _chest, phantom

METADATA = "covid-chestxray-dataset/metadata-2020-05-04-6e57ed3.csv"
REAL_NAMES = {
    "viral": (
        r"kermany-chest-xray-224/chest_xray/(?:train|val|test)/PNEUMONIA/(person\d+)_virus_\d+\.jpeg"
    ),
    "bacterial": (
        r"kermany-chest-xray-224/chest_xray/(?:train|val|test)/PNEUMONIA/(person\d+)_bacteria_\d+\.jpeg"
    ),
    "normal": (
        r"kermany-chest-xray-224/chest_xray/(?:train|val|test)/NORMAL/((?:NORMAL2-)?IM-\d{4})-0001\.jpeg"
    ),
    "covid": r"covid-chestxray-dataset/images/(phantom-\d{3})-day\d+\.png",
}


def drawn(seed, kind, adult, size, marker=""):
    rng = np.random.default_rng(seed)
    return _chest.draw(_chest.person(rng, adult), rng, kind, size, marker)


def digests(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def read(path):
    with Image.open(path) as picture:
        return picture.mode, np.asarray(picture)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    return folder, phantom.write(folder, 60, seed=5, size=64)


def test_same_arguments_same_bytes(data, tmp_path):
    folder, _ = data
    first = digests(folder)
    phantom.write(tmp_path, 60, seed=5, size=64)
    assert digests(tmp_path) == first
    phantom.write(folder, 60, seed=5, size=64)
    assert digests(folder) == first
    assert len(first) == 60 * 3 + 3


def test_larger_set_holds_the_smaller_and_seeds_differ(tmp_path):
    pictures = []
    for name, n, seed in (("small", 40, 1), ("large", 45, 1), ("other", 40, 2)):
        phantom.write(tmp_path / name, n, seed, size=32)
        pictures.append(
            {
                path.name: path.read_bytes()
                for path in (tmp_path / name).glob("*/**/*.*g")
                if "phantom-truth" not in path.parts
            }
        )
    small, large, other = pictures
    assert len(small) == len(set(small.values())) == 40
    assert small.items() <= large.items()
    assert not set(small.values()) & set(other.values())


@pytest.mark.parametrize("n", [40, 41, 47, 53, 400, 500])
def test_class_mix_and_splits(n):
    plan = pd.DataFrame(phantom._plan(n), columns=["kind", "person", "shot", "split", "path"])
    assert len(plan) == n and plan.path.is_unique
    share = plan.kind.value_counts() / n
    for kind, wanted in {"covid": 0.2, "viral": 0.2, "bacterial": 0.3, "normal": 0.3}.items():
        assert abs(share[kind] - wanted) <= 1.5 / n
    covid, children = plan[plan.kind == "covid"], plan[plan.kind != "covid"]
    assert covid.person.nunique() >= 6
    assert 1.2 <= len(covid) / covid.person.nunique() <= 1.8
    counts = children.groupby(["kind", "split"]).size().unstack(fill_value=0)
    assert (counts[["train", "test"]] >= 2).all(axis=None)
    assert counts["val"].sum() == (16 if n >= 400 else 2)
    assert 0.14 <= (children.split == "test").mean() <= 0.26
    assert (children.groupby(["kind", "person"]).split.nunique() == 1).all()


def test_files_are_named_as_in_the_real_sources(data):
    folder, truth = data
    assert set(truth["class"]) == set(REAL_NAMES)
    people = []
    for row in truth.itertuples():
        match = re.fullmatch(REAL_NAMES[row[3]], row.path)
        assert match, row.path
        people.append(match[1])
        mode, picture = read(folder / row.path)
        assert (mode, picture.shape) == ("L", (64, 64))
    truth = truth.assign(person=people)
    children = truth[truth["class"] != "covid"]
    assert (
        children.groupby(["class", "person"]).split.apply(lambda s: len(set(s == "test"))) == 1
    ).all()
    assert all(f"/{row.split}/" in row.path for row in children.itertuples())
    on_disk = {
        str(p.relative_to(folder))
        for name in ("covid*", "kermany*")
        for p in folder.glob(f"{name}/**/*.*g")
    }
    assert on_disk == set(truth.path)
    assert truth.image_id.is_unique
    assert "no patient" in (folder / "PHANTOM.txt").read_text(encoding="utf-8")


def test_metadata_lists_the_pictures(data):
    folder, truth = data
    rows = pd.read_csv(folder / METADATA)
    paths = "covid-chestxray-dataset/images/" + rows.filename
    assert sorted(paths) == sorted(truth.path[truth["class"] == "covid"])
    assert set(rows.view) == {"PA", "AP", "AP Supine"} and set(rows.finding) == {"COVID-19"}
    assert rows.age.between(18, 100).all()


def test_masks_and_centres_are_true(data):
    folder, truth = data
    for row in truth.to_dict("records"):
        _, lungs = read(folder / row["lung_mask"])
        _, opacity = read(folder / row["opacity_mask"])
        assert set(np.unique(lungs)) == {0, 255}
        assert not (opacity > lungs).any()
        assert 0.1 < (lungs > 0).mean() < 0.6
        centres = json.loads(row["centres"])
        assert bool(centres) == (opacity > 0).any() == (row["class"] != "normal")
        assert all(opacity[y, x] for x, y in centres)
    assert truth.groupby("class").pattern.unique().map(list).to_dict() == {
        k: [v] for k, v in phantom.PATTERN.items()
    }


@pytest.mark.parametrize("kind", ["diffuse", "focal", "bilateral"])
@pytest.mark.parametrize("adult", [True, False])
def test_opacity_brightens_the_same_chest_and_nothing_else(kind, adult):
    for seed in range(5):
        clear, sick = (drawn(seed, k, adult, 128) for k in ("none", kind))
        assert (clear.lungs == sick.lungs).all()
        mask = sick.opacity
        assert sick.image[mask].mean() > clear.image[mask].mean() + 8
        assert (sick.image[~sick.lungs] == clear.image[~sick.lungs]).mean() > 0.9
        sides = {bool(x > 64) for x, _ in sick.centres}
        assert len(sides) == (1 if kind == "focal" else 2)


def test_looks_like_a_chest():
    for seed in range(8):
        image, lungs, _, _ = drawn(seed, "none", seed % 2 == 0, 256)
        belly, heart = image[-25:, 100:156], image[110:150, 120:136]
        assert image[lungs].mean() + 40 < min(heart.mean(), belly.mean())
        assert image.max() < 255 and image[lungs].min() > 5


def test_marker_stands_on_its_side():
    bare, right, left = (drawn(0, "none", True, 256, marker).image for marker in ("", "R", "L"))
    assert np.nonzero(right != bare)[1].max() < 64
    assert np.nonzero(left != bare)[1].min() > 192


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["none", "diffuse", "focal", "bilateral"]),
    st.booleans(),
    st.integers(32, 72),
)
def test_radiograph_keeps_its_promises(seed, kind, adult, size):
    image, lungs, opacity, centres = drawn(seed, kind, adult, size)
    assert image.dtype == np.uint8 and lungs.dtype == opacity.dtype == bool
    assert image.shape == lungs.shape == opacity.shape == (size, size)
    assert lungs.any() and not (opacity & ~lungs).any()
    assert opacity.any() == bool(centres) == (kind != "none")
    assert all(opacity[y, x] for x, y in centres)
    again = drawn(seed, kind, adult, size)
    assert (again.image == image).all() and again.centres == centres


@pytest.mark.parametrize("real", ["covid-chestxray-dataset", "kermany-chest-xray-224"])
def test_real_data_is_not_written_over(tmp_path, real):
    (tmp_path / real).mkdir()
    (tmp_path / real / "precious.txt").write_text("real")
    with pytest.raises(InputError, match=re.escape(str(tmp_path))) as error:
        phantom.write(tmp_path, 40, size=32)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.rglob("*")] == [real, "precious.txt"]


def test_another_phantom_is_not_mixed_in(data):
    folder, _ = data
    before = digests(folder)
    with pytest.raises(InputError, match="else than this phantom"):
        phantom.write(folder, 60, seed=6, size=64)
    assert digests(folder) == before


@pytest.mark.parametrize(
    ("change", "named"), [({"n": 39}, "n=39"), ({"seed": -1}, "seed=-1"), ({"size": 31}, "size=31")]
)
def test_bad_arguments_are_one_line_and_write_nothing(tmp_path, change, named):
    with pytest.raises(InputError, match=named) as error:
        phantom.write(tmp_path / "new", **({"n": 40, "size": 32} | change))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "new").exists()


def test_unknown_opacity():
    with pytest.raises(InputError, match="'lobar'"):
        phantom.radiograph(np.random.default_rng(0), "lobar")

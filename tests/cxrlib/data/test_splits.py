"""Splits never part a patient, and the leakage count agrees with the fact sheet's."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.studies import zhu2020
from cxrlib.data import kermany, splits
from cxrlib.files import InputError


def people(*sizes):
    """A manifest in which patient ``s/k`` has ``sizes[k]`` images."""
    patients = [f"s/{k}" for k, size in enumerate(sizes) for _ in range(size)]
    return pd.DataFrame(
        {"image_id": [f"s/i{n}" for n in range(len(patients))], "patient_id": patients}
    )


def sides(manifest, split):
    """Largest number of sides that one patient is on."""
    return split.groupby(manifest["patient_id"].to_numpy()).nunique().max()


@pytest.fixture(scope="module")
def covid(real_data):
    whole = zhu2020.manifest(real_data)
    return whole[whole["source"] == "covid-chestxray"]


def test_sixty_of_the_real_images(covid):
    tested = {}
    for seed in range(20):
        split = splits.split_by_patient(covid, 60, seed)
        assert split.index.equals(covid.index)
        assert split.value_counts().to_dict() == {"train": 172, "test": 60}
        assert sides(covid, split) == 1
        tested[seed] = frozenset(covid.loc[split == "test", "image_id"])
    assert len(set(tested.values())) == 20
    pd.testing.assert_series_equal(
        splits.split_by_patient(covid, 60, 3), splits.split_by_patient(covid, 60, 3)
    )


def test_every_patient_can_be_tested(covid):
    tested = Counter()
    for seed in range(60):
        tested.update(
            set(covid.loc[splits.split_by_patient(covid, 60, seed) == "test", "patient_id"])
        )
    assert len(tested) == 145 and max(tested.values()) < 40  # expected 60·60/232 ≈ 16


sizes = st.lists(st.integers(1, 6), min_size=1, max_size=30)


@given(sizes, st.integers(-3, 80), st.integers(0, 5))
def test_exact_and_whole_or_refused(sizes, wanted, seed):
    manifest = people(*sizes)
    try:
        split = splits.split_by_patient(manifest, wanted, seed)
    except InputError:
        assert set(sizes) != {1} or not 0 <= wanted < len(manifest), "single images always add up"
        return
    assert (split == "test").sum() == wanted and (split == "train").sum() == len(
        manifest
    ) - wanted > 0
    assert sides(manifest, split) == 1


@given(sizes, st.integers(0, 5), st.randoms())
def test_order_of_rows_is_nothing(sizes, seed, random):
    manifest, wanted = people(*sizes, *[1] * 12), 10
    try:
        split = splits.split_by_patient(manifest, wanted, seed)
    except InputError:
        return
    rows = random.sample(range(len(manifest)), len(manifest))
    shuffled = splits.split_by_patient(manifest.iloc[rows], wanted, seed)
    pd.testing.assert_series_equal(shuffled.sort_index(), split.sort_index())


@pytest.mark.parametrize(
    "sizes, wanted", [((2, 2, 2), 3), ((5, 5), 1), ((1, 1), 2), ((1, 1), 3), ((1, 1), -1), ((), 0)]
)
def test_impossible_request_is_refused(sizes, wanted):
    with pytest.raises(
        InputError, match=f"{wanted} test images cannot be drawn from {sum(sizes)} images"
    ):
        splits.split_by_patient(people(*sizes), wanted, 0)


# --- folds and oversampling
# -------------------------------------------------------------------------------------------


@st.composite
def labelled(draw):
    """Patients with one class each or, now and then, two, as a manifest with labels; and a number
    of folds.
    """
    n = draw(st.integers(2, 5))
    manifest = people(*draw(st.lists(st.integers(1, 5), min_size=4 * n, max_size=40)))
    number = manifest["patient_id"].str[2:].astype(int)
    labels = (number % 2).map({0: "covid", 1: "normal"})
    if draw(st.booleans()):
        labels.iloc[0] = "normal"  # the first image of patient 0, whose others are covid
    order = draw(st.permutations(range(len(manifest))))
    return manifest.iloc[order], labels.iloc[order], n


@settings(max_examples=40, deadline=None)
@given(labelled(), st.integers(0, 9), st.integers(1, 24))
def test_folds_part_no_patient_and_copies_stay(case, seed, copies):
    manifest, labels, n = case
    fold = splits.fold_by_patient(manifest, labels, n, seed)
    assert fold.index.equals(manifest.index) and set(fold) == set(range(n))
    assert sides(manifest, fold) == 1
    pd.testing.assert_series_equal(fold, splits.fold_by_patient(manifest, labels, n, seed))
    train, held = manifest[(fold != 0).to_numpy()], manifest[(fold == 0).to_numpy()]
    copied = train.iloc[splits.oversample(labels[train.index].to_numpy(), {"covid": copies})]
    assert set(copied["image_id"]) == set(train["image_id"])
    assert not set(copied["patient_id"]) & set(held["patient_id"])
    times = copied["image_id"].value_counts()
    assert (
        times[train["image_id"]].to_numpy() == np.where(labels[train.index] == "covid", copies, 1)
    ).all()


def test_folds_are_even_and_seeds_differ(covid):
    labels = covid["view"].where(covid["view"] == "PA", "AP")
    fold = splits.fold_by_patient(covid, labels, 10, 0)
    shares = (labels == "PA").groupby(fold).agg(["size", "sum"])
    assert (
        shares["size"].between(18, 29).all() and shares["sum"].between(10, 21).all()
    )  # 23.2 and 15.6 on average
    assert not fold.equals(splits.fold_by_patient(covid, labels, 10, 1))


@pytest.mark.parametrize(
    "n, says", [(4, "only 3 patients"), (1, "1 folds"), (0, "0 folds"), (-2, "-2 folds")]
)
def test_folds_that_cannot_be_are_refused(n, says):
    manifest = people(3, 3, 3, 1, 1, 1, 1, 1)
    labels = pd.Series(["covid"] * 9 + ["normal"] * 5)
    with pytest.raises(InputError, match=says):
        splits.fold_by_patient(manifest, labels, n, 0)


@pytest.mark.parametrize("copies, total", [(8, 1376), (24, 4128)])
def test_copies_are_the_printed_numbers(copies, total):
    labels = np.array(["covid"] * 172 + ["normal"] * 1349)
    rows = splits.oversample(labels, {"covid": copies})
    assert rows.dtype == np.int64
    assert Counter(labels[rows]) == {"covid": total, "normal": 1349}
    assert (np.bincount(rows) == np.where(labels == "covid", copies, 1)).all()


def test_no_copies_changes_nothing_and_none_is_refused():
    labels = np.array(["b", "a", "b"])
    assert splits.oversample(labels, {}).tolist() == [0, 1, 2]
    assert splits.oversample(labels, {"c": 5}).tolist() == [0, 1, 2]
    with pytest.raises(InputError):
        splits.oversample(labels, {"a": 0})


# --- leakage
# --------------------------------------------------------------------------------------------------


def test_kermany_shares_no_patient_or_170_numbers(real_data):
    """Fact sheet 3.3. Its 202 and 1,642 count person numbers; the table counts the 225 and 1,219
    normal ids too, none shared.
    """
    manifest = kermany.read_manifest(real_data)
    every = kermany.count_leakage(manifest, manifest["predefined_split"])
    sick = manifest["finding"] != "normal"
    persons = kermany.count_leakage(manifest[sick], manifest.loc[sick, "predefined_split"])
    columns = ["train_patients", "test_patients", "shared_patients"]
    assert persons.loc["class and number", columns].tolist() == [1360 + 1090, 77 + 126, 0]
    assert persons.loc["number alone", columns].tolist() == [1642, 202, 170]
    assert every.loc["class and number", columns].tolist() == [
        1360 + 1090 + 1219,
        77 + 126 + 225,
        0,
    ]
    assert every.loc["number alone", columns].tolist() == [1642 + 1219, 202 + 225, 170]
    # the images of shared numbers, counted once more from the file names
    name = manifest["path"].str.extract(r"/(train|val|test)/PNEUMONIA/person(\d+)_")
    trained = set(name.loc[name[0] != "test", 1])
    images = int((name[1].isin(trained) & (name[0] == "test") & name[1].notna()).sum())
    assert every["test_images_of_shared"].tolist() == [0, images]


def test_planted_leak_is_counted():
    patients = [
        "kermany/virus-person1",
        "kermany/bacteria-person1",
        "kermany/bacteria-person1",
        "a/1",
        "a/1",
        "b/1",
    ]
    split = pd.Series(["train", "test", "test", "val", "test", "test"])
    found = kermany.count_leakage(pd.DataFrame({"patient_id": patients}), split)
    assert found.loc["class and number"].tolist() == [2, 3, 1, 1]
    assert found.loc["number alone"].tolist() == [2, 3, 2, 3]

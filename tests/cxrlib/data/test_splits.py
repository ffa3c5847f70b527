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
        assert set(sizes) != {1} or not 0 < wanted < len(manifest), "single images always add up"
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
    "sizes, wanted", [((2, 2, 2), 3), ((5, 5), 1), ((1, 1), 2), ((1, 1), 3), ((), 1)]
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


@settings(max_examples=40)
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


def test_more_folds_than_a_class_has_patients_are_refused():
    manifest = people(3, 3, 3, 1, 1, 1, 1, 1)
    labels = ["covid"] * 9 + ["normal"] * 5
    assert set(splits.fold_by_patient(manifest, labels, 3)) == {0, 1, 2}
    with pytest.raises(InputError, match="only 3 patients"):
        splits.fold_by_patient(manifest, labels, 4)


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


# --- bad input is one line that names the argument, and the row
# --------------------------------------------------------------------------------------------------

MANY = people(*[2] * 8)
CLASSES = ["covid", "normal"] * 8
CALLS = {  # each function of a manifest
    "split": lambda manifest: splits.split_by_patient(manifest, 4),
    "fold": lambda manifest: splits.fold_by_patient(manifest, CLASSES, 2),
    "leakage": lambda manifest: splits.leakage(manifest, ["train", "test"] * 8),
}


def says(call, *fragments):
    with pytest.raises(InputError) as caught:
        call()
    assert all(fragment in str(caught.value) for fragment in fragments), str(caught.value)


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=30)
@given(
    st.sets(st.integers(0, 15), min_size=1),
    st.sampled_from([None, np.nan, "", " "]),
    st.booleans(),
    st.permutations(range(16)),
)
def test_an_image_of_no_known_patient_is_refused(name, places, nothing, named, order):
    """It may be of anybody, so it can be put on neither side."""
    manifest = MANY.iloc[order].copy()  # an index that does not count the rows
    manifest.iloc[sorted(places), 1] = nothing
    manifest = manifest if named else manifest[["patient_id"]]
    says(
        lambda: CALLS[name](manifest),
        f"manifest, row {min(places) + 1}, column patient_id: an empty cell stands",
    )


@pytest.mark.parametrize("name", CALLS)
def test_a_table_without_patients_is_refused(name):
    says(lambda: CALLS[name](MANY[["image_id"]]), "manifest: lacks the column patient_id")


@pytest.mark.parametrize("number", [0, -1, 0.2, 2.0, "2", True, None, np.nan])
@pytest.mark.parametrize(
    "field, call",
    [
        ("test_images", lambda number: splits.split_by_patient(MANY, number)),
        ("n", lambda number: splits.fold_by_patient(MANY, CLASSES, number)),
        ("copies of covid", lambda number: splits.oversample(CLASSES, {"covid": number})),
    ],
)
def test_a_number_that_is_none_is_refused(field, call, number):
    says(lambda: call(number), f"{field}: {number!r} is no whole number of at least")
    call(np.int64(4))


@pytest.mark.parametrize("seed", [-1, 0.5, "0", None])
def test_a_seed_that_gives_no_certain_split_is_refused(seed):
    says(lambda: splits.split_by_patient(MANY, 4, seed), f"seed: {seed!r}")
    says(lambda: splits.fold_by_patient(MANY, CLASSES, 2, seed), f"seed: {seed!r}")


@given(st.integers(0, 15), st.sampled_from([None, np.nan, ""]))
def test_an_image_of_no_known_class_or_part_is_refused(place, nothing):
    labels = [*CLASSES]
    labels[place] = nothing
    for given_as in (labels, pd.Series(labels)):
        at = f"row {place + 1}, column"
        empty = "an empty cell stands"
        says(lambda given=given_as: splits.fold_by_patient(MANY, given, 2), f"{at} labels: {empty}")
        says(lambda given=given_as: splits.leakage(MANY, given), f"{at} split: {empty}")
        says(lambda given=given_as: splits.oversample(given, {}), f"{at} labels: {empty}")


def test_other_parts_and_other_rows_are_refused():
    parts = ["train", "test"] * 8
    says(
        lambda: splits.leakage(MANY, [*parts[:15], "Test"]),
        "row 16, column split: Test is none of train, val, test",
    )
    says(lambda: splits.leakage(MANY, parts[:15]), "split: 15 values of 16 images")
    says(lambda: splits.fold_by_patient(MANY, CLASSES[:15], 2), "labels: 15 values of 16 images")
    says(lambda: splits.leakage(MANY, pd.Series(parts)[::-1]), "split: its index")


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


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(splits.PARTS)), min_size=1))
def test_leakage_is_counted_as_by_sets(rows):
    manifest = pd.DataFrame({"patient_id": [f"s/{patient}" for patient, _ in rows]})
    split = [part for _, part in rows]
    tested = {patient for patient, part in rows if part == "test"}
    trained = {patient for patient, part in rows if part != "test"}
    images = [row for row in rows if row[1] == "test" and row[0] in trained]
    expected = [len(trained), len(tested), len(trained & tested), len(images)]
    assert splits.leakage(manifest, split).tolist() == expected


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

"""Manifests of the real collections hold the recorded counts; hostile metadata is refused in one
line.
"""

import math
import os
import shutil

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companion import cli
from companion.studies import zhu2020
from cxrlib.data import covid_chestxray, kermany
from cxrlib.data.manifest import COLUMNS, NEEDED, check_manifest, data_folder, present
from cxrlib.files import InputError

CSV = "covid-chestxray-dataset/metadata-2020-05-04-6e57ed3.csv"
CHEST = "kermany-chest-xray-224/chest_xray"
READ = ["patientid", "sex", "age", "finding", "view", "modality", "folder", "filename"]
HEADER = [
    "patientid",
    "offset",
    *READ[1:],
    "notes",
    "",
]  # the published files end in an empty column
PERSONS = [
    "train/PNEUMONIA/person1_bacteria_1",
    "test/PNEUMONIA/person1_virus_2",
    "val/NORMAL/NORMAL2-IM-0001-0001",
]
ABSENT = {
    "2C10A413-AABE-4807-8CCE-6A2025594067.jpeg",
    "E1724330-1866-4581-8CD8-CEC9B8AFEDDE.jpeg",
    "7E335538-2F86-424E-A0AB-6397783A38D0.jpeg",
    "covid-19-pneumonia-24-day6.jpg",
}  # data/README.md


def row(number=1, **cells):
    given = {
        "patientid": number,
        "sex": "F",
        "age": 50,
        "finding": "COVID-19",
        "view": "PA",
        "modality": "X-ray",
    }
    return given | {"folder": "images", "filename": f"p{number}.png"} | cells


def table(*rows, header=HEADER, sep=","):
    lines = [header, *([str(line.get(name, "")) for name in header] for line in rows)]
    return "".join(sep.join(line) + "\n" for line in lines).encode()


GOOD = table(row(1), row(2))


@pytest.fixture
def folder(tmp_path):
    """A data folder with two COVID-19 rows (no image) and three Kermany files (empty)."""
    for name in PERSONS:
        file = tmp_path / "data" / CHEST / f"{name}.jpeg"
        file.parent.mkdir(parents=True)
        file.touch()
    (tmp_path / "data" / CSV).parent.mkdir()
    (tmp_path / "data" / CSV).write_bytes(GOOD)
    return tmp_path / "data"


def covid(folder, content):
    (folder / CSV).write_bytes(content)
    return covid_chestxray.read_manifest(folder)


def contract(manifest):
    assert list(manifest) == COLUMNS
    assert manifest["image_id"].is_unique
    for name in ("image_id", "path", "patient_id", "source", "finding"):
        assert (
            manifest[name]
            .map(lambda cell: isinstance(cell, str) and cell.strip() == cell != "")
            .all()
        )
    for path in manifest["path"]:
        assert os.path.normpath(path).split(os.sep)[0] == path.split("/")[0] and "\\" not in path
    assert manifest["age"].dropna().between(0, 120).all()
    for name in ("image_id", "patient_id"):
        assert (manifest[name].str.split("/").str[0] == manifest["source"]).all()
    assert set(manifest["predefined_split"].dropna()) <= {"train", "test"}
    return manifest


# --- the real collections
# ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chosen(real_data):
    return zhu2020.manifest(real_data)


def test_study_b_snapshot(real_data):
    whole = contract(covid_chestxray.read_manifest(real_data))
    assert len(whole) == 316  # 360 rows less 44 CT
    assert len(pd.read_csv(real_data / CSV)) == 360
    assert set(whole["sex"].dropna()) == {"M", "F"}


def test_study_b_images(chosen):
    covid = chosen[chosen["source"] == "covid-chestxray"]
    assert (len(covid), covid["patient_id"].nunique()) == (232, 145)
    assert covid["view"].value_counts().to_dict() == {"PA": 156, "AP": 42, "AP Supine": 34}
    assert covid.groupby("patient_id").size().value_counts().to_dict() == {
        1: 91,
        2: 32,
        3: 12,
        4: 9,
        5: 1,
    }
    assert covid["sex"].fillna("").value_counts().to_dict() == {"M": 130, "F": 71, "": 31}
    age = covid["age"].dropna()
    assert (len(age), age.median(), age.min(), age.max(), (age < 18).sum()) == (193, 60, 12, 87, 1)


@pytest.mark.parametrize(
    "snapshot, views, images, patients",
    [
        (
            "10f0e4e",
            {"PA", "AP", "AP Supine"},
            231,
            145,
        ),  # the lateral view of patient 98 is corrected
        ("10f0e4e", {"PA", "AP", "AP Supine", "AP semi erect"}, 232, 145),
        ("29e0b70", {"PA", "AP"}, 154, 106),  # Study A's 154
        ("0bae3ba", {"PA", "AP", "AP Supine"}, 154, 99),  # the other candidate
    ],
)
def test_other_snapshots(real_data, snapshot, views, images, patients):
    whole = contract(covid_chestxray.read_manifest(real_data, snapshot))
    chosen = whole[whole["finding"].str.startswith("COVID-19") & whole["view"].isin(views)]
    assert (len(chosen), chosen["patient_id"].nunique()) == (images, patients)


def test_age_in_words_is_unknown(real_data):
    raw = pd.read_csv(next((real_data / CSV).parent.glob("*29e0b70.csv")), dtype=str)
    files = raw.loc[raw["age"] == "Adult", "filename"].str.rsplit(".", n=1).str[0]
    ages = covid_chestxray.read_manifest(real_data, "29e0b70").set_index("image_id")["age"]
    assert len(files) and ages["covid-chestxray/" + files].isna().all()


def test_snapshot_with_repeated_names_is_refused(real_data):
    file = next((real_data / CSV).parent.glob("*9e80e4c.csv"))
    raw = pd.read_csv(file, dtype=str)
    twice = raw.loc[(raw["modality"] == "X-ray") & raw["filename"].duplicated(), "filename"]
    assert len(twice) == 5
    with pytest.raises(InputError) as caught:
        covid_chestxray.read_manifest(real_data, "9e80e4c")
    first = raw.index[raw["filename"] == twice.iloc[0]] + 2
    assert (
        str(caught.value) == f"covid-chestxray-dataset/{file.name}, row {first[1]},"
        f" column filename: {twice.iloc[0]} is listed already"
    )


def test_unknown_snapshot_lists_the_known(real_data):
    with pytest.raises(InputError, match="abcdef0.*0bae3ba.*6e57ed3"):
        covid_chestxray.read_manifest(real_data, "abcdef0")


def test_kermany_counts(real_data):
    manifest = contract(kermany.read_manifest(real_data))
    groups = manifest.groupby(["predefined_split", "finding"])["patient_id"]
    assert groups.size().to_dict() == {
        ("train", "bacteria"): 2538,
        ("train", "virus"): 1345,
        ("train", "normal"): 1349,
        ("test", "bacteria"): 242,
        ("test", "virus"): 148,
        ("test", "normal"): 234,
    }
    assert groups.nunique().to_dict() == {
        ("train", "bacteria"): 1360,
        ("train", "virus"): 1090,
        ("train", "normal"): 1219,
        ("test", "bacteria"): 77,
        ("test", "virus"): 126,
        ("test", "normal"): 225,
    }
    assert manifest["predefined_split"].value_counts().to_dict() == {"train": 5232, "test": 624}
    assert manifest["patient_id"].nunique() == 4097


def test_val_is_given_back_to_training(real_data):
    manifest = kermany.read_manifest(real_data)
    val = manifest[manifest["path"].str.contains("/val/")]
    assert val["predefined_split"].value_counts().to_dict() == {"train": 16}
    numbers = val["patient_id"].str.extract(r"(\d+)$")[0].astype(int)
    normal = val["finding"] == "normal"
    assert (
        normal.sum() == 8
        and numbers[normal].between(1427, 1442).all()
        and numbers[~normal].between(1946, 1954).all()
    )


def test_four_images_are_absent_and_stay_in_the_manifest(real_data, chosen):
    here = present(chosen, real_data)
    assert len(chosen) == 6088 and here.index.equals(chosen.index) and here.dtype == bool
    assert set(chosen.loc[~here, "path"].str.rsplit("/", n=1).str[-1]) == ABSENT


def reported(capsys, folder) -> dict[str, dict[str, list[str]]]:
    """What ``cxr sources`` says of each collection, by what stands before it."""
    assert cli.main(["sources", "--data", str(folder)]) == 0
    shown = capsys.readouterr()
    assert not shown.err
    found, name = {}, ""
    for line in shown.out.split(" would find ")[0].splitlines():
        if line.startswith("  "):
            found[name].setdefault(line[2:14].strip(), []).append(line[14:])
        else:
            name = line.partition(", for ")[0]
            found[name] = {}
    return found


def test_report_of_the_real_folder(real_data, capsys):
    found = reported(capsys, real_data)
    assert found["kermany"]["found"] == ["5856 of 5856 images"]
    assert found["rsna-normal"]["found"] == ["5828 of 5828 images"]
    assert found["kermany"]["to do"] == found["rsna-normal"]["to do"] == ["nothing"]
    assert found["covid-chestxray"]["found"] == ["308 of 316 images"]
    lost = found["covid-chestxray"]["missing"]
    assert len(lost) == 8 and {path.rsplit("/")[-1] for path in lost} >= ABSENT


# --- anybody's own table
# ------------------------------------------------------------------------------------------


def own(rows=5):
    """A user's table of needed columns alone, its index that of a selection."""
    names = pd.Series([f"clinic/{k}" for k in range(rows)], index=range(100, 100 + rows))
    return pd.DataFrame({column: names for column in NEEDED})


@given(st.sets(st.sampled_from(COLUMNS[len(NEEDED) :])), st.permutations(COLUMNS))
def test_unknown_columns_are_added_empty_and_of_their_kind(known, order):
    values = {"view": "PA", "sex": "F", "age": 50.0, "width": 9.0, "height": 7.0}
    values["predefined_split"] = "test"
    table = own().assign(**{column: values[column] for column in known}, more=1)
    table = table[["more", *(column for column in order if column in table)]]
    found = check_manifest(table, "clinic.csv")
    assert list(found) == COLUMNS and found.index.equals(table.index)
    whole = own().assign(**values)[COLUMNS]
    assert found.dtypes.equals(whole.dtypes)
    for column in COLUMNS:
        if column in table:
            assert found[column].equals(whole[column])
        else:
            assert found[column].isna().all()


@given(st.sets(st.sampled_from(NEEDED), min_size=1))
def test_every_column_that_is_missing_is_named_at_once(gone):
    with pytest.raises(InputError) as caught:
        check_manifest(own().drop(columns=list(gone)), "clinic.csv")
    said = str(caught.value)
    assert said.startswith("clinic.csv: lacks the column")
    assert set(said.replace(",", "").split()) & set(NEEDED) == gone


@given(st.sampled_from(NEEDED), st.sets(st.integers(0, 4), min_size=1), st.sampled_from([None, ""]))
def test_an_empty_cell_is_named_by_its_place(column, places, nothing):
    table = own()
    table.iloc[sorted(places), table.columns.get_loc(column)] = nothing
    with pytest.raises(InputError) as caught:
        check_manifest(table, "clinic.csv")
    place = min(places)
    where = f"clinic.csv, row {place + 1}, column {column}"
    assert str(caught.value) == f"{where}: an empty cell stands where a value is needed"


def test_an_image_that_occurs_twice_is_named_by_its_second_place():
    table = own().assign(image_id=["a", "b", "c", "b", "a"])
    with pytest.raises(InputError, match="^manifest, row 4, column image_id: b occurs twice$"):
        check_manifest(table)


# --- metadata that is odd but right
# -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b"\n", b"\r\n"),
        table(row(1), row(2), header=READ),
        table(row(1), row(2), header=[*reversed(HEADER), "more"]),
        GOOD.replace(b"patientid,", b" patientid ,").replace(b",filename,", b",  filename,"),
        GOOD.replace(b"p1.png", b"p1.png  ").replace(b"PA", b" PA "),
        table(row(1), row(2), row(3, modality="CT")),
        GOOD + b"\n\n",
        GOOD.replace(b"p2.png,", b'p2.png,"two\nlines"'),
    ],
    ids=[
        "bom",
        "crlf",
        "fewer-columns",
        "reordered",
        "padded-header",
        "trailing-spaces",
        "ct",
        "blank-lines",
        "quoted-newline",
    ],
)
def test_read_as_the_plain_file(folder, content):
    expected = contract(covid(folder, GOOD))
    assert expected["path"].tolist() == [f"covid-chestxray-dataset/images/p{n}.png" for n in (1, 2)]
    pd.testing.assert_frame_equal(covid(folder, content), expected)


@pytest.mark.parametrize(
    "text, age", [("", math.nan), ("0", 0), ("62.5", 62.5), (" 120 ", 120), ("ADULT", math.nan)]
)
def test_ages(folder, text, age):
    assert covid(folder, table(row(age=text)))["age"].tolist() == pytest.approx([age], nan_ok=True)


def test_unnamed_metadata_is_taken_for_the_snapshot(folder):
    (folder / CSV).rename(folder / "covid-chestxray-dataset" / "metadata.csv")
    assert len(covid_chestxray.read_manifest(folder)) == 2


def test_kermany_ignores_hidden_files_and_needs_no_val(folder):
    expected = kermany.read_manifest(folder)
    assert expected["predefined_split"].tolist() == ["test", "train", "train"]
    assert (
        set(expected["finding"]) == {"bacteria", "virus", "normal"}
        and expected["patient_id"].is_unique
    )
    others = [
        "train/NORMAL/.DS_Store",
        "train/NORMAL/Thumbs.db",
        "test/PNEUMONIA/desktop.ini",
        "train/PNEUMONIA/._person1_bacteria_1.jpeg",
    ]
    for hidden in (*others, "__MACOSX/x/y.jpeg", "train/NORMAL/readme.txt"):
        (folder / CHEST / hidden).parent.mkdir(parents=True, exist_ok=True)
        (folder / CHEST / hidden).touch()
    pd.testing.assert_frame_equal(kermany.read_manifest(folder), expected)
    shutil.rmtree(folder / CHEST / "val")
    assert len(kermany.read_manifest(folder)) == 2


def test_kermany_reads_endings_in_capitals(folder):
    expected = kermany.read_manifest(folder)
    for file in [file for file in (folder / CHEST).glob("*/*/*") if file.is_file()]:
        file.rename(file.with_suffix(file.suffix.upper()))
    found = kermany.read_manifest(folder)
    assert (
        found["image_id"].tolist() == expected["image_id"].tolist() and present(found, folder).all()
    )
    pd.testing.assert_frame_equal(found.drop(columns="path"), expected.drop(columns="path"))


def test_data_folder_argument_then_environment_then_data(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    monkeypatch.delenv("CXR_DATA", raising=False)
    assert data_folder().resolve() == folder
    monkeypatch.setenv("CXR_DATA", str(folder / CHEST))
    assert data_folder() == folder / CHEST
    assert data_folder(folder) == folder


def test_a_name_too_long_for_a_file_is_absent(folder):
    (folder / "covid-chestxray-dataset" / "images").mkdir()
    manifest = covid(folder, table(row(filename="p" * 300 + ".png")))
    assert present(manifest, folder).tolist() == [False]


# --- metadata that is wrong: by function, by `cxr train`, by `cxr sources`
# ------------------------------------------------

HOSTILE = {
    **{
        f"no-{name}": (table(row(), header=[n for n in HEADER if n != name]), f"column {name}")
        for name in READ
    },
    "age-word": (table(row(1), row(2, age="sixty")), "row 3, column age: sixty"),
    "age-negative": (table(row(age=-1)), "row 2, column age: -1"),
    "age-high": (table(row(age=500)), "row 2, column age: 500"),
    "age-nan": (table(row(age="nan")), "row 2, column age: nan"),
    "age-after-blank-lines": (
        GOOD + b"\n\n" + table(row(9, age="x")).split(b"\n")[1],
        "row 6, column age: x",
    ),
    "duplicate": (
        table(row(1), row(2), row(3, filename="p1.png")),
        "row 4, column filename: p1.png",
    ),
    "climbing-filename": (
        table(row(filename="../../etc/passwd")),
        "row 2, column filename: '../../etc/passwd'",
    ),
    "absolute-filename": (
        table(row(filename="/etc/passwd")),
        "row 2, column filename: '/etc/passwd'",
    ),
    "climbing-folder": (table(row(folder="../..")), "row 2, column folder: '../..'"),
    "absolute-folder": (table(row(folder="/etc")), "row 2, column folder: '/etc'"),
    "windows-filename": (table(row(filename="..\\p1.png")), "row 2, column filename"),
    "nul": (table(row(filename="p\0.png")), "row 2, column filename"),
    **{
        f"empty-{n}": (table(row(**{n: " "})), f"row 2, column {n}: an empty cell")
        for n in ("patientid", "finding", "filename")
    },
    "short-row": (GOOD + b"3,0,F,50,COVID-19,PA,X-ray\n", "row 4, column folder: an empty cell"),
    "long-row": (GOOD + table(row(3)).split(b"\n")[1] + b",,,\n", "line 4"),
    "long-rows": (table(row(1), row(2)).replace(b",notes,\n", b",notes\n"), "line 2"),
    "column-twice": (table(row(), header=[*HEADER, " view"]), "column view"),
    "utf-16": (GOOD.decode().encode("utf-16"), "UTF-8"),
    "latin-1": (table(row(finding="Ä")).decode().encode("latin-1"), "UTF-8"),
    "semicolons": (table(row(), sep=";"), "column patientid"),
    "empty": (b"", "CSV"),
    "open-quote": (GOOD.replace(b"p1.png", b'"p1.png'), "CSV"),
    "binary": (bytes(range(256)), "CSV"),
}


def test_short_row_is_no_xray(folder):
    """A row that ends before its modality cannot be told from a CT row; it is left out as those
    are.
    """
    assert len(covid(folder, GOOD + b"3,0,F\n")) == 2


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_metadata_is_refused(folder, case):
    content, field = HOSTILE[case]
    with pytest.raises(InputError) as caught:
        covid(folder, content)
    assert str(caught.value).startswith(CSV) and field in str(caught.value)


def refused(folder, capsys, monkeypatch, *fragments):
    """``cxr train`` says one line, ends with 2 and writes nothing; ``cxr sources`` reports the same
    and ends with 0. Each names the ``cxr fetch`` that helps in its own case.
    """
    pytest.importorskip("torch")
    outputs = [folder.parent / name for name in ("results", "work", "cache")]
    monkeypatch.setenv("CXR_CACHE", str(outputs[2]))
    before = sorted(folder.parent.rglob("*"))
    options = ["--data", folder, "--results", outputs[0], "--work", outputs[1]]
    assert cli.main(["train", "zhu-fourclass", *map(str, options)]) == 2
    printed = capsys.readouterr()
    assert (
        printed.out == "" and len(printed.err.splitlines()) == 1 and printed.err.startswith("cxr: ")
    )
    assert all(fragment in printed.err for fragment in fragments), printed.err
    assert sorted(folder.parent.rglob("*")) == before
    fault = printed.err.partition("; cxr fetch covid ")[0].strip()
    code, reported = cli.main(["sources", "--data", str(folder)]), capsys.readouterr()
    if folder.is_dir():
        assert code == 0 and fault.removeprefix("cxr: ") in reported.out and reported.err == ""
    else:
        assert (code, reported.out) == (2, "") and reported.err.startswith(f"{fault}; cxr fetch ")


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_metadata_ends_the_command(folder, capsys, monkeypatch, case):
    content, field = HOSTILE[case]
    (folder / CSV).write_bytes(content)
    refused(folder, capsys, monkeypatch, CSV, field)


@pytest.mark.parametrize(
    "name",
    [
        "train/PNEUMONIA/x.jpeg",
        "test/NORMAL/person1_virus_9.jpeg",
        "train/PNEUMONIA/IM-1-1.jpeg",
        "val/TB/IM-1-1.png",
    ],
)
def test_kermany_name_that_says_nothing_is_refused(folder, capsys, monkeypatch, name):
    (folder / CHEST / name).parent.mkdir(exist_ok=True)
    (folder / CHEST / name).touch()
    refused(folder, capsys, monkeypatch, f"{CHEST}/{name}", "file name")


def test_kermany_stem_twice_is_refused(folder, capsys, monkeypatch):
    (folder / CHEST / "test/PNEUMONIA/person1_bacteria_1.png").touch()
    refused(
        folder,
        capsys,
        monkeypatch,
        CHEST,
        "column image_id: kermany/person1_bacteria_1 occurs twice",
    )


def test_kermany_without_images_is_refused(folder, capsys, monkeypatch):
    for part in ("train", "val", "test"):
        shutil.rmtree(folder / CHEST / part)
    refused(folder, capsys, monkeypatch, str(folder / CHEST), "10.17632/rscbjbr9sj.2")


def test_wrong_data_folder_is_refused(tmp_path, capsys, monkeypatch):
    refused(tmp_path / "nowhere", capsys, monkeypatch, "nowhere", "CXR_DATA")
    (tmp_path / "empty").mkdir()
    refused(
        tmp_path / "empty", capsys, monkeypatch, "empty", "covid-chestxray-dataset", "git clone"
    )


def test_report_of_nothing(tmp_path, capsys):
    found = reported(capsys, tmp_path)
    images = {"kermany": 5856, "covid-chestxray": 316, "nih-chest-xray14": 112_120}
    for name, number in (images | {"rsna-normal": 5828}).items():
        assert found[name]["found"] == [f"0 of {number} images"]
        assert str(tmp_path) in found[name]["to do"][0] and "missing" not in found[name]


# --- metadata that nobody thought of
# --------------------------------------------------------------------------------------

fuzz = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzz
@given(st.binary(max_size=60), st.integers(0, len(GOOD)), st.integers(0, 8))
def test_damaged_file_is_read_or_refused(folder, junk, at, lost):
    try:
        contract(covid(folder, GOOD[:at] + junk + GOOD[at + lost :]))
    except InputError as error:
        assert str(error).startswith(CSV)


@fuzz
@given(st.sampled_from(READ), st.text(max_size=20))
def test_any_cell_is_read_or_refused(folder, name, text):
    quoted = '"' + text.replace('"', '""') + '"'
    try:
        manifest = contract(covid(folder, table(row(1, **{name: quoted}), row(2))))
        present(manifest, folder)
    except InputError as error:
        assert str(error).startswith(f"{CSV}, row ") and name in str(error)

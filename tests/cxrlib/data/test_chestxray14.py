"""ChestX-ray14: the lists hold the recorded counts, any layout of the download is read alike,
hostile lists are refused in one line.
"""

import csv
import gzip
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from test_manifest import contract

from companion import cli
from cxrlib.data import chestxray14, rsna
from cxrlib.data.manifest import present
from cxrlib.files import InputError

FULL = "nih-chest-xray14"
HEADER = [
    "Image Index",
    "Finding Labels",
    "Follow-up #",
    "Patient ID",
    "Patient Age",
    "Patient Gender",
    "View Position",
    "OriginalImage[Width",
    "Height]",
    "OriginalImagePixelSpacing[x",
    "y]",
]
MORE = ["Fracture", "Pneumothorax", "Airspace opacity", "Nodule or mass", "Set Id"]
PACKAGE = importlib.util.find_spec("torchxrayvision")
needs_package = pytest.mark.skipif(PACKAGE is None, reason="torchxrayvision is not installed")


def image(patient=1, number=0, finding="No Finding", age=50, sex="F", view="PA", name=None, **more):
    """A row of the list, or with ``opacity`` and ``set`` of the adjudicated one."""
    row = [
        name or f"{patient:08}_{number:03}.png",
        finding,
        number,
        patient,
        age,
        sex,
        view,
        2500,
        2048,
        0.168,
        0.168,
    ]
    return row + (["NO", "NO", more["opacity"], "NO", more["set"]] if more else [])


def write(file: Path, rows, header=None) -> None:
    """A published list, gzipped where the name says so."""
    file.parent.mkdir(parents=True, exist_ok=True)
    header = header or HEADER + (MORE if len(rows[0]) > len(HEADER) else [])
    with (gzip.open if file.suffix == ".gz" else open)(
        file, "wt", encoding="utf-8", newline=""
    ) as handle:
        csv.writer(handle).writerows([header, *rows])


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.fixture
def alone(monkeypatch):
    """As where torchxrayvision is not installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *a: None if name == "torchxrayvision" else find(name, *a),
    )


@pytest.fixture
def full(tmp_path, alone):
    """A data folder in the layout of the full download: four images listed, three of them there,
    two adjudicated.
    """
    rows = [
        image(1),
        image(1, 1, "Edema|Mass", age=51),
        image(2, sex="M", view="AP", age=""),
        image(30, age=155, sex=""),
    ]
    write(tmp_path / FULL / chestxray14.LIST, rows)
    write(
        tmp_path / FULL / chestxray14.ADJUDICATED,
        [image(1, opacity="YES", set="val"), image(2, opacity="NO", set="test")],
    )
    touch(
        tmp_path / FULL,
        "images_001/images/00000001_000.png",
        "images_001/images/00000001_001.png",
        "images_002/images/00000002_000.png",
    )
    return tmp_path


# --- the published lists
# -----------------------------------------------------------------------------------------------


@needs_package
def test_the_list_counts():
    table = chestxray14.read_labels()
    assert (len(table), table["patient_id"].nunique(), table["image_id"].is_unique) == (
        112_120,
        30_805,
        True,
    )
    clear = table[table["finding"] == "No Finding"]
    assert len(clear) == 60_361 and clear["view"].value_counts().to_dict() == {
        "PA": 39_302,
        "AP": 21_059,
    }  # fact sheet, section 2
    with gzip.open(
        Path(PACKAGE.submodule_search_locations[0]) / "data" / f"{chestxray14.LIST}.gz",
        "rt",
        encoding="utf-8",
        newline="",
    ) as handle:
        rows = list(csv.DictReader(handle))
    for key, column in {
        "finding": "Finding Labels",
        "view": "View Position",
        "sex": "Patient Gender",
    }.items():
        assert table[key].tolist() == [row[column] for row in rows]
    assert table["age"].tolist() == [float(row["Patient Age"]) for row in rows]
    assert table["patient_id"].tolist() == [
        f"nih-chest-xray14/{int(row['Image Index'][:8])}" for row in rows
    ]


@needs_package
def test_the_adjudicated_count():
    table = chestxray14.read_adjudicated()
    assert (len(table), table["image_id"].is_unique) == (4376, True)
    by_set = table.groupby("set")
    assert by_set.size().to_dict() == {"val": 2414, "test": 1962}
    assert by_set["opacity"].sum().to_dict() == {"val": 1031, "test": 1135}
    assert (
        by_set["patient_id"].nunique().to_dict() == {"val": 835, "test": 860}
        and table["patient_id"].nunique() == 1695
    )
    assert by_set["age"].apply(lambda age: (age < 18).sum()).to_dict() == {"val": 116, "test": 78}
    clear = table[table["finding"] == "No Finding"].groupby("set")["opacity"]
    assert clear.agg(["sum", "size"]).T.to_dict("list") == {"val": [309, 1320], "test": [290, 770]}
    assert table["age"].isna().sum() == 1  # printed as 155
    listed = chestxray14.read_labels().set_index("image_id")
    assert (
        listed.loc[table["image_id"], "finding"].to_numpy() == table["finding"].to_numpy()
    ).all()


@needs_package
def test_neither_torch_nor_the_package_is_imported():
    code = (
        "import sys; from companion.studies import cheazemin2020;"
        " from cxrlib.data import chestxray14; chestxray14.read_adjudicated();"
        " print({'torch', 'torchxrayvision'} & set(sys.modules))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "set()"
    )


def test_without_package_and_folder_one_line_says_what_to_do(tmp_path, alone):
    for read in (chestxray14.read_labels, chestxray14.read_adjudicated):
        for data in (tmp_path, tmp_path / "none", None):
            with pytest.raises(
                InputError,
                match="^(Data_Entry|google2019)[^ ]+: not in .*pip install torchxrayvision$",
            ):
                read(data)


# --- any layout is read alike
# --------------------------------------------------------------------------------------------


def test_full_download(full):
    table = contract(chestxray14.read_manifest(full))
    assert table["path"].tolist() == [
        f"{FULL}/images_001/images/00000001_000.png",
        f"{FULL}/images_001/images/00000001_001.png",
        f"{FULL}/images_002/images/00000002_000.png",
        f"{FULL}/images/00000030_000.png",
    ]
    assert present(table, full).tolist() == [True, True, True, False]
    assert (
        table["image_id"].tolist()[1] == "nih-chest-xray14/00000001_001"
        and table["finding"].tolist()[1] == "Edema|Mass"
    )
    assert table["patient_id"].tolist() == [
        f"nih-chest-xray14/{patient}" for patient in (1, 1, 2, 30)
    ]
    assert table["age"].fillna(-1).tolist() == [50, 51, -1, -1]  # unknown, and 155
    assert table["sex"].fillna("").tolist() == ["F", "F", "M", ""] and table["view"].tolist() == [
        "PA",
        "PA",
        "AP",
        "PA",
    ]
    read = chestxray14.read_adjudicated(full)
    assert read[["image_id", "set", "opacity"]].to_numpy().tolist() == [
        ["nih-chest-xray14/00000001_000", "val", True],
        ["nih-chest-xray14/00000002_000", "test", False],
    ]


def test_only_what_is_there(full):
    table, here = chestxray14.read_manifest(full), chestxray14.read_manifest(full, absent=False)
    assert here.equals(table[present(table, full)].reset_index(drop=True)) and len(here) == 3


@pytest.mark.parametrize("place", ["nih-chest-xray14/images", "nih-chest-xray14-subset/images"])
@pytest.mark.parametrize("end", [".jpg", ".PNG", ".jpeg"])
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_copies_are_found_by_their_stem(tmp_path, alone, place, end, packed):
    write(tmp_path / place / f"../{chestxray14.LIST}{packed}", [image(1), image(2)])
    touch(tmp_path / place, f"00000002_000{end}", ".DS_Store", "._00000001_000.png", "readme.txt")
    table = contract(chestxray14.read_manifest(tmp_path))
    assert table["path"].tolist()[1] == f"{place}/00000002_000{end}" and present(
        table, tmp_path
    ).tolist() == [False, True]


@needs_package
def test_the_folder_s_own_list_goes_before_the_package(tmp_path):
    write(tmp_path / FULL / chestxray14.LIST, [image(1)])
    assert (
        len(chestxray14.read_labels(tmp_path)) == 1
        and len(chestxray14.read_adjudicated(tmp_path)) == 4376
    )


@needs_package
def test_real_subset(real_data):
    table = chestxray14.read_manifest(real_data)
    assert len(table) == 112_120
    here = contract(chestxray14.read_manifest(real_data, absent=False))
    assert (len(here), here["patient_id"].nunique()) == (2552, 2169) and present(
        here, real_data
    ).all()
    sets = here["finding"].str.split("|").map(set)
    opaque = sets.map(
        lambda found: bool(found & {"Infiltration", "Consolidation", "Pneumonia", "Edema"})
    )
    clear = sets == {"No Finding"}
    assert (clear.sum(), opaque.sum(), (~clear & ~opaque).sum()) == (
        1416,
        820,
        316,
    )  # data/README.md
    with open(
        real_data / "nih-chest-xray14-subset" / "sources.csv", encoding="utf-8", newline=""
    ) as handle:
        assert {row["image"] for row in csv.DictReader(handle)} == set(
            here["image_id"].str.split("/").str[1]
        )


def test_real_normals(real_data):
    table = contract(rsna.read_manifest(real_data))
    assert len(table) == 5828 and table["patient_id"].is_unique and present(table, real_data).all()
    assert set(table["source"]) == {"rsna-normal"} and set(table["finding"]) == {"Normal"}


# --- hostile input
# --------------------------------------------------------------------------------------------------


def refused(read, data, *fragments):
    with pytest.raises(InputError) as caught:
        read(data)
    line = str(caught.value)
    assert "\n" not in line and all(fragment in line for fragment in fragments), line


@pytest.mark.parametrize("column", chestxray14.NAMES)
def test_missing_column(full, column):
    header = [name if name != column else "other" for name in HEADER]
    write(full / FULL / chestxray14.LIST, [image(1)], header)
    for read in (chestxray14.read_labels, chestxray14.read_manifest):
        refused(read, full, f"{FULL}/{chestxray14.LIST}: lacks the column {column}")


@pytest.mark.parametrize("column", ["Airspace opacity", "Set Id", "Image Index"])
def test_missing_column_of_the_adjudicated(full, column):
    header = [name if name != column else "other" for name in HEADER + MORE]
    write(full / FULL / chestxray14.ADJUDICATED, [image(1, opacity="YES", set="val")], header)
    refused(
        chestxray14.read_adjudicated, full, f"{chestxray14.ADJUDICATED}: lacks the column {column}"
    )


@pytest.mark.parametrize(
    "bad, column",
    [
        ({"name": "../../etc/passwd"}, "Image Index"),
        ({"name": "1.png"}, "Image Index"),
        ({"finding": " "}, "Finding Labels"),
        ({"patient": -1, "name": "00000001_000.png"}, "Patient ID"),
        ({"age": -1}, "Patient Age"),
        ({"age": "058Y"}, "Patient Age"),
        ({"age": "nan"}, "Patient Age"),
        ({"sex": "X"}, "Patient Gender"),
        ({"view": "L"}, "View Position"),
        ({"opacity": "HEDGE", "set": "val"}, "Airspace opacity"),
        ({"opacity": "YES", "set": "train"}, "Set Id"),
    ],
)
def test_cell_that_cannot_be(full, bad, column):
    name, read = (
        (chestxray14.ADJUDICATED, chestxray14.read_adjudicated)
        if "set" in bad
        else (chestxray14.LIST, chestxray14.read_labels)
    )
    good = {"opacity": "NO", "set": "test"} if "set" in bad else {}
    write(full / FULL / name, [image(7, **good), image(**bad)])
    refused(read, full, f"{name}, row 3, column {column}: ")


def test_image_listed_twice(full):
    write(full / FULL / chestxray14.LIST, [image(1), image(2), image(1)])
    refused(
        chestxray14.read_labels,
        full,
        "row 4, column Image Index: 00000001_000.png is listed already",
    )


def test_damaged_gzip(full):
    (full / FULL / chestxray14.LIST).unlink()
    file = full / FULL / f"{chestxray14.LIST}.gz"
    write(file, [image(patient) for patient in range(1, 2000)])
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:200] + bytes(50) + whole[250:], b"no gzip"):
        file.write_bytes(damaged)
        refused(chestxray14.read_labels, full, f"{chestxray14.LIST}.gz", "not readable")


def test_image_there_twice(full):
    touch(full / FULL, "images/00000001_001.jpg")
    refused(
        chestxray14.read_manifest,
        full,
        "images_001/images/00000001_001.png",
        "images/00000001_001.jpg",
        "the same image",
    )


def test_image_that_is_not_listed(full):
    touch(full / FULL, "images/00000009_000.png")
    refused(chestxray14.read_manifest, full, "images/00000009_000.png: no image of this name")


def test_unknown_layout(tmp_path, capsys):
    touch(tmp_path, f"{FULL}/train/00000001_000.png", "rsna-normal/normal_1.png")
    refused(
        chestxray14.read_manifest,
        tmp_path,
        f"{FULL}: holds no images/*",
        "https://nihcc.app.box.com/v/ChestXray-NIHCC",
    )
    refused(rsna.read_manifest, tmp_path, "rsna-normal: holds no images/Normal-*")
    assert cli.main(["sources", "--data", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "holds no images/*" in shown and "holds no images/Normal-*" in shown


def test_no_folder(tmp_path):
    refused(chestxray14.read_manifest, tmp_path, "no nih-chest-xray14 or nih-chest-xray14-subset")
    refused(rsna.read_manifest, tmp_path, "no rsna-normal-224")


def test_report_is_short_where_most_is_missing(full, capsys):
    write(full / FULL / chestxray14.LIST, [image(patient) for patient in range(1, 41)])
    (full / FULL / "images_001" / "images" / "00000001_001.png").unlink()
    assert cli.main(["sources", "--data", str(full)]) == 0
    shown = capsys.readouterr().out
    assert "found       2 of 112120 images" in shown
    assert (
        "missing     nih-chest-xray14/images/00000003_000.png\n  missing     and 37 more" in shown
        and "00000004_000" not in shown
    )

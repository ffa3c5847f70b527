"""Records of audits: whole or absent, and read without torch or images."""

import json

import numpy as np
import pandas as pd
import pytest
from without import run_without

from companion import studies
from companion.audits import record
from companion.build import __main__ as build
from cxrlib.files import InputError

SAID = {field: "" for field in record.SAID} | {"audit": "mine"}


def table(rows: int = 3) -> pd.DataFrame:
    p = np.random.default_rng(0).random(rows)
    names = [f"s/{i:05d}" for i in range(rows)]
    about = {"image_id": names, "patient_id": [f"{i:03d}" for i in range(rows)]}
    return pd.DataFrame(about | {"y_true": "none", "p_covid": p})


@pytest.mark.parametrize(("rows", "ending"), [(3, ".csv"), (20_000, ".csv.gz")])
def test_a_record_is_read_back_as_it_was_to_six_digits(tmp_path, rows, ending):
    place = record.write(tmp_path / "mine", SAID, {"predictions": table(rows)})
    info, tables = record.read(place)
    assert (place / f"predictions{ending}").is_file()
    pd.testing.assert_frame_equal(tables["predictions"], table(rows), rtol=1e-5)
    assert info["made"] == "python -m companion.build audit mine"
    assert {*record.SAID, *record.ADDED} <= set(info)


def test_the_same_table_gives_the_same_bytes(tmp_path):
    first, second = (
        record.write(tmp_path / name, SAID, {"predictions": table(20_000)}) for name in "ab"
    )
    name = "predictions.csv.gz"
    assert (first / name).read_bytes() == (second / name).read_bytes()


def test_what_fails_leaves_the_record_that_was_there(tmp_path):
    place = record.write(tmp_path / "mine", SAID, {"predictions": table()})
    for info, tables in [
        ({"audit": "mine"}, {"predictions": table()}),
        (SAID | {"what": {1, 2}}, {"predictions": table(5)}),
    ]:
        with pytest.raises((InputError, TypeError)):
            record.write(place, info, tables)
        assert len(record.read(place)[1]["predictions"]) == 3
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_other_peoples_files_are_not_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="thesis.txt"):
        record.write(tmp_path / "mine", SAID, {"predictions": table()})
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


def test_damage_is_one_line_that_names_the_file(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.*run\.json"):
        record.read(tmp_path / "nowhere")
    place = record.write(tmp_path / "mine", SAID, {"predictions": table(20_000)})
    file = place / "predictions.csv.gz"
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"predictions\.csv\.gz"):
        record.read(place)
    text = json.loads((place / "run.json").read_text())
    for damaged in ("{", "[]", json.dumps({"audit": "mine"}), json.dumps(text | {"git": 1})[:-1]):
        (place / "run.json").write_text(damaged)
        with pytest.raises(InputError, match=r"run\.json"):
            record.read(place)


def test_reading_needs_no_torch(tmp_path):
    record.write(tmp_path / "mine", SAID, {"predictions": table()})
    code = (
        "from pathlib import Path; from companion.audits import record\n"
        f"print(len(record.read(Path({str(tmp_path / 'mine')!r}))[1]['predictions']))"
    )
    done = run_without(["torch"], code)
    assert done.stdout.strip() == "3", done.stderr


def test_an_unknown_audit_is_one_line(capsys, tmp_path):
    assert build.main(["audit", "nothing", "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "nothing" in said
    assert not (tmp_path / "out").exists()


def test_recorded_audits_can_be_read_and_made_again():
    for name in record.AUDITS:
        if (record.folder(name) / "run.json").is_file():
            info, tables = record.read(name)
            assert info["audit"] == name and all(len(table) for table in tables.values())
    places = [file.parent.name for file in studies.results_folder().glob("audits/*/run.json")]
    assert set(places) <= set(record.AUDITS)

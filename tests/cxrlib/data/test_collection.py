"""The COVID-19 image collection as later clones have it: read, counted, and never a part of it
dropped in silence.
"""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from companion import cli, studies
from companion.studies import cheazemin2020, training, zhu2020
from cxrlib import records
from cxrlib.data import covid_chestxray, phantom
from cxrlib.data.manifest import present
from cxrlib.files import InputError

LATER = {
    "COVID-19": "Pneumonia/Viral/COVID-19",
    "COVID-19, ARDS": "Pneumonia/Viral/COVID-19, ARDS",
    "SARS": "Pneumonia/Viral/SARS",
}


@pytest.fixture
def clone(tmp_path) -> Path:
    """A phantom in the layout of a plain clone: its table is ``metadata.csv``."""
    phantom.write(tmp_path / "data", 60, seed=1, size=64)
    folder = tmp_path / "data" / "covid-chestxray-dataset"
    next(folder.glob("metadata-*.csv")).rename(folder / "metadata.csv")
    return tmp_path / "data"


def rewrite(data: Path, **changes) -> Path:
    """The table with some columns mapped, cell by cell or by a function of the row's number and
    cell.
    """
    file = next((data / "covid-chestxray-dataset").glob("metadata*.csv"))
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    for column, change in changes.items():
        table[column] = [
            change(number, cell) if callable(change) else change.get(cell, cell)
            for number, cell in enumerate(table[column])
        ]
    table.to_csv(file, index=False)
    return data


@pytest.mark.parametrize(
    "changes",
    [
        {"finding": LATER},
        {"finding": lambda number, cell: LATER.get(cell, cell) if number % 2 else cell},
        {"finding": {"COVID-19": "Pneumonia/Viral/Covid-19 , ARDS"}},
        {"view": lambda number, cell: cell.lower() if number % 3 else cell},
        {"view": lambda number, cell: cell.replace(" ", "  ")},
        {
            "modality": (
                lambda number, cell: {"X-ray": ("x-ray", "X-Ray", "Xray")[number % 3]}.get(
                    cell, cell
                )
            )
        },
    ],
    ids=["later spelling", "half of it", "with more", "small letters", "spaces", "modality"],
)
def test_a_later_spelling_gives_the_same_images(clone, changes):
    before = zhu2020.manifest(clone)
    after = zhu2020.manifest(rewrite(clone, **changes))
    assert (before["source"] == "covid-chestxray").sum() > 10
    pd.testing.assert_frame_equal(before.drop(columns="finding"), after.drop(columns="finding"))
    assert zhu2020.labels(after, studies.ZHU_CLASSES).equals(
        zhu2020.labels(before, studies.ZHU_CLASSES)
    )


@pytest.mark.parametrize(
    "column, cell",
    [
        ("finding", "COVID19"),
        ("finding", "Pneumonia/Viral/COVID-19?"),
        ("finding", "no COVID-19"),
        ("modality", "CR"),
        ("modality", ""),
    ],
)
def test_what_is_not_known_is_refused_with_its_row(clone, column, cell):
    rewrite(clone, **{column: lambda number, old: cell if number == 3 else old})
    says = re.escape(
        f"metadata.csv, row 5, column {column}: {cell or 'an empty cell'} is not known"
    )
    with pytest.raises(InputError, match=says):
        zhu2020.manifest(clone)


@pytest.mark.parametrize(
    "finding, is_covid",
    [
        ("COVID-19", True),
        ("COVID-19, ARDS", True),
        ("ARDS, COVID-19", True),
        ("Pneumonia/Viral/COVID-19", True),
        ("covid-19", True),
        ("Pneumonia/Viral/SARS", False),
        ("No Finding", False),
        ("todo", False),
        ("", False),
    ],
)
def test_findings(finding, is_covid):
    assert covid_chestxray.is_covid19(pd.DataFrame({"finding": [finding]})).tolist() == [is_covid]


@pytest.mark.parametrize("later", [False, True])
def test_the_counts_of_the_pinned_commit_stay(real_data, tmp_path, later):
    """360 rows of 198 patients, 232 images of 145, and Study A's 154, spelled as then or as
    later.
    """
    folder = tmp_path / "covid-chestxray-dataset"
    folder.mkdir()
    for commit in ("2020-05-04-6e57ed3", "2020-04-06-29e0b70", "2020-04-03-0bae3ba"):
        table = pd.read_csv(
            real_data / folder.name / f"metadata-{commit}.csv", dtype=str, keep_default_na=False
        )
        if later:
            table["finding"] = table["finding"].replace(LATER)
            table["view"] = table["view"].replace({"PA": "pa"})
        table.to_csv(folder / f"metadata-{commit}.csv", index=False)
    listed, whole = covid_chestxray.read_metadata(tmp_path), covid_chestxray.read_manifest(tmp_path)
    chosen = whole[covid_chestxray.is_covid19(whole) & whole["view"].isin(zhu2020.VIEWS)]
    assert (
        len(listed),
        listed["patientid"].nunique(),
        len(chosen),
        chosen["patient_id"].nunique(),
    ) == (360, 198, 232, 145)
    for commit in cheazemin2020.SNAPSHOTS:
        assert len(cheazemin2020.covid(tmp_path, commit)) == cheazemin2020.POSITIVES


def test_a_record_states_found_and_expected(clone, tmp_path):
    """As of a plain clone, where other images than the study's are listed: also in words."""
    rewrite(clone, finding=LATER, view={"PA": "pa"})
    gone = zhu2020.manifest(clone).query("source == 'covid-chestxray'")["path"].iloc[0]
    (clone / gone).unlink()
    (clone / "PHANTOM.txt").unlink()  # so that it passes for the real ones
    run = studies.ZHU_FOURCLASS.variant("tiny", **studies.PHANTOM | {"size": 33, "epochs": 1})
    settings = {
        "results": tmp_path / "results",
        "work": tmp_path / "work",
        "device": "cpu",
        "precision": "float32",
    }
    info = records.read_record(training.train(run, data=clone, **settings)).info
    table = pd.read_csv(
        clone / "covid-chestxray-dataset" / "metadata.csv", dtype=str, keep_default_na=False
    )
    covid = table[table["finding"].str.contains("COVID-19") & (table["modality"] == "X-ray")]
    frontal = covid["view"].isin(["pa", "AP", "AP Supine"])
    [line] = [line for line in info["lacked"] if "by the study's rule" in line]
    assert (
        f"lists {frontal.sum()} images" in line
        and "not 232" in line
        and "git checkout 6e57ed3" in line
    )


def test_the_pinned_commit_lacks_nothing_of_it(real_data):
    split = zhu2020.split(
        manifest := zhu2020.manifest(real_data),
        zhu2020.labels(manifest, studies.ZHU_CLASSES),
        0,
        10,
    )
    split["missing"] = ~present(manifest, real_data).to_numpy()
    assert training.other_state(split, real_data, "zhu2020") == ""


def test_sources_says_that_it_is_another_state(real_data, tmp_path, capsys):
    """A later table stands for today's: it lists more radiographs than the pinned commit, some of
    them twice.
    """
    folder = tmp_path / "covid-chestxray-dataset"
    (folder / "images").mkdir(parents=True)
    table = pd.read_csv(
        real_data / folder.name / "metadata-2020-06-04-9e80e4c.csv",
        dtype=str,
        keep_default_na=False,
    )
    for whole, said in (
        (table, "so this is not commit 6e57ed3: check that out"),
        (table.drop_duplicates("filename"), "so another state than the 316"),
    ):
        whole.to_csv(folder / "metadata.csv", index=False)
        assert cli.main(["sources", "--data", str(tmp_path)]) == 0
        assert said in capsys.readouterr().out


def test_study_a_names_the_commit_too(real_data, tmp_path):
    folder = tmp_path / "covid-chestxray-dataset"
    folder.mkdir()
    shutil.copy(
        real_data / folder.name / "metadata-2020-05-04-6e57ed3.csv", folder / "metadata.csv"
    )
    found = cheazemin2020.covid(tmp_path)
    split = pd.DataFrame({"image_id": found["image_id"], "split": "test", "missing": True})
    line = training.other_state(split, tmp_path, "cheazemin2020")
    assert "not 154" in line and "29e0b70" in line

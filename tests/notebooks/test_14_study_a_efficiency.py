"""What the chapter reads, and what it says where that is not there."""

import json

import pytest
from chapters import function

from cxrlib.files import InputError

figures_of = function("14_study_a_efficiency", "figures_of", json=json, InputError=InputError)


def test_figures_come_by_device_the_newest_first(tmp_path):
    for name, kind, day in (
        ("a", "cpu", "2026-01-02"),
        ("b", "cuda", "2026"),
        ("c", "cpu", "2027"),
    ):
        info = {"device": {"type": kind, "name": name}, "recorded": day}
        (tmp_path / f"{name}.json").write_text(json.dumps(info))
    found = [[info["device"]["name"] for info in part] for part in figures_of(tmp_path)]
    assert found == [["c", "a"], ["b"]]


def test_a_folder_without_a_cpus_figures_is_named(tmp_path):
    (tmp_path / "gpu.json").write_text('{"device": {"type": "cuda"}, "recorded": "2026-01-01"}')
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(InputError, match="holds no figures of a CPU") as said:
            figures_of(folder)
        assert str(folder) in str(said.value) and "\n" not in str(said.value)

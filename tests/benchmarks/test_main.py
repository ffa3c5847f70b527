"""``python -m benchmarks``."""

import pytest

from benchmarks import __main__ as program
from benchmarks import rivals


def test_help_names_every_benchmark(capsys):
    with pytest.raises(SystemExit):
        program.main(["--help"])
    out = capsys.readouterr().out
    assert all(name in out for name in [*rivals.BENCHES, "all", "efficiency"])


def test_what_was_found_is_a_line_each(capsys, monkeypatch):
    monkeypatch.setattr(
        rivals, "BENCHES", {"one": lambda: {"ratio": 1 / 3, "n": 7}, "two": lambda: {"n": 8}}
    )
    assert program.main(["all"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["one", "ratio", "0.3333"], ["one", "n", "7"], ["two", "n", "8"]]


def test_bad_input_and_a_missing_package_are_one_line(capsys, monkeypatch):
    assert program.main(["efficiency", "--seconds", "0"]) == 2
    assert capsys.readouterr().err == "benchmarks: seconds 0: expected a time above 0\n"

    def lacking():
        raise ModuleNotFoundError(name="torch")

    monkeypatch.setitem(rivals.BENCHES, "frozen", lacking)
    assert program.main(["frozen"]) == 2
    assert capsys.readouterr().err.startswith("benchmarks: frozen needs torch: ")

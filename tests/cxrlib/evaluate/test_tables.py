"""CSVs of the form that is read, with the file's own lines in errors; other forms, which are
refused; and seeded damage.
"""

import gzip
import os
import random
from pathlib import Path

import numpy as np
import pytest

from companion import cli
from cxrlib import evaluate
from cxrlib.files import InputError

SEED = 20261128


def written(folder: Path, content: str | bytes) -> Path:
    file = folder / "p.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def scores(found: evaluate.Predictions) -> list[float]:
    return found.frame[f"p_{found.positive}"].tolist()


READ = {  # content; the probabilities of the positive class are these
    "exponents": "y_true,p\n1,8e-1\n0,2E-1\n",
    "no zero": "y_true,p\n1,.8\n0,.2\n",
    "spaces": " y_true , p\n1 , 0.8\n 0,0.2 \n",
    "blank lines": "y_true,p\n\n1,0.8\n\n0,0.2\n\n",
    "a spreadsheet's empty columns": "y_true,p,,\r\n1,0.8,,\r\n0,0.2,,,\r\n",
    "row names of write.csv": '"","y_true","p"\n"1",1,0.8\n"2",0,0.2\n',
    "pandas' index": "Unnamed: 0,y_true,p\n0,1,0.8\n1,0,0.2\n",
    "lines within a name": 'image_id,y_true,p\n"a\r\nb",1,0.8\na\x0bb\u2028,0,0.2\n',
    "two columns, 1 and 0": "y_true,p_0,p_1\n1,0.2,0.8\n0,0.8,0.2\n",
}


@pytest.mark.parametrize("content", READ.values(), ids=READ)
def test_is_read(tmp_path, content):
    found = evaluate.read_file(written(tmp_path, content))
    assert scores(found) == [0.8, 0.2]
    assert (found.frame["y_true"] == found.positive).tolist() == [True, False]


GOOD = "y_true,p\n1,0.8\n0,0.2\n"
OTHER_FORMS = {  # content: what the line says
    "semicolons": (GOOD.replace(",", ";"), "line 1: needs commas"),
    "tabs": (GOOD.replace(",", "\t"), "line 1: needs commas"),
    "bars": (GOOD.replace(",", "|"), "line 1: needs commas"),
    "sep=": ("sep=,\n" + GOOD, "line 1: needs commas and a column"),
    "a blank line first": ("\n" + GOOD, "line 1: needs commas and a column"),
    "decimal commas": ('y_true,p\n1,"0,8"\n0,"0,2"\n', "line 2, column p: 0,8 is not a number"),
    "decimal commas between semicolons": ("y_true;p\n1;0,8\n", "line 1: needs commas"),
    "percentages": ("y_true,p\n1,80 %\n", "line 2, column p: 80 % is not a number"),
    "a sign": ("y_true,p\n1,-0\n", "line 2, column p: -0 is not a number"),
    "utf-16": (GOOD.encode("utf-16"), "cannot be read as CSV in UTF-8"),
    "utf-16 without a mark": (GOOD.encode("utf-16-le"), "line 1: column y"),
    "Windows-1252": ("y_true,p,é\n1,0.8,é\n".encode("cp1252"), "cannot be read as CSV in UTF-8"),
    "gzip": (gzip.compress(GOOD.encode()), "cannot be read as CSV in UTF-8"),
    "loose quotes": ('y_true,p\n"1" x,0.8\n', "cannot be read as CSV"),
    "a cell of a megabyte": ("y_true,p,x\n1,0.8," + "A" * 10**6 + "\n", "cannot be read as CSV"),
    "cells beyond the names": ("y_true,p\n1,0.8,x\n", "line 2: 3 cells, the line of names has 2"),
    "an empty row of a spreadsheet": ("y_true,p\n1,0.8\n,\n", "line 3, column p: an empty cell"),
    "yes and no": ("y_true,p\nyes,0.8\n", "line 2, column y_true: yes is neither 1 nor 0"),
    "1.0 and 0.0": ("y_true,p\n1.0,0.8\n", "line 2, column y_true: 1.0 is neither 1 nor 0"),
    "True for 1": ("y_true,p_0,p_1\nTrue,0.2,0.8\n", "column y_true: True is none of 0, 1"),
    "one class of two": ("y_true,p_covid\ncovid,0.8\n", "needs a column p_<class> for each of two"),
    "é in two ways": (
        "y_true,p_é,p_b\ne\N{COMBINING ACUTE ACCENT},0.8,0.2\n",
        "column y_true: .* is none of",
    ),
} | {
    f"spelt {name}": (f"{name},y_true,p\na,1,0.8\n", "is to be called patient_id")
    for name in ("PatientID", "patientid", "Patient ID", "PATIENT-ID", "patient.id")
}


@pytest.mark.parametrize("content, message", OTHER_FORMS.values(), ids=OTHER_FORMS)
def test_other_forms_are_refused(tmp_path, content, message):
    """None of them is guessed, so none is read wrongly."""
    with pytest.raises(InputError, match=message):
        evaluate.read_file(written(tmp_path, content))


REFUSED = {  # content: what the line says
    "after blank lines": ("y_true,p\n\n1,0.5\n\n0,x\n", "line 5, column p: x is not"),
    "after a quoted line break": (
        'image_id,y_true,p\n"a\nb",1,0.5\nc,0,x\n',
        "line 4, column p: x is not",
    ),
    "a sum": (
        'image_id,y_true,p_a,p_b\n"a\nb",a,0.5,0.5\n\nc,b,0.7,0.1\n',
        r"line 5, column p_a\+p_b: 0.79\d* is not a sum of 1",
    ),
    "a label": ("y_true,p_a,p_b\n\na,1,0\nc,1,0\n", "line 4, column y_true: c is none of a, b"),
    "an image twice": (
        "image_id,y_true,p\n\na,1,0.5\na,0,0\n",
        "line 4, column image_id: a stands in an earlier row too",
    ),
    "a short row": ("y_true,p,note\n1,.5\n0,.4,x\n1\n", "line 2: 2 cells, the line of names has 3"),
    "an open quote": ('y_true,p\n1,0.5\n"0,0.1\n1,0.3\n', "cannot be read as CSV"),
    "an open quote at the end": ('y_true,p,note\n1,0.5,a\n0,0.1,"b', "cannot be read as CSV"),
    "decimal commas between commas": (
        "y_true,p,\n1,0,93\n0,0,08\n",
        "line 2: 3 cells, the line of names has 2",
    ),
    "row names of write.table": (
        '"y_true","p"\n"1",1,0.8\n',
        "line 2: 3 cells, the line of names has 2",
    ),
    "a word for no number": ("y_true,p\n1,NA\n", "line 2, column p: NA is not a number"),
    "hidden underscore": ("y_true,p\n1,0_1\n", "line 2, column p: 0_1 is not a number"),
    "answers for probabilities": ("y_true,p\n1,True\n", "line 2, column p: True is not a number"),
    "nobody's images": (
        "patient_id,y_true,p\nNA,1,0.5\nNA,0,0.2\n",
        "line 3, column patient_id: NA stands there more than once",
    ),
    "a number that a spreadsheet has cut": (
        "patient_id,y_true,p\n1.23E+11,1,0.5\n7,0,0\n1.23E+11,0,0.2\n",
        "line 4, column patient_id: 1.23E.11 stands",
    ),
    "no decimals": (
        "y_true,p_a,p_b\na,1,0\nb,0,0\n",
        "line 3, column p_a.p_b: 0.0 is not a sum of 1",
    ),
    "zero bytes": (b"y_true,p\n1,0.5\n\0", "line 3: 1 cells"),
    "a workbook": (b"PK\3\4" + bytes(99), "line 1: needs commas"),
    "another script's digits": ("y_true,p\n1,٠.٥\n", "line 2, column p: .* is not a number"),
}


@pytest.mark.parametrize("content, message", REFUSED.values(), ids=REFUSED)
def test_is_refused_by_the_files_own_line(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        evaluate.read_file(written(tmp_path, content))


def test_numbers_of_patients_are_names(tmp_path):
    found = evaluate.read_file(
        written(tmp_path, "patient_id,y_true,p\n0506,1,0.9\n506,0,0.1\n1.0,1,0.8\n10,1,0.8\n")
    )
    assert found.frame["patient_id"].nunique() == 4 and found.notes == []


@pytest.mark.parametrize("d, k", [(d, k) for d in (1, 2, 3, 4, 5) for k in (2, 3, 4, 14)])
def test_rounded_probabilities_are_used_as_given(tmp_path, d, k):
    """Rounding moves each by half a unit at most; every such table is read, to the digit."""
    rng = np.random.default_rng(SEED + 100 * d + k)
    p = rng.dirichlet(np.ones(k), 400).round(d)
    file = written(
        tmp_path,
        "y_true,"
        + ",".join(f"p_{j}" for j in range(k))
        + "\n"
        + "".join(f"{i % k}," + ",".join(map(str, row)) + "\n" for i, row in enumerate(p.tolist())),
    )
    found = evaluate.read_file(file)
    assert (found.frame[[f"p_{j}" for j in range(k)]].to_numpy() == p).all()
    p[7, 0] += 10.0**-d * (k // 2 + 2)  # further off than rounding can be
    if p[7, 0] <= 1:
        lines = file.read_text().splitlines()
        lines[8] = "0," + ",".join(f"{x:.{d}f}" for x in p[7])
        if abs(p[7].sum() - 1) > max(k / 2 * 10.0**-d, 1e-4) * 1.001:
            with pytest.raises(InputError, match="line 9, .* is not a sum of 1"):
                evaluate.read_file(written(tmp_path, "\n".join(lines)))


def test_numbers_are_the_nearest_doubles(tmp_path):
    values = [*np.random.default_rng(SEED).random(500).tolist(), 5e-324, 1.0, 0.0, 1e-17, 0.1 + 0.2]
    rows = "".join(f"1,{value!r}\n" for value in values)
    assert scores(evaluate.read_file(written(tmp_path, f"y_true,p\n{rows}"))) == values


def test_what_is_no_file_is_refused_and_nothing_hangs(tmp_path, capfd):
    os.mkfifo(tmp_path / "named")
    (tmp_path / "folder").mkdir()
    read, write = os.pipe()
    os.write(write, GOOD.encode())
    os.close(write)
    odd = [str(tmp_path / "named"), str(tmp_path / "folder"), "/dev/zero", "/dev/null"]
    for file in [*odd, f"/dev/fd/{read}"]:
        assert cli.main(["evaluate", file]) == 2
    os.close(read)
    err = capfd.readouterr().err.splitlines()
    assert len(err) == 5 and all("a regular file is needed" in line for line in err)


def test_file_names_that_are_no_text(tmp_path, capfd):
    """Latin-1 and a colour in a name: the files are written, and what is printed and shown is
    clean.
    """
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\x1b[31m")
    Path(f"{odd}.csv").write_text("y_true,p\n1,0.8\n0,0.2\n")
    outputs = [f"{odd}.html", f"{odd}-x.html", f"{odd}-t.csv"]
    options = [
        word
        for pair in zip(("--html", "--explorer", "--output"), outputs, strict=True)
        for word in pair
    ]
    assert cli.main(["evaluate", f"{odd}.csv", *options]) == 0
    out, err = capfd.readouterr()
    assert "\x1b" not in out + err and out.count("\n") == 3
    for file in outputs:
        assert b"\x1b" not in Path(file).read_bytes() and Path(file).read_bytes().decode("utf-8")


LONG = "A\x1b[31m" * 10**5


@pytest.mark.parametrize(
    "content",
    [
        f"y_true,p\n1,{LONG}\n",
        f"y_true,p\n{LONG},0.5\n",
        f"{LONG},p\n1,0.5\n",
        f"y_true,p_{LONG},p_b\n{LONG}c,0.5,0.5\n",
    ],
)
def test_no_text_of_the_file_reaches_a_terminal_whole(tmp_path, capsys, content):
    with pytest.raises(InputError) as caught:
        evaluate.read_file(written(tmp_path, content))
    assert len(str(caught.value)) < 2000
    assert cli.main(["evaluate", str(written(tmp_path, content))]) == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err and len(err) < 600 and err.count("\n") == 1 and "p.csv" in err
    good = written(tmp_path, "y_true,p\n1,0.5\n")
    assert (
        cli.main(["evaluate", str(good), "--positive", LONG]) == 2
        and len(capsys.readouterr().err) < 1200
    )
    with pytest.raises(SystemExit):
        cli.main(["evaluate", str(good), LONG[:999]])
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("bad", ["--output", "--explorer", "--html"])
def test_all_outputs_or_none(tmp_path, capsys, bad):
    file = written(tmp_path, "y_true,p\n1,0.5\n0,0.2\n")
    (tmp_path / "t.csv").write_text("before")
    options = {
        "--output": tmp_path / "t.csv",
        "--explorer": tmp_path / "x.html",
        "--html": tmp_path / "r.html",
    }
    options[bad] = file / "no folder"
    assert (
        cli.main(["evaluate", str(file), *(str(word) for pair in options.items() for word in pair)])
        == 2
    )
    assert capsys.readouterr().out == "" and (tmp_path / "t.csv").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.csv", "t.csv"]


def test_an_explorer_that_is_too_large_leaves_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("cxrlib.explorer.MOST", 1)
    file = written(tmp_path, "y_true,p\n1,0.5\n0,0.2\n")
    options = [
        "--html",
        str(tmp_path / "r.html"),
        "--explorer",
        str(tmp_path / "x.html"),
        "--output",
        str(tmp_path / "t.csv"),
    ]
    assert (
        cli.main(["evaluate", str(file), *options]) == 2 and "at most 1" in capsys.readouterr().err
    )
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]


def test_a_device_is_not_replaced(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    assert (
        cli.main(
            [
                "evaluate",
                str(written(tmp_path, "y_true,p\n1,0.5\n0,0.2\n")),
                "--output",
                str(tmp_path / "pipe"),
            ]
        )
        == 2
    )
    assert "no regular file" in capsys.readouterr().err and not (tmp_path / "pipe").is_file()


PIECES = [b"", b"", b'"', b",", b";", b"\0", b"\n", b"\xff\xfe", b"nan", b"1e999", b"p_", b"\xc3"]


def fuzz(folder: Path, rounds: int, seed: int) -> int:
    """Damaged copies of a good file; none ends in anything but an answer or one line, which is
    returned.
    """
    rows = "".join(
        f"i{k},n{k // 2},{'ab'[k % 2]},0.{k + 1:02},{1 - (k + 1) / 100}\n" for k in range(9)
    )
    data, read = f"image_id,patient_id,y_true,p_a,p_b\n{rows}".encode(), 0
    for number in range(rounds):
        rng, bad = random.Random(seed + number), bytearray(data)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(bad) + 1)
            piece = rng.choice([*PIECES, bytes([rng.randrange(256)]), bad[at : at + 40]])
            bad[at : at + rng.randint(0, 3)] = piece
        try:
            made = evaluate.read_file(written(folder, bytes(bad)))
            total = made.frame.filter(regex="^p_").sum(axis=1)
            assert len(made.frame) and (np.abs(total - 1) <= 0.1).all(), f"seed {seed + number}"
            read += 1
        except InputError as error:
            assert "\n" not in str(error) and str(folder / "p.csv") in str(error)
    return read


def test_damaged_files_get_an_answer_or_one_line(tmp_path):
    assert 0 < fuzz(tmp_path, 300, SEED) < 300


@pytest.mark.slow
def test_very_many_damaged_files(tmp_path):
    assert 0 < fuzz(tmp_path, 8000, SEED + 10**6) < 8000

"""CSVs as people, spreadsheets and programs write them, read as text and understood; and a seeded
fuzzer of both kinds.
"""

import gzip
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from companion import cli
from cxrlib import evaluate
from cxrlib.evaluate import tables
from cxrlib.files import InputError

SEED = 20261128


def written(folder: Path, content: str | bytes) -> Path:
    file = folder / "p.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def scores(found: evaluate.Predictions) -> list[float]:
    return found.frame[f"p_{found.positive}"].tolist()


READ = {  # content: the probabilities of the positive class
    "decimal commas after line 100": (
        "y_true;p\n" + "1;1\n0;0\n" * 60 + "1;0,9\n",
        [1, 0] * 60 + [0.9],
    ),
    "decimal commas within quotes": ('y_true,p\n1,"0,9"\n0,"0,25"\n', [0.9, 0.25]),
    "percentages": (
        "y_true;p\n1;80 %\n0;12,5%\n1;\N{NO-BREAK SPACE}93.7\N{NO-BREAK SPACE}%\n",
        [0.8, 0.125, 0.937],
    ),
    "exponents": ("y_true;p\n1;1e-3\n0;1,5E-01\n1;5.e-1\n0;,25\n", [0.001, 0.15, 0.5, 0.25]),
    "sep=": ("sep=;\r\ny_true;p\r\n1;0,8\r\n0;0,2\r\n", [0.8, 0.2]),
    "sep= with a mark": ("\ufeffsep=\t\ny_true\tp\n1\t0.8\n0\t0.2\n", [0.8, 0.2]),
    "sep= in quotes, as a spreadsheet saves it": (
        '"sep=|";;\ny_true|p\n1|0.8\n0|0.2\n',
        [0.8, 0.2],
    ),
    "blank lines": ("\n  \ny_true,p\n\n1,0.8\n,\n0,0.2\n\n", [0.8, 0.2]),
    "empty columns and rows of a spreadsheet": (
        "y_true;p;;;\r\n1;0,8;;;\r\n0;0,2;;;;;\r\n;;;;\r\n",
        [0.8, 0.2],
    ),
    "Windows-1252 in a column of no use": (
        "y_true,p,note\n1,0.8,café\n0,0.2,–\n".encode("cp1252"),
        [0.8, 0.2],
    ),
    "Windows-1252 in names": (
        "y_true,p_zoé,p_b\nzoé,0.8,0.2\nb,0.2,0.8\n".encode("cp1252"),
        [0.8, 0.2],
    ),
    "Shift-JIS in names": (
        "y_true,p_肺炎,p_表\n肺炎,0.8,0.2\n表,0.2,0.8\n".encode("shift-jis"),
        [0.8, 0.2],
    ),
    "Unicode text of a spreadsheet": (
        "y_true\tp\r\n1\t0,8\r\n0\t0,2\r\n".encode("utf-16"),
        [0.8, 0.2],
    ),
    "é in two ways": (
        (
            "y_true,p_zoe\N{COMBINING ACUTE ACCENT}\nzoé,0.8\n"
            "zoe\N{COMBINING ACUTE ACCENT},0.8\nb,0.2\n"
        ),
        [0.8, 0.8, 0.2],
    ),
    "two marks": ("\ufeff\ufeffy_true,p\n1,0.8\n0,0.2\n", [0.8, 0.2]),
    "lines of an old Macintosh": ("y_true,p\r1,0.8\r0,0.2\r", [0.8, 0.2]),
    "row names of write.csv": ('"","y_true","p"\n"1",1,0.8\n"2",0,0.2\n', [0.8, 0.2]),
    "pandas' index": ("Unnamed: 0,y_true,p\n0,1,0.8\n1,0,0.2\n", [0.8, 0.2]),
    "bars": ("y_true|p\n1|0.8\n0|0.2\n", [0.8, 0.2]),
    "a cell of a megabyte that is of no use": (
        "y_true,p,picture\n1,0.8," + "A" * 10**6 + "\n0,0.2,\n",
        [0.8, 0.2],
    ),
    "lines within a name": ('image_id,y_true,p\n"a\r\nb",1,0.8\na\x0bb\u2028,0,0.2\n', [0.8, 0.2]),
    "1.0 and 0.0": ("y_true,p_0,p_1\n1.0,0.2,0.8\n0.0,0.8,0.2\n", [0.8, 0.2]),
    "True and False": ("y_true,p_0,p_1\nTrue,0.2,0.8\nFalse,0.8,0.2\n", [0.8, 0.2]),
    "1 and 0 for words": ("y_true,p_negative,p_positive\n1,0.2,0.8\n0,0.8,0.2\n", [0.8, 0.2]),
    "three codes": ("y_true,p_1,p_0,p_2\n1.0,0.8,0.2,0\n2.0,0.2,0.2,0.6\n", [0.8, 0.2]),
    "False for the one column of 0": ("y_true,p_0\nFalse,0.875\nTrue,0.125\n", [0.125, 0.875]),
    "loose quotes": (
        '"y_true", "p" ,note\n"1" , "0.8",""bad" val"\n"0","0.2" , 5" wide\n',
        [0.8, 0.2],
    ),
    "1,0 and 0,0": ("y_true;p\n1,0;0,8\n0,0;0,2\n", [0.8, 0.2]),
    "other spellings": ("Y.True,P\n1,0.8\n0,0.2\n", [0.8, 0.2]),
}


@pytest.mark.parametrize("content, expected", READ.values(), ids=READ)
def test_is_read(tmp_path, content, expected):
    found = evaluate.read_file(written(tmp_path, content))
    assert scores(found) == expected
    assert (found.frame["y_true"] == found.positive).tolist() == [
        p >= 0.8 or p in (0.001, 0.5) for p in expected
    ]


REFUSED = {  # content: what the line says
    "decimal commas and a bad cell": (
        "y_true;p\n1;0,8\n0;0,2\n1;0,7\n0;0x8\n1;0,9\n",
        "line 5, column p: 0x8 is not a number",
    ),
    "after blank lines": ("\ny_true,p\n\n1,0.5\n\n0,x\n", "line 6, column p: x is not"),
    "after sep=": ("sep=;\ny_true;p\n1;0,8\n0;high\n", "line 4, column p: high is not"),
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
        "line 4, column image_id: a stands there, twice",
    ),
    "a short row": (
        "y_true,p,note\n1,.5\n0,.4,x\n1\n",
        "line 4, column p: an empty cell is not a number",
    ),
    "an open quote": ('y_true,p\n1,0.5\n"0,0.1\n1,0.3\n', r"cannot be read as CSV \(line 3: "),
    "an open quote at the end": (
        'y_true,p,note\n1,0.5,a\n0,0.1,"b',
        r"cannot be read as CSV \(line 3: ",
    ),
    "decimal commas between commas": (
        "y_true,p,\n1,0,93\n0,0,08\n",
        r"cannot be read as CSV \(line 2: has 3 cells, the line of names 2",
    ),
    "row names of write.table": (
        '"y_true","p"\n"1",1,0.8\n',
        r"line 2: has 3 cells, the line of names 2",
    ),
    "a word for no number": ("y_true,p\n1,NA\n", "line 2, column p: NA is not a number"),
    "percentages and shares in one column": (
        "y_true,p\n1,20%\n0,0.9\n",
        "line 3, column p: 0.9 has no %",
    ),
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
    "the one class and 1 and 0": (
        "y_true,p_covid\n1,0.9\n0,0.1\n",
        "line 2, column y_true: 1 may be covid or not. Call the column p",
    ),
    "spelled twice": (
        "Patient ID,patientid,y_true,p\na,a,1,1\n",
        "line 1: column patient_id occurs twice",
    ),
    "no decimals": (
        "y_true,p_a,p_b\na,1,0\nb,0,0\n",
        "line 3, column p_a.p_b: 0.0 is not a sum of 1",
    ),
    "another spelling of the one class": (
        "y_true,p_covid\ncovid,0.9\nCOVID,0.8\nnormal,0.1\n",
        "line 3, column y_true: COVID may be covid",
    ),
    "a hyphen in the one class": (
        "y_true,p_covid_19\nnormal,0.9\ncovid-19,0.8\n",
        "line 3, column y_true: covid-19 may be covid_19",
    ),
    "the one class and a 1": (
        "y_true,p_covid\ncovid,0.9\n1,0.8\nnormal,0.1\n",
        "line 3, column y_true: 1 may be covid",
    ),
    "zero bytes": (b"y_true,p\n1,0.5\n\0", "zero bytes"),
    "a workbook": (b"PK\3\4" + bytes(99), "save the sheet as CSV"),
    "other text": (
        "y_true,p\n1,0.5\n0,hø\n".encode("cp1252"),
        "line 3, column p: hø is not a number .*neither UTF-8 nor UTF-16",
    ),
} | {
    f"{name} of 1": (f"y_true,p_{name}\n1,0.1\n0,0.9\n", f"line 2, column y_true: 1 may be {name}")
    for name in ("no", "negative", "neg", "normal", "not_covid", "No finding")
}


@pytest.mark.parametrize("content, message", REFUSED.values(), ids=REFUSED)
def test_is_refused_by_the_files_own_line(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        evaluate.read_file(written(tmp_path, content))


@pytest.mark.parametrize(
    "name", ["patient_id", "PatientID", "patientid", "Patient ID", "PATIENT-ID", "patient.id"]
)
def test_patients_under_other_names(tmp_path, name):
    found = evaluate.read_file(
        written(tmp_path, f"{name},y_true,p\nanna ,1,0.9\nanna,0,0.1\nben,1,0.8\n")
    )
    assert found.frame["patient_id"].tolist() == [0, 0, 1] and len(found.notes) == 1


def test_numbers_of_patients_are_names(tmp_path):
    found = evaluate.read_file(
        written(tmp_path, "patient_id,y_true,p\n0506,1,0.9\n506,0,0.1\n1.0,1,0.8\n10,1,0.8\n")
    )
    assert found.frame["patient_id"].nunique() == 4 and len(found.notes) == 1


def test_what_was_taken_for_what_is_said(tmp_path):
    found = evaluate.read_file(
        written(tmp_path, "y_true,p_covid\ncovid,0.9\nCOVID19,0.8\nnormal,0.1\n")
    )
    assert "Taken for not covid: COVID19, normal." in found.notes[0]
    found = evaluate.read_file(written(tmp_path, "y_true,p_0,p_1\n1.0,0.2,0.8\nFalse,0.8,0.2\n"))
    assert "y_true: 1.0 is read as 1, False is read as 0." in found.notes
    found = evaluate.read_file(
        written(tmp_path, "y_true,p,note\n1,0.8,é\n0,0.2,\n".encode("latin-1"))
    )
    assert any("Windows-1252" in note for note in found.notes)


@pytest.mark.parametrize("d, k", [(d, k) for d in (1, 2, 3, 4, 5) for k in (2, 3, 4, 14)])
def test_rounded_probabilities_are_used_as_given(tmp_path, d, k):
    """Rounding moves each by half a unit at most; every such table is read, to the digit, and few
    decimals are noted.
    """
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
    off = np.abs(p.sum(axis=1) - 1).max() > 1e-9
    assert any("used as given" in note for note in found.notes) == (d <= 3 and off)
    p[7, 0] += 10.0**-d * (k // 2 + 2)  # further off than rounding can be
    if p[7, 0] <= 1:
        lines = file.read_text().splitlines()
        lines[8] = "0," + ",".join(f"{x:.{d}f}" for x in p[7])
        if abs(p[7].sum() - 1) > max(k / 2 * 10.0**-d, 1e-4) * 1.001:
            with pytest.raises(InputError, match="line 9, .* is not a sum of 1"):
                evaluate.read_file(written(tmp_path, "\n".join(lines)))


def test_numbers_are_the_nearest_doubles():
    rng = np.random.default_rng(SEED)
    for value in [*rng.random(500), 5e-324, 1.0, 0.0, 1e-17, 0.1 + 0.2]:
        assert tables.number(repr(float(value)).replace(".", ",")) == value
    assert [tables.number(text) for text in ("29 %", "57.3%", "0,07 %")] == [0.29, 0.573, 0.0007]
    assert all(
        np.isnan(tables.number(text))
        for text in ("", "%", "1e2%", "1.2.3", "0x1", "1,2,3", "٠٫٥", "1 2", "nan")
    )


def test_pipes_are_read_once_and_nothing_hangs(tmp_path, capfd):
    content, command = b"y_true,p\n1,0.8\n0,0.2\n", [sys.executable, "-m", "companion", "evaluate"]
    os.mkfifo(tmp_path / "named")
    (tmp_path / "folder").mkdir()
    for file in ("named", "folder"):
        assert cli.main(["evaluate", str(tmp_path / file)]) == 2
    for device in ("/dev/zero", "/dev/null"):
        assert cli.main(["evaluate", device]) == 2
    err = capfd.readouterr().err.splitlines()
    assert len(err) == 4 and sum("a regular file is needed" in line for line in err) == 4
    packed = subprocess.run(
        [*command, "/dev/stdin"], input=gzip.compress(content), capture_output=True, timeout=120
    )
    assert packed.returncode == 0 and b"sensitivity" in packed.stdout
    read, write = os.pipe()
    threading.Thread(
        target=lambda: (time.sleep(0.2), os.write(write, content), os.close(write))
    ).start()
    assert scores(evaluate.read_file(f"/dev/fd/{read}")) == [0.8, 0.2]
    os.close(read)


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


# ---------------------------------------------------------------- the fuzzer

WORDS = [
    "covid",
    "macro avg",
    "constructor",
    "x y",
    "naïve",
    "a;b",
    'say "ah"',
    "O'Neil",
    "1st",
    "é",
    "NaN",
    "tab\there",
    "two\nlines",
    "=1+1",
]
TEXTS = [
    "",
    "plain",
    "a,b;c|d",
    'quote " in it',
    "line\nbreak",
    "  spaces  ",
    "0,5",
    "NA",
    "\N{NO-BREAK SPACE}",
    "ümläut",
    "'",
    "100 %",
]


def spelled(rng: random.Random, value: float, comma: bool, percent: bool) -> str:
    """A number as one of many programs writes it, without loss."""
    text = repr(value)
    ways = [
        text,
        f" {text}" if "e" in text else text + "0",
        f"{value:.17g}",
        f"{value:.20e}",
        f"{value:.17G}",
    ]
    if percent:
        whole = int(text.replace(".", ""))  # digits of value * 10 ** places
        places = len(text.split(".")[1]) - 2
        ways = [f"{whole / 10**places:.{max(places, 0)}f} %"] if places >= 0 else [f"{whole * 10}%"]
    text = rng.choice(ways)
    return text.replace(".", ",") if comma else text


def table(rng: random.Random):
    """A well-formed file in a dialect at random: its bytes, the classes, y, p, patients, each row's
    line, and where a cell of p stands in the bytes.
    """
    k, n, binary = rng.randint(2, 5), rng.randint(1, 12), rng.random() < 0.3
    sign, end = rng.choice(",;\t|"), rng.choice(["\n", "\r\n", "\r"])
    comma, every = rng.random() < 0.5, rng.random() < 0.3
    classes = ["1", "0"] if binary else rng.sample(WORDS, k)
    decimals = rng.choice([None, None, 1, 2, 3, 4, 6])
    percent = decimals in (1, 2, 3, 4) and rng.random() < 0.3
    y = [rng.randrange(len(classes)) for _ in range(n)]
    p = np.random.default_rng(rng.randrange(2**32)).dirichlet(np.full(len(classes), 0.7), n)
    p[:, -1] = np.clip(1 - p[:, :-1].sum(axis=1), 0, 1)
    p = p if decimals is None else p.round(decimals)
    patients = [rng.choice(["anna", "ben", "c, d", "1", "ü"]) for _ in range(n)]
    label = (
        rng.choice([["1", "0"], ["True", "False"], ["1.0", "0.0"], ["yes", "no"]])
        if binary
        else classes
    )
    scores = ["p"] if binary else [f"p_{name}" for name in classes]
    columns = [
        "y_true",
        *scores,
        "patient_id",
        *(rng.choice(["", "note", "Unnamed: 0", "päth"]) for _ in range(rng.randint(0, 2))),
    ]
    rng.shuffle(columns)
    while columns[-1] == "":
        columns.pop()

    def quoted(cell: str) -> str:
        needs = (
            every
            or any(letter in cell for letter in f'"{sign}\r\n')
            or cell != cell.strip()
            or cell[:4].lower() == "sep="
        )
        return '"' + cell.replace('"', '""') + '"' if needs else cell

    heads = {
        "y_true": ["y_true", "Y_True"],
        "patient_id": ["patient_id", "PatientID", "patient id"],
    }
    start = f"sep={sign}{end}" if rng.random() < 0.15 else ""
    start += end * rng.choice([0, 0, 0, 1, 2])
    tail = sign * rng.choice([0, 0, 0, 3])
    parts, lines = (
        [
            start,
            sign.join(quoted(rng.choice(heads.get(name, [name]))) for name in columns) + tail + end,
        ],
        [],
    )
    breaks = lambda text: text.replace("\r\n", "\n").replace("\r", "\n").count("\n")  # noqa: E731
    for row in range(n):
        parts.append(
            rng.choice(
                [
                    "",
                    "",
                    "",
                    "",
                    end,
                    sign * (len(columns) - 1) + tail + end if len(columns) > 1 else "",
                ]
            )
        )
        cells = []
        for name in columns:
            if name == "y_true":
                cells.append(quoted(label[y[row]]))
            elif name in scores:
                cells.append(
                    quoted(spelled(rng, float(p[row, scores.index(name)]), comma, percent))
                )
            else:
                cells.append(quoted(patients[row] if name == "patient_id" else rng.choice(TEXTS)))
        lines.append(breaks("".join(parts)) + 1)
        parts.append(sign.join(cells) + tail + end)
    text = "".join(parts)
    codes = ["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-16-le", "utf-16-be"]
    code = rng.choice([each for each in codes if start == "" or not each.endswith(("le", "be"))])
    try:
        data = text.encode(code)
    except UnicodeEncodeError:
        data = text.encode()
    return (
        gzip.compress(data) if rng.random() < 0.1 else data,
        ["positive", "negative"] if binary else classes,
        y,
        p,
        patients,
        lines,
    )


def fuzz(folder: Path, rounds: int, seed: int) -> dict[str, int]:
    """Every well-formed file comes out to the last digit with its own lines; of its damaged copies
    none ends in anything but an answer or one line.
    """
    counts = {"right": 0, "damaged": 0, "read": 0}
    for number in range(rounds):
        rng = random.Random(seed + number)
        data, classes, y, p, patients, lines = table(rng)
        file = written(folder, data)
        found, at = evaluate.read_file(file), f"seed {seed + number}"
        assert sorted(found.classes) == sorted(classes), at
        given = (
            classes[:1] if classes[0] == "positive" else classes
        )  # of the one column the rest is what it leaves
        assert all(
            (found.frame[f"p_{name}"].to_numpy() == p[:, classes.index(name)]).all()
            for name in given
        ), at
        assert found.frame["y_true"].tolist() == [classes[k] for k in y], at
        assert found.frame["patient_id"].tolist() == [
            list(dict.fromkeys(patients)).index(name) for name in patients
        ], at
        assert found.ids.tolist() == [f"line {line}" for line in lines], at
        counts["right"] += 1
        for _ in range(4):
            bad = bytearray(data)
            for _ in range(rng.randint(1, 4)):
                a, b = sorted(rng.randrange(len(bad) + 1) for _ in range(2))
                piece = rng.choice(
                    [
                        b"",
                        b"",
                        bytes([rng.randrange(256)]),
                        b'"',
                        b",",
                        b";",
                        b"\0",
                        b"\n",
                        b"\xff\xfe",
                        b"nan",
                        b"1e999",
                        bad[a:b],
                    ]
                )
                if rng.random() < 0.5:
                    b = min(a + rng.randint(0, 3), len(bad))
                bad[a:b] = piece
            try:
                made = evaluate.read_file(written(folder, bytes(bad)))
                total = made.frame.filter(regex="^p_").sum(axis=1)
                assert (
                    len(made.frame)
                    and (np.abs(total - 1) <= len(made.classes) / 2 * 0.1 + 1e-9).all()
                ), at
                counts["read"] += 1
            except InputError as error:
                assert "\n" not in str(error) and str(file) in str(error), at
            counts["damaged"] += 1
    return counts


def test_tables_in_many_dialects(tmp_path):
    assert fuzz(tmp_path, 120, SEED)["right"] == 120


@pytest.mark.slow
def test_tables_in_very_many_dialects(tmp_path):
    counts = fuzz(tmp_path, 2000, SEED + 10**6)
    assert counts["right"] == 2000 and counts["damaged"] == 8000

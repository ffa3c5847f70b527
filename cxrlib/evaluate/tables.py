"""A CSV as people have it, read once: what packs it, how it is encoded, what separates its cells.

Cells stay text, and lines are the file's own.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cxrlib.files import InputError

SIGNS = ",;\t|"
BLANK = "\ufeff \t\r\n"  # with the mark of an encoding, which some put in twice
NUMBER = re.compile(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
END = "\0"  # a line after the last; no text holds it


def number(cell: str) -> float:
    """A cell as the nearest double: with a decimal point or comma, or a percentage; else NaN.

    >>> number(" 0,93 "), number("93.5 %"), number("1e-3"), number("0.5x")
    (0.93, 0.935, 0.001, nan)
    """
    text, percent, rest = cell.strip().partition("%")
    text = text.rstrip()
    if rest or not NUMBER.fullmatch(text) or (percent and "e" in text.lower()):
        return float("nan")
    return float(text.replace(",", ".") + ("e-2" if percent else ""))


def content(path: Path) -> bytes:
    """All bytes of a file, or of what a shell pipes in, unpacked.

    InputError for what is neither, without waiting for it.
    """
    piped = path.is_fifo() and str(path).startswith("/dev/")  # its writer is there already
    if path.exists() and not (path.is_file() or piped):
        raise InputError(f"{path}: a regular file is needed")
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged gzip file ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def decoded(data: bytes, path: Path) -> tuple[str, bool]:
    """The text, and whether its encoding was guessed: UTF-8 or UTF-16, with a mark or without; else
    Windows-1252, which has the usual separators.
    """
    if data.startswith(b"PK\3\4"):
        raise InputError(f"{path}: is a workbook or another ZIP archive; save the sheet as CSV")
    code, guessed = "utf-8-sig", False
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        code = "utf-16"
    elif b"\0" in data[:2]:  # a zero in every other byte
        code = "utf-16-be" if data.startswith(b"\0") else "utf-16-le"
    try:
        text = data.decode(code)
    except UnicodeDecodeError:
        text, guessed = data.decode("cp1252", "backslashreplace"), True
    if not text.strip(BLANK):
        raise InputError(f"{path}: is empty")
    if END in text:
        raise InputError(f"{path}: is no text, or neither UTF-8 nor UTF-16: it holds zero bytes")
    # é is one letter, however it was put together
    return unicodedata.normalize("NFC", text), guessed


@dataclass
class Table:
    """A CSV in memory: ``skipped`` lines stand before what is CSV, ``sign`` separates; the encoding
    may be ``guessed``. Its ``names``, as the file has them, stand in its line ``head``.
    """

    path: Path
    text: str
    guessed: bool
    sign: str
    skipped: int

    def __post_init__(self):
        self.head, names = next(self.rows(), (1, []))
        # without a spreadsheet's empty columns at the end
        self.names = [name.strip(BLANK) for name in names]
        while self.names and not self.names[-1]:
            self.names.pop()

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line and cells of each row that is not empty; the line is that in which it begins.

        InputError for a quote that is left open.
        """
        lines = islice(io.StringIO(f"{self.text}\n{END}\n", newline=""), self.skipped, None)
        reader, last = csv.reader(lines, delimiter=self.sign, skipinitialspace=True), self.skipped
        for cells in reader:
            line, last = last + 1, self.skipped + reader.line_num
            if cells == [END]:
                return
            if cells and END in cells[-1]:
                raise self.error(line, "a quote is left open")
            if "".join(cells).strip(BLANK):
                yield line, cells

    def error(self, line: int, why: str) -> InputError:
        return InputError(f"{self.path}: cannot be read as CSV (line {line}: {why})")


def opened(path: str | Path, known: Callable[[list[str]], bool]) -> Table:
    """The table in a file.

    What separates, a first line ``sep=`` says, else it is what makes names that are ``known``, else
    the most names. InputError, one line, for what cannot be read or holds nothing.
    """
    csv.field_size_limit(2**31 - 1)
    path = Path(path)
    text, guessed = decoded(content(path), path)
    lines = enumerate(io.StringIO(text, newline=""), 1)
    at, first = next((k, line) for k, line in lines if line.strip(BLANK))
    said = re.fullmatch(r'\ufeff?"?sep=([^"\w\s]|\t)"?[;,\s]*', first, re.IGNORECASE)
    skipped = at if said else 0
    tables = [Table(path, text, guessed, sign, skipped) for sign in (said[1] if said else SIGNS)]
    best = max(tables, key=lambda table: (known(table.names), len(table.names)))
    if not best.names:
        raise InputError(f"{path}: no rows")
    return best

"""A CSV as people have it, read once: what packs it, how it is encoded, what separates its cells.

Cells stay text, and lines are the file's own.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import os
import re
import stat
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cxrlib.files import InputError

CODES = ("cp1252", "latin-1")  # for what is not Unicode
SIGNS = ",;\t|"
BLANK = "\ufeff \t\r\n"  # with the mark of an encoding, which some put in twice
NUMBER = re.compile(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)


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
    try:
        kind = os.stat(path).st_mode
        piped = stat.S_ISFIFO(kind) and str(path).startswith("/dev/")  # its writer is there already
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind) or piped):
            raise InputError(f"{path}: a regular file is needed")
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged gzip file ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def encoding_of(data: bytes, path: Path) -> str:
    """UTF-8 or UTF-16, with a mark or without; else Windows-1252, which has the usual
    separators.
    """
    if data.startswith(b"PK\3\4"):
        raise InputError(f"{path}: is a workbook or another ZIP archive; save the sheet as CSV")
    found = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    if (
        found == "utf-8-sig" and b"\0" in data[:2]
    ):  # UTF-16 without a mark: a zero in every other byte
        found = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    for name in [found] if found != "utf-8-sig" else [found, *CODES]:
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if not text.strip(BLANK):
            raise InputError(f"{path}: is empty")
        if "\0" in text:
            raise InputError(f"{path}: holds zero bytes, which no text does")
        return name
    raise InputError(f"{path}: is neither UTF-8 nor UTF-16 text")


@dataclass
class Table:
    """A CSV in memory: ``names`` as the file has them, in its line ``head``; ``data`` is UTF-8.

    ``encoding`` is that of the file, ``skipped`` lines stand before what is CSV, ``last`` is the
    file's last.
    """

    path: Path
    data: bytes
    encoding: str
    sign: str = ","
    last: int = 0
    skipped: int = 0
    head: int = 1
    names: list[str] | None = None

    def lines(self) -> io.TextIOWrapper:
        """The lines as they are, the skipped ones too."""
        return io.TextIOWrapper(io.BytesIO(self.data), "utf-8-sig", newline="")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line and cells of each row that is not empty, as many cells as there are names.

        A row's line is that in which it begins. InputError for more cells than names, unless they
        are empty, and for a quote left open.
        """
        reader, last, width = self._reader(self.skipped), self.skipped, len(self.names or ())
        for cells in reader:
            line, last = last + 1, self.skipped + reader.line_num
            if last == self.last:
                self._closed(line)
            if len(cells) != width and width and cells:
                if "".join(cells[width:]).strip():
                    raise self._error(line, f"has {len(cells)} cells, the line of names {width}")
                cells = cells[:width] + [""] * (width - len(cells))
            if cells and (cells[0] or "".join(cells).strip(BLANK)):
                yield line, cells

    def _reader(self, skipped: int, **more):
        lines = itertools.islice(self.lines(), skipped, None)
        return csv.reader(lines, delimiter=self.sign, skipinitialspace=True, **more)

    def _error(self, line: int, why: object) -> InputError:
        return InputError(f"{self.path}: cannot be read as CSV (line {line}: {why})")

    def _closed(self, line: int) -> None:
        """InputError if the last row, which begins in ``line``, has an open quote."""
        try:
            list(self._reader(line - 1, strict=True))
        except csv.Error as error:
            if "end of data" in str(error):
                raise self._error(line, error) from None


def opened(path: str | Path, known: Callable[[list[str]], bool]) -> Table:
    """The table in a file.

    What separates, a first line ``sep=`` says, else it is what makes names that are ``known``, else
    the most names. InputError, one line, for what cannot be read or holds nothing.
    """
    csv.field_size_limit(2**31 - 1)
    data = content(path := Path(path))
    code = encoding_of(data, path)
    if code != "utf-8-sig" or not data.isascii():  # é is one letter, however it was put together
        data = unicodedata.normalize("NFC", data.decode(code)).encode()
    whole, skipped, signs = Table(path, data, code), 0, SIGNS
    last = sum(1 for _ in whole.lines())
    first = next((k, line) for k, line in enumerate(whole.lines(), 1) if line.strip(BLANK))
    if said := re.fullmatch(r'\ufeff?"?sep=([^"\w\s]|\t)"?[;,\s]*', first[1], re.IGNORECASE):
        skipped, signs = first[0], said[1]
    best, failed = None, None
    for sign in signs:
        made = Table(path, data, code, sign, last, skipped)
        try:
            made.head, names = next(made.rows(), (1, []))
        except InputError as error:
            failed = error
            continue
        made.names = [name.strip(BLANK) for name in names]
        while made.names and not made.names[-1]:  # a spreadsheet's empty columns: they must be so
            made.names.pop()
        better = (known(made.names), len(made.names))
        if best is None or better > (known(best.names), len(best.names)):
            best = made
    if best is None:
        raise failed
    if not best.names:
        raise InputError(f"{path}: no rows")
    return best

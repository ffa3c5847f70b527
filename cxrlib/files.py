"""The few things every room does with files: one-line errors that name the file, and a table's row
and column; whole-or-nothing writes; paths that stay inside.

A record that is half written is worse than none, and a traceback tells a reader nothing, so the
rest of the library reads and writes through these.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

JOINERS = "\u200c\u200d"  # that words of some scripts need


def printable(text: str) -> str:
    """Text in which a replacement character stands for what a terminal takes for a command, or no
    encoding writes.
    """
    return "".join(x if x.isprintable() or x in JOINERS else "\ufffd" for x in text)


def line(text: object, most: int = 500) -> str:
    """One `printable` line; of a longer text than ``most`` the middle is left out."""
    text = str(text)
    text = text if len(text) <= 4 * most else text[: 2 * most] + text[-2 * most :]
    text = printable(" ".join(text.split()))
    return text if len(text) <= most else f"{text[: most * 2 // 3]} … {text[-(most // 3) :]}"


class InputError(ValueError):
    """Bad input: a single line that names the file and the field. The ``cxr`` command prints it and
    exits with 2.
    """

    def __init__(self, message: str):
        super().__init__(" ".join(str(message).split()))

    def _render_traceback_(self) -> list[str]:
        """What IPython and Jupyter show in place of a traceback: that line."""
        return [f"{type(self).__name__}: {self}"]


def refuse(bad: ArrayLike, values: pd.Series, why: str, where: str) -> None:
    """InputError for the first of ``values`` that is bad (N,): ``where`` (the file), its row, or
    what the index is named, by the index, the column, and ``why``.
    """
    for row in np.flatnonzero(bad)[:1]:
        at = f"{values.index.name or 'row'} {values.index[row]}"
        cell = "" if pd.isna(values.iloc[row]) else line(values.iloc[row], 100)
        raise InputError(f"{where}, {at}, column {values.name}: {cell or 'an empty cell'} {why}")


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it takes the name ``path``, on any error
    it is deleted.

    The temporary name keeps the suffix, because some writers choose the format by it. InputError,
    which names ``path``, where that cannot be written: its folder is a file, the disk is full.
    FileNotFoundError, a caller's mistake, where nothing was.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: cannot be written (is a folder or device, no regular file)")
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if written := temporary.exists():
            with open(temporary, "rb") as handle:
                os.fsync(handle.fileno())
            os.replace(temporary, path)
    except OSError as error:
        ours = {temporary, *path.parents}
        if error.filename and Path(error.filename) not in ours:
            raise
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        with contextlib.suppress(OSError):  # its folder is none
            temporary.unlink()
    if not written:
        raise FileNotFoundError(errno.ENOENT, "nothing was written", str(path))


@contextlib.contextmanager
def whole(folder: str | Path) -> Iterator[Path]:
    """Yield an empty folder beside ``folder``; on success it takes the place of what is there, on
    any error it is deleted and what is there stays.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        new, old = Path(scratch, "new"), Path(scratch, "old")
        new.mkdir()
        yield new
        try:
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
        finally:
            if old.exists() and not folder.exists():
                old.rename(folder)


def write_text(path: str | Path, text: str) -> Path:
    """Write UTF-8 text whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


@contextlib.contextmanager
def alone(file: str | Path, what: str) -> Iterator[None]:
    """Wait until no other process is in this block for the same file. A process that is killed
    leaves it, too.
    """
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        yield
        return
    with open(file, "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits = f"cxr: note: another {what} is at work here; waiting for it"
            print(waits, file=sys.stderr, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            pass
        yield


def inside(folder: str | Path, relative: str, *, where: str) -> Path:
    """Join ``relative`` to ``folder``; refuse a path that is absolute or climbs out.

    ``where`` names file, row and field for the error. Symbolic links within the folder are followed
    on purpose (people keep their images on another disk), so the check is on the spelling of the
    path.
    """
    pure = Path(relative)
    if pure.is_absolute() or ".." in pure.parts or "\\" in relative or "\0" in relative:
        raise InputError(f"{where}: {relative!r} leaves the data folder")
    return Path(folder) / pure


def sha256(path: str | Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

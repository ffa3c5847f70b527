"""Archives from the network, unpacked without trust: no way out, no link, no device, no bomb."""

from __future__ import annotations

import gzip
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from cxrlib.files import InputError, inside, line

LARGEST = 64 << 20  # bytes of one member; a radiograph has some 400,000
GROWTH = 20  # times its own size that an archive may hold; radiographs hardly shrink


class Damaged(InputError):
    """Cut short, or its own checksums do not hold: fetched again, it may be right."""


def unzip(archive: Path, folder: Path) -> None:
    """Unpack a zip file.

    Raises:
        InputError: it holds a link, a device, a path that climbs out, a file twice, or far more
        than it should; or it is :class:`Damaged`.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = packed.infolist()
            size = sum(member.file_size for member in members)
            _no_bomb(size, archive.stat().st_size, archive.name)
            for member in members:
                target = inside(folder, member.filename, where=archive.name)
                kind = stat.S_IFMT(member.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or target.is_file():
                    raise _odd(archive.name, member.filename)
                packed.extract(member, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise Damaged(f"{archive.name}: the archive is damaged ({error})") from None


def untar(body: Body, folder: Path, names: set[str], where: str) -> list[str]:
    """Write those files of a ``.tar.gz`` that are named, as it comes; the names of all its files.

    They lie side by side, whatever folders the archive has. The errors of :func:`unzip`.
    """
    listed: dict[str, None] = {}
    unpacked = _Bounded(body, where)
    try:
        with tarfile.open(fileobj=unpacked, mode="r|") as packed:
            for member in packed:
                inside(folder, member.name, where=where)
                name = PurePosixPath(member.name).name
                if member.isdir():
                    continue
                if not member.isreg() or member.size > LARGEST or name in listed:
                    raise _odd(where, member.name)
                listed[name] = None
                if name in names:
                    with open(folder / name, "wb") as target:
                        shutil.copyfileobj(packed.extractfile(member), target)
        while unpacked.read(1 << 20):  # to the end, where the checksum is
            pass
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise Damaged(f"{where}: the archive is damaged or cut short ({error})") from None
    return list(listed)


class Body:
    """Blocks of bytes as a file to read from; ``taken`` bytes came so far."""

    def __init__(self, blocks: Iterator[bytes]):
        self._blocks, self._left, self.taken = blocks, b"", 0

    def read(self, size: int) -> bytes:
        while len(self._left) < size and (block := next(self._blocks, b"")):
            self._left += block
            self.taken += len(block)
        given, self._left = self._left[:size], self._left[size:]
        return given


class _Bounded(gzip.GzipFile):
    """What is unpacked, as long as it does not grow without bound."""

    def __init__(self, body: Body, where: str):
        super().__init__(fileobj=body, mode="rb")
        self._body, self._where, self._given = body, where, 0

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        self._given += len(data)
        _no_bomb(self._given, self._body.taken, self._where)
        return data


def _no_bomb(unpacked: int, packed: int, where: str) -> None:
    if unpacked > LARGEST + GROWTH * packed:
        raise InputError(f"{where}: refused: {packed:,} bytes hold {unpacked:,} and more")


def _odd(where: str, name: str) -> InputError:
    what = "is a link, a device, far too large or there twice"
    return InputError(f"{where}: refused: {line(name, 100)} {what}")

"""Files fetched over HTTP: resumed, several at a time, tried again, checked.

A file gets its name only when its bytes are known to be right, and no member of an archive does
before all of the archive was read, so that nothing half fetched is ever taken for data. What came
before an interruption lies under a hidden name, and the next call goes on from it.
:mod:`cxrlib.data.origins` says what is to be had where. ``CXR_MIRROR`` names a server that holds
the same files under ``<mirror>/<host>/<path>``.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from cxrlib.data import archives
from cxrlib.files import InputError, line, sha256

PASSING = {408, 425, 429, 500, 502, 503, 504}  # what a server may not answer the next time
PATIENCE = 600  # seconds that a server may ask to wait
BLOCK = 1 << 14


class Refused(InputError):
    """No second try will help: no such file, a web page in its place, other bytes."""


class Unreachable(Refused):
    """The server does not answer, or only much later, so no other file will come either."""


class Interrupted(Exception):
    """A try that failed and may succeed the next time.

    ``wait`` is how many seconds the server asks for, and ``final`` what the last such try raises.
    """

    def __init__(self, message: str, wait: float | None = None, final: type = Refused):
        super().__init__(message)
        self.wait, self.final = wait, final


@dataclass(frozen=True)
class File:
    """A file to fetch, and how it is known to be right.

    Its size, or its ``digest``: ``git-sha1:`` or ``sha256:`` with the first digits.
    """

    url: str
    path: Path
    size: int | None = None
    digest: str = ""

    def fault(self, file: Path) -> str:
        """What is wrong with the bytes in ``file``; empty if nothing is."""
        if not file.exists():
            return "nothing came"
        size = _length(file)
        if self.size is not None and size != self.size:
            return f"{size:,} bytes, not {self.size:,}"
        kind, _, digits = self.digest.partition(":")
        if digits and not (sha256 if kind == "sha256" else git_sha1)(file).startswith(digits):
            return f"its {kind} is not {digits}"
        return ""

    @property
    def part(self) -> Path:
        """Where the bytes are kept until they are right."""
        return self.path.with_name(f".{self.path.name.lstrip('.')}.part")


def git_sha1(file: Path) -> str:
    """The hex SHA-1 that git gives a file: of its length and its bytes."""
    data = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@dataclass
class Fetcher:
    """Fetches over HTTP, ``jobs`` files at a time.

    Between tries lie ``pause`` seconds, twice as many after each failure and 60 at most, or the
    seconds that the server asks for. ``tries`` failures with nothing new between them end it.
    """

    jobs: int = 6
    tries: int = 6
    pause: float = 1.0
    timeout: float = 60.0  # seconds without a byte
    _stop: threading.Event = field(default_factory=threading.Event)
    _bar: tqdm | None = None

    def __post_init__(self):
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": "cxrlib", "Accept-Encoding": "identity"})

    def sizes(self, urls: list[str]) -> list[int]:
        """Bytes of each file, asked with a request for the first one; none at all where a server
        does not say.
        """
        found = []
        for url in urls:
            try:
                with self._get(url, "bytes=0-0") as reply:
                    part = reply.headers.get("Content-Range", "").rpartition("/")[2]
                    found.append(int(part or reply.headers.get("Content-Length", "")))
            except (Interrupted, Refused, ValueError):
                return []
        return found

    def download(self, files: list[File], total: int | None = None) -> None:
        """Bring each file to its path, whole and checked; ``total`` bytes, for the progress bar.

        Raises:
            InputError: a file cannot be had (said after all others were fetched), the disk is full,
            no server answers.
        """
        have = sum(_length(file.part) for file in files)
        for file in files:
            file.path.parent.mkdir(parents=True, exist_ok=True)
        self.run([lambda file=file: self._one(file) for file in files], total, have)

    def run(self, tasks: list[Callable[[], None]], total: int | None, have: int = 0) -> None:
        """Do tasks side by side, under one progress bar; the errors of :meth:`download`."""
        if not tasks:
            return
        lost: list[Refused] = []
        pool = ThreadPoolExecutor(self.jobs)
        how = {"unit": "B", "unit_scale": True, "disable": None}  # shown on a terminal alone
        with tqdm(total=total, initial=have, **how) as self._bar:
            try:
                for done in as_completed([pool.submit(task) for task in tasks]):
                    error = done.exception()
                    if isinstance(error, Refused) and not isinstance(error, Unreachable):
                        lost.append(error)
                    elif error:
                        raise error
            except OSError as error:
                what = f"{error.filename or 'the data folder'}: cannot be written"
                kept = "what came so far is kept for the next call"
                raise InputError(f"{what} ({error.strerror or error}); {kept}") from None
            finally:
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                self._stop.clear()
        if lost:
            more = f"; {len(lost)} of {len(tasks)} could not be had" if len(tasks) > 1 else ""
            raise Refused(f"{lost[0]}{more}")

    def _one(self, file: File) -> None:
        failures, wrong = 0, 0
        while True:
            have, lost = _length(file.part), None
            try:
                self._append(file)
            except Interrupted as error:
                lost = error
            fault = file.fault(file.part)
            if not fault:  # even where the server says that more was to come
                break
            if lost:
                failures = failures + 1 if _length(file.part) <= have else 1
                self._rest(file.url, failures, lost)
                continue
            wrong += 1
            file.part.unlink(missing_ok=True)  # once more, from its beginning
            if wrong > 1:
                raise Refused(f"{file.url}: not the file that was expected: {fault}")
        with open(file.part, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(file.part, file.path)
        if fault := file.fault(file.path):  # where there are no locks, another call wrote to it
            file.path.unlink()
            raise Refused(f"{file.url}: fetched by two at once: {fault}; call again")

    def _append(self, file: File) -> None:
        """Add what is missing to the part, or write all of it where the server does not resume."""
        have = _length(file.part)
        with closing(self._stream(file.url, have)) as stream:
            for at, block in stream:
                with open(file.part, "ab" if at else "wb") as handle:
                    handle.write(block)
                self._bar.update(0 if at else -have)  # what is fetched again

    def _rest(self, url: str, failures: int, error: Interrupted) -> None:
        """Wait before the next try, or give up."""
        if failures >= self.tries:
            raise error.final(f"{url}: {error} ({failures} times); call again later")
        pause = min(60.0, self.pause * 2 ** (failures - 1)) * random.uniform(0.75, 1.25)
        pause = pause if error.wait is None else error.wait
        if pause > PATIENCE:
            raise Unreachable(f"{url}: asks to wait {pause:,.0f} s: call again then")
        self._stop.wait(pause)

    def _get(self, url: str, part: str = "") -> requests.Response:
        """The server's answer, its body unread; Refused or Interrupted where that is no file."""
        if self._stop.is_set():
            raise Refused(f"{url}: stopped")
        try:
            reply = self._session.get(
                mirrored(url),
                headers={"Range": part} if part else {},
                stream=True,
                timeout=(10, self.timeout),
            )
        except (requests.ConnectionError, requests.Timeout):
            raise Interrupted("no answer; is there a network?", final=Unreachable) from None
        except requests.RequestException as error:  # sent round in circles
            raise Refused(f"{url}: {line(error, 200)}") from None
        page = reply.headers.get("Content-Type", "").startswith("text/html")
        if reply.status_code == 416 or (reply.status_code in (200, 206) and not page):
            return reply
        reply.close()
        what = f"the server answers {reply.status_code} {reply.reason}"
        if reply.status_code in PASSING or (not reply.ok and "Retry-After" in reply.headers):
            asked = reply.headers.get("Retry-After", "")
            raise Interrupted(what, float(asked) if asked.isdigit() else None)
        if reply.ok:
            what = "a web page in the place of the file; open it in a browser"
        raise Refused(f"{url}: {what}")

    def _stream(self, url: str, start: int) -> Iterator[tuple[int, bytes]]:
        """Blocks of a file and where each begins: from ``start``, or from 0 if the server does not
        resume. None where it has nothing beyond ``start``.
        """
        with self._get(url, f"bytes={start}-" if start else "") as reply:
            if reply.status_code == 416:
                return
            sent = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range", ""))
            at = int(sent[1]) if sent and reply.status_code == 206 else 0
            if at not in (0, start):
                raise Interrupted("the server sends another part than was asked for")
            try:
                for block in reply.raw.stream(BLOCK, decode_content=False):
                    if self._stop.is_set():
                        raise Refused(f"{url}: stopped")
                    self._bar.update(len(block))
                    yield at, block
                    at += len(block)
            except (HTTPError, OSError):
                raise Interrupted(f"the connection was lost after {at:,} bytes") from None

    def members(self, url: str, folder: Path, names: set[str]) -> None:
        """Read a ``.tar.gz`` as it comes and put those of ``names`` into ``folder/images``, once
        all of it was right; then ``folder/names.txt``, which lists what it holds. Dropped or
        damaged it is read from its beginning again.

        Raises:
            InputError: it holds a link, a device, a path that climbs out, or far more than it
            should; or it could not be read whole.
        """
        part = folder.with_name(f".{folder.name}.part")
        try:
            for failures in itertools.count(1):
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir(parents=True)
                try:
                    with closing(self._stream(url, 0)) as stream:
                        body = archives.Body(block for _, block in stream)
                        listed = archives.untar(body, part, names, where=url)
                    break
                except (archives.Damaged, Interrupted) as error:
                    self._bar.update(-body.taken)
                    passing = isinstance(error, Interrupted)
                    self._rest(url, failures, error if passing else Interrupted(str(error)))
            (folder / "images").mkdir(parents=True, exist_ok=True)
            for file in part.iterdir():
                os.replace(file, folder / "images" / file.name)
            (part / "names.txt").write_text("\n".join(listed) + "\n", encoding="utf-8")
            os.replace(part / "names.txt", folder / "names.txt")
        finally:
            shutil.rmtree(part, ignore_errors=True)


def mirrored(url: str) -> str:
    """The address to ask: of ``CXR_MIRROR``, if that is set."""
    mirror = os.environ.get("CXR_MIRROR")
    return f"{mirror.rstrip('/')}/{url.partition('://')[2]}" if mirror else url


def _length(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0

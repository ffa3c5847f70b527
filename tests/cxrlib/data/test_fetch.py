"""Fetching against a server that misbehaves. ``python tests/cxrlib/data/test_fetch.py`` prints the
figures: faults tried, survived, bytes fetched twice.
"""

import hashlib
import multiprocessing
import os
import random
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))  # where it is run as a script

from unruly import serving

from cxrlib.data import fetch
from cxrlib.data.fetch import Fetcher, File, Refused, Unreachable, git_sha1
from cxrlib.files import InputError, alone

DATA = random.Random(0).randbytes(300_000)
PATH = "/host/file.bin"
SHA256 = f"sha256:{hashlib.sha256(DATA).hexdigest()[:8]}"
FORK = multiprocessing.get_context("fork")

# What the first requests meet; whether the file must come, or be refused; and how many times its
# bytes may be sent at most, beyond once.
FAULTS = {
    "none": ([], True, 0),
    "slow": (["slow"], True, 0),
    "cut short": (["cut"], True, 0),
    "cut short three times": (["cut", "cut", "cut"], True, 0),
    "cut short, resuming refused": (["cut", "no resume"], True, 0.5),
    "cut short, resumed by another part": (["cut", "other part"], True, 0.5),
    "connection reset": (["reset"], True, 0.5),
    "connection closed without an answer": (["silent", "silent"], True, 0),
    "no byte for a while": (["hang"], True, 0),
    "redirected": (["redirect"], True, 0),
    "redirected, then cut short": (["redirect", "none"], True, 0),
    "redirected in a circle": (["circle"], False, 0),
    "404": ([404], False, 0),
    "403": ([403], False, 0),
    "500": ([500, 500], True, 0),
    "503, 502, 504": ([503, 502, 504], True, 0),
    "500 for ever": ([500], False, 0),
    "429, a second": (["wait"], True, 0),
    "429, until a time": (["wait until"], True, 0),
    "503, a day": (["wait long"], False, 0),
    "Content-Length too long": (["too long"], True, 0),
    "Content-Length too long for ever": (["too long"], True, 0),
    "Content-Length too short": (["too short"], True, 1),
    "wrong bytes of the right length": (["wrong bytes"], True, 1),
    "wrong bytes for ever": (["wrong bytes"], False, 2),
    "half of it wrong, then resumed": (["wrong half", "cut"], True, 1),
    "a web page": (["page"], False, 0),
    "a web page that does not say so": (["disguised page"], True, 0.1),
    "cut short, then a web page": (["cut", "page"], False, 0),
    "without Content-Length": (["chunked"], True, 0),
    "Content-Encoding of what is a .gz": (["encoded"], True, 0),
}


def quick(**options) -> Fetcher:
    return Fetcher(**{"jobs": 4, "tries": 4, "pause": 0.01, "timeout": 0.4} | options)


def meet(name: str, folder: Path, known: str = "digest") -> tuple[bool, float]:
    """Fetch one file past a fault: did it come, and how often beyond once was it sent."""
    faults, _, _ = FAULTS[name]
    with serving({PATH: DATA}) as server:
        server.faults[PATH] = list(faults)
        if name.endswith("for ever") or name in {
            "redirected in a circle",
            "404",
            "403",
            "503, a day",
        }:
            server.for_ever.add(PATH)
        if name == "redirected, then cut short":
            server.faults["/moved" + PATH] = ["cut"]
        if "wrong half" in faults:
            server.faults[PATH] = ["cut"]
            (folder / ".file.bin.part").write_bytes(b"x" * 1000)
        check = {"digest": SHA256} if known == "digest" else {"size": len(DATA)}
        file = File(server.address + PATH, folder / "file.bin", **check)
        try:
            quick().download([file], len(DATA))
        except Refused:
            assert not file.path.exists()
        came = file.path.exists()
        assert not came or file.path.read_bytes() == DATA
        assert not came or not file.part.exists()
        twice = (server.sent[PATH] - (len(DATA) if came else 0)) / len(DATA)
        return came, max(0.0, twice)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_survived_or_said(name, tmp_path):
    came, twice = meet(name, tmp_path)
    _, must_come, most = FAULTS[name]
    assert came == must_come
    assert twice <= most + (0.01 if came else 1)


@pytest.mark.parametrize(
    "name", ["cut short", "Content-Length too long", "Content-Length too short", "404"]
)
def test_where_the_size_is_known_and_no_hash(name, tmp_path):
    assert meet(name, tmp_path, known="size")[0] == FAULTS[name][1]


def test_what_is_refused_says_why(tmp_path):
    for name, said in {
        "404": "404 Not Found",
        "503, a day": "asks to wait 86,400 s: call again then",
        "500 for ever": "500 Internal Server Error (4 times); call again later",
        "wrong bytes for ever": "its sha256 is not",
        "a web page": "a web page in the place of the file; open it in a browser",
        "a web page that does not say so": "not the file that was expected",
        "redirected in a circle": "redirects",
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        with serving({PATH: DATA}) as server:
            server.faults[PATH], server.for_ever = list(FAULTS[name][0]), {PATH}
            file = File(server.address + PATH, folder / "file.bin", digest=SHA256)
            with pytest.raises(Refused, match=".") as caught:
                quick().download([file])
        assert said in str(caught.value) and PATH in str(caught.value)
        assert not list(folder.iterdir()), name  # nor an empty or a wrong file


def test_no_network_ends_soon_and_is_said(tmp_path):
    with socket.socket() as taken:  # a port where nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        files = [File(f"{url}/{n}", tmp_path / f"{n}") for n in range(300)]
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="is there a network"):
            quick().download(files)
        assert quick().sizes([file.url for file in files]) == []
    assert time.monotonic() - begun < 3
    assert not [file for file in tmp_path.iterdir() if file.stat().st_size]


def test_several_at_a_time_and_the_rest_comes_though_one_is_lost(tmp_path):
    files = {f"/{n}.bin": random.Random(n).randbytes(20_000) for n in range(12)}
    with serving(files) as server:
        server.rate = 100_000  # 0.2 s each, 2.4 s one after another
        server.faults["/3.bin"], server.for_ever = [404], {"/3.bin"}
        wanted = [File(server.address + path, tmp_path / path[1:]) for path in files]
        begun = time.monotonic()
        with pytest.raises(Refused, match="3.bin.*404.*1 of 12 could not be had"):
            quick(jobs=6).download(wanted)
        assert time.monotonic() - begun < 1.5
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(
        path[1:] for path in files if path != "/3.bin"
    )


def test_a_pause_that_the_server_asks_for_is_kept(tmp_path):
    with serving({PATH: DATA}) as server:
        server.faults[PATH] = ["wait"]
        begun = time.monotonic()
        quick().download([File(server.address + PATH, tmp_path / "file.bin", digest=SHA256)])
        assert time.monotonic() - begun >= 0.9
        assert server.asked.total() == 2


def test_sizes_before_anything_is_fetched(tmp_path):
    with serving({"/a": DATA, "/b": DATA[:10]}) as server:
        server.faults["/b"] = ["no resume"]
        assert quick().sizes([server.address + path for path in ("/a", "/b")]) == [len(DATA), 10]
        assert server.sent.total() < 20
        assert quick().sizes([server.address + path for path in ("/a", "/none")]) == []


def test_git_names_a_file_as_git_does(tmp_path):
    (tmp_path / "file").write_bytes(b"what is up, doc?")
    assert git_sha1(tmp_path / "file") == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"


def test_a_mirror_is_asked_instead(tmp_path, monkeypatch):
    with serving({"/data.example.org/x/y": b"right"}) as server:
        monkeypatch.setenv("CXR_MIRROR", server.address + "/")
        quick().download([File("https://data.example.org/x/y", tmp_path / "y")])
    assert (tmp_path / "y").read_bytes() == b"right"


# The disk


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_said_and_the_next_call_goes_on(tmp_path):
    with serving({PATH: DATA}) as server:
        file = File(server.address + PATH, tmp_path / "file.bin", digest=SHA256)
        file.part.symlink_to("/dev/full")
        with pytest.raises(InputError, match="cannot be written .No space left on device.*kept"):
            quick().download([file])
        assert not file.path.exists()
        file.part.unlink()
        quick().download([file])
        assert file.path.read_bytes() == DATA


# Killed, and two at once


def child(work, *arguments) -> multiprocessing.Process:
    process = FORK.Process(target=work, args=arguments)
    process.start()
    return process


def get_all(files, lock):
    with alone(lock, "fetch"):
        absent = [file for file in files if not file.path.exists()]
        quick(pause=0.05).download(absent)


def many(server, folder) -> list[File]:
    return [
        File(
            server.address + path,
            folder / path[1:],
            digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
        )
        for path, data in server.files.items()
    ]


def test_killed_at_any_moment_the_next_call_finishes(tmp_path):
    data = {f"/{n}.bin": random.Random(n).randbytes(120_000) for n in range(8)}
    with serving(data) as server:
        server.rate = 600_000  # 0.2 s a file
        files, kills = many(server, tmp_path), 0
        for moment in (0.03, 0.06, 0.1, 0.15, 0.2, 0.25):
            process = child(get_all, files, tmp_path / ".lock")
            time.sleep(moment)
            process.kill()
            process.join()
            kills += process.exitcode == -signal.SIGKILL
            for file in files:  # what has its name is whole
                assert not file.path.exists() or not file.fault(file.path)
        get_all(files, tmp_path / ".lock")
        assert all(not file.fault(file.path) for file in files) and kills >= 4
        assert not list(tmp_path.glob(".*.part"))
        twice = server.sent.total() - sum(map(len, data.values()))
        assert twice < kills * 4 * 3 * fetch.BLOCK  # what was under way when it was killed


@pytest.mark.parametrize("locks", [True, False])
def test_two_at_once_do_no_harm(tmp_path, locks):
    data = {f"/{n}.bin": random.Random(n).randbytes(100_000) for n in range(6)}
    with serving(data) as server:
        server.rate = 1_000_000
        files = many(server, tmp_path)
        pair = [child(get_all, files, tmp_path / (".lock" if locks else f".{n}")) for n in "ab"]
        for process in pair:
            process.join()
        if locks:
            assert [process.exitcode for process in pair] == [0, 0]
            assert server.sent.total() == sum(map(len, data.values()))
        get_all(files, tmp_path / ".lock")
        assert all(not file.fault(file.path) for file in files)


def test_interrupted_by_a_signal_it_stops_soon(tmp_path):
    def work():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            get_all(files, tmp_path / ".lock")
        except KeyboardInterrupt:
            os._exit(130)

    with serving({PATH: DATA}) as server:
        server.rate = 100_000  # 3 s
        files = [File(server.address + PATH, tmp_path / "file.bin", digest=SHA256)]
        process = child(work)
        time.sleep(0.8)
        os.kill(process.pid, signal.SIGINT)
        process.join(1.5)
        assert process.exitcode == 130
        assert files[0].part.stat().st_size > 0
        server.rate = None
        get_all(files, tmp_path / ".lock")
        assert files[0].path.read_bytes() == DATA


def figures() -> None:
    """Print what each fault did."""
    import tempfile

    survived, sent = 0, 0.0
    for name, (_, must_come, _) in FAULTS.items():
        with tempfile.TemporaryDirectory() as folder:
            came, twice = meet(name, Path(folder))
        survived += came == must_come
        sent += twice if came else 0
        outcome = "came" if came else "refused in one line, nothing left"
        print(f"{name:40} {outcome:36} bytes twice {twice * len(DATA):9,.0f}")
    print(
        f"{len(FAULTS)} tried, {survived} as they should end, {sent * len(DATA):,.0f} bytes twice"
    )


if __name__ == "__main__":
    figures()

"""Archives that would do harm, and damaged ones."""

import gzip
import io
import stat
import tarfile
import zipfile
import zlib

import pytest

from cxrlib.data import archives
from cxrlib.files import InputError


def zipped(path, members):
    """A zip file of ``(name or ZipInfo, bytes)``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members:
            made.writestr(name, data)
    return path


def special(name, mode):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def tarred(members) -> bytes:
    """A .tar.gz of ``(name or TarInfo, bytes)``."""
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w:gz", compresslevel=1) as made:
        for name, data in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data) if info.isreg() else 0
            made.addfile(info, io.BytesIO(data))
    return kept.getvalue()


def member(name, kind, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def untar(data: bytes, folder, names=("a.png", "b.png"), step=1000):
    folder.mkdir(exist_ok=True)
    blocks = (data[at : at + step] for at in range(0, len(data), step))
    return archives.untar(archives.Body(blocks), folder, set(names), "some.tar.gz")


def everything(folder):
    return [str(file.relative_to(folder)) for file in folder.rglob("*")]


UNSAFE = {
    "climbs": "../../evil",
    "climbs within": "images/../../../evil",
    "absolute": "/tmp/evil",
    "backslashes": "..\\evil",
}


@pytest.mark.parametrize("name", UNSAFE.values(), ids=UNSAFE)
def test_paths_that_climb_out_are_refused(name, tmp_path):
    inner = tmp_path / "deep" / "er"
    inner.mkdir(parents=True)
    with pytest.raises(InputError, match="leaves the data folder"):
        archives.unzip(zipped(tmp_path / "a.zip", [(name, b"x")]), inner / "zip")
    with pytest.raises(InputError, match="leaves the data folder"):
        untar(tarred([(name, b"x")]), inner / "tar", names=("evil", "..\\evil"))
    assert sorted(everything(tmp_path)) == ["a.zip", "deep", "deep/er", "deep/er/tar"]


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_a_zip_with_a_link_or_a_device_is_refused(mode, tmp_path):
    file = zipped(tmp_path / "a.zip", [(special("a.png", mode | 0o777), b"/etc/passwd")])
    with pytest.raises(InputError, match="refused: a.png is a link, a device"):
        archives.unzip(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_a_tar_with_a_link_or_a_device_is_refused(kind, tmp_path):
    data = tarred([(member("images/a.png", kind, "/etc/passwd"), b""), ("images/b.png", b"b")])
    with pytest.raises(InputError, match="refused: images/a.png is a link, a device"):
        untar(data, tmp_path / "out")
    assert not everything(tmp_path / "out")


def test_bombs_are_refused_before_they_go_off(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST", 3_000_000)
    with pytest.raises(InputError, match="refused: .* bytes hold 9,000,000 and more"):
        archives.unzip(zipped(tmp_path / "a.zip", [("a.png", bytes(9_000_000))]), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    much = tarred([(f"{n}.png", bytes(1_000_000)) for n in range(12)])
    with pytest.raises(InputError, match="bytes hold"):
        untar(much, tmp_path / "tar", names=())
    large = tarred([("a.png", bytes(3_500_000))])
    with pytest.raises(InputError, match="far too large"):
        untar(large, tmp_path / "tar")
    header = tarfile.TarInfo("a.png")
    header.pax_headers = {"comment": "x" * 5_000_000}  # a header that is read into memory
    with pytest.raises(InputError, match="bytes hold"):
        untar(tarred([(header, b"")]), tmp_path / "tar")
    assert not everything(tmp_path / "tar")


def test_a_name_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning):
        file = zipped(tmp_path / "a.zip", [("a.png", b"1"), ("a.png", b"2")])
    with pytest.raises(InputError, match="there twice"):
        archives.unzip(file, tmp_path / "out")
    with pytest.raises(InputError, match="there twice"):
        untar(tarred([("x/a.png", b"1"), ("y/a.png", b"2")]), tmp_path / "tar")


def test_damaged_archives_are_told_from_dangerous_ones(tmp_path):
    whole = zipped(tmp_path / "a.zip", [(f"{n}.png", bytes(range(256)) * 9) for n in range(9)])
    data = whole.read_bytes()
    for name, broken in {
        "cut": data[:-50],
        "changed": data[:60] + bytes([data[60] ^ 255]) + data[61:],
        "page": b"<html></html>",
        "empty": b"",
    }.items():
        (tmp_path / f"{name}.zip").write_bytes(broken)
        with pytest.raises(archives.Damaged, match=f"{name}.zip: the archive is damaged"):
            archives.unzip(tmp_path / f"{name}.zip", tmp_path / name)
    data = tarred([(f"{n}.png", bytes(range(256)) * 9) for n in range(9)])
    bare = gzip.decompress(data)
    for broken in (
        data[:-4],
        data[: len(data) // 2],
        data[:-8] + bytes(8),  # its checksum
        b"<html></html>",
        b"",
        zlib.compress(bare),
        gzip.compress(bare[:700]),
    ):
        with pytest.raises(archives.Damaged, match="some.tar.gz: the archive is damaged or cut"):
            untar(broken, tmp_path / "tar")


def test_what_is_right_is_unpacked(tmp_path):
    members = [("chest_xray/train/NORMAL/IM-0001.jpeg", b"1")]
    archives.unzip(zipped(tmp_path / "a.zip", members), tmp_path / "out")
    assert (tmp_path / "out" / members[0][0]).read_bytes() == b"1"
    folder = tarfile.TarInfo("images")
    folder.type = tarfile.DIRTYPE
    data = tarred([(folder, b""), *((f"images/{name}.png", name.encode()) for name in "abcd")])
    for step in (1, 7, 100_000):
        listed = untar(data, tmp_path / "tar", step=step)
        assert listed == ["a.png", "b.png", "c.png", "d.png"]
        assert sorted(everything(tmp_path / "tar")) == ["a.png", "b.png"]
        assert (tmp_path / "tar" / "b.png").read_bytes() == b"b"

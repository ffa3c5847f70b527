"""Each collection from a server that has it as it is published, into what its loader reads."""

import copy
import errno
import hashlib
import importlib.util
import io
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from files_of_pictures import dicom
from PIL import Image
from test_archives import tarred
from unruly import serving

from cxrlib.data import chestxray14, covid_chestxray, kermany, origins, radiographs, rsna
from cxrlib.data.fetch import Fetcher, Refused, git_sha1
from cxrlib.data.manifest import present
from cxrlib.files import InputError, alone, sha256

COMMIT = "6e57ed389513cd03c0953cb79916ad4aaceb4ed9"


def quick(**options) -> Fetcher:
    return Fetcher(**{"jobs": 4, "tries": 4, "pause": 0.01, "timeout": 0.5} | options)


def do(plan, **options):
    plan.fetch(quick(**options), plan.size)


@pytest.fixture
def upstream(monkeypatch):
    """A copy of ``origins.yml`` to change, and a server that stands in for all others."""
    changed = copy.deepcopy(origins.read_origins())
    monkeypatch.setattr(origins, "read_origins", lambda: changed)
    with serving({}) as server:
        monkeypatch.setenv("CXR_MIRROR", server.address)
        server.origins = changed
        yield server


def git_name(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def address(url: str) -> str:
    return "/" + url.partition("://")[2]


def test_origins_say_what_is_needed():
    for key, origin in origins.read_origins().items():
        assert {"title", "home", "licence", "citation", "check"} <= set(origin), key
    assert len(set(origins.read_origins()["nih-chest-xray14"]["archives"].values())) == 12
    counts = origins.read_origins()["kermany"]["counts"]
    assert sum(sum(row.values()) for row in counts.values()) == kermany.COLLECTION.images


def test_hashes_of_the_covid_collection(real_data):
    table = pd.read_csv(origins.HASHES, dtype=str)
    assert table["git_blob_sha1"].str.fullmatch("[0-9a-f]{40}").all()
    folder = real_data / covid_chestxray.COLLECTION.folders[0]
    for row in table[table["path"] == "metadata.csv"].itertuples():
        (file,) = folder.glob(f"metadata-*-{row.commits}.csv")
        assert git_sha1(file) == row.git_blob_sha1
        known = {
            commit[:7]: date
            for commit, date in origins.read_origins()["covid-chestxray"]["commits"].items()
        }
        assert file.name == f"metadata-{known[row.commits]}-{row.commits}.csv"
    for commit in ("29e0b70", "6e57ed3"):  # every radiograph that the loader knows, and no other
        manifest = covid_chestxray.read_manifest(real_data, commit)
        listed = table[table["commits"].str.contains(commit) & (table["path"] != "metadata.csv")]
        prefix = covid_chestxray.COLLECTION.folders[0]
        assert set(manifest["path"]) == {f"{prefix}/{path}" for path in listed["path"]}
    for file in folder.glob("tree-*.tsv"):
        tree = pd.read_csv(file, sep="\t", comment="#").set_index("path")["git_blob_sha1"]
        ours = table[
            table["commits"].str.contains(file.stem[-7:]) & (table["path"] != "metadata.csv")
        ]
        assert tree.loc[ours["path"]].tolist() == ours["git_blob_sha1"].tolist()


# The COVID-19 collection


@pytest.fixture
def covid(upstream, few, tmp_path, monkeypatch):
    """The phantoms' collection at a commit, on the server."""
    folder = few / covid_chestxray.COLLECTION.folders[0]
    manifest = covid_chestxray.read_manifest(few)
    base = f"/raw.githubusercontent.com/ieee8023/covid-chestxray-dataset/{COMMIT}"
    (table,) = folder.glob("metadata*.csv")
    any_image = next(folder.glob("images/*.png")).read_bytes()  # for those that phantoms lack
    files = {"metadata.csv": table.read_bytes()}
    for path in manifest["path"]:
        file = few / path
        name = file.relative_to(folder).as_posix()
        files[name] = file.read_bytes() if file.exists() else any_image
    upstream.files |= {f"{base}/{name}": data for name, data in files.items()}
    rows = [(name, git_name(data), COMMIT[:7]) for name, data in files.items()]
    frame = pd.DataFrame(rows, columns=["path", "git_blob_sha1", "commits"])
    frame.to_csv(tmp_path / "hashes.csv", index=False)
    monkeypatch.setattr(origins, "HASHES", tmp_path / "hashes.csv")
    upstream.covid = manifest
    return upstream


def test_covid_comes_as_the_loader_reads_it(covid, tmp_path):
    data = tmp_path / "data"
    plan = origins.plan_covid_chestxray(data, [COMMIT[:7]])
    assert len(plan.urls) == len(covid.covid) + 1 and not data.exists()
    do(plan)
    pd.testing.assert_frame_equal(covid_chestxray.read_manifest(data), covid.covid)
    assert present(covid.covid, data).all()
    assert covid.sent.total() == sum(map(len, covid.files.values()))
    again = origins.plan_covid_chestxray(data, [COMMIT[:7]])
    do(again)
    assert not again.urls and covid.asked.total() == len(covid.files)


def test_covid_images_that_are_not_the_commits_are_named_and_left(covid, tmp_path):
    first = tmp_path / covid.covid["path"].iloc[0]
    first.parent.mkdir(parents=True)
    first.write_bytes(b"mine")
    with pytest.raises(InputError, match=f"1 files, the first {re.escape(first.name)}, are not"):
        do(origins.plan_covid_chestxray(tmp_path, [COMMIT[:7]]))
    assert first.read_bytes() == b"mine" and present(covid.covid, tmp_path).all()


# Kermany


@pytest.fixture
def pediatric(upstream, few):
    """The phantoms' collection in a zip file as Mendeley has it, on the server."""
    manifest = kermany.read_manifest(few)
    folder, kept = few / kermany.COLLECTION.locate(few), io.BytesIO()
    with zipfile.ZipFile(kept, "w") as made:
        made.writestr("__MACOSX/chest_xray/._train", b"x")
        made.writestr("chest_xray/.DS_Store", b"x")
        for file in sorted(folder.glob("*/*/*")):
            made.write(file, f"chest_xray/{file.relative_to(folder)}")
    origin = upstream.origins["kermany"]
    origin["size"], origin["counts"] = len(kept.getvalue()), {}
    for (split, finding), n in manifest.groupby(["predefined_split", "finding"]).size().items():
        origin["counts"].setdefault(split, {})[finding] = n
    upstream.path, upstream.kermany = address(origin["address"]), manifest
    upstream.files[upstream.path] = kept.getvalue()
    return upstream


def test_kermany_comes_unpacked_and_counted(pediatric, tmp_path):
    pediatric.faults[pediatric.path] = ["redirect", "cut"]
    plan = origins.plan_kermany(tmp_path)
    assert plan.size == len(pediatric.files[pediatric.path])
    do(plan)
    found = kermany.read_manifest(tmp_path)
    assert set(found["image_id"]) == set(pediatric.kermany["image_id"])
    assert found["path"].str.startswith("kermany/chest_xray/").all()
    assert [file.name for file in (tmp_path / "kermany").iterdir()] == ["chest_xray"]
    again = origins.plan_kermany(tmp_path)
    do(again)
    assert not again.urls and again.summary == "nothing, all is there"


def test_kermany_damaged_is_deleted_and_comes_with_the_next_call(pediatric, tmp_path):
    pediatric.faults[pediatric.path] = ["wrong bytes"]
    with pytest.raises(InputError, match="the archive is damaged.*call again"):
        do(origins.plan_kermany(tmp_path))
    assert not list((tmp_path / "kermany").iterdir())
    do(origins.plan_kermany(tmp_path))
    assert len(kermany.read_manifest(tmp_path)) == len(pediatric.kermany)


def test_kermany_with_other_numbers_is_refused(pediatric, tmp_path):
    pediatric.origins["kermany"]["counts"]["test"]["normal"] += 1
    with pytest.raises(InputError, match="holds .* as published"):
        do(origins.plan_kermany(tmp_path))
    assert not list((tmp_path / "kermany").iterdir())
    (tmp_path / "kermany" / "chest_xray" / "train").mkdir(parents=True)
    with pytest.raises(InputError, match="move it away, then call again"):
        origins.plan_kermany(tmp_path)


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_kermany_on_a_full_disk_is_not_fetched_twice(pediatric, tmp_path, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space left"):
        patched.setattr(shutil, "copyfileobj", full_disk)
        do(origins.plan_kermany(tmp_path))
    assert not (tmp_path / "kermany" / "chest_xray").exists()
    do(origins.plan_kermany(tmp_path))
    assert len(kermany.read_manifest(tmp_path)) == len(pediatric.kermany)
    assert pediatric.sent[pediatric.path] == len(pediatric.files[pediatric.path])


def killed_at(step: int | None, folder: Path, work) -> int:
    """Run ``work`` in a process that is killed at its nth touch of the disk below a folder; how
    many there were, where it is not killed.
    """
    touched = multiprocessing.get_context("fork").Value("i", 0)

    def watch(event, arguments):
        if event in TOUCHES and arguments and str(arguments[0]).startswith(str(folder)):
            touched.value += 1
            if touched.value == step:
                os.kill(os.getpid(), signal.SIGKILL)

    def watched():
        sys.addaudithook(watch)
        work()

    process = multiprocessing.get_context("fork").Process(target=watched)
    process.start()
    process.join()
    # threads share the work: one run may touch the disk a few times less than another
    reached = step is not None and touched.value >= step
    assert process.exitcode == (-signal.SIGKILL if reached else 0)
    return touched.value


TOUCHES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.listdir"}


def test_kermany_killed_at_any_step_the_next_call_finishes(pediatric, tmp_path):
    def work():
        do(origins.plan_kermany(folder))

    folder = tmp_path / "whole"
    steps = killed_at(None, folder, work)
    late = range(max(1, steps - 8), steps)  # when it is unpacked, counted and renamed
    for step in [1, 2, 3, *random.Random(0).sample(range(4, steps), 3), *late[::2]]:
        folder = tmp_path / str(step)
        killed_at(step, folder, work)
        if (folder / "kermany" / "chest_xray").exists():
            assert len(kermany.read_manifest(folder)) == len(pediatric.kermany)
        work()
        assert len(kermany.read_manifest(folder)) == len(pediatric.kermany)
        assert not list((folder / "kermany").glob(".*"))


def test_covid_killed_at_any_moment_the_next_call_finishes(covid, tmp_path):
    def work():
        with alone(tmp_path / ".lock", "fetch"):
            do(origins.plan_covid_chestxray(tmp_path, [COMMIT[:7]]), pause=0.05)

    covid.rate, kills = 500_000, 0
    hashes = pd.read_csv(origins.HASHES, index_col="path")["git_blob_sha1"]
    for moment in (0.05, 0.1, 0.15, 0.2, 0.25):
        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        time.sleep(moment)
        process.kill()
        process.join()
        kills += process.exitcode != 0
        for file in (tmp_path / "covid-chestxray-dataset").glob("images/[!.]*"):
            assert git_sha1(file) == hashes[f"images/{file.name}"]
    work()
    assert kills >= 2 and [file.name for file in tmp_path.rglob(".*")] == [".lock"]


# ChestX-ray14


NAMES = [f"{patient:08d}_{n:03d}" for patient in range(1, 11) for n in range(3)]


@pytest.fixture
def nih(upstream):
    """Thirty images in three archives, on the server."""
    origin = upstream.origins["nih-chest-xray14"]
    origin["archives"] = dict(list(origin["archives"].items())[:3])
    upstream.images, upstream.paths = {}, []
    for name in NAMES:
        kept, noise = io.BytesIO(), np.random.default_rng(int(name[:8])).integers(0, 256, (64, 64))
        Image.fromarray(noise.astype(np.uint8)).save(kept, "PNG")
        upstream.images[name] = kept.getvalue()
    for n, key in enumerate(origin["archives"].values()):
        members = [(f"images/{x}.png", upstream.images[x]) for x in NAMES[10 * n : 10 * n + 10]]
        upstream.paths.append(address(origin["address"].format(id=key)))
        upstream.files[upstream.paths[-1]] = tarred(members)
    return upstream


def kept(data: Path) -> dict[str, bytes]:
    folder = data / "nih-chest-xray14"
    return {file.stem: file.read_bytes() for file in folder.glob("images_*/images/*")}


def test_nih_keeps_what_is_asked_for(nih, tmp_path):
    wanted = {NAMES[1], NAMES[5], NAMES[12], NAMES[29]}
    plan = origins.plan_chestxray14(tmp_path, wanted)
    assert plan.summary == "4 of 4 images, out of 3 archives"
    assert quick().sizes(plan.urls) == [len(nih.files[path]) for path in nih.paths]
    do(plan)
    assert kept(tmp_path) == {name: nih.images[name] for name in wanted}
    assert not list((tmp_path / "nih-chest-xray14").glob(".*"))
    names = tmp_path / "nih-chest-xray14" / "images_002" / "names.txt"
    assert names.read_text().split() == [f"{name}.png" for name in NAMES[10:20]]
    table = pd.DataFrame({"Image Index": [f"{name}.png" for name in NAMES]})
    table = table.assign(
        **{"Patient ID": table["Image Index"].str[:8], "Finding Labels": "No Finding"}
    )
    table = table.assign(**{"View Position": "PA", "Patient Gender": "M", "Patient Age": 50})
    table.to_csv(tmp_path / "nih-chest-xray14" / chestxray14.LIST, index=False)
    manifest = chestxray14.read_manifest(tmp_path)
    assert set(manifest.loc[present(manifest, tmp_path), "image_id"].str[-12:]) == wanted


def test_nih_a_finished_archive_is_never_asked_for_again(nih, tmp_path):
    do(origins.plan_chestxray14(tmp_path, {NAMES[1], NAMES[12]}))
    nih.asked.clear()
    plan = origins.plan_chestxray14(tmp_path, {NAMES[1], NAMES[12]})
    assert not plan.urls
    do(plan)
    assert not nih.asked
    do(origins.plan_chestxray14(tmp_path, {NAMES[1], NAMES[13]}))  # one more, of the second
    assert list(nih.asked) == nih.paths[1:2]
    assert set(kept(tmp_path)) == {NAMES[1], NAMES[12], NAMES[13]}


@pytest.mark.parametrize(
    ("fault", "twice"),
    [(["cut"], 0.5), (["reset"], 0.5), ([500, "cut", "cut"], 1), (["wrong bytes"], 1)],
    ids=["cut", "reset", "cut twice", "wrong bytes"],
)
def test_nih_a_dropped_archive_starts_again(nih, tmp_path, fault, twice):
    nih.faults[nih.paths[1]] = fault
    do(origins.plan_chestxray14(tmp_path, set(NAMES)))
    assert kept(tmp_path) == nih.images
    size = len(nih.files[nih.paths[1]])
    assert nih.sent[nih.paths[1]] <= size * (1.01 + twice)
    assert all(nih.sent[path] == len(nih.files[path]) for path in (nih.paths[0], nih.paths[2]))


def test_nih_a_damaged_archive_leaves_nothing_and_the_others_come(nih, tmp_path):
    whole = nih.files[nih.paths[1]]
    nih.files[nih.paths[1]] = whole[:-6] + b"\0\0" + whole[-4:]  # only the checksum tells
    with pytest.raises(Refused, match="damaged or cut short.*1 of 3 could not be had"):
        do(origins.plan_chestxray14(tmp_path, set(NAMES)))
    assert set(kept(tmp_path)) == set(NAMES[:10] + NAMES[20:])
    assert not list((tmp_path / "nih-chest-xray14").glob(".*"))
    nih.files[nih.paths[1]] = whole
    do(origins.plan_chestxray14(tmp_path, set(NAMES)))
    assert kept(tmp_path) == nih.images


def test_nih_on_a_full_disk_the_next_call_goes_on(nih, tmp_path, monkeypatch):
    with (
        monkeypatch.context() as patched,
        pytest.raises(InputError, match="cannot be written .No space left on device.*kept"),
    ):
        patched.setattr(shutil, "copyfileobj", full_disk)
        do(origins.plan_chestxray14(tmp_path, set(NAMES)))
    assert not kept(tmp_path)
    do(origins.plan_chestxray14(tmp_path, set(NAMES)))
    assert kept(tmp_path) == nih.images


def test_nih_images_in_no_archive_are_named(nih, tmp_path):
    with pytest.raises(InputError, match="1 images are in no archive, first 00099999_000.png"):
        do(origins.plan_chestxray14(tmp_path, {NAMES[0], "00099999_000"}))
    again = origins.plan_chestxray14(tmp_path, {NAMES[0], "00099999_000"})
    assert not again.urls  # which all archives have shown


def test_nih_killed_at_any_step_the_next_call_finishes(nih, tmp_path):
    def work():
        do(origins.plan_chestxray14(folder, set(NAMES)))

    folder = tmp_path / "whole"
    steps = killed_at(None, folder, work)
    for step in [1, 2, *random.Random(0).sample(range(3, steps), 6), steps]:
        folder = tmp_path / str(step)
        killed_at(step, folder, work)
        assert kept(folder).items() <= nih.images.items()
        work()
        assert kept(folder) == nih.images
        assert not list((folder / "nih-chest-xray14").glob(".*"))


# RSNA and weights


def test_rsna_as_it_is_downloaded(tmp_path):
    with pytest.raises(InputError, match="needs an account.*stage_2_detailed_class_info.csv"):
        do(origins.plan_rsna(tmp_path))
    folder = tmp_path / rsna.CHALLENGE
    (folder / rsna.IMAGES).mkdir(parents=True)
    with pytest.raises(InputError, match=f"holds no {rsna.CLASSES}"):
        do(origins.plan_rsna(tmp_path))
    ids = [f"0004cfab-14fd-4e49-80ba-63a80b6bddd{n}" for n in range(4)]
    kinds = ["Normal", "Lung Opacity", "Lung Opacity", "Normal"]
    lines = [f"{x},{kind}" for x, kind in zip([ids[0], ids[1], ids[1], ids[3]], kinds, strict=True)]
    (folder / rsna.CLASSES).write_text("patientId,class\n" + "\n".join(lines) + "\n")
    (folder / rsna.IMAGES / f"{ids[0]}.dcm").write_bytes(b"")
    manifest = rsna.read_manifest(tmp_path)
    assert manifest["image_id"].tolist() == [f"rsna-normal/{ids[0]}", f"rsna-normal/{ids[3]}"]
    assert manifest["finding"].eq("Normal").all()
    with pytest.raises(InputError, match=f"1 radiographs are missing, the first .*{ids[3]}.dcm"):
        do(origins.plan_rsna(tmp_path))
    (folder / rsna.IMAGES / f"{ids[3]}.dcm").write_bytes(b"")
    do(origins.plan_rsna(tmp_path))
    (folder / rsna.CLASSES).write_text(f"patientId,class\n{ids[0]},normal\n")
    with pytest.raises(InputError, match="row 2, column class: normal is none of the collection's"):
        rsna.read_manifest(tmp_path)


def test_rsna_is_read_by_the_reader_of_radiographs(tmp_path):
    pytest.importorskip("pydicom")
    values = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    name = "0004cfab-14fd-4e49-80ba-63a80b6bddd0"
    images = tmp_path / rsna.CHALLENGE / rsna.IMAGES
    images.mkdir(parents=True)
    (images.parent / rsna.CLASSES).write_text(f"patientId,class\n{name},Normal\n")
    dicom(images / f"{name}.dcm", values)
    (path,) = rsna.read_manifest(tmp_path)["path"]
    assert np.array_equal(radiographs.read_radiograph(tmp_path / path), values)


def test_weights_go_where_torch_looks(upstream, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("CXR_WEIGHTS", raising=False)
    data = random.Random(0).randbytes(9000)
    name = f"resnet18-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    upstream.origins["imagenet"]["files"] = {"resnet18": name}
    upstream.files[f"/download.pytorch.org/models/{name}"] = data
    plan = origins.plan_imagenet(["resnet18"])
    do(plan)
    assert sha256(tmp_path / "torch" / "hub" / "checkpoints" / name).startswith(name[9:17])
    assert not origins.plan_imagenet(["resnet18"]).urls
    monkeypatch.setenv("CXR_WEIGHTS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "resnet18-other.safetensors").write_bytes(b"")
    assert not origins.plan_imagenet(["resnet18"]).urls  # the user's own


def test_weights_are_torchvisions():
    package = importlib.util.find_spec("torchvision")
    if package is None:
        pytest.skip("torchvision is not installed")
    source = Path(package.submodule_search_locations[0], "models", "resnet.py").read_text()
    origin = origins.read_origins()["imagenet"]
    for name in origin["files"].values():
        _, weights = source.split(f'url="{origin["address"].format(file=name)}"')
        before = source.partition(name)[0]
        assert before.rstrip().endswith(
            'IMAGENET1K_V1 = Weights(\n        url="https://download.pytorch.org/models/'
        )


def test_the_note_beside_the_data(tmp_path):
    plan = origins.Plan("kermany", tmp_path / "kermany", "", [], lambda *_: None, revision="two")
    plan.write_note()
    note = origins.read_note(tmp_path / "kermany")
    assert note["licence"] == "CC BY 4.0" and "Cell 2018" in note["citation"]
    assert note["revision"] == "two" and note["fetched"].year >= 2024
    assert origins.read_note(tmp_path) == {}

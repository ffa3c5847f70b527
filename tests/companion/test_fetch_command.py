"""``cxr fetch`` as its user meets it."""

import contextlib
import copy
import hashlib
import importlib.util
import io
import multiprocessing
import random
import re
import shutil
import socket
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from unruly import serving

from companion import cli, sources
from companion.commands import fetch as command
from companion.studies import cheazemin2020, zhu2020
from cxrlib.data import covid_chestxray, fetch, kermany, origins
from cxrlib.data.manifest import present
from cxrlib.files import InputError

WEIGHTS = random.Random(0).randbytes(50_000)
NAME = f"resnet18-{hashlib.sha256(WEIGHTS).hexdigest()[:8]}.pth"


def cxr_fetch(*words: str) -> None:
    command.fetch([word for word in words if word in command.PLANS], **options_of(words))


def options_of(words) -> dict:
    """Those of ``--data FOLDER`` and ``--dry-run`` that are given."""
    found = {"dry_run": "--dry-run" in words}
    return found | ({"data": words[words.index("--data") + 1]} if "--data" in words else {})


@pytest.fixture
def upstream(monkeypatch, tmp_path):
    """Weights of one small network on a server that stands in for all others."""
    changed = copy.deepcopy(origins.read_origins())
    changed["imagenet"]["files"] = {"resnet18": NAME}
    monkeypatch.setattr(origins, "read_origins", lambda: changed)
    monkeypatch.setattr(command, "NETWORKS", ("resnet18",))
    monkeypatch.setattr(command, "Fetcher", lambda: fetch.Fetcher(2, 3, 0.01, 0.5))
    monkeypatch.setenv("CXR_WEIGHTS", str(tmp_path / "weights"))
    with serving({f"/download.pytorch.org/models/{NAME}": WEIGHTS}) as server:
        monkeypatch.setenv("CXR_MIRROR", server.address)
        yield server


def test_a_dry_run_says_all_and_does_nothing(upstream, tmp_path, capsys):
    cxr_fetch("weights", "kermany", "rsna", "--dry-run", "--data", str(tmp_path / "data"))
    said = capsys.readouterr().out
    for part in (
        f"weights: .*pytorch.org.*licence .*BSD.*cite .*CVPR.*to fetch +{NAME}.*size +0.1 MB",
        f"from +{upstream.address}/download.pytorch.org/models/{NAME}.*into +{tmp_path}/weights",
        "kermany: .*licence +CC BY 4.0.*cite.*Cell 2018.*size +1,235.5 MB.*into.*/kermany",
        "rsna: .*kaggle.*terms of use",
    ):
        assert re.search(part, said, re.DOTALL), part
    assert not list(tmp_path.iterdir())
    assert upstream.sent.total() <= 1


def test_licence_and_citation_lie_beside_what_came(upstream, tmp_path, capsys):
    cxr_fetch("weights", "--data", str(tmp_path / "data"))
    said = capsys.readouterr().out
    assert said.index("licence") < said.index("weights: all is there")
    assert (tmp_path / "weights" / NAME).read_bytes() == WEIGHTS
    note = origins.read_note(tmp_path / "weights")
    assert "BSD" in note["licence"] and note["revision"] == "IMAGENET1K_V1"
    upstream.asked.clear()
    cxr_fetch("weights", "--data", str(tmp_path / "data"))
    assert "nothing, all is there" in capsys.readouterr().out and not upstream.asked


def test_what_cannot_be_had_is_said_after_the_rest(upstream, tmp_path):
    data = tmp_path / "data"
    with pytest.raises(InputError, match="^rsna: .*needs an account") as caught:
        cxr_fetch("rsna", "weights", "--data", str(data))
    assert "weights" not in str(caught.value)
    assert (tmp_path / "weights" / NAME).exists()
    upstream.files.clear()
    (tmp_path / "weights" / NAME).unlink()
    with pytest.raises(InputError, match="^weights: .*404.*; rsna: "):
        cxr_fetch("weights", "rsna", "--data", str(data))


def test_without_a_network_it_ends_at_once(upstream, tmp_path, monkeypatch, capsys):
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("CXR_MIRROR", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(InputError, match="is there a network"):
            cxr_fetch("weights", "rsna", "--data", str(tmp_path / "data"))
    said = capsys.readouterr().out
    assert "not said by the server" in said and "rsna" not in said
    assert not list((tmp_path / "weights").iterdir())  # nor a note on what is not there


def test_two_at_once_fetch_once(upstream, tmp_path, capfd):
    upstream.rate = 100_000
    words = ("weights", "--data", str(tmp_path / "data"))
    fork = multiprocessing.get_context("fork")
    pair = [fork.Process(target=cxr_fetch, args=words) for _ in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join()
    assert [process.exitcode for process in pair] == [0, 0]
    assert upstream.sent.total() <= len(WEIGHTS) + 1  # a byte to ask for the size
    assert "another cxr fetch is at work here; waiting for it" in capfd.readouterr().err


def test_what_study_a_needs_of_nih():
    if importlib.util.find_spec("torchxrayvision") is None:  # which would import torch
        pytest.skip("torchxrayvision, which has the lists, is not installed")
    names = command.needed_of_nih(None)
    assert len(names) == 4376 + cheazemin2020.NEGATIVES
    assert all(re.fullmatch(r"\d{8}_\d{3}", name) for name in names)


def test_sources_say_revision_licence_and_what_a_run_would_lack(few, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(few, data)
    shutil.rmtree(data / "nih-chest-xray14", ignore_errors=True)
    sources.sources(str(data))
    said = capsys.readouterr().out
    assert "revision    not known, put there by hand" in said and "licence     CC BY 4.0" in said
    assert re.search(
        r"zhu-fourclass, zhu-binary would find \d+ of \d+ images; weights of resn", said
    )
    assert "azemin-adjudicated would find none of its images" in said
    plan = origins.plan_covid_chestxray(data, command.COMMITS)
    plan.write_note()
    sources.sources(str(data))
    said = capsys.readouterr().out
    assert re.search(r"revision    commits 6e57ed3, 29e0b70, 0bae3ba, fetched on 20\d\d-", said)


def published(data: Path) -> dict[str, bytes]:
    """The reduced copies of the two collections as the originals are published."""
    files, kept = {}, io.BytesIO()
    with zipfile.ZipFile(kept, "w") as made:
        for file in sorted((data / kermany.COLLECTION.locate(data)).glob("*/*/*")):
            part = file.parts[-3].replace("val", "train")  # Mendeley's own has no val
            made.write(file, "/".join(["chest_xray", part, *file.parts[-2:]]))
    files[origins.read_origins()["kermany"]["address"]] = kept.getvalue()
    folder = data / "covid-chestxray-dataset"
    for commit, date in origins.read_origins()["covid-chestxray"]["commits"].items():
        base = f"https://raw.githubusercontent.com/ieee8023/covid-chestxray-dataset/{commit}"
        table = folder / f"metadata-{date}-{commit[:7]}.csv"
        files[f"{base}/metadata.csv"] = table.read_bytes()
        for image in folder.glob("images/*"):
            files[f"{base}/images/{image.name}"] = image.read_bytes()
    return {"/" + url.partition("://")[2]: data for url, data in files.items()}


@pytest.mark.slow
def test_from_an_empty_folder_to_the_studies_images(real_data, tmp_path, monkeypatch, capsys):
    files = published(real_data)
    changed = copy.deepcopy(origins.read_origins())
    changed["kermany"]["size"] = next(len(data) for path, data in files.items() if "mende" in path)
    monkeypatch.setattr(origins, "read_origins", lambda: changed)
    table = pd.read_csv(origins.HASHES, dtype=str)
    for at, row in table.iterrows():  # the copies here are reduced, so they have other hashes
        commit = next(
            name for name in changed["covid-chestxray"]["commits"] if row.commits[:7] in name
        )
        data = files.get(
            f"/raw.githubusercontent.com/ieee8023/covid-chestxray-dataset/{commit}/{row.path}"
        )
        if data is not None:
            (tmp_path / "one").write_bytes(data)
            table.loc[at, "git_blob_sha1"] = fetch.git_sha1(tmp_path / "one")
    table.to_csv(tmp_path / "hashes.csv", index=False)
    monkeypatch.setattr(origins, "HASHES", tmp_path / "hashes.csv")
    missing = int((~present(covid_chestxray.read_manifest(real_data), real_data)).sum())
    with serving(files) as server:
        monkeypatch.setenv("CXR_MIRROR", server.address)
        status = cli.main(["fetch", "covid", "kermany", "--data", str(tmp_path / "data")])
        assert status == (2 if missing else 0)  # eight are not here
        assert f"{missing} of 319 could not be had" in capsys.readouterr().err or not missing
        once = sum(len(data) for path, data in files.items() if server.sent[path])
        assert server.sent.total() <= once + 100  # and a byte of some, to ask for their size
    data = tmp_path / "data"
    assert len(kermany.read_manifest(data)) == 5856
    assert int(present(zhu2020.manifest(data), data).sum()) == 5856 + 228 + (
        4 if not missing else 0
    )

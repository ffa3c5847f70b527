"""From an empty folder to a run of one's own and its page, as book/rerun.md has it; and Study A by
its own rule. Real radiographs, few of them, from a local server that has them as they are
published. ``pytest -m slow tests/companion/test_journey.py -s`` prints minutes; with
``CXR_JOURNEY=whole`` the newcomer has all radiographs that are here.
"""

import copy
import hashlib
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from test_archives import tarred
from unruly import serving

from companion import cli, studies
from companion.build import execute
from companion.commands import fetch as fetch_command
from companion.studies import cheazemin2020, maps, zhu2020
from cxrlib import records
from cxrlib.data import chestxray14, kermany, origins
from cxrlib.data.manifest import present
from cxrlib.transfer import frozen, resnet

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
# every so many of the COVID-19 images, and so many of each class and part of Kermany's
STEP, EACH = (1, 10_000) if os.environ.get("CXR_JOURNEY") == "whole" else (6, 40)
PATIENT_149 = "fff49165-b22d-4bb4-b9d1-d5d62c52436c.annot.original"  # whose map page 13 shows


@pytest.fixture
def upstream(monkeypatch, tmp_path):
    """A server that stands in for all others, and what is known of its files."""
    known = copy.deepcopy(origins.read_origins())
    monkeypatch.setattr(origins, "read_origins", lambda: known)
    for variable in ("results", "weights", "cache"):
        monkeypatch.setenv(f"CXR_{variable.upper()}", str(tmp_path / variable))
    monkeypatch.delenv("CXR_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    with serving({}) as server:
        monkeypatch.setenv("CXR_MIRROR", server.address)
        server.known = known
        server.publish = lambda url, data: server.files.update(
            {"/" + url.partition("://")[2]: data}
        )
        yield server


def publish_covid(upstream, real, wanted, monkeypatch, folder) -> None:
    """The tables of the COVID-19 collection and some of its radiographs, with their own hashes."""
    origin, rows = upstream.known["covid-chestxray"], []
    names = {whole[:7]: (whole, date) for whole, date in origin["commits"].items()}
    for commit in fetch_command.COMMITS:
        whole, date = names[commit]
        held = {"metadata.csv": real / f"covid-chestxray-dataset/metadata-{date}-{commit}.csv"}
        held |= {f"images/{Path(path).name}": real / path for path in wanted}
        for path, file in held.items():
            data = file.read_bytes()
            upstream.publish(origin["address"].format(commit=whole, path=path), data)
            digest = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            rows.append((path, digest, commit))
    table = pd.DataFrame(rows, columns=["path", "git_blob_sha1", "commits"])
    table.to_csv(folder / "hashes.csv", index=False)
    monkeypatch.setattr(origins, "HASHES", folder / "hashes.csv")


def publish_kermany(upstream, real, each: int) -> None:
    """An archive with a few images of each class and part, as Mendeley has it."""
    manifest, kept = kermany.read_manifest(real), io.BytesIO()
    parts = ["predefined_split", "finding"]
    some = manifest.groupby(parts).head(each)
    with zipfile.ZipFile(kept, "w") as made:
        for path in some["path"]:
            below = path.partition("chest_xray/")[2].replace("val/", "train/", 1)
            made.write(real / path, f"chest_xray/{below}")
    origin = upstream.known["kermany"]
    origin["size"] = len(kept.getvalue())
    for (part, finding), n in some.groupby(parts).size().items():
        origin["counts"][part][finding] = n
    upstream.publish(origin["address"], kept.getvalue())


def publish_weights(upstream, network: str, state: dict, monkeypatch) -> None:
    import torch

    kept = io.BytesIO()
    torch.save(state, kept)
    name = f"{network}-{hashlib.sha256(kept.getvalue()).hexdigest()[:8]}.pth"
    origin = upstream.known["imagenet"]
    origin["files"][network] = name
    monkeypatch.setattr(fetch_command, "NETWORKS", (network,))
    upstream.publish(origin["address"].format(file=name), kept.getvalue())


class Log:
    """Commands, their minutes and what they said last."""

    def __init__(self, capsys):
        self.lines, self.capsys = [], capsys

    def cxr(self, words: str) -> tuple[int, str, str]:
        began = time.perf_counter()
        status = cli.main(words.split())
        said = self.capsys.readouterr()
        self.note(f"cxr {words}", began)
        return status, said.out, said.err

    def note(self, command: str, began: float) -> None:
        self.lines.append(f"{(time.perf_counter() - began) / 60:6.2f} min  {command}")

    def show(self) -> None:
        with self.capsys.disabled():
            print("", *self.lines, sep="\n")


def text_of(notebook: Path) -> str:
    """All that a page's cells put out, tracebacks too."""
    return json.dumps(
        [cell.get("outputs", []) for cell in json.loads(notebook.read_text())["cells"]]
    )


def test_a_newcomer_comes_to_a_run_and_a_page(
    upstream, real_data, real_weights, tmp_path, monkeypatch, capsys
):
    covid = zhu2020.manifest(real_data)
    covid = covid[(covid["source"] == "covid-chestxray") & present(covid, real_data)]
    publish_covid(upstream, real_data, covid["path"].iloc[::STEP], monkeypatch, tmp_path)
    publish_kermany(upstream, real_data, EACH)
    state = resnet.read(real_weights / "resnet18-imagenet-fp16.safetensors")
    publish_weights(upstream, "resnet18", state, monkeypatch)
    log = Log(capsys)

    status, out, err = log.cxr("fetch covid kermany weights")
    assert status == 0, err
    assert out.count("all is there, in") == 3
    assert sorted(file.name for file in (tmp_path / "data").glob("[!.]*")) == [
        "covid-chestxray-dataset",
        "kermany",
    ]
    assert log.cxr("fetch covid kermany weights")[1].count("nothing, all is there") == 2
    status, out, _ = log.cxr("sources")
    assert re.search(r"zhu-binary would find [\d,]+ of [\d,]+ images; weights of resnet18 are", out)

    status, out, err = log.cxr("train zhu-binary --name short --set epochs=2")
    assert status == 0, err
    assert re.search(r"results/short: 2 epochs, kept \d; accuracy [01]\.\d{3}", out)
    info = records.read_record(tmp_path / "results" / "short").info
    lacked = " ".join(info["lacked"])
    assert info["origin"] == "images" and info["experiment"] == "zhu-binary"
    assert "Setting epochs was 2" in lacked and "images were not on disk" in lacked
    assert info["weights"]["name"] in upstream.known["imagenet"]["files"].values()

    for folder in ("my-page", ".venv"):
        (tmp_path / folder).mkdir()
    (tmp_path / ".venv" / "other.ipynb").write_text("{")  # packages have such; it is no page
    began = time.perf_counter()
    words = [sys.executable, "-m", "papermill", "--log-level", "ERROR", "--no-progress-bar"]
    words += [str(ROOT / "notebooks/03_study_b_binary.ipynb"), "my-page/short.ipynb", "-p"]
    subprocess.run([*words, "run_name", "short"], check=True, capture_output=True)
    log.note("papermill notebooks/03_study_b_binary.ipynb my-page/short.ipynb …", began)
    assert "Setting epochs was 2" in text_of(tmp_path / "my-page" / "short.ipynb")
    began, book = time.perf_counter(), Path(sys.executable).with_name("jupyter-book")
    subprocess.run([book, "build", "my-page/short.ipynb"], check=True, capture_output=True)
    log.note("jupyter-book build my-page/short.ipynb", began)
    (page,) = tmp_path.rglob("short.html")
    assert "Setting epochs was 2" in page.read_text(encoding="utf-8")
    log.show()


def calm_resnet101() -> dict:
    """Random weights with which numbers neither grow nor vanish through 33 blocks."""
    import torch

    torch.manual_seed(0)
    state = resnet.build("resnet101", 1000).state_dict()
    return {
        key: value * 0.2 if key.endswith("bn3.weight") else value.contiguous()
        for key, value in state.items()
    }


def publish_nih(upstream, real, data, few: int) -> tuple[set[str], set[str]]:
    """Labels of the published form, in which radiologists settled a few of the images that are
    here; and those images and a few of the negatives in twelve archives.
    """
    folder = (
        Path(importlib.util.find_spec("torchxrayvision").submodule_search_locations[0]) / "data"
    )
    table = pd.read_csv(folder / f"{chestxray14.ADJUDICATED}.gz", dtype=str)
    here = {file.stem: file for file in real.glob("nih-chest-xray14-subset/images/*")}
    free = sorted(here.keys() - set(table["Image Index"].str[:-4]))
    settled = set()
    for chosen in (table["Set Id"] == "val", table["Set Id"] == "test"):
        for label in ("YES", "NO"):
            rows = table.index[chosen & (table["Airspace opacity"] == label)][:few]
            for row in rows:
                settled.add(name := free.pop())
                table.loc[row, ["Image Index", "Patient ID"]] = f"{name}.png", str(int(name[:8]))
    (data / "nih-chest-xray14").mkdir(parents=True)
    table.to_csv(data / "nih-chest-xray14" / chestxray14.ADJUDICATED, index=False)
    needed = fetch_command.needed_of_nih(data)
    assert len(needed) == 4376 + cheazemin2020.NEGATIVES and settled <= needed
    drawn = set(sorted((needed & here.keys()) - settled - set(table["Image Index"].str[:-4]))[:40])
    origin, names = upstream.known["nih-chest-xray14"], sorted(settled | drawn)
    for n, key in enumerate(origin["archives"].values()):
        members = []
        for name in names[n::12]:
            kept = io.BytesIO()
            Image.open(here[name]).save(kept, "PNG")
            members.append((f"images/{name}.png", kept.getvalue()))
        upstream.publish(origin["address"].format(id=key), tarred(members))
    return settled, drawn


def test_study_a_by_its_own_rule(upstream, real_data, tmp_path, monkeypatch, capsys):
    pytest.importorskip("torchxrayvision", exc_type=ImportError)
    covid = cheazemin2020.covid(real_data)
    covid = covid[present(covid, real_data)]
    shown = covid["path"].str.contains(PATIENT_149)
    publish_covid(
        upstream, real_data, [*covid["path"][shown], *covid["path"].iloc[:7]], monkeypatch, tmp_path
    )
    data = tmp_path / "data"
    settled, drawn = publish_nih(upstream, real_data, data, 8)
    publish_weights(upstream, "resnet101", calm_resnet101(), monkeypatch)
    monkeypatch.setattr(maps, "DRAWS", 1)
    log = Log(capsys)

    status, _, err = log.cxr("fetch covid nih weights")
    lost = 4376 + cheazemin2020.NEGATIVES - len(settled | drawn)
    assert (
        status == 2
        and f"nih: {data.name}/nih-chest-xray14: {lost:,} images are in no archive" in err
    )
    assert len(list(data.glob("nih-chest-xray14/images_*/images/*.png"))) == len(settled | drawn)

    monkeypatch.setattr(frozen, "BLOCK", 40)
    made, real = [], frozen.extract

    def stopped(*given, **how):
        if len(made) == 1:
            raise KeyboardInterrupt
        made.append(how)
        return real(*given, **how)

    train = "train azemin-adjudicated --resume --precision bfloat16"
    with monkeypatch.context() as patched:
        patched.setattr(frozen, "extract", stopped)
        status, _, err = log.cxr(train)
    assert status == 130 and "goes on with --resume" in err
    assert "features:" in err and made == [{"kind": "bfloat16"}]
    began = len(list((tmp_path / "cache").glob("features-*/*.npy")))
    assert began == 1
    monkeypatch.setattr(
        frozen, "extract", lambda *given, **how: made.append(how) or real(*given, **how)
    )
    status, out, err = log.cxr(train)
    assert status == 0, err
    images = len(settled | drawn) + 8
    assert len(made) == -(-images // 40), "the first block was not computed again"

    run = records.read_record(tmp_path / "results" / "azemin-adjudicated")
    assert run.info["epochs"]["run"] == 8 and run.info["config"]["model"] == "resnet101"
    counts = run.info["data"]["counts"]
    assert counts["train"]["opacity"] >= 8 and counts["val"]["none"] >= 8
    assert (counts["test"]["covid"], counts["test"]["none"]) == (8, len(drawn))
    lacked = " ".join(run.info["lacked"])
    assert "images were not on disk" in lacked and "stand-in" not in lacked
    assert {"head.npz", "cams.npz"} <= {file.name for file in run.folder.iterdir()}

    for standin in ("azemin-standin-resnet50", "azemin-standin-resnet50-variants"):
        (tmp_path / "results" / standin).symlink_to(ROOT / "results" / standin)
    began = time.perf_counter()
    page = ROOT / "notebooks/13_study_a_results.ipynb"
    for name, words in {None: "own rule", studies.AZEMIN_STANDIN.name: "stand-in"}.items():
        given = {"run_name": name, "data": str(data)} if name else {"data": str(data)}
        execute.execute_notebook(page, tmp_path / "page.ipynb", given)
        said = text_of(tmp_path / "page.ipynb")
        assert f"by the {words}" in said.replace("paper's ", "")
        assert ("No lung mask was on disk" in said) == (name is None)
    log.note("page 13, of both", began)
    log.show()

"""``cxr audit``: does a network read the lungs? For anybody's ResNet and anybody's images."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from companion import studies
from companion.audits import record
from companion.options import heavy
from companion.studies.subgroups import BANDS
from cxrlib.data import lungs, manifest, radiographs
from cxrlib.data.covid_chestxray import COLLECTION
from cxrlib.data.phantom import TRUTH
from cxrlib.files import InputError, inside, sha256, whole, write_text

FILES = {".safetensors", ".pth", ".pt"}
LEAST = 64  # pixels a side, for marks
PAGE = "audit.html"


@dataclass
class Network:
    """A network to audit: its classes in order, and how much of a picture it is shown."""

    name: str
    model: Any  # torch.nn.Module
    classes: list[str]
    kind: str  # of ResNet
    size: int  # pixels a side
    device: Any
    sha256: str = ""
    shown: str = "whole"


@dataclass
class audit:
    """Does a network read the lungs? Audits of a recorded run, or of your own ResNet, on your own
    images: black-out, lungs out, marks, duplicates, subgroups. Nothing is trained. A record and a
    page, audit.html, are written whole or not at all. Not a medical device.

    model: a recorded run, or a .safetensors file with torchvision's names of weights
    data: folder that the manifest's paths start from (default: CXR_DATA, else data/)
    classes: the file's classes in the order of its last layer, e.g. covid,normal
    positive: class of interest (default: the first)
    manifest: CSV of the images (default: manifest.csv in the data folder)
    regions: folder of lung masks, named as the images (default: those that come with the data)
    size: pixels a side that the file's network sees (224)
    threshold: positive where p is this or more (0.5)
    output: folder of the record and the page (audit/)
    """

    model: str
    data: str | None = None
    classes: str | None = None
    positive: str | None = None
    manifest: str | None = None
    regions: str | None = None
    size: int = 224
    threshold: float = 0.5
    output: str = "audit"
    results: str | None = None
    device: str | None = None

    def run(self) -> None:
        began, target = time.perf_counter(), Path(self.output)
        if not 0 <= self.threshold <= 1:
            raise InputError(f"--threshold {self.threshold:g}: expected a probability from 0 to 1")
        if self.size < LEAST:
            raise InputError(f"--size {self.size}: expected {LEAST} pixels or more")
        if target.exists() and not (target / PAGE).is_file():
            raise InputError(f"--output {target}: is there, and no audit's; name another folder")
        anybody = heavy("companion.audits.anybody", "auditing")
        root, net = manifest.data_folder(self.data), self.network()
        file = Path(self.manifest or root / "manifest.csv")
        rows = read_rows(file, root, net.classes)
        positive = self.positive or net.classes[0]
        tested = tested_of(rows, positive, net.classes, str(file))
        masks = masks_of(tested, root, net.size, self.regions)
        pixels, hashes = radiographs.load(root, rows["path"].tolist(), net.size)
        looked = anybody.looks(net, tested, pixels, masks)
        tables = anybody.measure(looked, rows, pixels, positive, self.threshold)
        images = {"fingerprint": radiographs.fingerprint(rows["image_id"], hashes), "missing": []}
        images |= {"images": len(rows), "tested": len(tested), "regions": len(masks)}
        images |= {"patients": tested["patient_id"].nunique()}
        images |= {"positive": int((tested["y_true"] == positive).sum())}
        config = {"model": net.kind, "size": net.size, "classes": net.classes, "shown": net.shown}
        config |= {"positive": positive, "threshold": self.threshold, "manifest": file.name}
        info = {"audit": "anybody", "study": "", "made": "cxr audit", "config": config}
        info |= {"what": "audits of a network on somebody's own images", "images": images}
        info |= {"weights": {"name": net.name, "sha256": net.sha256}}
        info |= {"seconds": round(time.perf_counter() - began, 1)}
        page = anybody.page(info, tables)
        with whole(target) as new:
            record.write(new, info, tables, self.device)
            write_text(new / PAGE, page)
        print(target / PAGE)

    def network(self) -> Network:
        """The network of a recorded run, or of a file of weights: which ResNet that is, the names
        and shapes of its weights tell.
        """
        resnet = heavy("cxrlib.transfer.resnet", "auditing")
        on = resnet.device(self.device)
        if Path(self.model).suffix not in FILES:
            run = studies.run(self.model, results=self.results)
            if self.classes:
                raise InputError(
                    f"--classes {self.classes}: {self.model} has its own in its record"
                )
            config = run.info["config"]
            model = resnet.recorded(run.folder, run.info, on)
            seen = {"size": config["size"], "shown": config.get("shown") or "whole"}
            return Network(run.name, model, run.classes, config["model"], device=on, **seen)
        names = [name.strip() for name in (self.classes or "").split(",")]
        if len({*names} - {""}) < max(2, len(names)):
            raise InputError(
                f"--classes {self.classes}: name the classes of {self.model}, each once, in the"
                " order of its last layer, as in --classes covid,normal"
            )
        kind, model = heavy("companion.audits.anybody", "auditing").told(self.model, len(names))
        name, digest = Path(self.model).name, sha256(self.model)
        return Network(name, model.to(on), names, kind, self.size, on, digest)


def read_rows(file: Path, root: Path, classes: list[str]) -> pd.DataFrame:
    """Somebody's manifest, checked: its columns, ``y_true`` (or ``label``), ``split`` (``test``
    where there is none), and ``age`` as a band. :class:`InputError` names file, row and column, the
    row as a spreadsheet counts.
    """
    where = str(file)
    if not file.is_file():
        raise InputError(f"{where}: no such manifest; --manifest names another")
    read = manifest.read_csv(file, where, manifest.NEEDED)
    label = "label" if "label" in read and "y_true" not in read else "y_true"
    if read.empty or read.columns.duplicated().any():
        twice = ", ".join(read.columns[read.columns.duplicated()])
        raise InputError(f"{where}: " + (f"has twice: {twice}" if twice else "lists no image"))
    manifest.require(read, [*manifest.NEEDED, label, *read.columns.intersection(["split"])], where)
    manifest.refuse(read, "image_id", read["image_id"].duplicated(), where, "occurs twice")
    unknown = f"is none of the model's classes {', '.join(classes)}"
    manifest.refuse(read, label, ~read[label].isin(classes), where, unknown)
    for row, path in read["path"].items():
        inside(root, path, where=f"{where}: row {row}: path")
    lost = ~manifest.present(read, root)
    gone = f"is not in {root} ({lost.sum():,} of {len(read):,} images are missing)"
    manifest.refuse(read, "path", lost, where, gone)
    rows = read.reindex(columns=manifest.COLUMNS).replace("", None)
    years = pd.to_numeric(rows["age"], errors="coerce").astype(float)
    odd = rows["age"].notna() & ~years.between(0, 120)
    manifest.refuse(rows, "age", odd, where, "is not a number of years from 0 to 120")
    bands = pd.cut(years, [*BANDS.values(), 121], right=False, labels=list(BANDS)).astype(object)
    split = read.get("split", "test")
    return rows.assign(age=bands, y_true=read[label], split=split).reset_index(drop=True)


def tested_of(rows: pd.DataFrame, positive: str, classes: list[str], where: str) -> pd.DataFrame:
    """The rows whose split is ``test``, or all where none is; images of both sides are needed."""
    if positive not in classes:
        raise InputError(f"--positive {positive}: the classes are {', '.join(classes)}")
    tested = rows[rows["split"] == "test"] if (rows["split"] == "test").any() else rows
    sides = (tested["y_true"] == positive).unique()
    if len(sides) < 2:
        what = "all" if sides[0] else "none"
        raise InputError(
            f"{where}: y_true: {what} of {len(tested):,} images to test are {positive}"
        )
    return tested


def masks_of(rows: pd.DataFrame, root: Path, size: int, folder: str | None) -> dict:
    """Regions by ``image_id``, as packed bits: masks in ``folder`` named by the stem of the image's
    file, else the lungs that the COVID-19 collection ships, masks before boxes, or a phantom's.
    """
    if folder is None:
        known = (root / TRUTH).is_dir() or any(
            (root / name).is_dir() for name in COLLECTION.folders
        )
        kinds = lungs.regions(rows["image_id"], size, root) if known else {}
        found = kinds.get("lung box", {}) | kinds.get("lung mask", {})
    elif not Path(folder).is_dir():
        raise InputError(f"--regions {folder}: no such folder")
    else:
        files = {file.stem: file for file in sorted(Path(folder).iterdir()) if file.is_file()}
        stems = dict(
            zip(rows["image_id"], rows["path"].map(lambda path: Path(path).stem), strict=True)
        )
        found = {
            name: radiographs.read_radiograph(files[stem], size) >= 128
            for name, stem in stems.items()
            if stem in files
        }
        if not found:
            raise InputError(f"--regions {folder}: no file there has the name of an image")
    return {name: np.packbits(region) for name, region in found.items() if region.any()}

"""The public face, by strangers' scripts: ten lines each, in a folder of their own, on files of
their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jedi
import numpy as np
import pandas as pd
import pytest
from frames import made_up
from PIL import Image
from without import run_without

import cxrlib

SPLIT = """
import pandas as pd
import cxrlib

images = pd.read_csv("images.csv")
images["split"] = cxrlib.split_by_patient(images, test_images=30, seed=1)
shared = cxrlib.leakage(images, images["split"])["shared_patients"]
images.to_csv("split.csv", index=False)
print((images["split"] == "test").sum(), "test images,", shared.max(), "patients on both sides")
"""

INTERVAL = """
import cxrlib

predictions = cxrlib.read_predictions("predictions.csv")
auc = cxrlib.bootstrap_by_patient(predictions, "auc", cls="covid", replicates=500)
print(f"AUC {auc.estimate:.3f} ({auc.low:.3f} to {auc.high:.3f})")
"""

GRAD_CAM = """
import numpy as np
import torchvision
import cxrlib

model = torchvision.models.resnet18(num_classes=2)
pixels = cxrlib.read_radiograph("chest.png", size=64)
cam = cxrlib.grad_cam(model, pixels[None], target=1, layer="layer4")
np.save("cam.npy", cam)
print(cam.shape, float(cam.min()) >= 0)
"""


def run(script: str, folder: Path) -> str:
    """What a script prints that stands alone in a folder."""
    assert len([line for line in script.splitlines() if line.strip()]) <= 10
    (folder / "script.py").write_text(script, encoding="utf-8")
    place = str(Path(cxrlib.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": place},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_split_by_patient(tmp_path):
    images = pd.DataFrame(
        {
            "image_id": [f"mine/{k}" for k in range(120)],
            "patient_id": [f"mine/{k // 3}" for k in range(120)],
        }
    )
    images.to_csv(tmp_path / "images.csv", index=False)
    assert run(SPLIT, tmp_path) == "30 test images, 0 patients on both sides\n"
    split = pd.read_csv(tmp_path / "split.csv")
    assert (split.groupby("patient_id")["split"].nunique() == 1).all()


def test_a_clustered_interval_of_an_auc(tmp_path):
    frame = made_up(images_per_patient=4)
    frame.to_csv(tmp_path / "predictions.csv", index=False)
    found = cxrlib.bootstrap_by_patient(frame, "auc", cls="covid", replicates=500)
    assert run(INTERVAL, tmp_path) == (
        f"AUC {found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})\n"
    )


def test_grad_cam_of_a_torchvision_model(tmp_path):
    pytest.importorskip("torchvision")
    pixels = np.random.default_rng(0).integers(0, 256, (80, 100), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "chest.png")
    assert run(GRAD_CAM, tmp_path) == "(1, 2, 2) True\n"


def test_the_face_needs_no_torch():
    """Every public name but those that train, predict or map loads where torch is not installed."""
    code = """
import cxrlib
for name in cxrlib.__all__:
    try:
        assert getattr(cxrlib, name).__doc__, name
    except ModuleNotFoundError as error:
        assert error.name in ("torch", "torchvision"), error
        print(name)
"""
    done = run_without(["torch", "torchvision", "anywidget"], code)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= {"Config", "fit", "predict", "grad_cam", "localise"}


def test_an_editor_knows_every_name_without_running_it():
    """jedi reads the source; so it knows a name that comes late by what type checkers are told."""
    lines = "import cxrlib\n" + "".join(f"cxrlib.{name}\n" for name in cxrlib.__all__)
    script = jedi.Script(lines, project=jedi.Project(Path(cxrlib.__file__).parents[1]))
    for line, name in enumerate(cxrlib.__all__, start=2):
        found = script.infer(line, len("cxrlib.") + 1)
        assert [one.full_name for one in found if one.full_name.startswith("cxrlib.")], name


def test_names_are_listed_once_and_are_there():
    assert len(set(cxrlib.__all__)) == len(cxrlib.__all__) <= 34
    assert set(cxrlib.__all__) <= set(dir(cxrlib))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        cxrlib.nonsense  # noqa: B018

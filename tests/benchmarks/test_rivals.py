"""The benchmark runs, both sides draw the same maps, and a missing library is named. How fast it is
no test says.
"""

import subprocess
import sys

import numpy as np
import pytest
import torch
from rounding import apart

from benchmarks import rivals
from cxrlib import gradcam
from cxrlib.files import InputError


def test_gradcam_measures_two_libraries_that_agree():
    pytest.importorskip("pytorch_grad_cam")
    before = torch.get_rng_state()
    got = rivals.BENCHES["gradcam"](batches=2, batch=3, size=64, repeats=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert got.keys() == set(
        "ours theirs ours_s theirs_s ours_images_per_s theirs_images_per_s ratio difference batch"
        " size threads torch".split()
    )
    assert (
        0 <= got["difference"] < 3 * apart()
    )  # forth and back and scaled: not the same arithmetic, yet the same maps
    assert got["ours_s"] > 0 and got["theirs_s"] > 0 and got["ratio"] > 0
    np.testing.assert_allclose(got["ratio"], got["theirs_s"] / got["ours_s"])
    np.testing.assert_allclose(got["ratio"], got["ours_images_per_s"] / got["theirs_images_per_s"])
    np.testing.assert_allclose(got["ours_images_per_s"] * got["ours_s"], 6)
    assert (got["batch"], got["size"], got["threads"], got["torch"]) == (
        3,
        64,
        torch.get_num_threads(),
        torch.__version__,
    )


def test_gradcam_would_notice_other_maps(monkeypatch):
    pytest.importorskip("pytorch_grad_cam")
    cams = gradcam.cams
    monkeypatch.setattr(gradcam, "cams", lambda *given: cams(*given).flip(1, 2))
    assert rivals.gradcam(batches=1, batch=2, size=64, repeats=1)["difference"] > 0.1


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    with pytest.raises(InputError, match="needs grad-cam: pip install grad-cam"):
        rivals.gradcam(batches=1, batch=1, size=32, repeats=1)


def test_cached_and_uncached_training_of_a_frozen_network_agree():
    got = rivals.BENCHES["frozen"](number=24, size=33, epochs=2, name="resnet18")
    assert got["difference"] < apart(), "the same last layer"
    assert 0 < got["features_s"] < got["cached_s"] and got["ratio"] == pytest.approx(
        got["uncached_s"] / got["cached_s"]
    )


def test_bootstrap_equals_the_loop_it_is_timed_against():
    got = rivals.BENCHES["bootstrap"](positives=31, negatives=300, replicates=40, repeats=1)
    assert got["difference"] < 1e-12 and got["images"] == 331 and got["patients"] < 331
    assert (
        got["ratio"] == pytest.approx(got["theirs_s"] / got["ours_s"]) and got["replicates_s"] > 0
    )


def test_the_bootstrap_is_timed_without_torch():
    code = (
        "import sys; from benchmarks import rivals; rivals.bootstrap(9, 20, 5, 1);"
        " assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_the_explorer_is_timed_while_it_moves(chromium):
    got = rivals.BENCHES["explorer"](positives=20, negatives=80, frames=30, browser=chromium)
    assert got["images"] == 100 and got["frames"] == 30
    for name in ("threshold", "prevalence"):
        assert (
            0 < got[f"{name}_work_median_ms"] <= got[f"{name}_work_p95_ms"]
            and 0 < got[f"{name}_gap_median_ms"] <= got[f"{name}_gap_p95_ms"]
        )

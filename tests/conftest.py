"""Fixtures that several test files share."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARALLEL = "PYTEST_XDIST_WORKER" in os.environ
if PARALLEL:  # a core for each worker
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Decoded images go to a folder of the test session, never to the user's cache."""
    folder = tmp_path_factory.getbasetemp().parent / "cache" if PARALLEL else tmp_path_factory.mktemp("cache")  # one for all workers
    os.environ["CXR_CACHE"] = str(folder)


@pytest.fixture(scope="session")
def phantom_data(tmp_path_factory) -> Path:
    """A data folder with 160 synthetic radiographs in the real collections' layouts."""
    from cxrlib import phantom

    folder = tmp_path_factory.mktemp("phantom")
    phantom.write(folder, 160, seed=0, size=96)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The real collections (CXR_DATA, else data/, else shared/data beside the checkout); without them the test is skipped."""
    for folder in (os.environ.get("CXR_DATA"), ROOT / "data", ROOT.parent / "shared" / "data"):
        if folder and (Path(folder) / "covid-chestxray-dataset").is_dir():
            return Path(folder)
    pytest.skip("the real image collections are not here (set CXR_DATA)")


@pytest.fixture(scope="session")
def real_weights() -> Path:
    """A folder with ImageNet weights (CXR_WEIGHTS, else shared/weights beside the checkout), or skip."""
    for folder in (os.environ.get("CXR_WEIGHTS"), ROOT.parent / "shared" / "weights"):
        if folder and Path(folder).is_dir():
            return Path(folder)
    pytest.skip("no ImageNet weights here (set CXR_WEIGHTS)")


@pytest.fixture
def no_traces():
    """A test of drawing ends with matplotlib's settings as they were."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    yield
    plt.close("all")
    assert {key: value for key, value in mpl.rcParams.items() if before[key] != value} == {}


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a real browser, installed if there is none."""
    return subprocess.run([ROOT / "tests" / "browser" / "chromium.sh"], capture_output=True, text=True, check=True).stdout.split()[0]


@pytest.fixture(scope="module")
def browser(chromium):
    """That browser, started headless."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()

"""Fixtures that several test files share."""

import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("any machine", deadline=None)  # however busy it is
hypothesis.settings.load_profile("any machine")
ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(folder) for folder in ROOT.joinpath("tests").rglob("*") if folder.is_dir()]
PARALLEL = "PYTEST_XDIST_WORKER" in os.environ
if PARALLEL:  # a core for each worker
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Decoded images go to a folder of the test session, never to the user's cache."""
    folder = (
        tmp_path_factory.getbasetemp().parent / "cache"
        if PARALLEL
        else tmp_path_factory.mktemp("cache")
    )  # one for all workers
    os.environ["CXR_CACHE"] = str(folder)


@pytest.fixture(scope="session")
def phantom_data(tmp_path_factory) -> Path:
    """A data folder with 160 synthetic radiographs in the real collections' layouts."""
    from cxrlib.data import phantom

    folder = tmp_path_factory.mktemp("phantom")
    phantom.write(folder, 160, seed=0, size=96)
    return folder


@pytest.fixture(scope="session")
def few(tmp_path_factory) -> Path:
    """A phantom of 60 images, where a run is needed but not what it learns."""
    from cxrlib.data import phantom

    folder = tmp_path_factory.mktemp("few")
    phantom.write(folder, 60, seed=1, size=64)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The real collections (CXR_DATA, else data/, else shared/data beside the checkout); without
    them the test is skipped.
    """
    for folder in (os.environ.get("CXR_DATA"), ROOT / "data", ROOT.parent / "shared" / "data"):
        if folder and (Path(folder) / "covid-chestxray-dataset").is_dir():
            return Path(folder)
    pytest.skip("the real image collections are not here (set CXR_DATA)")


@pytest.fixture(scope="session")
def real_weights() -> Path:
    """A folder with ImageNet weights (CXR_WEIGHTS, else shared/weights beside the checkout), or
    skip.
    """
    for folder in (os.environ.get("CXR_WEIGHTS"), ROOT.parent / "shared" / "weights"):
        if folder and Path(folder).is_dir():
            return Path(folder)
    pytest.skip("no ImageNet weights here (set CXR_WEIGHTS)")


def shared_state() -> dict:
    """What tests have in common and must leave as it was, of the libraries that are loaded."""
    # those that the product reads: others a library may set when it is loaded
    read = tuple("CXR_ OMP_ MPL MATPLOTLIB JUPYTER IPYTHON PYTHON XDG_ HOME".split())
    state = {
        "folder": os.getcwd(),
        **{f"${name}": value for name, value in os.environ.items() if name.startswith(read)},
    }
    if torch := sys.modules.get("torch"):
        state |= {
            "threads": torch.get_num_threads(),
            "gradients": torch.is_grad_enabled(),
            "dtype": torch.get_default_dtype(),
        }
        state["deterministic"] = torch.are_deterministic_algorithms_enabled()
    if mpl := sys.modules.get("matplotlib"):
        state |= {
            f"rcParams {name}": value
            for name, value in dict.items(mpl.rcParams)
            if name != "backend"
        }  # found at the first figure
    return state


@pytest.fixture(autouse=True)
def _as_it_was():
    """No test leaves a trace that another could trip over; what one draws from torch's own
    generator, the next draws, too.
    """
    before, torch = shared_state(), sys.modules.get("torch")
    drawn = torch and torch.get_rng_state()
    yield
    if torch:
        torch.set_rng_state(drawn)
    after = shared_state()
    assert [name for name in before if before[name] != after.get(name)] == []
    assert [name for name in after if name.startswith("$") and name not in before] == []


@pytest.fixture
def no_traces():
    """A test of drawing closes its figures."""
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a real browser, installed if there is none."""
    script, places = (
        ROOT / "tests" / "browser" / "chromium.sh",
        {"PYTHON": sys.executable, **os.environ},
    )
    found = subprocess.run([script], env=places, capture_output=True, text=True, check=True)
    return found.stdout.splitlines()[0]  # a path may hold a space


@pytest.fixture(scope="module")
def browser(chromium):
    """That browser, started headless."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()

"""The explorer in JupyterLab: moving it moves the Python object, and setting the object moves
it.
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from jupyter_client import BlockingKernelClient

pytestmark = pytest.mark.slow
CELL = """import sys
sys.path.insert(0, {tests!r})
import ipywidgets
from frames import made_up
from cxrlib.explorer import Explorer
explorer = Explorer(made_up())
control = ipywidgets.FloatSlider(value=0.4, min=0, max=1, step=0.001, description="linked")
ipywidgets.link((control, "value"), (explorer, "threshold"))
display(control, explorer)"""


@pytest.fixture
def lab(tmp_path):
    """A JupyterLab of its own, on this machine only, with the notebook in it; gives its address and
    the folder of its connection files.
    """
    pytest.importorskip("jupyterlab")
    code = CELL.format(tests=str(Path(__file__).resolve().parents[1]))
    cell = {
        "cell_type": "code",
        "id": "one",
        "metadata": {},
        "source": code,
        "outputs": [],
        "execution_count": None,
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "live.ipynb").write_text(json.dumps(notebook))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = {
        name: str(tmp_path / name.lower())
        for name in (
            "JUPYTER_RUNTIME_DIR",
            "JUPYTER_CONFIG_DIR",
            "JUPYTERLAB_SETTINGS_DIR",
            "JUPYTERLAB_WORKSPACES_DIR",
        )
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--ip=127.0.0.1",
        "--IdentityProvider.token=",
    ]
    command += [
        "--ServerApp.disable_check_xsrf=True",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with open(tmp_path / "lab.log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, **places}, stdout=log, stderr=log
        )
    try:
        for _ in range(240):
            try:
                urlopen(f"http://127.0.0.1:{port}/api", timeout=2).read()
                break
            except (URLError, OSError):
                assert server.poll() is None, (tmp_path / "lab.log").read_text(encoding="utf-8")
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}", tmp_path / "jupyter_runtime_dir"
    finally:
        server.terminate()
        server.wait(20)


def ask(client, code: str) -> str:
    """What an expression is in the kernel that the page is connected to."""
    reply = client.execute_interactive(
        code="", user_expressions={"answer": code}, store_history=False, timeout=60
    )
    return reply["content"]["user_expressions"]["answer"]["data"]["text/plain"]


def test_page_and_python_move_each_other(browser, lab, tmp_path):
    address, runtime = lab
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(f"{address}/lab/tree/live.ipynb")
    page.locator(".jp-Notebook .cm-content").first.click(timeout=120_000)
    page.wait_for_selector("[data-status='idle']", timeout=120_000)
    page.keyboard.press("Shift+Enter")
    page.wait_for_selector(".jp-OutputArea .cxr-in svg.cxr-scores", timeout=120_000)
    assert page.locator(".cxr-host").count() == 0, "the live view, not the page's HTML"

    client = BlockingKernelClient()
    client.load_connection_file(str(next(runtime.glob("kernel-*.json"))))
    client.start_channels()
    client.wait_for_ready(timeout=60)
    assert float(ask(client, "explorer.threshold")) == 0.4  # from the linked control
    page.get_by_label("Threshold, exact").fill("0.7")
    page.get_by_label("Threshold, exact").press("Enter")
    slider = page.get_by_role("slider", name="Threshold")
    slider.focus()
    page.keyboard.press("ArrowRight")
    for _ in range(60):
        if (moved := float(ask(client, "explorer.threshold"))) > 0.7005:
            break
        time.sleep(0.25)
    assert moved == pytest.approx(0.701) == float(ask(client, "control.value"))

    client.execute_interactive(
        "explorer.threshold, explorer.prevalence, explorer.positive_class = 0.25, 0.2, 'viral'",
        timeout=60,
    )
    page.wait_for_function("document.querySelector('.cxr-a input[type=range]').value === '250'")
    page.wait_for_function("document.querySelectorAll('.cxr-choices select')[1].value === 'viral'")
    assert page.get_by_label("Prevalence, exact").input_value() == "20"
    ppv = float(ask(client, "float(explorer.table().loc['ppv_at', 'estimate'])"))
    assert page.locator(".cxr-big b").inner_text() == f"{100 * ppv:.1f} %"
    client.stop_channels()
    page.context.close()

"""A real browser for the tests in this folder."""

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright


@pytest.fixture(scope="module")
def browser():
    path = subprocess.run([Path(__file__).parent / "chromium.sh"], capture_output=True, text=True, check=True).stdout.split()[0]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()

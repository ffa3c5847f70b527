"""Rehearse Binder and Colab: notebooks run in a fresh environment that holds only what they have.

``python tools/rehearse.py binder 04 21`` runs notebooks of a clone where nothing but the packages
of ``binder/environment.yml`` is installed, from PyPI in place of conda-forge. ``colab`` opens each
notebook alone in an empty folder; its first cell fetches the companion from a clone on this machine
that has an address and the tag of the release. The packages are those that Colab had in autumn
2025, with the PyTorch of ``constraints.txt``; the module ``google.colab`` is a stand-in. ``--origin
phantom`` trains where a notebook can. A line for each notebook: seconds, and the kernel's memory at
its peak.

Needs ``uv`` and the extra ``book`` where it runs; not what is real of conda-forge and Colab.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from companion import parameters
from cxrlib import __version__

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "https://github.com/rehearsal/companion"
COLAB = """numpy==2.0.2 pandas==2.2.2 scipy==1.16.3 scikit-learn==1.6.1 matplotlib==3.10.0
seaborn==0.13.2 pillow pyyaml jinja2 markupsafe traitlets requests urllib3 tqdm ipykernel ipython
matplotlib-inline ipywidgets torch torchvision""".split()
PRELOADED = "import google.colab.output\n"  # as Colab's kernel does
MEMORY = "import resource as _r; print('peak', _r.getrusage(_r.RUSAGE_SELF).ru_maxrss // 1024)"


def environment(kind: str, folder: Path) -> Path:
    """A fresh environment of this kind; returns its Python."""
    python = folder / "env" / "bin" / "python"
    if python.is_file():
        return python
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    if kind == "binder":
        text = (ROOT / "binder" / "environment.yml").read_text(encoding="utf-8")
        packages = re.findall(r"^ +- (\S+==\S+)$", text, re.M)
    else:
        pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
        torch = dict(pin.split("==") for pin in pins if pin.startswith("torch"))
        packages = [f"{name}=={torch[name]}" if name in torch else name for name in COLAB]
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    subprocess.run([*uv, *packages], check=True)
    if kind == "colab":
        (site,) = (folder / "env" / "lib").glob("python*/site-packages")
        (site / "google" / "colab").mkdir(parents=True)
        (site / "google" / "colab" / "__init__.py").write_text("")
        enable = "def enable_custom_widget_manager():\n    pass\n\n\n"
        enable += "class _widgets:\n    _installed_url = None\n"
        (site / "google" / "colab" / "output.py").write_text(enable)
        (site / "colab.pth").write_text(PRELOADED)
    return python


def published(folder: Path) -> Path:
    """A clone with an address, committed under the tag of the release: what is committed here."""
    clone = folder / "published"
    shutil.rmtree(clone, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    project = clone / "pyproject.toml"
    text = re.sub(r"^\[project\.urls\]\n(.+\n)*", "", project.read_text("utf-8"), flags=re.M)
    urls = f'[project.urls]\nRepository = "{ADDRESS}"\n\n[project.scripts]'
    project.write_text(text.replace("[project.scripts]", urls), encoding="utf-8")
    here = {**os.environ, "PYTHONPATH": str(clone)}
    words = [sys.executable, "-m", "companion.build", "address"]
    subprocess.run(words, cwd=clone, env=here, check=True, stdout=subprocess.DEVNULL)
    git = ["git", "-c", "user.name=rehearsal", "-c", "user.email=rehearsal@localhost"]
    subprocess.run([*git, "commit", "--quiet", "--all", "-m", "an address"], cwd=clone, check=True)
    subprocess.run(["git", "tag", "--force", f"v{__version__}"], cwd=clone, check=True)
    return clone


def kernel(python: Path, settings: dict[str, str]) -> type:
    """A manager that starts a kernel of that environment."""
    start = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]

    class There(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(argv=start, env=settings, language="python", display_name="There")

    return There


def rehearse(kind: str, source: Path, python: Path, clone: Path, given: dict) -> str:
    """Run a notebook; a line that says how it went."""
    place = clone / "notebooks"
    if kind == "colab":
        place = clone.parent / "content" / source.stem
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    elsewhere = {"GIT_CONFIG_KEY_0": f"url.file://{clone}.insteadOf", "GIT_CONFIG_COUNT": "1"}
    settings = {**elsewhere, "GIT_CONFIG_VALUE_0": ADDRESS, "PYTHONPATH": "", "CXR_DATA": ""}
    settings["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    notebook = nbformat.read(source, 4)
    kinds = parameters.declared(notebook)[0]
    known = {name: value for name, value in given.items() if name in kinds}
    notebook.cells.append(nbformat.v4.new_code_cell(MEMORY))
    alone = place / "rehearsal.ipynb"
    nbformat.write(notebook, alone)
    options = {"kernel_name": "python3", "kernel_manager_class": kernel(python, settings)}
    began = time.perf_counter()
    try:
        done = papermill.execute_notebook(
            alone, None, known, cwd=place, progress_bar=False, **options
        )
        said = done.cells[-1].outputs[0].text.strip() + " MB"
    except papermill.PapermillExecutionError as error:
        said = f"cell {error.exec_count} failed: {error.ename}: {error.evalue}"
    return f"{source.stem:26} {time.perf_counter() - began:5.0f} s  {said}"


def main() -> int:
    """Run what is asked; 1 where a notebook failed."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("kind", choices=["binder", "colab"])
    words.add_argument("notebooks", nargs="*", help="how their names begin; default all")
    words.add_argument("--folder", type=Path, help="default _build/rehearsal/KIND")
    words.add_argument("--origin", default="recorded")
    given = words.parse_args()
    folder = (given.folder or ROOT / "_build" / "rehearsal" / given.kind).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    python, clone = environment(given.kind, folder), published(folder)
    if given.kind == "binder":  # binder/postBuild
        install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--editable"]
        subprocess.run([*install, str(clone)], check=True)
    sources = sorted((clone / "notebooks").glob("[0-9]*.ipynb"))
    asked = tuple(given.notebooks) or ("",)
    failed = False
    for source in [source for source in sources if source.name.startswith(asked)]:
        said = rehearse(given.kind, source, python, clone, {"origin": given.origin})
        print(said, flush=True)
        failed = failed or "failed" in said
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())

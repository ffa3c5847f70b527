"""The files that install the project must agree with each other."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#"))
CONDA_NAMES = {"torch": "pytorch-cpu", "torchvision": "torchvision"}


def requirements(*extras: str) -> list[Requirement]:
    return [Requirement(text) for text in PROJECT["dependencies"] + sum((EXTRAS[extra] for extra in extras), [])]


def test_every_requirement_is_pinned_within_its_range():
    for requirement in requirements(*EXTRAS):
        assert Version(PINS[requirement.name.lower()]) in requirement.specifier, requirement


def test_constraints_are_exact_versions_without_addresses():
    text = (ROOT / "constraints.txt").read_text()
    assert "://" not in text and "@" not in text
    for name, version in PINS.items():
        assert re.fullmatch(r"[a-z0-9._-]+", name) and Version(version)


def test_environment_lists_what_pyproject_needs_at_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = {re.split(r"[<>=!]", item)[0]: item for item in environment if isinstance(item, str)}
    pip = next(item["pip"] for item in environment if isinstance(item, dict))
    pinned = dict(line.split("==") for line in pip if "==" in line)
    wanted = {requirement.name.lower(): requirement for requirement in requirements("train", "book")}
    for name, conda_name in CONDA_NAMES.items():
        requirement = wanted.pop(name)
        assert str(Requirement(conda[conda_name].replace(conda_name, name)).specifier) == str(requirement.specifier)
    assert pinned == {name: PINS[name] for name in wanted}
    assert "--no-deps --editable ." in pip


def test_torch_may_not_resolve_to_the_broken_release():
    torch = next(requirement for requirement in requirements("train") if requirement.name == "torch")
    assert Version("2.13.0") not in torch.specifier and Version("2.11.0") in torch.specifier


def test_base_install_has_no_torch():
    assert not {"torch", "torchvision", "safetensors"} & {requirement.name for requirement in requirements()}


def test_readme_commands_exist():
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    assert set(re.findall(r"^make ([a-z-]+)", readme, re.M)) <= targets
    from cxrlib.cli import parser

    commands = parser()._subparsers._group_actions[0].choices
    assert set(re.findall(r"\bcxr ([a-z]+)", readme)) <= set(commands)


def test_importing_is_light():
    """No torch, and none of the book's machinery, behind `import cxrlib` and the command line."""
    code = "import sys, cxrlib.cli; print(sorted({'torch', 'papermill', 'matplotlib', 'snakemake'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"

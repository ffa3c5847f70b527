"""The files that install the project must agree with each other."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from without import run_without

from companion import cli
from companion.build import __main__ as build

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
)
CONDA_NAMES = {"torch": "pytorch-cpu", "torchvision": "torchvision"}


def requirements(*extras: str) -> list[Requirement]:
    return [
        Requirement(text)
        for text in PROJECT["dependencies"] + sum((EXTRAS[extra] for extra in extras), [])
    ]


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
    wanted = {
        requirement.name.lower(): requirement for requirement in requirements("train", "book")
    }
    for name, conda_name in CONDA_NAMES.items():
        requirement = wanted.pop(name)
        assert str(Requirement(conda[conda_name].replace(conda_name, name)).specifier) == str(
            requirement.specifier
        )
    assert pinned == {name: PINS[name] for name in wanted}
    assert "--no-deps --editable ." in pip


def test_binder_lists_the_dependencies_and_what_notebooks_need_without_torch():
    environment = yaml.safe_load((ROOT / "binder" / "environment.yml").read_text())["dependencies"]
    *conda, pip = environment
    assert {re.split(r"[<>=!]", item)[0] for item in conda} == {"python", "pip"}
    wanted = {requirement.name.lower() for requirement in requirements("notebooks")}
    assert dict(line.split("==") for line in pip["pip"]) == {name: PINS[name] for name in wanted}
    assert not {"torch", "torchvision"} & wanted
    assert os.access(ROOT / "binder" / "postBuild", os.X_OK)


def test_readme_example_prints_what_it_says(capsys):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", readme, re.S)
    exec(program, {})
    assert f"`{capsys.readouterr().out.strip()}`" in readme
    assert len(program.split("import cxrlib\n")[1].strip().splitlines()) <= 10


def test_torch_may_not_resolve_to_the_broken_release():
    torch = next(
        requirement for requirement in requirements("train") if requirement.name == "torch"
    )
    assert Version("2.13.0") not in torch.specifier and Version("2.11.0") in torch.specifier


def test_base_install_has_no_torch():
    assert not {"torch", "torchvision", "safetensors"} & {
        requirement.name for requirement in requirements()
    }


def test_readme_commands_exist():
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    assert set(re.findall(r"^make ([a-z-]+)", readme, re.M)) <= targets
    assert set(re.findall(r"\bcxr ([a-z]+)", readme)) <= {*cli.COMMANDS}
    made = set(re.findall(r"companion\.build ([a-z]+)", readme + makefile))
    assert made and made <= {*build.COMMANDS}


def test_importing_is_light():
    """No torch, and none of the book's machinery, behind `import cxrlib` and the command line."""
    code = (
        "import sys, companion.cli;"
        "print(sorted({'torch', 'papermill', 'matplotlib', 'snakemake'} & set(sys.modules)))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


# What is imported is declared

PROVIDES = metadata.packages_distributions()  # module: the distributions that have it
WITH_TRAIN = {  # modules, and packages with all in them
    *("cxrlib.transfer", "cxrlib.gradcam", "cxrlib.inference"),
    *("companion.studies.maps", "companion.studies.training"),
    *(f"companion.audits.{name}" for name in ("anybody", "duplicates", "models")),
    *(f"companion.audits.{name}" for name in ("points", "probes")),
}
WITH_BOOK = {
    *("companion.diagrams", "companion.headline", "companion.pages"),
    *("companion.build.address", "companion.build.execute"),
    *("companion.build.book", "companion.build.make", "companion.build.notebooks"),
}


def among(name: str, needing: set[str]) -> bool:
    """Whether a module is one of these or in one of them."""
    return any(f"{name}.".startswith(f"{one}.") for one in needing)


def closure(*extras: str) -> set[str]:
    """What pip installs with these extras: the names of all distributions, those that others bring
    included.
    """
    found, waiting = set(), requirements(*extras)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        wanted = (
            [requirement.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)]
            if requirement.marker
            else [True]
        )
        if not any(wanted) or (name in found and not requirement.extras):
            continue
        found.add(name)
        try:
            texts = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for another platform
            continue
        for text in texts:
            further = Requirement(text)
            asked = (
                [further.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)]
                if further.marker
                else [True]
            )
            if any(asked) and canonicalize_name(further.name) not in found:
                further.marker = None
                waiting.append(further)
    return found


def hidden(*extras: str) -> list[str]:
    """The modules that are not there where only these extras are installed."""
    there = closure(*extras) | {"cxrlib"}
    return sorted(
        name
        for name, owners in PROVIDES.items()
        if not {canonicalize_name(owner) for owner in owners} & there
    )


def imported(file: Path) -> set[str]:
    """Top-level modules that a file imports anywhere in it, Python's own and the project's
    aside.
    """
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
    names = {name.partition(".")[0] for name in names}
    own = {path.stem for path in (ROOT / "tests").rglob("*.py")}
    return names - set(sys.stdlib_module_names) - own - {"cxrlib", "companion", "benchmarks"}


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("cxrlib", ["train", "book", "dev"]),
        ("companion", ["train", "book", "dev"]),
        ("benchmarks", ["train", "book", "dev"]),
        ("notebooks", ["train", "book"]),
        ("book", ["book"]),
        ("tests", ["train", "book", "dev"]),
    ],
)
def test_what_is_imported_is_declared(folder, extras):
    """By name, not by way of another package that happens to need it today."""
    declared = {canonicalize_name(requirement.name) for requirement in requirements(*extras)}
    for file in sorted((ROOT / folder).rglob("*.py")):
        for module in imported(file):
            assert {canonicalize_name(name) for name in PROVIDES.get(module, [])} & declared, (
                f"{file.name} imports {module}"
            )


def modules() -> list[str]:
    files = sorted(file for part in ("cxrlib", "companion") for file in (ROOT / part).rglob("*.py"))
    names = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in files
        if file.stem != "__main__"
    ]
    return [name.removesuffix(".__init__") for name in names]


@pytest.mark.parametrize("extras", [[], ["train"], ["book"]], ids=["base", "train", "book"])
def test_every_module_imports_where_only_its_extra_is_installed(extras):
    lacking = hidden(*extras)
    assert (
        "pytest" in lacking
        and "numpy" not in lacking
        and ("torch" in lacking) == (extras != ["train"])
    )
    names = [
        name
        for name in modules()
        if ("train" in extras or not among(name, WITH_TRAIN))
        and ("book" in extras or not among(name, WITH_BOOK))
    ]
    done = run_without(
        lacking,
        f"import importlib\nfor name in {names!r}:\n   "
        " importlib.import_module(name)\nprint('all')",
    )
    assert (done.returncode, done.stdout) == (0, "all\n"), done.stderr


def test_evaluate_is_whole_on_the_base_install(tmp_path):
    """Table, report and explorer of somebody's predictions."""
    rows = "".join(f"{k % 2},{(k * 37 % 100) / 100}\n" for k in range(60))
    (tmp_path / "p.csv").write_text(f"y_true,p\n{rows}")
    words = [
        "evaluate",
        str(tmp_path / "p.csv"),
        "--html",
        str(tmp_path / "r.html"),
        "--explorer",
        str(tmp_path / "e.html"),
    ]
    done = run_without(hidden(), f"from companion.cli import main\nsys.exit(main({words!r}))")
    assert done.returncode == 0, done.stderr
    assert "<table" in (tmp_path / "r.html").read_text("utf-8") and "<script" in (
        tmp_path / "e.html"
    ).read_text("utf-8")


def test_a_copy_outside_a_clone_says_that_it_needs_one(tmp_path):
    """As pip install without -e leaves it: no results/, no book/."""
    for part in ("cxrlib", "companion"):
        none = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, tmp_path / "site" / part, ignore=none)
    environment = {name: value for name, value in os.environ.items() if name != "CXR_RESULTS"} | {
        "PYTHONPATH": str(tmp_path / "site")
    }
    (tmp_path / "p.csv").write_text("y_true,p\n" + "0,0.2\n1,0.7\n" * 20)

    asked = [
        ["claims"],
        ["records"],
        ["predict", "p.csv"],
        ["records"],
        ["evaluate", "p.csv", "--output", "t.csv"],
    ]
    code = f"from companion.cli import main\nprint([main(words) for words in {asked!r}])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "[2, 2, 2, 2, 0]", done.stderr + done.stdout
    told = [line for line in done.stderr.splitlines() if "clone" in line]
    assert len(told) == 4 and "Traceback" not in done.stderr, "predictions need none"

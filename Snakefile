# The engine: notebook -> page, and the records. Only what changed is made anew; the same file runs
# on a cluster.
#
#   make book      snakemake              the book from the recorded runs
#   make records   snakemake records      every record that is missing, most important first
#
# Records are inputs of the book and never made by it: `rule record` knows only those that are
# missing, and the book asks for none of them. A notebook whose record is missing becomes a page
# that says so.
import json
import os
import shlex
import sys
from pathlib import Path

from companion import parameters, studies


def files(*folders):
    """All files in these folders, whatever their kind: code, templates, YAML, pictures."""
    found = [file for folder in folders for file in Path(folder).rglob("*.*") if file.is_file()]
    return sorted(str(file) for file in found if "__pycache__" not in file.parts)


NOTEBOOKS = sorted(file.stem for file in Path("notebooks").glob("[0-9]*.ipynb"))
CODE = files("cxrlib", "companion")
FACTS = files("book/studies", "book/checklists")
FACTS += [f"book/{name}" for name in ("inventory.yml", "_claims.html.jinja", "_results.html.jinja")]
TABLES = [f"results/{name}" for name in ("flow", "networks", "efficiency", "subgroups", "audits", "coverage")]
# a demonstration on synthetic images: where Grad-CAM finds what is known to be there
PHANTOM = "results/phantom-localisation/run.json"
MISSING = [name for name in studies.RECORDS if not studies.recorded(name)]
CXR = f"{shlex.quote(sys.executable)} -m companion"
BUILD = f"{CXR}.build"

# Which folder of radiographs the pages were made with: with another, or none, those that show some
# are made anew.
DATA = Path("_build/data.txt")
SHOWING = ("no_radiographs", "show_map")  # functions of companion.pages
if not DATA.is_file() or DATA.read_text(encoding="utf-8") != os.environ.get("CXR_DATA", ""):
    DATA.parent.mkdir(exist_ok=True)
    DATA.write_text(os.environ.get("CXR_DATA", ""), encoding="utf-8")


def record_files(wildcards):
    """What a notebook reads beside code and facts, by its metadata and its text."""
    text = Path(f"notebooks/{wildcards.name}.ipynb").read_text(encoding="utf-8")
    shown = json.loads(text)["metadata"].get("cxr", {})
    kinds = ("records", "families", "optional")  # those it may do without, too
    runs = [f"results/{name}" for kind in kinds for name in shown.get(kind, [])]
    pictures = [str(DATA)] if any(name in text for name in SHOWING) else []
    return pictures + files(*runs, *TABLES)


def given(wildcards):
    """The parameters that book/parameters.yml gives a notebook, as words of the command."""
    values = parameters.published(wildcards.name).items()
    words = [["-p", name, json.dumps(value)] for name, value in values]
    return shlex.join(sum(words, []))


rule book:
    input:
        expand("_build/stage/notebooks/{name}.ipynb", name=NOTEBOOKS),
        CODE,
        files("book", "results"),
        "_config.yml",
        "_toc.yml",
    output:
        "_build/html/index.html",
    shell:
        "echo 'the book of these pages' && {BUILD} book _build/stage"


rule notebook:
    input:
        records=record_files,
        source="notebooks/{name}.ipynb",
        code=CODE,
        facts=FACTS,
    output:
        "_build/stage/notebooks/{name}.ipynb",
    params:
        given=given,
    shell:
        "echo 'page {wildcards.name}' && {BUILD} execute {input.source:q} {output:q} {params.given}"


rule records:
    input:
        [f"results/{name}/run.json" for name in MISSING],
        [] if Path(PHANTOM).is_file() else PHANTOM,


rule phantom:
    output:
        PHANTOM,
    threads: workflow.cores
    shell:
        "{CXR} phantom work/phantoms -n 600 && {CXR} train zhu-fourclass --data work/phantoms"
        " --name phantom-localisation --maps --resume --set batch=32 --set epochs=6"
        " --set 'milestones=[4]' --set 'oversample={{}}' --set weight_decay=0.0001"


if MISSING:

    rule record:
        output:
            "results/{run}/run.json",
        wildcard_constraints:
            run="|".join(MISSING),
        priority: lambda wildcards: len(MISSING) - MISSING.index(wildcards.run)
        threads: workflow.cores
        shell:
            "{CXR} train {wildcards.run} --resume"

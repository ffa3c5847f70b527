"""The ``cxr`` command. Bad input ends in one line and exit code 2; code 1 says that `cxr predict`
left out what it could not read.
"""

from __future__ import annotations

import argparse
import sys

from companion import commands, studies
from cxrlib import __version__
from cxrlib.files import InputError, line

MOVED = {"bench": "benchmarks", "efficiency": "benchmarks efficiency"}  # command of old: module


class Parser(argparse.ArgumentParser):
    """Says what it cannot use as `main` does: cleaned, and no longer than a few lines."""

    def error(self, message: str):
        super().error(line(message))


def parser() -> argparse.ArgumentParser:
    """The command line, subcommand by subcommand."""
    top = Parser(
        prog="cxr",
        description="Rebuild two studies of COVID-19 in chest radiographs. Not a medical device.",
    )
    top.add_argument("--version", action="version", version=__version__)
    added = top.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, run, help: str) -> argparse.ArgumentParser:
        made = added.add_parser(name, help=help.replace("%", "%%"), description=help)
        made.set_defaults(run=run, parser=made)
        return made

    listing = command(
        "sources",
        commands.show_sources,
        "Say where each image collection was looked for, what is there and what is missing.",
    )
    listing.add_argument("--data", help="data folder (default: CXR_DATA, else data/)")

    phantom = command(
        "phantom",
        commands.write_phantom,
        "Write synthetic radiographs in the layout of the real collections.",
    )
    phantom.add_argument("folder")
    phantom.add_argument(
        "-n", type=int, default=200, help="number of images, 40 or more (default 200)"
    )
    phantom.add_argument("--seed", type=int, default=0)
    phantom.add_argument("--artefact", help="class whose images carry a planted tag")

    train = command("train", commands.train_run, "Train an experiment and write its record.")
    train.add_argument(
        "experiment",
        metavar="EXPERIMENT",
        help=f"{', '.join(studies.EXPERIMENTS)} or another name that cxr records lists",
    )
    train.add_argument("--data", help="data folder (default: CXR_DATA, else data/)")
    train.add_argument(
        "--results", help="folder of the records (default: results/ of this checkout)"
    )
    train.add_argument("--work", default="work", help="folder of checkpoints (default work/)")
    train.add_argument(
        "--resume", action="store_true", help="go on from the last finished epoch, if there is one"
    )
    train.add_argument(
        "--overwrite",
        action="store_true",
        help="train anew what is recorded, in the record's place",
    )
    train.add_argument(
        "--finish",
        action="store_true",
        help="train no further and record the checkpoint as it stands",
    )
    train.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    train.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="auto: bfloat16 where it is faster",
    )
    train.add_argument(
        "--micro", type=int, help="images processed at a time, where memory is short"
    )
    train.add_argument(
        "--name",
        help=(
            "name of the new record, needed when settings are changed; on phantoms it is called"
            " phantom-NAME"
        ),
    )
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SETTING=VALUE",
        help="change a setting, e.g. lr=0.0003",
    )
    train.add_argument(
        "--phantom", action="store_true", help="take the small settings meant for phantoms"
    )
    train.add_argument(
        "--short",
        action="store_true",
        help="a shorter schedule of the same shape, for re-draws, folds and variants",
    )
    train.add_argument(
        "--short-on-cpu",
        action="store_true",
        help="the same where there is no GPU; headline runs are left alone",
    )
    train.add_argument(
        "--keep-model",
        action="store_true",
        help="keep the model in the record (headline runs always do)",
    )

    train.add_argument(
        "--maps",
        action="store_true",
        help="keep class-activation maps in the record (headline runs always do)",
    )

    cams = command(
        "cams",
        commands.make_cams,
        "Draw a recorded model's class-activation maps and measure where they lie, into its"
        " record.",
    )
    cams.add_argument(
        "run_name", metavar="RUN", help="record that holds a model, e.g. zhu-fourclass"
    )
    cams.add_argument("--data", help="data folder (default: CXR_DATA, else data/)")
    cams.add_argument(
        "--results", help="folder of the records (default: results/ of this checkout)"
    )
    cams.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")

    flow = command(
        "flow",
        commands.show_flow,
        "Count how a study's images were chosen, step by step, and write it where the book"
        " reads it.",
    )
    flow.add_argument(
        "study",
        choices=list(commands.FLOWS),
        help="a study, the patients its parts share, or its stand-in",
    )
    flow.add_argument("--data", help="data folder (default: CXR_DATA, else data/)")
    flow.add_argument("--output", help="file (default: results/flow/<study>.csv)")

    subgroups = command(
        "subgroups",
        commands.write_subgroups,
        "Write down view, sex and age band of the COVID-19 images, where the book reads it.",
    )
    subgroups.add_argument("--data", help="data folder (default: CXR_DATA, else data/)")
    subgroups.add_argument("--output", help="file (default: results/subgroups/covid-chestxray.csv)")

    frame = command(
        "frame",
        commands.write_frame,
        "Write down how much of the lungs lies in the frame of the COVID-19 images, where the book"
        " reads it.",
    )
    frame.add_argument("--data", help="data folder (default: CXR_DATA, else data/)")
    frame.add_argument("--output", help="file (default: results/audits/lungs-in-frame.csv)")

    predict = command(
        "predict",
        commands.predict_images,
        "Class probabilities of your own radiographs by a recorded model, a row each as it comes."
        " Not a medical device. A file that cannot be read is named on standard error and left out;"
        " the exit status is then 1, and 2 when nothing was done.",
    )
    predict.add_argument(
        "model",
        nargs="?",
        metavar="MODEL",
        help="record that holds a model (default zhu-fourclass)",
    )
    predict.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="PNG, JPEG, TIFF, DICOM or another picture file, or a folder of them",
    )
    predict.add_argument("--cam", metavar="FOLDER", help="write Grad-CAM overlays there, as PNG")
    predict.add_argument(
        "--target",
        metavar="CLASS",
        help="class of the overlays (default: the model's first, covid)",
    )
    predict.add_argument(
        "--output",
        metavar="FILE.csv",
        help=(
            "write the table there, as FILE.csv.partial until it is whole (default: standard"
            " output)"
        ),
    )
    predict.add_argument(
        "--results", help="folder of the records (default: results/ of this checkout)"
    )
    predict.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")

    evaluate = command(
        "evaluate",
        commands.evaluate_predictions,
        "Tables, 95 % intervals and figures for your own predictions, a CSV with y_true and"
        " p_<class>.",
    )
    evaluate.add_argument("file", metavar="PREDICTIONS.csv")
    evaluate.add_argument(
        "--positive",
        metavar="CLASS",
        help="class of interest (default: 1, yes or positive, else the first p_ column)",
    )
    evaluate.add_argument(
        "--threshold",
        type=float,
        default=0.5,
        help="called positive where p is this or more (default 0.5)",
    )
    evaluate.add_argument(
        "--prevalence",
        type=float,
        help="of the patients it is about, e.g. 0.01 (default: that of the file)",
    )
    evaluate.add_argument(
        "--html", metavar="REPORT.html", help="write a page with everything there"
    )
    evaluate.add_argument(
        "--explorer",
        metavar="PAGE.html",
        help="write the explorer there: threshold and prevalence to move",
    )
    evaluate.add_argument(
        "--output", metavar="TABLE.csv", help="write the numbers there (default: standard output)"
    )

    printed = command(
        "claims",
        commands.show_claims,
        "List every number that the studies print, what was rebuilt, and the verdict with its"
        " reason.",
    )
    printed.add_argument("--study", help="A or B, or its id")
    printed.add_argument("--verdict", help="only these, e.g. differs")
    printed.add_argument(
        "--json",
        action="store_true",
        help="rules, what the runs lacked, and all fields of companion.ledger.PUBLISHED, as JSON",
    )

    command(
        "records",
        commands.list_records,
        "List the records that the book knows and say which are missing and how to make them.",
    )

    readme = command(
        "readme",
        commands.refresh_readme,
        "Rewrite the headline table in README.md from the record.",
    )
    readme.add_argument("file", nargs="?", default="README.md")

    notebooks = command(
        "notebooks",
        commands.pair_notebooks,
        "Rewrite the .ipynb notebooks from their .py sources, without outputs.",
    )
    notebooks.add_argument("folder", nargs="?", default="notebooks")
    notebooks.add_argument(
        "--check", action="store_true", help="write nothing; 2 where one differs"
    )

    make = command(
        "make",
        commands.make_target,
        "Make the book, or the records that are missing (make book and make records call this).",
    )
    make.add_argument("target", choices=["book", "records"])
    make.add_argument("--cores", type=int, default=1, help="steps at a time (default 1)")

    execute = command(
        "execute",
        commands.execute_notebook,
        "Execute a notebook with papermill, output whole or not at all.",
    )
    execute.add_argument("source")
    execute.add_argument("target")
    execute.add_argument(
        "-p", action="append", default=[], metavar="NAME=VALUE", help="set a parameter"
    )

    book = command(
        "book",
        commands.build_book,
        "Build the book from executed notebooks and check its pages (make book calls this last).",
    )
    book.add_argument("stage", help="folder with the executed notebooks at their relative paths")
    book.add_argument(
        "--output", default="_build/html", help="folder of the pages (default _build/html)"
    )
    return top


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 when it did what was asked, 2 for bad input, with one line on standard
    error.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a name that the terminal's code lacks is no reason to stop
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] in MOVED:
        now = " ".join([MOVED[words[0]], *words[1:]])
        print(f"cxr: {words[0]} is now, in a clone: python -m {now}", file=sys.stderr)
        return 2
    top = parser()
    arguments, more = top.parse_known_args(argv)
    if arguments.command is None:
        top.print_help(sys.stderr)
        return 2
    if more and (arguments.command != "predict" or any(word.startswith("-") for word in more)):
        arguments.parser.error(f"unrecognized arguments: {' '.join(more)}")
    if more:
        arguments.images += more  # those that stood after an option
    try:
        return arguments.run(arguments) or 0
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except InputError as error:
        print(f"cxr: {line(error)}", file=sys.stderr)
        return 2
    except OSError as error:  # a file that may not be read, a full disk
        print(
            "cxr: " + line(f"{error.filename or arguments.command}: {error.strerror or error}"),
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print(
            "cxr: interrupted"
            + "; a training run goes on with --resume" * (arguments.command == "train"),
            file=sys.stderr,
        )
        return 130

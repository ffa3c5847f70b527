"""The ``cxr`` command. Bad input ends in one line and exit code 2."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path

import yaml

from cxrlib import __version__, azemin, runs, sources, studies, zhu
from cxrlib.files import InputError, write_text

FLOWS = {  # file of results/flow: what counts it
    "zhu2020": zhu.flow, "cheazemin2020": azemin.flow, "cheazemin2020-shared": azemin.sharing,
    "cheazemin2020-standin": azemin.standin_flow,
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The command line, subcommand by subcommand."""
    top = argparse.ArgumentParser(prog="cxr", description="Rebuild two studies of COVID-19 in chest radiographs. Not a medical device.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run, help: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help.replace("%", "%%"), description=help)
        added.set_defaults(run=run)
        return added

    listing = command("sources", show_sources, "Say where each image collection was looked for, what is there and what is missing.")
    listing.add_argument("--data", help="data folder (default: CXR_DATA, else data/)")

    phantom = command("phantom", write_phantom, "Write synthetic radiographs in the layout of the real collections.")
    phantom.add_argument("folder")
    phantom.add_argument("-n", type=int, default=200, help="number of images (default 200)")
    phantom.add_argument("--seed", type=int, default=0)
    phantom.add_argument("--artefact", help="class whose images carry a planted tag")

    train = command("train", train_run, "Train an experiment and write its record.")
    train.add_argument("experiment", metavar="EXPERIMENT", help=f"{', '.join(studies.EXPERIMENTS)} or another name that cxr records lists")
    train.add_argument("--data", help="data folder (default: CXR_DATA, else data/)")
    train.add_argument("--results", help="folder of the records (default: results/ of this checkout)")
    train.add_argument("--work", default="work", help="folder of checkpoints (default work/)")
    train.add_argument("--resume", action="store_true", help="go on from the last finished epoch, if there is one")
    train.add_argument("--finish", action="store_true", help="train no further and record the checkpoint as it stands")
    train.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    train.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    train.add_argument("--micro", type=int, help="images processed at a time, where memory is short")
    train.add_argument("--name", help="name of the new record, needed when settings are changed")
    train.add_argument("--set", action="append", default=[], metavar="SETTING=VALUE", help="change a setting, e.g. lr=0.0003")
    train.add_argument("--phantom", action="store_true", help="take the small settings meant for phantoms")
    train.add_argument("--short", action="store_true", help="a shorter schedule of the same shape, for re-draws, folds and variants")
    train.add_argument("--short-on-cpu", action="store_true", help="the same where there is no GPU; headline runs are left alone")
    train.add_argument("--keep-model", action="store_true", help="keep the model in the record (headline runs always do)")

    train.add_argument("--maps", action="store_true", help="keep class-activation maps in the record (headline runs always do)")

    cams = command("cams", make_cams, "Draw a recorded model's class-activation maps and measure where they lie, into its record.")
    cams.add_argument("run_name", metavar="RUN")
    cams.add_argument("--data", help="data folder (default: CXR_DATA, else data/)")
    cams.add_argument("--results", help="folder of the records (default: results/ of this checkout)")
    cams.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")

    flow = command("flow", show_flow, "Count how a study's images were chosen, step by step, and write it where the book reads it.")
    flow.add_argument("study", choices=list(FLOWS), help="a study, the patients its parts share, or its stand-in")
    flow.add_argument("--data", help="data folder (default: CXR_DATA, else data/)")
    flow.add_argument("--output", help="file (default: results/flow/<study>.csv)")

    efficiency = command("efficiency", measure_efficiency, "Measure how many images a minute a recorded network reads, in several ways.")
    efficiency.add_argument("run_name", nargs="?", metavar="RUN", default="azemin-standin-resnet50")
    efficiency.add_argument("--data", help="data folder (default: CXR_DATA, else data/)")
    efficiency.add_argument("--results", help="folder of the records (default: results/ of this checkout)")
    efficiency.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    efficiency.add_argument("--limit", type=int, help="test images to measure the AUC on, at most (default: all)")
    efficiency.add_argument("--seconds", type=float, default=5.0, help="of each measurement (default 5)")

    subgroups = command("subgroups", write_subgroups, "Write down view, sex and age band of the COVID-19 images, where the book reads it.")
    subgroups.add_argument("--data", help="data folder (default: CXR_DATA, else data/)")
    subgroups.add_argument("--output", help="file (default: results/subgroups/covid-chestxray.csv)")

    bench = command("bench", run_bench, "Time what claims to be fast against what it is compared with, side by side in one run.")
    bench.add_argument("name", nargs="?", default="all")

    predict = command("predict", predict_images, "Class probabilities of your own radiographs by a recorded model. Not a medical device.")
    predict.add_argument("model", nargs="?", metavar="MODEL", help="record that holds a model (default zhu-fourclass)")
    predict.add_argument("images", nargs="+", metavar="IMAGE", help="PNG, JPEG or DICOM file, or a folder of them")
    predict.add_argument("--cam", metavar="FOLDER", help="write Grad-CAM overlays there, as PNG")
    predict.add_argument("--target", metavar="CLASS", help="class of the overlays (default: the model's first, covid)")
    predict.add_argument("--output", metavar="FILE.csv", help="write the table there (default: standard output)")
    predict.add_argument("--results", help="folder of the records (default: results/ of this checkout)")
    predict.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")

    evaluate = command(
        "evaluate", evaluate_predictions, "Tables, 95 % intervals and figures for your own predictions, a CSV with y_true and p_<class>."
    )
    evaluate.add_argument("file", metavar="PREDICTIONS.csv")
    evaluate.add_argument("--positive", metavar="CLASS", help="class of interest (default: 1, yes or positive, else the first p_ column)")
    evaluate.add_argument("--threshold", type=float, default=0.5, help="called positive where p is this or more (default 0.5)")
    evaluate.add_argument("--prevalence", type=float, help="of the patients it is about, e.g. 0.01 (default: that of the file)")
    evaluate.add_argument("--html", metavar="REPORT.html", help="write a page with everything there")
    evaluate.add_argument("--explorer", metavar="PAGE.html", help="write the explorer there: threshold and prevalence to move")
    evaluate.add_argument("--output", metavar="TABLE.csv", help="write the numbers there (default: standard output)")

    printed = command("claims", show_claims, "List every number that the studies print, what was rebuilt, and the verdict with its reason.")
    printed.add_argument("--study", help="A or B, or its id")
    printed.add_argument("--verdict", help="only these, e.g. differs")
    printed.add_argument("--json", action="store_true", help="rules, what the runs lacked, and all fields of cxrlib.claims.SHOWN, as JSON")

    command("records", list_records, "List the records that the book knows and say which are missing and how to make them.")

    readme = command("readme", refresh_readme, "Rewrite the headline table in README.md from the record.")
    readme.add_argument("file", nargs="?", default="README.md")

    notebooks = command("notebooks", pair_notebooks, "Rewrite the .ipynb notebooks from their .py sources, without outputs.")
    notebooks.add_argument("folder", nargs="?", default="notebooks")

    execute = command("execute", execute_notebook, "Execute a notebook with papermill, output whole or not at all.")
    execute.add_argument("source")
    execute.add_argument("target")
    execute.add_argument("-p", action="append", default=[], metavar="NAME=VALUE", help="set a parameter")

    book = command("book", build_book, "Build the book from executed notebooks and check its pages (make book calls this last).")
    book.add_argument("stage", help="folder with the executed notebooks at their relative paths")
    book.add_argument("--output", default="_build/html", help="folder of the pages (default _build/html)")
    return top


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 when it did what was asked, 2 for bad input, with one line on standard error."""
    top = parser()
    arguments, more = top.parse_known_args(argv)
    if more and (arguments.command != "predict" or any(word.startswith("-") for word in more)):
        top.error(f"unrecognized arguments: {' '.join(more)}")
    if more:
        arguments.images += more  # those that stood after an option
    try:
        arguments.run(arguments)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except (InputError, OSError) as error:  # OSError: a folder that cannot be written, a full disk
        print(f"cxr: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("cxr: interrupted; a training run goes on with --resume", file=sys.stderr)
        return 130
    return 0


def pairs(texts: list[str], option: str) -> dict:
    """``NAME=VALUE`` texts as a dictionary, values read as YAML."""
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise InputError(f"{option} {text}: expected NAME=VALUE")
        try:
            found[name] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError):  # ValueError: 2020-13-41, a date that is none
            raise InputError(f"{option} {text}: the value is not valid YAML") from None
    return found


def show_sources(arguments) -> None:
    for row in sources.report(arguments.data).itertuples():
        print(f"{row.source}\n  looked for  {row.looked_for}\n  found       {row.found} of {row.found + row.missing} images")
        for path in row.absent if len(row.absent) <= 20 else row.absent[:1]:
            print(f"  missing     {path}")
        if len(row.absent) > 20:
            print(f"  missing     and {len(row.absent) - 1} more")
        print(f"  to do       {row.advice}")
    with contextlib.suppress(InputError):  # said above already
        print(
            f"lung regions, for cxr cams: {len(sources.lung_masks(arguments.data))} images with masks, {len(sources.lung_boxes(arguments.data))} with boxes"
        )


def write_phantom(arguments) -> None:
    from cxrlib import phantom

    truth = phantom.write(arguments.folder, arguments.n, arguments.seed, artefact=arguments.artefact)
    print(f"{len(truth)} synthetic radiographs in {arguments.folder}")


def train_run(arguments) -> None:
    experiment = studies.experiment(arguments.experiment)
    changes = (studies.PHANTOM if arguments.phantom else {}) | pairs(arguments.set, "--set")
    if arguments.phantom:
        experiment = experiment.variant(arguments.name or f"phantom-{experiment.name.replace('/', '-')}", **changes)
    elif changes or arguments.name:
        experiment = experiment.variant(arguments.name or experiment.name, **changes)
    try:
        from cxrlib import models, pipeline
    except ModuleNotFoundError as error:
        raise InputError(f"training needs {error.name}: pip install 'cxrlib[train]'") from None
    on_cpu = arguments.short_on_cpu and experiment.variant_of and models.device(arguments.device).type == "cpu"
    if arguments.short or on_cpu:
        experiment = experiment.shortened()
    folder = pipeline.train(
        experiment,
        data=arguments.data,
        results=arguments.results,
        work=arguments.work,
        on=arguments.device,
        precision=arguments.precision,
        micro=arguments.micro,
        resume=arguments.resume,
        finish=arguments.finish,
        keep_model=arguments.keep_model or experiment.name in studies.EXPERIMENTS,
        keep_maps=arguments.maps or experiment.name in studies.EXPERIMENTS,
    )
    run = runs.read(folder.name, folder.parent)
    print(
        f"{folder}: {run.info['epochs']['run']} epochs, kept {run.info['epochs']['kept']}; accuracy {run.info['metrics']['accuracy']:.3f}"
    )


def predict_images(arguments) -> None:
    paths, output, name = [*filter(None, [arguments.model]), *arguments.images], arguments.output, "zhu-fourclass"
    if runs.recorded(paths[0], arguments.results) and not Path(paths[0]).is_file():
        name = paths.pop(0)
    if not paths:
        raise InputError(f"predict {name}: no image given")
    if output and (Path(output).suffix != ".csv" or Path(output).is_dir()):
        raise InputError(f"--output {output}: expected a file name that ends in .csv")  # --output *.png would lose a radiograph
    try:
        from cxrlib.predict import predict
    except ModuleNotFoundError as error:
        raise InputError(f"predicting needs {error.name}: pip install 'cxrlib[train]'") from None
    table = predict(paths, name, arguments.cam, arguments.target, arguments.device, arguments.results)
    info, collections = runs.read(name, arguments.results).info, ""
    if info["study"] == "zhu2020" and info["origin"] == "images":
        collections = "; the model was trained on two image collections that differ by age, hospital and file processing"
    print(f"cxr: not a medical device: these numbers must not guide the care of a patient{collections}", file=sys.stderr)
    origin = "synthetic phantoms, not radiographs" if info["origin"] == "phantom" else "radiographs"
    print(f"cxr: model {name}: {info['title']}, {info['config']['model']} trained on {origin}", file=sys.stderr)
    csv = table.to_csv(index=False, float_format="%.9g", lineterminator="\n")
    if output:
        write_text(output, csv)
    else:
        print(csv, end="")


def evaluate_predictions(arguments) -> None:
    from cxrlib import evaluate

    if not 0 <= arguments.threshold <= 1:
        raise InputError(f"--threshold {arguments.threshold:g}: expected a probability from 0 to 1")
    if arguments.prevalence is not None and not 0 < arguments.prevalence < 1:
        raise InputError(f"--prevalence {arguments.prevalence:g}: expected a share between 0 and 1, e.g. 0.01 for 1 %")
    taken = {Path(arguments.file).resolve(): "the file of predictions"}
    for option, file in (("html", arguments.html), ("explorer", arguments.explorer), ("output", arguments.output)):
        if file and (Path(file).is_dir() or Path(file).resolve() in taken):
            raise InputError(f"--{option} {file}: is {'a folder' if Path(file).is_dir() else taken[Path(file).resolve()]}")
        if file:
            taken[Path(file).resolve()] = f"the file of --{option} too"
    found = evaluate.read(arguments.file, arguments.positive)
    for note in found.notes:
        print(f"cxr: {evaluate.harmless(note)}", file=sys.stderr)
    measured = evaluate.Measures(found, arguments.threshold, arguments.prevalence)
    numbers = measured.tidy().map(evaluate.harmless)
    if arguments.html:
        from cxrlib import report

        print(write_text(arguments.html, report.page(measured, Path(arguments.file).name)))
    if arguments.explorer:
        from cxrlib import widgets

        print(
            write_text(
                arguments.explorer,
                widgets.page(found.frame, found.positive, Path(arguments.file).name, arguments.threshold, arguments.prevalence),
            )
        )
    csv = numbers.to_csv(index=False, float_format="%.9g", lineterminator="\n")
    if arguments.output:
        print(write_text(arguments.output, csv))
    elif not (arguments.html or arguments.explorer):
        print(csv, end="")


def make_cams(arguments) -> None:
    from cxrlib import maps

    print(maps.of_run(arguments.run_name, arguments.data, arguments.results, arguments.device))


def show_flow(arguments) -> None:
    table = FLOWS[arguments.study](arguments.data)
    file = Path(arguments.output or runs.root() / "flow" / f"{arguments.study}.csv")
    write_text(file, table.to_csv(index=False, lineterminator="\n"))
    print(f"{table.drop(columns='assumption', errors='ignore').to_string(index=False)}\n{file}")


def measure_efficiency(arguments) -> None:
    from cxrlib import efficiency

    limits = {"limit": arguments.limit, "seconds": arguments.seconds}
    print(efficiency.write(arguments.run_name, arguments.data, arguments.device, results=arguments.results, **limits))


def write_subgroups(arguments) -> None:
    from cxrlib import subgroups

    table = subgroups.table(arguments.data)
    file = write_text(Path(arguments.output or runs.root() / subgroups.FILE), table.to_csv(index=False, lineterminator="\n"))
    print(f"{len(table)} images\n{file}")


def run_bench(arguments) -> None:
    from cxrlib import bench

    names = list(bench.BENCHES) if arguments.name == "all" else [arguments.name]
    for name in names:
        if name not in bench.BENCHES:
            raise InputError(f"bench {name}: there is no such benchmark, only {', '.join(bench.BENCHES)}")
        for key, value in bench.BENCHES[name]().items():
            print(f"{name:10} {key:24} {value:.4g}" if isinstance(value, float) else f"{name:10} {key:24} {value}")


def show_claims(arguments) -> None:
    from cxrlib import claims
    from cxrlib.checks import VERDICTS

    ids = {name: study for study, letter in claims.STUDIES.items() for name in (study, letter)}
    for option, known in (("study", ids), ("verdict", VERDICTS)):
        if getattr(arguments, option) not in {None, *known}:
            raise InputError(f"--{option} {getattr(arguments, option)}: there are {', '.join(known)}")
    table = claims.ledger([ids[arguments.study]] if arguments.study else None)
    table = table[table["verdict"] == arguments.verdict] if arguments.verdict else table
    if arguments.json:
        rows = [{key: None if value != value else value for key, value in row.items()} for row in table[claims.SHOWN].to_dict("records")]
        print(json.dumps({"rules": VERDICTS, "lacked": claims.lacked(table), "claims": rows}, indent=1, ensure_ascii=False))
        return
    lines = [("", "Place", "Printed", "Rebuilt", "Verdict", "Id")]
    lines += [(r["study"], r["place"], r["said"], claims.rebuilt(r), r["verdict"], r["id"]) for r in table.to_dict("records")]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(map(str.ljust, line, widths)).rstrip())
    counts = table["verdict"].value_counts()
    print(f"{len(table)} numbers: " + ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in VERDICTS))


def list_records(arguments) -> None:
    for name in studies.RECORDS:
        state = "recorded" if runs.recorded(name) else f"not yet recorded: cxr train {name} --resume"
        print(f"{name:45} {state}")
    print("make records makes what is missing; where there is no GPU all but the headline runs with --short")


def refresh_readme(arguments) -> None:
    from cxrlib import book

    book.refresh_readme(Path(arguments.file))


def pair_notebooks(arguments) -> None:
    from cxrlib import book

    for file in book.pair(Path(arguments.folder)):
        print(f"written {file}")


def execute_notebook(arguments) -> None:
    from cxrlib import book

    book.execute(Path(arguments.source), Path(arguments.target), pairs(arguments.p, "-p"))


def build_book(arguments) -> None:
    from cxrlib import book

    print(book.build(Path(arguments.stage), Path(arguments.output)))

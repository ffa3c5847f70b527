"""What each ``cxr`` command does, given its parsed arguments; :mod:`companion.cli` parses them.
What is heavy is imported where it is needed.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import yaml

from companion import sources, studies
from companion.studies import cheazemin2020, zhu2020
from cxrlib import files, records
from cxrlib.data import lungs, radiographs
from cxrlib.data.manifest import data_folder
from cxrlib.files import InputError, atomic, printable, write_text

FLOWS = {  # file of results/flow: what counts it
    "zhu2020": zhu2020.flow,
    "cheazemin2020": cheazemin2020.flow,
    "cheazemin2020-shared": cheazemin2020.sharing,
    "cheazemin2020-standin": cheazemin2020.standin_flow,
}


@contextlib.contextmanager
def needed(doing: str) -> Iterator[None]:
    """Turns the absence of an optional package into one line."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(
            f"{doing} needs {error.name}, which is not installed: make train-env, or pip install -e"
            " '.[train]' in a clone"
        ) from None


class Plain(yaml.SafeLoader):
    """YAML whose numbers are what they look like: 1e-3 a number, 010 and 1:30 no other one, a date
    a text; no key twice.
    """

    def construct_mapping(self, node, deep=False):
        made = super().construct_mapping(node, deep=True)
        if len(made) != len(node.value):
            raise yaml.YAMLError("a key stands there twice")
        return made


KEPT = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"}
Plain.yaml_implicit_resolvers = {
    first: [pair for pair in found if pair[0] in KEPT]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for tag, pattern in {
    "int": r"[-+]?(0|[1-9][0-9]*)",
    "float": (
        r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    ),
}.items():
    Plain.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}", re.compile(f"({pattern})$"), list("-+.0123456789")
    )


def pairs(texts: list[str], option: str) -> dict:
    """``NAME=VALUE`` texts as a dictionary, values read as YAML (:class:`Plain`); of a name given
    twice the last counts.
    """
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise InputError(f"{option} {text}: expected NAME=VALUE")
        try:
            found[name] = yaml.load(value, Plain)
        except (
            Exception
        ):  # also what PyYAML itself stumbles over: !!int with nothing, brackets a thousand deep
            raise InputError(f"{option} {text[:200]}: the value is not valid YAML") from None
    return found


def show_sources(arguments) -> None:
    data_folder(arguments.data)  # said once, not of each source
    for row in sources.report(arguments.data).itertuples():
        print(
            f"{row.source}, for {row.use}\n  looked for  {row.looked_for}\n  found      "
            f" {row.found} of {row.found + row.missing} images"
        )
        for path in row.absent if len(row.absent) <= 20 else row.absent[:1]:
            print(f"  missing     {printable(path)}")
        if len(row.absent) > 20:
            print(f"  missing     and {len(row.absent) - 1:,} more")
        print(f"  to do       {files.line(row.advice)}")
    with contextlib.suppress(InputError):  # said above already
        masks, boxes = lungs.masks(arguments.data), lungs.boxes(arguments.data)
        print(
            f"lung regions, for cxr cams: {len(masks)} images with masks, {len(boxes)} with boxes"
        )


def write_phantom(arguments) -> None:
    from cxrlib.data import phantom

    truth = phantom.write(
        arguments.folder, arguments.n, arguments.seed, artefact=arguments.artefact
    )
    print(f"{len(truth)} synthetic radiographs in {arguments.folder}")


def train_run(arguments) -> None:
    experiment = studies.experiment(arguments.experiment)
    asked = pairs(arguments.set, "--set")
    changes = (studies.PHANTOM if arguments.phantom else {}) | asked
    if arguments.short and "epochs" in asked:
        raise InputError("--short sets the number of epochs; leave out --set epochs or --short")
    if arguments.phantom:
        experiment = experiment.variant(
            arguments.name or f"phantom-{experiment.name.replace('/', '-')}", **changes
        )
    elif changes or arguments.name:
        experiment = experiment.variant(arguments.name or experiment.name, **changes)
    if arguments.micro is not None and arguments.micro < 1:
        raise InputError(f"--micro {arguments.micro}: expected a number of images from 1")
    with needed("training"):
        from cxrlib.transfer import pipeline, resnet
    on_cpu = (
        arguments.short_on_cpu
        and experiment.variant_of
        and resnet.device(arguments.device).type == "cpu"
    )
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
        overwrite=arguments.overwrite,
        keep_model=arguments.keep_model or experiment.name in studies.EXPERIMENTS,
        keep_maps=arguments.maps or experiment.name in studies.EXPERIMENTS,
    )
    run = records.read_record(folder)
    print(
        f"{folder}: {run.info['epochs']['run']} epochs, kept {run.info['epochs']['kept']}; accuracy"
        f" {run.info['metrics']['accuracy']:.3f}"
    )


def predict_images(arguments) -> int:
    paths, output, name = (
        [*filter(None, [arguments.model]), *arguments.images],
        arguments.output,
        "zhu-fourclass",
    )
    if studies.recorded(paths[0], arguments.results) and not Path(paths[0]).is_file():
        name = paths.pop(0)
    if not paths:
        raise InputError(f"predict {name}: no image given")
    if output and (Path(output).suffix != ".csv" or Path(output).is_dir()):
        raise InputError(
            f"--output {output}: expected a file name that ends in .csv"
        )  # --output *.png would lose a radiograph
    for path in paths:  # before torch is loaded, which takes a while
        if not Path(path).exists():
            model = (
                ""
                if Path(path).suffix
                else f", and no record {path} either (cxr records lists them)"
            )
            raise InputError(f"{path}: image file does not exist{model}")
    with needed("predicting"):
        from cxrlib import inference
    record = studies.run(name, results=arguments.results)
    job = inference.job(
        record,
        paths,
        overlays=arguments.cam,
        target=arguments.target,
        device=arguments.device,
        prepare=lambda pixels: radiographs.show_part(
            pixels, record.info["config"].get("shown", "whole")
        ),
    )
    if not output:
        return _write_rows(job, name, sys.stdout)
    partial = Path(f"{output}.partial")
    taken = {file.resolve() for file in (Path(output), partial) if file.exists()}
    if taken and taken & {Path(file).resolve() for file in job.files}:
        raise InputError(f"--output {output}: is one of the images")
    if partial.exists():
        raise InputError(
            f"{partial}: holds the rows of a run that was interrupted; move or delete it first"
        )
    try:
        with _whole(output, partial) as file:
            return _write_rows(job, name, file)
    finally:
        if partial.exists():
            print(f"cxr: the rows so far are in {files.line(partial)}", file=sys.stderr)


@contextlib.contextmanager
def _whole(output: str, partial: Path) -> Iterator[TextIO]:
    """A text file that is called ``partial`` until it is whole.

    What is in it when something stops the writing stays there; one into which nothing was written
    is deleted. InputError where it cannot be written.
    """
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        file = partial.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror or error})") from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, output)
    finally:
        if partial.exists() and not partial.stat().st_size:
            partial.unlink()


def _write_rows(job, name: str, file: TextIO) -> int:
    """Each file's row of CSV as it comes, what cannot be read on standard error; the exit status.

    That is 1 if there was such a file. InputError if there was no other; nothing is written then.
    """
    from tqdm import tqdm

    from cxrlib import evaluate

    classes = job.record.classes
    heads = ["image", *(f"p_{name}" for name in classes), "predicted"]
    rows = csv.writer(file, lineterminator="\n")
    bad: list[InputError] = []
    with (
        warnings.catch_warnings(
            action="ignore"
        ),  # of small faults in files that are read, or refused
        tqdm(
            total=len(job.files), unit="img", file=sys.stderr, disable=not sys.stderr.isatty()
        ) as bar,
        contextlib.closing(iter(job)) as answers,
    ):
        for done, (image, p) in enumerate(answers, start=1):
            with bar.external_write_mode(file=sys.stderr):
                if isinstance(p, InputError):
                    bad.append(p)
                    if len(job.files) > 1:
                        print(f"cxr: {files.line(p)}", file=sys.stderr)
                else:
                    if done - len(bad) == 1:
                        _disclaim(job, name)
                        rows.writerow(map(evaluate.spreadsheet_text, heads))
                    row = [image, *(f"{value:.9g}" for value in p), classes[p.argmax()]]
                    rows.writerow(map(evaluate.spreadsheet_text, row))
                    file.flush()
            bar.update()
    if len(bad) == len(job.files):
        raise (
            bad[0]
            if len(bad) == 1
            else InputError(f"none of the {len(bad):,} image files can be read")
        )
    if bad:
        print(
            f"cxr: {len(bad):,} of {len(job.files):,} image files cannot be read", file=sys.stderr
        )
    return int(bool(bad))


def _disclaim(job, name: str) -> None:
    """What stands before the first number."""
    info, collections = job.record.info, ""
    for note in job.notes:
        print(f"cxr: {files.line(note)}", file=sys.stderr)
    if info["study"] == "zhu2020" and info["origin"] == "images":
        collections = (
            "; the model was trained on two image collections that differ by age, hospital and file"
            " processing"
        )
    print(
        "cxr: not a medical device: these numbers must not guide the care of a"
        f" patient{collections}",
        file=sys.stderr,
    )
    origin = "synthetic phantoms, not radiographs" if info["origin"] == "phantom" else "radiographs"
    print(
        f"cxr: model {name}: {info['title']}, {info['config']['model']} trained on {origin}",
        file=sys.stderr,
    )


def evaluate_predictions(arguments) -> None:
    from cxrlib import evaluate

    if not 0 <= arguments.threshold <= 1:
        raise InputError(f"--threshold {arguments.threshold:g}: expected a probability from 0 to 1")
    if arguments.prevalence is not None and not 0 < arguments.prevalence < 1:
        raise InputError(
            f"--prevalence {arguments.prevalence:g}: expected a share between 0 and 1, e.g. 0.01"
            " for 1 %"
        )
    taken = {Path(arguments.file).resolve(): "the file of predictions"}
    outputs = {
        name: getattr(arguments, name)
        for name in ("html", "explorer", "output")
        if getattr(arguments, name)
    }
    for option, file in outputs.items():
        if Path(file).is_dir() or Path(file).resolve() in taken:
            raise InputError(
                f"--{option} {file}: is"
                f" {'a folder' if Path(file).is_dir() else taken[Path(file).resolve()]}"
            )
        taken[Path(file).resolve()] = f"the file of --{option} too"
    found, name = (
        evaluate.read_file(arguments.file, arguments.positive),
        printable(Path(arguments.file).name),
    )
    if arguments.positive is None:
        print(
            f"cxr: class of interest: {evaluate.spreadsheet_text(found.positive)}; --positive names"
            " another",
            file=sys.stderr,
        )
    for note in found.notes:
        print(f"cxr: {files.line(note)}", file=sys.stderr)
    measured, texts = evaluate.Measures(found, arguments.threshold, arguments.prevalence), {}
    texts["output"] = (
        measured.tidy()
        .map(evaluate.spreadsheet_text)
        .to_csv(index=False, float_format="%.9g", lineterminator="\n")
    )
    if arguments.html:
        from cxrlib.evaluate import report

        texts["html"] = report.page(measured, name)
    if arguments.explorer:
        from cxrlib import explorer

        texts["explorer"] = explorer.page(
            found.frame, found.positive, name, arguments.threshold, arguments.prevalence
        )
    with contextlib.ExitStack() as all_or_none:
        for option, file in outputs.items():
            all_or_none.enter_context(atomic(file)).write_text(
                texts[option], encoding="utf-8", newline="\n"
            )
    for file in outputs.values():
        print(printable(file))
    if not outputs:
        print(texts["output"], end="")


def make_cams(arguments) -> None:
    with needed("drawing maps"):
        from cxrlib import maps

    print(maps.of_run(arguments.run_name, arguments.data, arguments.results, arguments.device))


def show_flow(arguments) -> None:
    table = FLOWS[arguments.study](arguments.data)
    file = Path(arguments.output or studies.results_folder() / "flow" / f"{arguments.study}.csv")
    write_text(file, table.to_csv(index=False, lineterminator="\n"))
    print(f"{table.drop(columns='assumption', errors='ignore').to_string(index=False)}\n{file}")


def write_subgroups(arguments) -> None:
    from companion.studies import subgroups

    table = subgroups.table(arguments.data)
    file = write_text(
        Path(arguments.output or studies.results_folder() / subgroups.FILE),
        table.to_csv(index=False, lineterminator="\n"),
    )
    print(f"{len(table)} images\n{file}")


def write_frame(arguments) -> None:
    table = zhu2020.lungs_in_frame(arguments.data)
    file = write_text(
        Path(arguments.output or studies.results_folder() / zhu2020.LUNGS_IN_FRAME),
        table.to_csv(index=False, float_format="%.6f", lineterminator="\n"),
    )
    print(f"{table.groupby('kind')['share'].agg(['size', 'mean', 'max']).to_string()}\n{file}")


def show_claims(arguments) -> None:
    from companion import ledger
    from companion.rules import VERDICTS

    ids = {name: study for study, letter in studies.LETTERS.items() for name in (study, letter)}
    for option, known in (("study", ids), ("verdict", VERDICTS)):
        if getattr(arguments, option) not in {None, *known}:
            raise InputError(
                f"--{option} {getattr(arguments, option)}: there are {', '.join(known)}"
            )
    table = ledger.claims([ids[arguments.study]] if arguments.study else None)
    table = table[table["verdict"] == arguments.verdict] if arguments.verdict else table
    if arguments.json:
        rows = [
            {key: None if value != value else value for key, value in row.items()}
            for row in table[ledger.PUBLISHED].to_dict("records")
        ]
        print(
            json.dumps(
                {"rules": VERDICTS, "lacked": ledger.shortfalls(table), "claims": rows},
                indent=1,
                ensure_ascii=False,
            )
        )
        return
    lines = [("", "Place", "Printed", "Rebuilt", "Verdict", "Id")]
    lines += [
        (r["study"], r["place"], r["said"], ledger.rebuilt_in_words(r), r["verdict"], r["id"])
        for r in table.to_dict("records")
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(map(str.ljust, line, widths)).rstrip())
    counts = table["verdict"].value_counts()
    print(
        f"{len(table)} numbers: "
        + ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in VERDICTS)
    )


def list_records(arguments) -> None:
    for name in studies.RECORDS:
        state = (
            "recorded" if studies.recorded(name) else f"not yet recorded: cxr train {name} --resume"
        )
        print(f"{name:45} {state}")
    print(
        "make records makes what is missing; where there is no GPU all but the headline runs with"
        " --short"
    )


def refresh_readme(arguments) -> None:
    from companion import book

    book.refresh_readme(Path(arguments.file))


def pair_notebooks(arguments) -> None:
    from companion import book

    for file in book.pair(Path(arguments.folder), check=arguments.check):
        print(f"written {file}")


def make_target(arguments) -> None:
    from companion import making

    making.make(arguments.target, arguments.cores)


def execute_notebook(arguments) -> None:
    from companion import book

    book.execute(Path(arguments.source), Path(arguments.target), pairs(arguments.p, "-p"))


def build_book(arguments) -> None:
    from companion import book

    book.build(Path(arguments.stage), Path(arguments.output))

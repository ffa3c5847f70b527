"""``cxr train``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from functools import partial

from companion import options as shared
from companion import studies
from cxrlib import records
from cxrlib.files import InputError


def options(parser: ArgumentParser) -> None:
    add, flag = parser.add_argument, partial(parser.add_argument, action="store_true")
    names = ", ".join(studies.EXPERIMENTS)
    add("experiment", metavar="EXPERIMENT", help=f"{names} or another that cxr records lists")
    shared.add_shared(parser, "--data", "--results", "--device")
    add("--work", default="work", help="folder of checkpoints (default work/)")
    flag("--resume", help="go on from the last finished epoch, if there is one")
    flag("--overwrite", help="train anew what is recorded, in the record's place")
    flag("--finish", help="train no further and record the checkpoint as it stands")
    formats = ["auto", "float32", "bfloat16"]
    add("--precision", choices=formats, default="auto", help="auto: bfloat16 where it is faster")
    add("--micro", type=int, help="images processed at a time, where memory is short")
    add("--name", help="of the new record, needed when settings are changed")
    example = "change a setting, e.g. lr=0.0003"
    add("--set", action="append", default=[], metavar="SETTING=VALUE", help=example)
    flag("--phantom", help="take the small settings meant for phantoms")
    flag("--short", help="a shorter schedule of the same shape, for re-draws, folds and variants")
    flag("--short-on-cpu", help="the same where there is no GPU; headline runs are left alone")
    flag("--keep-model", help="keep the model in the record (headline runs always do)")
    flag("--maps", help="keep class-activation maps in the record (headline runs always do)")


def experiment_of(arguments: Namespace) -> studies.Experiment:
    """The experiment that is asked for, changed as the options say."""
    experiment = studies.experiment(arguments.experiment)
    asked = shared.pairs(arguments.set, "--set")
    if arguments.short and "epochs" in asked:
        raise InputError("--short sets the number of epochs; leave out --set epochs or --short")
    if arguments.micro is not None and arguments.micro < 1:
        raise InputError(f"--micro {arguments.micro}: expected a number of images from 1")
    if arguments.phantom:
        name = arguments.name or f"phantom-{experiment.name.replace('/', '-')}"
        return experiment.variant(name, **(studies.PHANTOM | asked))
    if asked or arguments.name:
        return experiment.variant(arguments.name or experiment.name, **asked)
    return experiment


def run(arguments: Namespace) -> None:
    experiment = experiment_of(arguments)
    resnet = shared.heavy("cxrlib.transfer.resnet", "training")
    training = shared.heavy("companion.studies.training", "training")
    on_cpu = (
        arguments.short_on_cpu
        and experiment.variant_of
        and resnet.device(arguments.device).type == "cpu"
    )
    if arguments.short or on_cpu:
        experiment = experiment.shortened()
    headline = experiment.name in studies.EXPERIMENTS
    folder = training.train(
        experiment,
        data=arguments.data,
        results=arguments.results,
        work=arguments.work,
        device=arguments.device,
        precision=arguments.precision,
        micro=arguments.micro,
        resume=arguments.resume,
        finish=arguments.finish,
        overwrite=arguments.overwrite,
        keep_model=arguments.keep_model or headline,
        keep_maps=arguments.maps or headline,
    )
    info = records.read_record(folder).info
    epochs, accuracy = info["epochs"], info["metrics"]["accuracy"]
    print(f"{folder}: {epochs['run']} epochs, kept {epochs['kept']}; accuracy {accuracy:.3f}")

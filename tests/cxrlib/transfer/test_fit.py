"""Training against plain re-implementations, and against kill -9."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import slim  # noqa: F401  (makes the network of that name)
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rounding import UNIT, apart, assert_near
from sklearn.metrics import accuracy_score, log_loss
from tqdm import tqdm

from companion import cli, studies
from cxrlib.files import InputError
from cxrlib.transfer import fit, resnet

CPU = torch.device("cpu")
KIND = resnet.precision(CPU)
CLASSES = studies.ZHU_CLASSES
STILL = {"rotate": 0.0, "scale": (1.0, 1.0), "translate": 0.0, "hflip": 0.0}  # no augmentation


def experiment(**changes) -> studies.Experiment:
    small = studies.PHANTOM | {"model": "slim", "size": 33, "epochs": 2, "oversample": {}}
    return studies.ZHU_FOURCLASS.variant("tiny", **small | changes)


def toy(seed: int = 0, train: int = 24, val: int = 12, test: int = 8):
    """Noise whose brightness tells the class: pixels (N, 33, 33), labels, split."""
    rng = np.random.default_rng(seed)
    split = rng.permutation(np.repeat(["train", "val", "test"], [train, val, test]))
    labels = np.empty(len(split), dtype=object)
    for part in ("train", "val", "test"):
        where = np.flatnonzero(split == part)
        labels[where] = [CLASSES[i % 4] for i in range(len(where))]
    level = np.array([40 * (1 + CLASSES.index(label)) for label in labels])
    pixels = np.clip(level[:, None, None] + rng.normal(0, 40, (len(split), 33, 33)), 0, 255).astype(
        np.uint8
    )
    return pixels, labels, split


def trained(run, data, folder, **named):
    return fit.fit(
        run, *data, folder, **{"state": None, "precision": KIND, "progress": False} | named
    )


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


# The schedule, the batches, the figures


@pytest.mark.parametrize("name", list(studies.EXPERIMENTS))
def test_learning_rate_is_pytorchs_multisteplr(name):
    run = studies.EXPERIMENTS[name]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=run.lr)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(run.milestones), run.gamma)
    for epoch in range(1, run.epochs + 1):
        assert fit.learning_rate(run, epoch) == pytest.approx(
            schedule.get_last_lr()[0], rel=1e-9
        ), epoch
        optimizer.step()
        schedule.step()


@given(count=st.integers(1, 90), batch=st.integers(1, 40), seed=st.integers(0, 2**30))
@settings(max_examples=60)
def test_batches_visit_every_position_once(count, batch, seed):
    positions = np.random.default_rng(seed).integers(
        0, 50, count
    )  # oversampled positions occur several times
    parts = list(
        fit.batches(experiment(batch=batch), positions, torch.Generator().manual_seed(seed))
    )
    assert sorted(np.concatenate(parts)) == sorted(positions)
    assert [len(part) for part in parts[:-1]] == [batch] * (len(parts) - 1) and 1 <= len(
        parts[-1]
    ) <= batch
    again = list(
        fit.batches(experiment(batch=batch), positions, torch.Generator().manual_seed(seed))
    )
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_batches_are_shuffled_anew():
    rng = torch.Generator().manual_seed(0)
    one, two = (
        np.concatenate(list(fit.batches(experiment(), np.arange(200), rng))) for _ in range(2)
    )
    assert not np.array_equal(one, np.arange(200)) and not np.array_equal(one, two)


@given(seed=st.integers(0, 10**6), images=st.integers(1, 40), classes=st.integers(2, 5))
@settings(max_examples=40)
def test_loss_and_accuracy_are_scikit_learns(seed, images, classes):
    rng = np.random.default_rng(seed)
    log_p = np.log(rng.dirichlet(np.ones(classes), images))
    targets = rng.integers(0, classes, images)
    loss, accuracy = fit.loss_accuracy(log_p, targets)
    assert loss == pytest.approx(log_loss(targets, np.exp(log_p), labels=range(classes)), rel=1e-6)
    assert accuracy == accuracy_score(targets, log_p.argmax(1))


def test_loss_of_nothing_is_nan():
    assert np.isnan(fit.loss_accuracy(np.zeros((0, 4)), np.zeros(0, int))).all()


def test_predict_is_a_plain_loop():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 33, 33), dtype=np.uint8)
    model = resnet.build("resnet18", 4, None, 3)
    model.train()  # what the caller left it in does not matter
    with torch.no_grad():
        model(
            torch.randn(8, 3, 33, 33, generator=torch.Generator().manual_seed(0))
        )  # batch-norm statistics that are not 0 and 1
    got = fit.predict(model, pixels, CPU, batch=4)
    plain = resnet.build("resnet18", 4, model.state_dict()).double().eval()
    want = []
    for image in pixels:
        grey = torch.tensor(image / 255.0)
        x = torch.stack(
            [(grey - m) / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
        )
        with torch.no_grad():
            want.append(torch.log(torch.softmax(plain(x[None]), 1))[0].numpy())
    assert_near(got, want, apart())
    assert got.dtype == np.float64
    np.testing.assert_allclose(np.exp(got).sum(1), 1, atol=1e-12)
    assert fit.predict(model, pixels[:0], CPU).shape == (0, 4)


# One epoch and whole runs against plain re-implementations


def plain_network() -> torch.nn.Module:
    """No batch norm, so an image's gradient does not depend on its neighbours."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, stride=4),
            torch.nn.Tanh(),
            torch.nn.Flatten(),
            torch.nn.Linear(512, 4),
        )


def one_epoch(run, kind="float32", look=lambda *given: None):
    pixels, labels, _ = toy()
    targets = np.array([CLASSES.index(label) for label in labels])
    model = plain_network()
    model.register_forward_hook(look)
    parts = {"train": np.arange(len(pixels))}
    training = fit.Training(run, pixels, targets, parts, model, CPU, kind)
    figures = fit.train_epoch(training, 1, tqdm(disable=True))
    return figures, model.state_dict(), (pixels, torch.tensor(targets))


def assert_went_alike(got: dict, want: dict, tolerance: float) -> None:
    """The weights went the same way from where :func:`plain_network` starts; ``tolerance`` is of
    the longest way of a tensor's weights.
    """
    for key, start in plain_network().state_dict().items():
        assert_near(got[key].double() - start, want[key].double() - start, tolerance, key)


def test_one_step_is_sgd_by_hand():
    run = experiment(
        **STILL, batch=64, lr=0.1, weight_decay=0.05
    )  # one batch holds all, so their order does not matter
    (loss, accuracy), after, (pixels, targets) = one_epoch(run)
    plain = plain_network().double()
    grey = torch.tensor(pixels / 255.0)
    x = torch.stack(
        [(grey - m) / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))], 1
    )
    scores = plain(x)
    p = torch.softmax(scores, 1)[range(len(x)), targets]
    expected = -torch.log(p).mean()
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=apart(layers=2))
    assert accuracy == pytest.approx(accuracy_score(targets, scores.argmax(1)))
    want = {
        key: (weight - 0.1 * (weight.grad + 0.05 * weight)).detach()
        for key, weight in plain.named_parameters()
    }
    assert_went_alike(
        after, want, apart(layers=4) + 100 * UNIT["float32"]
    )  # a way is a hundredth of a weight


def test_bfloat16_multiplies_and_nothing_else():
    """Scores come out rounded to 8 bits; weights and figures stay float32 and went nearly the same
    way.
    """
    seen = []
    run = experiment(**STILL, batch=64, lr=0.1)
    (loss, _), full, _ = one_epoch(run)
    (rounded, _), mixed, _ = one_epoch(
        run, "bfloat16", lambda model, inputs, scores: seen.append(scores.dtype)
    )
    assert set(seen) == {torch.bfloat16} and {value.dtype for value in mixed.values()} == {
        torch.float32
    }
    assert rounded == pytest.approx(loss, rel=apart("bfloat16", layers=2))
    assert_went_alike(mixed, full, apart("bfloat16", layers=4))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A run whose every number can be had by hand: full batches, no augmentation, covid images
    twice.
    """
    run = experiment(
        **STILL,
        batch=64,
        epochs=3,
        milestones=(1,),
        gamma=0.5,
        lr=0.002,
        weight_decay=0.2,
        oversample={"covid": 2},
        seed=3,
    )
    folder = tmp_path_factory.mktemp("tiny")
    return run, toy(), trained(run, toy(), folder), folder


def test_whole_run_is_plain_gradient_descent(tiny, tmp_path, monkeypatch):
    """All in float64: a network with batch norm makes the rounding of float32, 6e-8, grow to some
    per cent in three steps.
    """
    run, (pixels, labels, split), *_ = tiny
    build = resnet.build
    model = build("slim", 4, None, 3).double()
    start = {key: value.clone() for key, value in model.state_dict().items()}
    with monkeypatch.context() as patch:
        patch.setattr(resnet, "build", lambda *given: build(*given).double())
        patch.setattr(torch.Tensor, "float", torch.Tensor.double)  # pixels and scores
        rand = torch.rand
        patch.setattr(
            torch, "rand", lambda *size, **named: rand(*size, **named).double()
        )  # the augmentation, which does nothing
        got = trained(run, (pixels, labels, split), tmp_path, precision="float32")
    assert {value.dtype for value in got.last.values() if value.is_floating_point()} == {
        torch.float64
    }
    tolerance = 1e8 * UNIT["float64"]  # of the growth, 1e6, and some
    grey = torch.tensor(pixels / 255.0)
    x = torch.stack(
        [(grey - m) / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))], 1
    )
    y = torch.tensor([CLASSES.index(label) for label in labels])
    train = [
        i
        for i in range(len(x))
        if split[i] == "train"
        for _ in range(2 if labels[i] == "covid" else 1)
    ]
    val = [i for i in range(len(x)) if split[i] == "val"]
    velocity = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    losses = []
    for epoch in (1, 2, 3):
        rate = 0.002 if epoch == 1 else 0.001
        model.train()
        model.zero_grad()
        scores = model(x[train])
        loss = F.nll_loss(torch.log_softmax(scores, 1), y[train])
        loss.backward()
        with torch.no_grad():
            for name, weight in model.named_parameters():
                velocity[name] = 0.9 * velocity[name] + weight.grad + 0.2 * weight
                weight -= rate * velocity[name]
            model.eval()
            out = torch.log_softmax(model(x[val]), 1)
        losses.append(F.nll_loss(out, y[val]).item())
        row = got.history.iloc[epoch - 1]
        assert (row["epoch"], row["lr"]) == (epoch, pytest.approx(rate))
        assert row["train_loss"] == pytest.approx(loss.item(), rel=tolerance)
        assert row["train_accuracy"] == pytest.approx(
            (scores.argmax(1) == y[train]).double().mean().item()
        )
        assert row["val_loss"] == pytest.approx(losses[-1], rel=tolerance)
    assert got.kept_epoch == 1 + int(np.argmin(losses))
    for key, value in model.state_dict().items():
        if value.is_floating_point():
            assert (got.last[key] - value).norm() <= tolerance * (value - start[key]).norm(), (
                key
            )  # of the way that the weights went
    assert got.reason == "schedule complete (3 epochs)"


def test_kept_states_give_the_recorded_figures(tiny):
    run, (pixels, labels, split), got, _ = tiny
    targets = np.array([CLASSES.index(label) for label in labels])[split == "val"]
    assert got.kept_epoch == 1 + got.history["val_loss"].argmin()
    for epoch, state in ((got.kept_epoch, got.kept), (len(got.history), got.last)):
        log_p = fit.predict(resnet.build("slim", 4, state), pixels[split == "val"])
        row = got.history.iloc[epoch - 1]
        assert row["val_loss"] == pytest.approx(
            -np.mean([line[target] for line, target in zip(log_p, targets, strict=True)]), rel=1e-12
        )
        assert row["val_accuracy"] == accuracy_score(targets, log_p.argmax(1))
    assert list(got.history.columns) == fit.HISTORY
    assert got.history[["test_loss", "test_accuracy"]].isna().all(axis=None)


# Which epoch is kept, and when training ends


@given(
    losses=st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5]), min_size=1, max_size=12),
    patience=st.integers(1, 5),
)
@settings(max_examples=200)
def test_finished_stops_after_patience_epochs_without_a_better_one(losses, patience):
    run = experiment(patience=patience, epochs=12)
    best = int(np.argmin(losses)) + 1
    reason = fit.finished(run, [{"val_loss": loss} for loss in losses], best)
    if len(losses) == 12:
        assert reason.startswith("schedule complete")
    else:
        waited = len(losses) - best
        assert bool(reason) == (waited >= patience) and (not reason or "early stopping" in reason)


def test_nothing_is_finished_before_it_began():
    assert fit.finished(experiment(patience=1), [], 0) == ""


def scripted(monkeypatch, losses):
    script = iter(losses)
    monkeypatch.setattr(fit, "loss_accuracy", lambda log_p, targets: (next(script), 0.5))


def test_early_stopping_keeps_the_best_epoch(tmp_path, monkeypatch):
    two = trained(experiment(epochs=2), toy(), tmp_path / "two")
    scripted(monkeypatch, [1.0, 0.5, 0.5, 0.1])  # epoch 3 only equals epoch 2
    got = trained(experiment(epochs=9, patience=1), toy(), tmp_path / "many")
    assert len(got.history) == 3 and got.kept_epoch == 2
    assert got.reason == "early stopping (no better validation loss in 1 epochs)"
    assert same(got.kept, two.last) and not same(got.kept, got.last)


def test_patience_starts_anew_with_every_better_epoch(tmp_path, monkeypatch):
    scripted(monkeypatch, [0.9, 1.0, 0.8, 0.9, 0.9, 0.1])
    got = trained(experiment(epochs=9, patience=2), toy(train=4, val=4), tmp_path)
    assert got.history["val_loss"].tolist() == [0.9, 1.0, 0.8, 0.9, 0.9] and got.kept_epoch == 3


def test_test_images_choose_the_epoch_where_the_experiment_says_so(tmp_path, monkeypatch):
    pixels, labels, split = toy(train=4, val=4)
    split = np.where((split == "val") & (np.arange(len(split)) % 2 == 1), "test", split)
    scripted(
        monkeypatch, [0.9, 0.7, 0.8, 0.5, 0.1, 0.6, 0.2, 0.6]
    )  # validation, test, validation, …
    got = trained(
        experiment(epochs=9, patience=2, epoch_by="test"), (pixels, labels, split), tmp_path / "a"
    )
    assert got.history["val_loss"].tolist() == [0.9, 0.8, 0.1, 0.2] and got.history[
        "test_loss"
    ].tolist() == [0.7, 0.5, 0.6, 0.6]
    assert got.kept_epoch == 2 and got.reason == "early stopping (no better test loss in 2 epochs)"
    with pytest.raises(InputError, match="no test image"):
        trained(
            experiment(epoch_by="test"),
            (pixels, labels, np.where(split == "test", "val", split)),
            tmp_path / "b",
        )


def test_loss_that_is_no_number_is_one_line(tmp_path, monkeypatch):
    scripted(monkeypatch, [0.9, float("nan")])
    with pytest.raises(InputError, match="epoch 2.*lower lr"):
        trained(experiment(epochs=9), toy(train=4, val=4), tmp_path)


def test_missing_class_and_missing_validation(tmp_path):
    pixels, labels, split = toy()
    with pytest.raises(InputError, match="no training image of class viral"):
        trained(
            experiment(),
            (pixels, labels, np.where((labels == "viral") & (split == "train"), "test", split)),
            tmp_path,
        )
    with pytest.raises(InputError, match="no validation image"):
        trained(experiment(), (pixels, labels, np.where(split == "val", "test", split)), tmp_path)


# What training looks at


@given(seed=st.integers(0, 1000))
@settings(max_examples=3)
def test_test_images_and_labels_are_never_looked_at(tmp_path_factory, seed):
    pixels, labels, split = toy()
    base = trained(experiment(epochs=1), (pixels, labels, split), tmp_path_factory.mktemp("base"))
    rng, test = np.random.default_rng(seed), split == "test"
    pixels, labels = pixels.copy(), labels.copy()
    pixels[test] = rng.integers(0, 256, pixels[test].shape)
    labels[test] = rng.permutation(labels[test])
    got = trained(experiment(epochs=1), (pixels, labels, split), tmp_path_factory.mktemp("garbage"))
    assert same(base.kept, got.kept) and same(base.last, got.last)


def test_training_and_validation_images_do_matter(tmp_path):
    """The counterpart: the comparison above would notice."""
    pixels, labels, split = toy()
    run = experiment(epochs=1, lr=1e-6)  # nothing is learnt, so that no score saturates
    base = trained(run, (pixels, labels, split), tmp_path / "a")
    changed = pixels.copy()
    changed[np.flatnonzero(split == "train")[0]] = 0
    assert not same(base.kept, trained(run, (changed, labels, split), tmp_path / "b").kept)
    changed = pixels.copy()
    changed[split == "val"] = 0
    other = trained(run, (changed, labels, split), tmp_path / "c")
    assert same(
        base.last, other.last
    )  # validation images choose the epoch; no weight is made from them
    assert base.history["val_loss"][0] != other.history["val_loss"][0]


def test_oversampling_copies_training_images_only(tmp_path, monkeypatch):
    pixels, labels, split = toy()
    seen, watched = [], []
    train_epoch, predict = fit.train_epoch, fit.predict

    def spy_train(run, *rest):
        seen.append(run.parts["train"])
        return train_epoch(run, *rest)

    def spy_predict(model, pixels, *rest, **named):
        watched.append(pixels)
        return predict(model, pixels, *rest, **named)

    monkeypatch.setattr(fit, "train_epoch", spy_train)
    monkeypatch.setattr(fit, "predict", spy_predict)
    trained(
        experiment(epochs=1, oversample={"covid": 5, "normal": 2}),
        (pixels, labels, split),
        tmp_path,
    )
    times = np.bincount(seen[0], minlength=len(split))
    want = pd.Series(labels).map({"covid": 5, "normal": 2}).fillna(1).where(split == "train", 0)
    assert times.tolist() == want.astype(int).tolist()
    assert len(watched) == 1 and np.array_equal(watched[0], pixels[split == "val"])


def test_seed_decides(tmp_path):
    one = trained(experiment(seed=1, epochs=1), toy(), tmp_path / "1")
    before = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        np.random.seed(99)
        again = trained(experiment(seed=1, epochs=1), toy(), tmp_path / "2")
    np.random.set_state(before)
    other = trained(experiment(seed=2, epochs=1), toy(), tmp_path / "3")
    assert same(one.kept, again.kept) and not same(one.kept, other.kept)


# Stopping and going on, in one process


def test_checkpoint_holds_what_a_run_needs(tiny):
    run, _, got, folder = tiny
    assert [file.name for file in folder.iterdir()] == [fit.CHECKPOINT]
    note = fit.read_checkpoint(folder)
    assert note["kept_epoch"] == got.kept_epoch
    assert note["threads"] == torch.get_num_threads() and len(note["history"]) == 3
    assert note["identity"]["lr"] == 0.002 and note["identity"]["precision"] == KIND
    for key, state in (("model", got.last), ("best", got.kept)):
        assert note[key].keys() == state.keys() and same(note[key], state)
    assert len(note["optimizer"]["state"]) == len(list(resnet.build("slim", 4).parameters()))


def test_going_on_from_a_finished_run_trains_nothing(tiny, monkeypatch):
    run, data, got, folder = tiny
    monkeypatch.setattr(fit, "train_epoch", lambda *args: pytest.fail("trained"))
    again = trained(run, data, folder, resume=True)
    assert same(again.kept, got.kept) and same(again.last, got.last) and again.reason == got.reason
    pd.testing.assert_frame_equal(again.history, got.history)


def test_interrupted_in_memory(tmp_path, monkeypatch):
    """Stopped in the second epoch and gone on with: the same as without the stop, to the bit. The
    studies' own network, whole.
    """
    run = experiment(model="resnet18", oversample={"covid": 2})
    whole = trained(run, toy(), tmp_path / "whole")
    train_epoch = fit.train_epoch

    def stop(*args):
        if args[1] == 2:
            raise KeyboardInterrupt
        return train_epoch(*args)

    monkeypatch.setattr(fit, "train_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        trained(run, toy(), tmp_path / "part")
    monkeypatch.setattr(fit, "train_epoch", train_epoch)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        part = trained(run, toy(), tmp_path / "part", resume=True)
    assert same(whole.kept, part.kept) and same(whole.last, part.last)
    columns = [name for name in fit.HISTORY if name != "seconds"]
    pd.testing.assert_frame_equal(whole.history[columns], part.history[columns])


# kill -9

SETTINGS = [
    "--set",
    "epochs=3",
    "--set",
    "size=33",
    "--set",
    "model=slim",
    "--set",
    'oversample={"covid": 2}',
    "--device",
    "cpu",
    "--keep-model",
]
NAME = "phantom-zhu-fourclass"
TESTS = Path(__file__).resolve().parents[2]


def command(data: Path, base: Path, *more: str) -> list[str]:
    """The command line of the run that is killed, its checkpoints and record under ``base``."""
    places = ["--data", str(data), "--results", str(base / "results"), "--work", str(base / "work")]
    return ["train", "zhu-fourclass", "--phantom", *places, *SETTINGS, *more]


KILLER = """
import json, os, signal, sys
import slim, torch
from companion import cli
from cxrlib import records
from cxrlib.transfer import augment, fit

def on_call(module, name, number, before=lambda *args: None):
    real, calls = getattr(module, name), []
    def wrapped(*args, **named):
        calls.append(1)
        if len(calls) == number:
            before(*args)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **named)
    setattr(module, name, wrapped)

def epoch():  # the third batch of the second epoch
    real = fit.train_epoch
    def second(*args):
        if args[1] == 2:
            on_call(augment, "augment", 3)
        return real(*args)
    fit.train_epoch = second

def half():  # the second checkpoint, half written
    real = torch.save
    def half(found, path):
        real(found, path)
        os.truncate(path, os.path.getsize(path) // 2)
    on_call(torch, "save", 2, half)

def unnamed():  # the second checkpoint, whole, before it has its name
    on_call(os, "replace", 2)

def record():  # training is over, the record is not begun
    on_call(records, "write_record", 1)

# Each in a process of its own, forked before anything is computed.
for where, words in json.loads(sys.argv[1]).items():
    child = os.fork()
    if child == 0:
        globals()[where]()
        os._exit(cli.main(words))
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, where
"""


@pytest.fixture(scope="module")
def uninterrupted(few, tmp_path_factory) -> Path:
    base = tmp_path_factory.mktemp("whole")
    assert cli.main(command(few, base)) == 0
    return base / "results" / NAME


@pytest.fixture(scope="module")
def all_killed(few, tmp_path_factory) -> Path:
    """Runs of ``cxr train`` that ended themselves by ``kill -9``, each at another moment: what they
    left, by its name.
    """
    base = tmp_path_factory.mktemp("killed")
    words = json.dumps(
        {where: command(few, base / where) for where in ("epoch", "half", "unnamed", "record")}
    )
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    process = subprocess.run(
        [sys.executable, "-c", KILLER, words],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr.decode()
    return base


@pytest.fixture(scope="module")
def killed(all_killed) -> Path:
    """What a run left that was killed in its second epoch."""
    return all_killed / "epoch"


def assert_same_record(folder: Path, whole: Path) -> None:
    for name in ("model.safetensors", "predictions.csv", "validation.csv", "split.csv"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    one, other = (
        pd.read_csv(place / "history.csv").drop(columns="seconds") for place in (folder, whole)
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize(
    ("where", "epochs"), [("epoch", 1), ("half", 1), ("unnamed", 1), ("record", 3)]
)
def test_killed_at_the_worst_moment(few, uninterrupted, all_killed, tmp_path, where, epochs):
    shutil.copytree(all_killed / where, tmp_path, dirs_exist_ok=True)
    assert not (tmp_path / "results" / NAME).exists()
    assert len(fit.read_checkpoint(tmp_path / "work" / NAME)["history"]) == epochs
    left = list((tmp_path / "work" / NAME).glob(".checkpoint*"))
    assert len(left) == (where in ("half", "unnamed"))
    assert cli.main(command(few, tmp_path, "--resume")) == 0
    assert_same_record(tmp_path / "results" / NAME, uninterrupted)
    assert not (tmp_path / "work" / NAME).exists()


def complaint(capsys, arguments: list[str]) -> str:
    """The one line that the command ends with."""
    capsys.readouterr()
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("cxr: "), err
    return err


def test_a_checkpoint_is_not_overwritten(killed, few, capsys):
    before = {file.name: file.read_bytes() for file in (killed / "work" / NAME).iterdir()}
    line = complaint(capsys, command(few, killed))
    assert "--resume" in line and str(killed / "work" / NAME) in line
    assert before == {file.name: file.read_bytes() for file in (killed / "work" / NAME).iterdir()}


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--set", "lr=0.02"], "lr 0.01"),
        (["--set", "seed=1"], "data|seed"),
        (["--precision", "bfloat16" if KIND == "float32" else "float32"], f"precision '{KIND}'"),
        (["--set", 'oversample={"covid": 3}'], "oversample"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(killed, few, capsys, more, named):
    line = complaint(capsys, command(few, killed, "--resume", *more))
    assert any(word in line for word in named.split("|")), line


def test_a_checkpoint_older_than_a_setting_goes_on(killed, few, capsys, tmp_path):
    """A setting that came later had its default then."""
    shutil.copytree(killed, tmp_path / "b")
    file = tmp_path / "b" / "work" / NAME / fit.CHECKPOINT
    note = torch.load(file)
    assert (
        note["identity"].pop("unit") == "patient"
        and note["identity"].pop("epoch_by") == "validation"
    )
    torch.save(note, file)
    line = complaint(capsys, command(few, tmp_path / "b", "--resume", "--set", "epoch_by=test"))
    assert "made with epoch_by 'validation', this run has 'test'" in line
    assert cli.main(command(few, tmp_path / "b", "--resume")) == 0


def test_a_checkpoint_of_version_0_1_0_is_one_line(few, capsys, tmp_path):
    folder = tmp_path / "work" / NAME
    folder.mkdir(parents=True)
    (folder / "checkpoint.json").write_text('{"file": "checkpoint-0001.safetensors"}')
    for more in ([], ["--resume"]):
        line = complaint(capsys, command(few, tmp_path, *more))
        assert "of an earlier version" in line and f"{folder}: " in line and "delete" in line


def test_what_makes_a_run_this_run(killed):
    found = fit.read_checkpoint(killed / "work" / NAME)["identity"]
    assert sorted(found) == sorted(
        "name study classes weight_decay milestones patience oversample model size batch lr"
        " momentum gamma epochs rotate scale translate hflip val_folds seed pretrained unit fold"
        " shown epoch_by keep frozen batch_norm precision device data weights".split()
    )
    expected = {"study": "zhu2020", "val_folds": 4, "unit": "patient", "fold": 0, "weights": ""}
    assert {key: found[key] for key in expected} == expected


def test_a_checkpoint_of_other_images_is_refused(killed, few, capsys, tmp_path):
    shutil.copytree(few, tmp_path / "p")
    file = sorted((tmp_path / "p" / "covid-chestxray-dataset" / "images").iterdir())[0]
    Image.fromarray(255 - np.asarray(Image.open(file))).save(file)
    assert "with data '" in complaint(capsys, command(tmp_path / "p", killed, "--resume"))


def _truncate(file):
    os.truncate(file, file.stat().st_size // 2)


def _text(text):
    return lambda file: file.write_bytes(text)


@pytest.mark.parametrize(
    "spoil", [_truncate, *(_text(text) for text in (b"", b"{", b"PK\3\4", b"\x80", b"\xff\xfe"))]
)
@pytest.mark.parametrize("resume", [True, False])
def test_a_damaged_checkpoint_is_one_line(tmp_path, stopped, spoil, resume):
    run, data, folder = stopped
    shutil.copytree(folder, tmp_path / "c")
    spoil(tmp_path / "c" / fit.CHECKPOINT)
    with pytest.raises(InputError) as caught:
        trained(run, data, tmp_path / "c", resume=resume)
    assert "\n" not in str(caught.value) and str(tmp_path / "c") in str(caught.value)
    assert "cannot be read" in str(caught.value)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run of two epochs, its images, and a folder with the checkpoint of its first epoch."""
    run, data, folder = (
        experiment(epochs=2),
        toy(train=4, val=4, test=0),
        tmp_path_factory.mktemp("stopped"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "finished", lambda run, rows, kept: "stopped" if rows else "")
        trained(run, data, folder)
    return run, data, folder


def test_settings_are_not_part_of_the_identity_where_they_only_tell(tmp_path, stopped):
    """A title or an assumption that is reworded does not make a checkpoint useless."""
    run, data, folder = stopped
    shutil.copytree(folder, tmp_path / "c")
    run = dataclasses.replace(run, title="Another", assumptions=("Other words.",))
    assert len(trained(run, data, tmp_path / "c", resume=True).history) == 2

"""Frozen networks: cached features are those of a forward pass, and training on them is the slow
training of the last layer.
"""

import dataclasses
import json

import numpy as np
import pytest
import slim  # noqa: F401  (makes the network of that name)
import torch
import torch.nn.functional as F
import torchvision
from PIL import Image
from rounding import apart, assert_near
from test_chestxray14 import FULL, image, write
from test_manifest import row, table
from test_pipeline import best_epoch

from companion import studies
from companion.studies import cheazemin2020, training
from cxrlib import records
from cxrlib.data import chestxray14, phantom
from cxrlib.files import InputError
from cxrlib.transfer import augment, fit, frozen, resnet

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 64, 64), dtype=np.uint8)
HASHES = [f"{n:064}" for n in range(30)]
STATE = {
    key: value
    for key, value in resnet.build("resnet18", 1000).state_dict().items()
    if not key.startswith("fc.")
}


def run(**changes) -> studies.Experiment:
    settings = {"model": "resnet18", "size": 64, "epochs": 3, "lr": 0.01, "batch": 8} | changes
    return dataclasses.replace(studies.AZEMIN_STANDIN, **settings)


def plain(pixels: np.ndarray) -> torch.Tensor:
    """Three standardised channels, written out."""
    x = torch.tensor(pixels, dtype=torch.float32)[:, None].repeat(1, 3, 1, 1) / 255
    return (x - torch.tensor(augment.IMAGENET_MEAN)[:, None, None]) / torch.tensor(
        augment.IMAGENET_STD
    )[:, None, None]


def test_features_are_the_input_of_the_last_layer():
    model, seen = resnet.build("resnet18", 2, STATE), []
    model.eval().fc.register_forward_hook(lambda layer, inputs, output: seen.append(inputs[0]))
    found = frozen.extract(model, PIXELS, batch=7)
    with torch.no_grad():
        model(plain(PIXELS))
    assert found.shape == (30, 512) and found.dtype == np.float32
    assert_near(found, seen[0], apart())
    assert frozen.extract(model, PIXELS[:0]).shape == (0, 512)


def test_cache_is_keyed_by_weights_and_files(tmp_path, monkeypatch):
    model = resnet.build("resnet18", 2, STATE)
    first = frozen.cached(model, PIXELS, HASHES, cache=tmp_path)
    np.testing.assert_array_equal(first, frozen.extract(model, PIXELS))
    made = []
    monkeypatch.setattr(
        frozen, "extract", lambda *given, **how: made.append(1) or np.zeros((30, 512), np.float32)
    )
    np.testing.assert_array_equal(
        frozen.cached(resnet.build("resnet18", 4, STATE, seed=3), PIXELS, HASHES, cache=tmp_path),
        first,
    )
    assert made == [], "another last layer has the same features"
    frozen.cached(model, PIXELS, [*HASHES[1:], "f" * 64], cache=tmp_path)
    changed = {**STATE, "bn1.running_var": STATE["bn1.running_var"] * 2}
    frozen.cached(resnet.build("resnet18", 2, changed), PIXELS, HASHES, cache=tmp_path)
    frozen.cached(model, PIXELS, HASHES, cache=tmp_path, shown="frame")
    frozen.cached(model, PIXELS, HASHES, cache=tmp_path, kind="bfloat16")
    assert len(made) == 4 and len(list(tmp_path.iterdir())) == 5


def test_after_an_interruption_only_what_is_missing_is_computed(tmp_path, monkeypatch, capsys):
    model, seen, real = resnet.build("resnet18", 2, STATE), [], frozen.extract
    monkeypatch.setattr(frozen, "BLOCK", 12)

    def killed_later(model, pixels, *given, **how):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(len(pixels))
        return real(model, pixels, *given, **how)

    monkeypatch.setattr(frozen, "extract", killed_later)
    with pytest.raises(KeyboardInterrupt):
        frozen.cached(model, PIXELS, HASHES, cache=tmp_path, progress=True)
    assert "features:  80%" in capsys.readouterr().err
    del seen[:]
    found = frozen.cached(model, PIXELS, HASHES, cache=tmp_path)
    assert seen == [6]
    assert_near(found, real(model, PIXELS), apart())


def test_features_in_bfloat16_are_near_those_in_float32():
    model = resnet.build("resnet18", 2, STATE)
    exact, rounded = (frozen.extract(model, PIXELS, kind=kind) for kind in resnet.PRECISIONS[1:])
    assert rounded.dtype == np.float32 and (rounded != exact).any()
    assert np.abs(rounded - exact).max() < 0.05 * exact.max()


def test_reestimated_statistics_are_those_of_the_images():
    """Of the first batch norm, by hand: the mean over batches of the batches' means and unbiased
    variances.
    """
    model = resnet.build("resnet18", 2, STATE)
    weights = {name: value.clone() for name, value in model.named_parameters()}
    frozen.reestimate(model, PIXELS, batch=10)
    with torch.no_grad():
        parts = [model.conv1(plain(part)) for part in np.split(PIXELS, 3)]
    for name, expected in {
        "running_mean": torch.stack([part.mean((0, 2, 3)) for part in parts]).mean(0),
        "running_var": torch.stack([part.var((0, 2, 3)) for part in parts]).mean(0),
    }.items():
        assert_near(
            getattr(model.bn1, name), expected, apart(layers=1, terms=len(PIXELS) * 32 * 32), name
        )
    assert not model.training and model.bn1.momentum == 0.1
    assert all(torch.equal(value, weights[name]) for name, value in model.named_parameters())


def test_training_on_features_is_the_slow_training_of_the_last_layer(tmp_path):
    """Against a plain loop over whole images: torchvision's network, all parameters frozen but the
    last layer's, torch's SGD.
    """
    experiment = run()
    labels, split = np.array(["opacity", "none"] * 15), np.array(["train"] * 22 + ["val"] * 8)
    model = resnet.build("resnet18", 2, STATE, experiment.seed)
    start = {key: value.clone() for key, value in model.fc.state_dict().items()}
    fitted = fit.fit(
        experiment,
        frozen.extract(model, PIXELS),
        labels,
        split,
        tmp_path,
        state=STATE,
        device="cpu",
        progress=False,
    )
    slow = torchvision.models.resnet18(num_classes=2)
    slow.load_state_dict(
        {**STATE, **{f"fc.{key}": value for key, value in start.items()}}, strict=False
    )
    slow.eval()
    for name, parameter in slow.named_parameters():
        parameter.requires_grad = name.startswith("fc.")
    optimizer = torch.optim.SGD(slow.fc.parameters(), lr=0.01, momentum=0.9)
    targets = torch.tensor([0, 1] * 15)
    for epoch in range(1, 4):
        rng = torch.Generator().manual_seed(experiment.seed * 1_000_003 + epoch)
        for batch in fit.batches(experiment, np.arange(22), rng):
            optimizer.zero_grad()
            F.cross_entropy(slow(plain(PIXELS[batch])), targets[batch]).backward()
            optimizer.step()
    assert not torch.equal(fitted.kept["weight"], start["weight"])
    for key in ("weight", "bias"):  # of the longest way that one of them went
        assert_near(
            fitted.kept[key] - start[key],
            slow.fc.state_dict()[key] - start[key],
            apart(layers=2 * 18),
            key,
        )
    assert fitted.kept_epoch == 3 and set(fitted.kept) == {"weight", "bias"}, (
        "the last epoch is kept, and nothing else was trained"
    )


def test_the_paper_trains_4098_parameters():
    layer = resnet.build("resnet101", 2).fc
    assert sum(parameter.numel() for parameter in layer.parameters()) == 4098
    assert studies.AZEMIN_ADJUDICATED.model == "resnet101" and studies.AZEMIN_ADJUDICATED.frozen


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Study A's layouts with synthetic radiographs: 40 NIH images of 20 patients, 38 normals, one
    COVID-19 image; some adjudicated.
    """
    root = tmp_path_factory.mktemp("nih")
    findings = ["Infiltration", "No Finding", "Mass|Edema", "No Finding"]
    listed = [
        image(patient, number, findings[patient % 4])
        for patient in range(1, 21)
        for number in (0, 1)
    ]
    write(root / FULL / chestxray14.LIST, listed)
    read = [
        image(
            p,
            0,
            findings[p % 4],
            opacity="YES" if p % 2 == 0 else "NO",
            set="val" if p < 7 else "test",
        )
        for p in range(1, 13)
    ]
    write(root / FULL / chestxray14.ADJUDICATED, read)
    (root / "PHANTOM.txt").write_text("synthetic\n")
    (root / "covid-chestxray-dataset").mkdir()
    (root / "covid-chestxray-dataset" / "metadata-2020-04-06-29e0b70.csv").write_bytes(
        table(row(1))
    )
    files = [f"{FULL}/images_001/images/{line[0]}" for line in listed] + [
        f"rsna-normal/images/Normal-{n}.png" for n in range(38)
    ]
    for number, name in enumerate([*files, "covid-chestxray-dataset/images/p1.png"]):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        kind = (
            "bilateral"
            if "p1" in name or (number < 40 and findings[(number // 2 + 1) % 4] != "No Finding")
            else "none"
        )
        Image.fromarray(
            phantom.radiograph(np.random.default_rng(number), kind, size=64).image
        ).save(file)
    return root


def test_standin_run_from_images_to_record(data, tmp_path, monkeypatch):
    """Whole, on synthetic images in the real layouts: trained on opacity, tested as COVID-19."""
    monkeypatch.setattr(chestxray14.importlib.util, "find_spec", lambda name, *more: None)
    experiment = studies.AZEMIN_STANDIN.variant(
        "phantom-azemin", model="slim", size=64, epochs=2, pretrained=False
    )
    seen, real = [], fit.fit  # what training looks at
    monkeypatch.setattr(
        fit, "fit", lambda *args, **named: seen.append(np.array(args[1])) or real(*args, **named)
    )
    settings = {
        "data": data,
        "results": tmp_path / "results",
        "device": "cpu",
        "progress": False,
        "keep_maps": False,
        "precision": "float32",  # in which features are those of the model, digit for digit
    }
    folder = training.train(experiment, work=tmp_path / "work", **settings)
    found = records.read_record(folder)
    assert found.classes == ["covid", "none"] and found.info["trained_classes"] == [
        "opacity",
        "none",
    ]
    assert found.predictions["y_true"].value_counts().to_dict() == {"none": 38, "covid": 1}
    assert (
        set(found.validation["y_true"]) == {"opacity", "none"} and "p_opacity" in found.validation
    )
    assert found.info["epochs"] == {
        "planned": 2,
        "run": 2,
        "kept": 2,
        "reason": "schedule complete (2 epochs)",
    }
    ready = training.prepare(experiment, data)
    test = ready.rows.index[ready.rows["split"] == "test"]
    log_p = fit.predict(resnet.recorded(folder, found.info), ready.pixels[test])
    assert_near(
        log_p, np.log(found.predictions[["p_covid", "p_none"]]), apart()
    )  # the body as it started, the last layer from head.npz
    lacked = " ".join(found.info["lacked"])
    assert "stand-in" in lacked and "ResNet-50, not ResNet-101" in lacked and "phantom" in lacked
    with best_epoch(1):
        best = dataclasses.replace(experiment, name="phantom-azemin-best", keep="best")
        made = training.train(best, work=tmp_path / "work", **settings)
        history = records.read_record(made).history
    assert history["test_loss"].notna().all(), "of the kept epoch and of the last"
    assert history["test_loss"].iloc[1] == found.history["test_loss"].iloc[1]
    again = dataclasses.replace(experiment, name="phantom-azemin-bn", batch_norm="re-estimated")
    other = records.read_record(training.train(again, work=tmp_path / "work", **settings))
    net = resnet.build("slim", 2, None, experiment.seed)
    np.testing.assert_array_equal(seen[0], frozen.extract(net, ready.pixels))
    frozen.reestimate(net, ready.pixels[ready.rows["split"] == "train"])
    np.testing.assert_array_equal(seen[2], frozen.extract(net, ready.pixels))
    assert (seen[2] != seen[0]).any(axis=1).all()
    with pytest.raises(
        InputError,
        match="batch normalisation was re-estimated on images that are not in the record",
    ):
        resnet.recorded(other.folder, other.info)


def test_the_papers_own_rule_runs_in_the_layout_of_the_full_download(data, tmp_path, monkeypatch):
    monkeypatch.setattr(chestxray14.importlib.util, "find_spec", lambda name, *more: None)
    monkeypatch.setattr(
        cheazemin2020.split,
        "__kwdefaults__",
        {**cheazemin2020.split.__kwdefaults__, "negatives": 8},
    )
    experiment = studies.AZEMIN_ADJUDICATED.variant(
        "phantom-adjudicated", model="slim", size=64, epochs=1, pretrained=False
    )
    folder = training.train(
        experiment,
        data=data,
        results=tmp_path / "results",
        work=tmp_path / "work",
        device="cpu",
        progress=False,
    )
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert info["data"]["counts"]["train"] == {"opacity": 3, "none": 3, "covid": 0}
    assert info["data"]["counts"]["val"] == {"opacity": 3, "none": 3, "covid": 0}
    assert info["data"]["counts"]["test"] == {"opacity": 0, "none": 8, "covid": 1}


def test_batch_norm_must_be_one_of_two():
    with pytest.raises(InputError, match="batch_norm must be kept or re-estimated, not 'gone'"):
        studies.AZEMIN_STANDIN.variant("x", batch_norm="gone")

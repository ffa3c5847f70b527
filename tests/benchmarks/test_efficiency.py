"""Ways of running a network agree with plain PyTorch, what cannot run is named, and the record says
what was measured. How fast it is no test says.
"""

import builtins
import json
import re

import numpy as np
import pandas as pd
import pytest
import slim  # noqa: F401  (makes the network of that name)
import torch
from rounding import apart, assert_near
from sklearn.metrics import roc_auc_score
from test_frozen import data  # noqa: F401  (a fixture: Study A's layouts with synthetic radiographs)

from benchmarks import efficiency
from companion import studies
from companion.studies import training
from cxrlib import records
from cxrlib.data import chestxray14
from cxrlib.files import InputError
from cxrlib.transfer import augment, resnet

CPU = torch.device("cpu")
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 32, 32), dtype=np.uint8)


class Small(torch.nn.Module):
    """A convolution, a normalisation, a pool and two scores: compiles in seconds."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.body = torch.nn.Sequential(
                torch.nn.Conv2d(3, 8, 3),
                torch.nn.BatchNorm2d(8),
                torch.nn.ReLU(),
                torch.nn.AdaptiveAvgPool2d(1),
            )
            self.fc = torch.nn.Linear(8, 2)

    def forward(self, x):
        return self.fc(self.body(x).flatten(1))


@pytest.fixture(scope="module")
def measured():
    return efficiency.measure(Small(), PIXELS, CPU, PIXELS[:8], seconds=0.01, repeats=2)


def test_every_way_gives_the_scores_of_plain_pytorch(measured):
    _, built, skipped = measured
    assert skipped == {}, "everything needed is in the test environment"
    with torch.no_grad():
        expected = Small().eval()(augment.prepare(PIXELS)).numpy()
    for key, way in built.items():
        found = efficiency.scores(way, PIXELS, 32)
        assert found.shape == (40, 2) and found.dtype == np.float32
        # two layers; int8 has 255 steps from end to end, so that each of the six roundings is off
        # by 1/255 of an end at most
        assert_near(
            found,
            expected,
            6 / 255 if key[1] == "int8" else apart(key[1], layers=2, terms=30 * 30),
            str(key),
        )
    assert len({key[1] for key in built}) == 3 and next(iter(built)) == (
        "PyTorch",
        "float32",
        "eager",
    )


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_int8_but_for_the_first_convolutions(kept):
    import openvino

    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3), torch.nn.ReLU()
    ).eval()
    model = openvino.convert_model(
        net, example_input=torch.zeros(1, 3, 32, 32), input=[-1, 3, 32, 32]
    )
    nodes = efficiency._int8(model, PIXELS[:8], kept).get_ordered_ops()
    fed_by = [
        node.input_value(0).get_node().get_type_name()
        for node in nodes
        if node.get_type_name() == "Convolution"
    ]
    assert [name == "FakeQuantize" for name in fed_by] == [place >= kept for place in range(2)], (
        fed_by
    )


def test_rates_are_of_every_way_and_batch(measured):
    rows, built, _ = measured
    assert {(row["library"], row["format"], row["how"]) for row in rows} == set(built)
    assert sorted(row["batch"] for row in rows) == sorted([*efficiency.BATCHES] * len(built))
    assert all(0 < row["low"] <= row["per_minute"] <= row["high"] for row in rows)


def test_rate_is_images_over_minutes():
    seen = []
    found = efficiency.rate(lambda pixels: seen.append(pixels.shape), PIXELS, 16, 0.05)
    assert set(seen) == {(16, 32, 32)}, "whole batches only"
    assert found <= 60 * 16 * len(seen) / 0.05


def test_a_library_that_is_not_there_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *more, **named):
        if name.startswith("openvino"):
            raise ModuleNotFoundError("no openvino", name="openvino")
        return real(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(
        torch,
        "compile",
        lambda *given, **named: (_ for _ in ()).throw(RuntimeError("no compiler\nlong story")),
    )
    rows, built, skipped = efficiency.measure(
        Small(), PIXELS, CPU, PIXELS[:8], seconds=0, repeats=1
    )
    assert len(built) == 3 and len(rows) == 6
    assert (
        skipped["OpenVINO int8 compiled, calibrated"] == "needs openvino: pip install openvino nncf"
    )
    assert skipped["PyTorch float32 torch.compile"] == "no compiler"


@pytest.fixture
def small(data, tmp_path, monkeypatch):  # noqa: F811
    """A small stand-in run, and the four plain ways only: the rest is tested above."""
    monkeypatch.setattr(chestxray14.importlib.util, "find_spec", lambda name, *more: None)
    whole = efficiency.ways
    monkeypatch.setattr(efficiency, "ways", lambda *given: dict(list(whole(*given).items())[:3]))
    monkeypatch.setattr(efficiency, "BATCHES", (1, 4))
    experiment = studies.AZEMIN_STANDIN.variant(
        "phantom-small", model="slim", size=64, epochs=1, pretrained=False
    )
    monkeypatch.setattr(studies, "AZEMIN_ADJUDICATED", experiment)
    monkeypatch.setattr(studies, "experiment", lambda name: experiment)
    training.train(
        experiment,
        data=data,
        results=tmp_path,
        work=tmp_path / "work",
        device="cpu",
        precision="float32",  # of the features, too, so that the eager way gives the recorded ones
        progress=False,
    )
    return data, tmp_path


def test_record_holds_auc_of_each_way_on_the_same_images(small, monkeypatch):
    root, results = small
    compared, agrees = [], efficiency.agrees
    monkeypatch.setattr(
        efficiency, "agrees", lambda *given: compared.append(given[:2]) or agrees(*given)
    )
    file = efficiency.write(
        "phantom-small", root, "cpu", results=results, seconds=0.01, say=lambda text: None
    )
    info = json.loads(file.read_text(encoding="utf-8"))
    run = records.read_record(results / "phantom-small")
    truth = run.predictions["y_true"] == "covid"
    assert file.parent == results / "efficiency" and re.fullmatch(
        r"cpu-[a-z0-9-]+[a-z0-9]\.json", file.name
    )
    assert (info["test_images"], info["positives"]) == (len(truth), truth.sum())
    assert {item["patients_low"] for item in info["agreement"]} == {None}, (
        "one positive has no interval"
    )
    recorded = run.predictions.set_index("image_id")[["p_covid", "p_none"]]
    assert len(compared) == len(info["agreement"]) == 3
    for item, (p, plain) in zip(info["agreement"], compared, strict=True):
        assert plain is compared[0][0] and sorted(p["image_id"]) == sorted(recorded.index)
        assert item["auc"] == pytest.approx(
            roc_auc_score(p["y_true"] == "covid", p["p_covid"]), abs=1e-12
        )
        assert item["largest_difference"] == (p["p_covid"] - plain["p_covid"]).abs().max()
        assert_near(
            np.log(p[["p_covid", "p_none"]]),
            np.log(recorded.loc[p["image_id"]]),
            2 * apart(item["format"]),
            item["how"],
        )
    assert {row["network"] for row in info["rates"]} == {"slim"} and len(info["rates"]) == 6
    assert (
        info["device"]["threads"] == torch.get_num_threads()
        and info["device"]["name"] == efficiency.processor()
    )
    limited = json.loads(
        efficiency.write(
            "phantom-small", root, "cpu", results=results, limit=5, seconds=0.01, say=print
        ).read_text(encoding="utf-8")
    )
    assert (limited["test_images"], limited["positives"]) == (5, 1), (
        "the positives are not left out"
    )


def test_agreement_with_the_plain_way():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(200)],
            "patient_id": [f"p{k}" for k in range(200)],
            "source": "",
            "split": "test",
        }
    )
    frame["y_true"] = np.where(np.arange(200) < 40, "covid", "none")
    plain, other = (
        frame.assign(p_covid=p, p_none=1 - p)
        for p in np.clip([0.4 + 0.2 * (np.arange(200) < 40)] + rng.normal(0, 0.2, (2, 200)), 0, 1)
    )
    found = efficiency.agrees(other, plain, "covid")
    area = [roc_auc_score(frame["y_true"] == "covid", each["p_covid"]) for each in (other, plain)]
    assert found["auc"] == pytest.approx(area[0]) and found["change"] == pytest.approx(
        area[0] - area[1]
    )
    assert found["patients_low"] < found["change"] < found["patients_high"]
    assert (
        found["other_answers"] == ((plain["p_covid"] >= 0.5) != (other["p_covid"] >= 0.5)).sum() > 0
    )
    same = efficiency.agrees(plain, plain, "covid")
    assert [same[name] for name in ("change", "largest_difference", "other_answers")] == [0] * 3
    assert same["patients_low"] is same["patients_high"] is None, (
        "nothing varies, which is not estimable"
    )


def test_other_images_are_refused(small, phantom_data):
    root, results = small
    file = results / "phantom-small" / "run.json"
    info = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(info | {"data": {**info["data"], "fingerprint": "0"}}))
    with pytest.raises(InputError, match="other images than those of the record phantom-small"):
        efficiency.write("phantom-small", root, "cpu", results=results)
    assert not (results / "efficiency").exists()


@pytest.mark.parametrize(
    "wrong",
    [{"seconds": 0}, {"seconds": -1}, {"seconds": float("nan")}, {"limit": 1}, {"limit": -3}],
)
def test_no_time_and_no_images_are_refused_at_once(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        efficiency.write("azemin-standin-resnet50", "nowhere", "cpu", **wrong)


def test_processor_has_a_name():
    assert efficiency.processor()


def test_network_of_the_paper_runs_every_way_it_can():
    """ResNet-101, whole, in one way: shape and layout as the stand-in's."""
    way = efficiency._torch(resnet.build("resnet101", 2), CPU, last=True)
    assert efficiency.scores(way, PIXELS[:1], 1).shape == (1, 2)

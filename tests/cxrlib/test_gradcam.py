"""Maps against captum, pytorch_grad_cam and the formula worked out; what a call leaves behind;
scores by hand.
"""

import copy
import math

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from rounding import UNIT, apart

from cxrlib import Config, gradcam, inference
from cxrlib.files import InputError
from cxrlib.transfer import augment, fit

TARGETS = [0, 3, [0, 3, 1, 2, 3], None]
LAYERS = ["layer3", "layer4", "layer4.0.conv2", "layer2.1.conv1", "layer4.0.downsample"]


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    """A random ResNet-18 with four classes whose batch norms have seen images, so that they are no
    identities.

    In double precision, so that maps that nearly cancel can be compared, too.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = torchvision.models.resnet18(num_classes=4)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 1:  # batch norm
                    parameter.add_(0.3 * torch.randn_like(parameter))
            model.fc.weight.copy_(torch.randn_like(model.fc.weight))
            for _ in range(3):
                model(torch.randn(4, 3, 64, 64))
    return model.eval().double()


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return torch.randn(5, 3, 96, 64, generator=torch.Generator().manual_seed(5)).double()


def numbers(model, x, target) -> list[int]:
    """One class number per image, whatever form ``target`` has."""
    with torch.no_grad():
        return (
            model(x).argmax(1).tolist()
            if target is None
            else [target] * len(x)
            if isinstance(target, int)
            else target
        )


def agree(got: torch.Tensor, want: torch.Tensor, tolerance: float = UNIT["float32"]) -> None:
    assert got.dtype == torch.float32 and got.shape == want.shape
    assert want.max() > 0
    assert float((got - want).abs().max()) <= tolerance * float(want.max())


def state(model) -> list:
    """All that a call might leave behind: mode, hooks and gradients of every part."""
    parts = [
        (m.training, len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks))
        for m in model.modules()
    ]
    return parts + [(p.requires_grad, p.grad is None) for p in model.parameters()]


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("layer", LAYERS)
def test_maps_equal_captum(model, x, layer, target):
    captum = pytest.importorskip("captum.attr")
    oracle = captum.LayerGradCam(model, model.get_submodule(layer))
    want = oracle.attribute(x, numbers(model, x, target), relu_attributions=True)[:, 0].detach()
    agree(gradcam.cams(model, x, target, layer), want)


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("layer", LAYERS)
def test_maps_equal_pytorch_grad_cam(model, x, layer, target):
    library = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model, targets = (
        copy.deepcopy(model),
        [ClassifierOutputTarget(number) for number in numbers(model, x, target)],
    )
    got = gradcam.cams(model, x, target, layer)
    with library.GradCAM(model=model, target_layers=[model.get_submodule(layer)]) as cam:
        scaled = cam(
            input_tensor=x, targets=targets
        )  # each map scaled to 0…1 and to the picture's size
        kept = cam.activations_and_grads
        raw = cam.get_cam_image(
            x, None, targets, kept.activations[0].numpy(), kept.gradients[0].numpy()
        )
    agree(got, torch.from_numpy(raw).relu())
    large = gradcam.resize(got.numpy(), (96, 64))
    large -= large.min((1, 2), keepdims=True)
    np.testing.assert_allclose(
        large / large.max((1, 2), keepdims=True).clip(1e-30), scaled, atol=1e-4
    )  # they scale in float32, with 1e-7 added


def test_layers_whose_output_is_overwritten_next(model, x):
    """bn1 is followed by a ReLU in place and bn2 by ``+=``: the maps are of the output as it
    was.
    """
    for layer, batchnorm in (("bn1", model.bn1), ("layer4.1.bn2", model.layer4[1].bn2)):
        seen = []
        handle = batchnorm.register_forward_hook(
            lambda module, inputs, output, seen=seen: seen.append(output.detach().clone())
        )
        got = gradcam.cams(model, x, 2, layer)
        handle.remove()
        values = seen[0].clone().requires_grad_()
        handle = batchnorm.register_forward_hook(
            lambda module, inputs, output, values=values: values * 1
        )
        model(x)[:, 2].sum().backward(inputs=[values])
        handle.remove()
        agree(got, (values.grad.mean((2, 3), keepdim=True) * seen[0]).sum(1).relu())


def test_layer4_is_class_activation_mapping(model, x):
    """After layer4 come mean and linear layer, so dy/dA is w / (h w) everywhere and the map
    ReLU(sum_k w_k A_k) / (h w).
    """
    with torch.no_grad():
        a = torch.nn.Sequential(*list(model.children())[:-2])(x)  # (B, 512, 3, 2)
        want = (
            torch.stack([(model.fc.weight[1][:, None, None] * one).sum(0) for one in a]).relu() / 6
        )
    agree(gradcam.cams(model, x, 1), want)


def test_single_precision_and_channels_last_give_the_same_maps(model, x):
    single = copy.deepcopy(model).float()
    for layer in ("layer3", "layer4"):
        want = gradcam.cams(model, x, None, layer)
        agree(gradcam.cams(single, x.float(), None, layer), want, apart())
        last = copy.deepcopy(single).to(memory_format=torch.channels_last)
        agree(
            gradcam.cams(
                last, x.float().contiguous(memory_format=torch.channels_last), None, layer
            ),
            want,
            apart(),
        )


def test_a_batch_is_its_images_one_by_one(model, x):
    together = gradcam.cams(model, x, [2, 0, 1, 1, 3], "layer3")
    singly = torch.cat(
        [
            gradcam.cams(model, one[None], c, "layer3")
            for one, c in zip(x, [2, 0, 1, 1, 3], strict=True)
        ]
    )
    agree(together, singly)


def test_forms_of_target_mean_the_same(model, x):
    want = gradcam.cams(model, x, [3, 0, 0, 2, 1])
    for target in (
        torch.tensor([3, 0, 0, 2, 1]),
        np.array([3, 0, 0, 2, 1], np.uint8),
        pd.Series([3, 0, 0, 2, 1], index=range(7, 12)),
    ):
        assert torch.equal(gradcam.cams(model, x, target), want)
    assert torch.equal(gradcam.cams(model, x, np.int64(2)), gradcam.cams(model, x, [2] * 5))
    assert not torch.equal(want, gradcam.cams(model, x, 3))


def test_nothing_is_left_behind(model, x):
    model = copy.deepcopy(model).eval()
    model.layer2.requires_grad_(False)
    before, values = state(model), copy.deepcopy(model.state_dict())
    want = gradcam.cams(model, x, 1, "layer3")
    assert not want.requires_grad and not x.requires_grad and torch.is_grad_enabled()
    assert state(model) == before
    assert all(
        torch.equal(value, values[key]) for key, value in model.state_dict().items()
    )  # batch norm's means, too
    assert torch.equal(want, gradcam.cams(model.train(), x, 1, "layer3")) and not model.training


def test_a_failure_in_the_forward_pass_leaves_nothing_behind(model, x):
    model = copy.deepcopy(model).eval()

    def fail(module, inputs):
        raise RuntimeError("out of luck")

    for where in (model.layer2, model.avgpool):  # before the layer and after it
        handle = where.register_forward_pre_hook(fail)
        before = state(model)
        with pytest.raises(RuntimeError, match="out of luck"):
            gradcam.cams(model, x, 1, "layer3")
        assert state(model) == before and torch.is_grad_enabled()
        handle.remove()


def test_the_callers_gradient_mode_does_not_matter(model, x):
    want = gradcam.cams(model, x, None, "layer3")
    with torch.no_grad():
        assert torch.equal(gradcam.cams(model, x, None, "layer3"), want)
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        assert torch.equal(gradcam.cams(model, x + 0, None, "layer3"), want)
        assert torch.is_inference_mode_enabled()
    frozen = copy.deepcopy(model).requires_grad_(False)
    assert torch.equal(gradcam.cams(frozen, x, None, "layer3"), want)


def test_gradients_that_were_there_stay(model, x):
    model = copy.deepcopy(model)
    model(x).sum().backward()
    before = [parameter.grad.clone() for parameter in model.parameters()]
    gradcam.cams(model, x, 0, "layer2")
    assert all(
        torch.equal(parameter.grad, grad)
        for parameter, grad in zip(model.parameters(), before, strict=True)
    )


def test_nothing_before_the_layer_is_recorded(model, x):
    """A late layer's maps store activations of what follows it only, which is where the speed comes
    from.
    """
    model, saved = copy.deepcopy(model), []
    recording = {}
    for name in ("layer1", "layer3", "layer4", "fc"):
        model.get_submodule(name).register_forward_hook(
            lambda m, i, out, name=name: recording.update({name: out.requires_grad})
        )
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        gradcam.cams(model, x, 0, "layer4")
    assert recording == {"layer1": False, "layer3": False, "layer4": False, "fc": True}
    assert not [t for t in saved if t.dim() == 4 and t.shape[1:2] == (64,)]


@pytest.mark.parametrize(
    "change, words",
    [
        ({"layer": "layer9"}, "layer 'layer9' does not exist; there are conv1, bn1"),
        ({"layer": "fc"}, "layer 'fc' does not give"),
        ({"layer": ""}, "does not give"),
        ({"layer": "layer4.1.relu"}, "layer 'layer4.1.relu' runs 2 times"),
        ({"target": 4}, "class number from 0 to 3"),
        ({"target": -1}, "class number from 0 to 3"),
        ({"target": [0, 1, 2, 3, 4]}, "class number from 0 to 3"),
        ({"target": [0, 1]}, "one class number or 5, one per image"),
        ({"target": [[0], [1], [2], [3], [0]]}, "one class number or 5"),
        ({"target": [0.5] * 5}, "one class number or 5"),
        ({"target": "covid"}, "one class number or 5"),
    ],
    ids=str,
)
def test_bad_arguments_are_named(model, x, change, words):
    before = state(model)
    with pytest.raises(InputError, match=words) as caught:
        gradcam.cams(model, x, **({"target": 0} | change))
    assert "\n" not in str(caught.value)
    assert state(model) == before and torch.is_grad_enabled()


def test_a_layer_that_does_not_run_is_named(model, x):
    model = copy.deepcopy(model)
    model.spare = torch.nn.Conv2d(3, 3, 1)
    with pytest.raises(InputError, match="layer 'spare' runs 0 times"):
        gradcam.cams(model, x, 0, "spare")


def test_pixels_are_prepared_as_for_a_prediction(model):
    model = copy.deepcopy(model).float()
    pixels = np.random.default_rng(1).integers(0, 256, (7, 64, 64), dtype=np.uint8)
    pixels.flags.writeable = False  # as the memory-mapped cache is
    grey = (torch.tensor(pixels)[:, None].expand(-1, 3, -1, -1) / 255).float()
    x = torchvision.transforms.functional.normalize(
        grey, augment.IMAGENET_MEAN, augment.IMAGENET_STD
    )
    for target in (2, [0, 1, 2, 3, 0, 1, 2], None):
        got = gradcam.grad_cam(model, pixels, target, "layer3", batch=3)
        assert isinstance(got, np.ndarray)
        agree(torch.from_numpy(got), gradcam.cams(model, x, target, "layer3"), apart())
    predicted = fit.predict(model, pixels).argmax(1)
    assert len(set(predicted)) > 1
    assert np.array_equal(
        gradcam.grad_cam(model, pixels, None), gradcam.grad_cam(model, pixels, predicted)
    )


@pytest.mark.parametrize(
    "shape, kind", [((64, 64, 3), "u1"), ((2, 64, 64), "f4"), ((2, 3, 64, 64), "u1")]
)
def test_what_is_no_grey_image_is_refused(model, shape, kind):
    """Colour was read as 64 images of 64 x 3, and fractions as black."""
    single, pixels = copy.deepcopy(model).float(), np.zeros(shape, kind)
    for asked in (
        lambda: gradcam.grad_cam(single, pixels, 1),
        lambda: inference.predict(single, pixels, device="cpu"),
        lambda: fit.fit(Config(classes=("a", "b")), pixels, np.array(["a"]), np.array(["train"])),
    ):
        with pytest.raises(InputError, match=r"grey images, uint8 .* not \w+ \(.*convert\('L'\)"):
            asked()


def test_one_image_is_a_row_of_one(model):
    single, pixels = copy.deepcopy(model).float(), np.eye(64, dtype=np.uint8)
    for of in (
        lambda pixels: gradcam.grad_cam(single, pixels, 1),
        lambda pixels: inference.predict(single, pixels, device="cpu"),
    ):
        assert len(of(pixels)) == 1 and np.array_equal(of(pixels), of(pixels[None]))


def test_no_image_gives_no_map(model):
    single = copy.deepcopy(model).float()
    for target in (None, 1, []):
        got = gradcam.grad_cam(single, np.zeros((0, 96, 64), np.uint8), target)
        assert got.shape == (0, 3, 2) and got.dtype == np.float32
    assert gradcam.resize(got, (96, 64)).shape == (0, 96, 64)
    scores = gradcam.localise(got, np.zeros((0, 96, 64), bool))
    assert list(scores) == ["region", "inside", "peak", "iou"] and len(scores) == 0
    with pytest.raises(InputError, match="one class number or 2"):
        gradcam.grad_cam(model, np.zeros((2, 64, 64), np.uint8), [1])


def test_resize_is_interpolation_between_cell_centres():
    maps = np.random.default_rng(2).random((3, 7, 5)).astype(np.float32)
    want = F.interpolate(
        torch.from_numpy(maps)[:, None], (28, 30), mode="bilinear", align_corners=False
    )[:, 0].numpy()
    assert np.array_equal(gradcam.resize(maps, (28, 30)), want)
    # cells centred at 1 and 3 of a row of 4 pixels centred at 0.5, 1.5, 2.5 and 3.5
    np.testing.assert_allclose(
        gradcam.resize(np.array([[[0.0, 1.0]]]), (1, 4)), [[[0, 0.25, 0.75, 1]]]
    )
    assert (
        gradcam.resize(maps.astype(np.float16), (9, 9)).dtype == np.float32
    )  # as stored in cams.npz


def test_localise_by_hand():
    """A 1 x 2 map [0, 1] on 2 x 4 pixels is 0, 1/4, 3/4, 1 in each row; the peak's cell is centred
    at row 1, column 3.
    """
    cams = np.array([[[0.0, 1.0]]] * 4)
    regions = np.zeros((4, 2, 4), bool)
    regions[0, :, 3] = True  # the last column
    regions[1, 0, 1:] = True  # three pixels of the upper row
    regions[2, :, :2] = True  # the left half
    got = gradcam.localise(cams, regions)
    want = pd.DataFrame(
        {
            "region": [2 / 8, 3 / 8, 4 / 8, 0.0],
            "inside": [2 / 4, 2 / 4, 0.5 / 4, 0.0],
            "peak": [1.0, 0.0, 0.0, 0.0],
            "iou": [2 / 4, 2 / 5, 0 / 8, 0.0],  # columns 2 and 3, four pixels, are above a half
        }
    )
    pd.testing.assert_frame_equal(got, want)


def test_peak_is_the_strongest_cells_centre():
    cams = np.zeros((2, 7, 7), np.float32)
    cams[:, 2, 4] = 1.0
    regions = np.zeros((2, 224, 224), bool)
    regions[0, 80, 144] = True  # (2 + 1/2) 32 and (4 + 1/2) 32
    regions[1] = ~regions[0]
    assert gradcam.localise(cams, regions)["peak"].tolist() == [1.0, 0.0]


def test_a_map_without_activation_has_no_scores():
    regions = np.zeros((2, 8, 8), bool)
    regions[0, :4] = True
    got = gradcam.localise(np.zeros((2, 2, 2), np.float32), regions)
    assert got["region"].tolist() == [0.5, 0.0]
    assert got[["inside", "peak", "iou"]].isna().all(axis=None)
    assert math.isnan(
        gradcam.localise(np.full((1, 2, 2), np.nan, np.float32), regions[:1])["peak"][0]
    )


@pytest.mark.parametrize(
    "cams, regions",
    [
        (np.ones((2, 3, 3)), np.ones((3, 8, 8), bool)),
        (np.ones(3), np.ones(8, bool)),
        (np.ones((2, 3, 3)), np.ones((8, 8), bool)),
        (np.ones((2, 3, 3)), np.full((2, 8, 8), 255, np.uint8)),
    ],
)
def test_regions_that_do_not_fit_are_named(cams, regions):
    with pytest.raises(InputError, match="need regions"):
        gradcam.localise(cams, regions)


def test_one_map_is_as_good_as_many():
    cam, region = np.arange(12.0).reshape(3, 4), np.arange(48).reshape(6, 8) % 3 > 0
    pd.testing.assert_frame_equal(
        gradcam.localise(cam, region), gradcam.localise(cam[None], region[None])
    )


maps = st.integers(1, 2**32).map(
    lambda seed: np.random.default_rng(seed).random((1, 7, 5)).astype(np.float32) ** 3
)
masks = st.tuples(st.integers(1, 2**32), st.floats(0, 1)).map(
    lambda t: np.random.default_rng(t[0]).random((1, 28, 33)) < t[1]
)


@settings(max_examples=60)
@given(cams=maps, region=masks, level=st.floats(1e-6, 1e6), power=st.integers(-20, 20))
def test_properties_of_localise(cams, region, level, power):
    even = gradcam.localise(np.full_like(cams, level), region).iloc[0]
    np.testing.assert_allclose(even["inside"], even["region"], atol=1e-6)
    np.testing.assert_allclose(
        even["iou"], even["region"], atol=1e-12
    )  # all pixels are at least half the maximum
    got = gradcam.localise(cams, region)
    assert ((got >= 0) & (got <= 1)).all(axis=None)
    pd.testing.assert_frame_equal(gradcam.localise(cams * np.float32(2.0**power), region), got)
    rest = gradcam.localise(cams, ~region)
    np.testing.assert_allclose(
        got[["region", "inside", "peak"]] + rest[["region", "inside", "peak"]], 1, atol=1e-9
    )
    whole = gradcam.localise(cams, np.ones_like(region)).iloc[0]
    np.testing.assert_allclose(whole[["region", "inside", "peak"]], 1, atol=1e-12)


@settings(max_examples=40)
@given(cams=maps, region=masks)
def test_localise_of_the_maps_own_hot_part_is_perfect(cams, region):
    large = gradcam.resize(cams, region.shape[1:])
    hot = large >= large.max() / 2
    assert gradcam.localise(cams, hot)["iou"][0] == 1
    assert gradcam.localise(cams, hot)["inside"][0] >= hot.mean()


def test_randomised_goes_from_the_top_down(model, x):
    model = copy.deepcopy(model).train()
    values, generator = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    stages = dict(gradcam.randomised(model, seed=4))
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(value, values[key]) for key, value in model.state_dict().items())
    assert list(stages) == ["fc", "layer4", "layer3", "layer2", "layer1", "conv1"]
    done: tuple[str, ...] = ()
    for stage, drawn in stages.items():
        done += (stage,) if stage != "conv1" else ("conv1", "bn1")
        for key, value in drawn.state_dict().items():
            if key.split(".")[0] in done:
                assert not torch.equal(value, values[key]), (stage, key)
            else:
                assert torch.equal(value, values[key]), (stage, key)
        assert drawn.training
    for stage, later in zip(
        list(stages), list(stages)[1:], strict=False
    ):  # what was drawn once stays
        before, after = (stages[name].get_submodule(stage).state_dict() for name in (stage, later))
        assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_randomised_draws_as_torchvision_does(model):
    *_, (_, drawn) = gradcam.randomised(model, seed=1)
    for name, module in drawn.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            expected = math.sqrt(
                2 / (module.out_channels * module.kernel_size[0] * module.kernel_size[1])
            )
            weight, n = (
                module.weight.detach(),
                module.weight.numel(),
            )  # mean and sd within five standard errors
            assert abs(float(weight.mean())) < 5 * expected / math.sqrt(n), name
            assert abs(float(weight.std()) / expected - 1) < 5 / math.sqrt(2 * n), name
        elif isinstance(module, torch.nn.BatchNorm2d):
            fresh = torch.nn.BatchNorm2d(module.num_features).state_dict()
            assert all(
                torch.equal(value, fresh[key]) for key, value in module.state_dict().items()
            ), name
    assert 0.95 / math.sqrt(512) < float(drawn.fc.weight.detach().abs().max()) <= 1 / math.sqrt(512)
    assert float(drawn.fc.bias.detach().abs().max()) <= 1 / math.sqrt(512)


def test_randomised_is_its_seed_whatever_the_memory_layout(model):
    def last(model, seed):
        *_, (_, drawn) = gradcam.randomised(model, seed)
        return drawn.state_dict()

    want = last(model, 0)
    same = last(copy.deepcopy(model).to(memory_format=torch.channels_last), 0)
    assert all(torch.equal(value, same[key]) for key, value in want.items())
    other = last(model, 1)
    assert not torch.equal(other["fc.weight"], want["fc.weight"]) and not torch.equal(
        other["conv1.weight"], want["conv1.weight"]
    )


def test_randomised_layers_change_the_maps(model, x):
    original = gradcam.cams(model, x, 0, "layer3")
    for stage, drawn in gradcam.randomised(model):
        maps = gradcam.cams(drawn, x, 0, "layer3")
        assert float((maps - original).abs().max()) > 0.05 * float(original.max()), stage

"""Grad-CAM: where in the picture a class score comes from, how much of that lies in a region, and a
check of the maps.

Selvaraju et al. 2017, doi 10.1109/ICCV.2017.74. With A the output of a layer, (K, h, w), and y the
score of class c before softmax: ``alpha_k = 1/(h w) sum_ij dy/dA_kij`` and ``map = ReLU(sum_k
alpha_k A_k)``. A map says what the score depends on, not what is ill.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from cxrlib.data import radiographs
from cxrlib.files import InputError
from cxrlib.transfer import augment

STAGES = ("fc", "layer4", "layer3", "layer2", "layer1", "conv1")  # of a ResNet, from last to first


@torch.inference_mode(False)  # what is made in inference mode cannot be differentiated
def cams(
    model: torch.nn.Module,
    x: torch.Tensor,
    target: int | Sequence[int] | torch.Tensor | None,
    layer: str = "layer4",
) -> torch.Tensor:
    """:func:`grad_cam` of images ``(B, 3, H, W)`` standardised as the model expects, as a tensor.

    Nothing before the layer is differentiated or kept in memory, so maps of a late layer cost
    little more than a prediction. The model is put into evaluation mode.
    :class:`InputError` for no such layer, class or number of classes, or a layer that runs not once
    or gives another shape.
    """
    wanted, leaves = _targets(target, len(x)), []
    if any(values.is_inference() for values in model.state_dict().values()):
        model = copy.deepcopy(model)  # which makes usual tensors of them
    try:
        module = model.get_submodule(layer)
    except AttributeError:
        names = ", ".join(name for name, _ in model.named_children())
        raise InputError(f"gradcam: layer {layer!r} does not exist; there are {names} …") from None

    def cut(module, inputs, output):
        """Start differentiating at the layer's output."""
        if not isinstance(output, torch.Tensor) or output.dim() != 4:
            what = "does not give (B, K, h, w); choose one before the pooling"
            raise InputError(f"gradcam: layer {layer!r} {what}")
        leaves.append(output.detach().requires_grad_())
        torch.set_grad_enabled(True)  # until no_grad below ends
        return leaves[-1].clone()  # what follows may write into it

    with module.register_forward_hook(cut), torch.no_grad():
        # (B, C); on a CPU a quarter faster
        scores = model.eval()(x.contiguous(memory_format=torch.channels_last))
        if len(leaves) != 1:
            raise InputError(f"gradcam: layer {layer!r} runs {len(leaves)} times, not once")
        wanted = scores.argmax(1).cpu() if wanted is None else wanted
        last = scores.shape[1] - 1
        if ((wanted < 0) | (wanted > last)).any():
            raise InputError(f"gradcam: target must be a class number from 0 to {last}")
        asked = scores.gather(1, wanted.to(scores.device)[:, None]).sum()
        (slopes,) = torch.autograd.grad(asked, leaves)  # (B, K, h, w)
        maps = torch.einsum("bk,bkhw->bhw", slopes.mean((2, 3)), leaves[0].detach())
        return maps.relu().float()


@torch.inference_mode(False)
def grad_cam(
    model: torch.nn.Module,
    pixels: np.ndarray | torch.Tensor,
    target: int | Sequence[int] | np.ndarray | None,
    layer: str = "layer4",
    batch: int = 32,
) -> np.ndarray:
    """Grad-CAM maps of images (Selvaraju et al. 2017, doi 10.1109/ICCV.2017.74).

    Parameters
    ----------
    model : torch.nn.Module
        Gives scores before softmax, ``(B, classes)``. It is put into evaluation mode.
    pixels : uint8 ``(N, H, W)``, or one image ``(H, W)``; or a tensor ``(N, 3, H, W)``
        Grey images, which are prepared as ImageNet's networks expect; a tensor is taken as it is.
    target : int, one int per image, or None
        Class number; None is each image's predicted class.
    layer : str
        A name of ``model.named_modules()`` whose output tells places apart; by default the last
        block of a ResNet.

    Returns
    -------
    numpy.ndarray
        float32 ``(N, h, w)``, not negative, not normalised; ``(1, h, w)`` of one image.

    Raises
    ------
    InputError
        No such layer or class; pixels that are no grey images of uint8.

    Examples
    --------
    >>> import torchvision
    >>> model = torchvision.models.resnet18(num_classes=2)
    >>> grad_cam(model, np.zeros((3, 64, 64), np.uint8), target=1).shape
    (3, 2, 2)
    """
    device = next(model.parameters()).device
    pixels = pixels if isinstance(pixels, torch.Tensor) else radiographs.grey(pixels)
    wanted, out = _targets(target, len(pixels)), []
    for start in range(0, max(len(pixels), 1), batch):
        x = pixels[start : start + batch]
        x = x.to(device) if isinstance(x, torch.Tensor) else augment.prepare(x, device)
        of = None if wanted is None else wanted[start : start + batch]
        out.append(cams(model, x, of, layer).cpu())
    return torch.cat(out).numpy()


def _targets(target, n: int) -> torch.Tensor | None:
    """Class numbers, int64 ``(n,)`` on the CPU."""
    if target is None:
        return None
    numbers = np.asarray(target.cpu() if isinstance(target, torch.Tensor) else target)
    if numbers.shape not in {(), (n,)} or (numbers.size and numbers.dtype.kind not in "iu"):
        raise InputError(
            f"gradcam: target must be one class number or {n}, one per image, not {numbers.dtype}"
            f" of shape {numbers.shape}"
        )
    return torch.from_numpy(np.broadcast_to(numbers, n).astype(np.int64))


def resize(cams: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Maps ``(N, h, w)`` to ``(N, *size)`` by bilinear interpolation between the centres of their
    cells.
    """
    maps = torch.from_numpy(np.array(cams, np.result_type(cams, np.float32)))
    return F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0].numpy()


def localise(cams: np.ndarray, regions: np.ndarray) -> pd.DataFrame:
    """How well maps fall on regions of their pictures.

    Parameters
    ----------
    cams : ``(N, h, w)``, or one map ``(h, w)``
        Of :func:`grad_cam`, not negative; coarser than the picture.
    regions : bool ``(N, H, W)``, or ``(H, W)``
        One region per map, in pixels of the picture.

    Returns
    -------
    pandas.DataFrame
        A row per map, all shares from 0 to 1. ``region``: share of the picture in the region, which
        is what ``inside`` would be by chance. ``inside``: share of the activation in the region.
        ``peak``: 1 if the strongest cell's centre lies in the region, else 0 (pointing game, Zhang
        et al. 2018, doi 10.1007/s11263-017-1059-x). ``iou``: intersection over union of the region
        and the pixels of at least half the highest activation. All but ``region`` are NaN for a map
        without activation.

    Raises
    ------
    InputError
        Not one region per map, or regions that are not bool.

    Examples
    --------
    >>> cam = np.array([[0.0, 0.0], [0.0, 1.0]])
    >>> right = np.zeros((8, 8), bool)
    >>> right[:, 4:] = True
    >>> localise(cam, right).round(2)
       region  inside  peak   iou
    0     0.5    0.88   1.0  0.47
    """
    cams, regions = np.asarray(cams), np.asarray(regions)
    if cams.ndim == regions.ndim == 2:
        cams, regions = cams[None], regions[None]
    if cams.ndim != 3 or regions.ndim != 3 or len(cams) != len(regions) or regions.dtype != bool:
        raise InputError(
            f"gradcam: maps {cams.shape} need regions (N, H, W) of bool, not {regions.shape} of"
            f" {regions.dtype}"
        )
    rows = [_shares(cam, region) for cam, region in zip(cams, regions, strict=True)]
    return pd.DataFrame(rows, columns=["region", "inside", "peak", "iou"], dtype=float)


def _shares(cam: np.ndarray, region: np.ndarray) -> list[float]:
    """One row of :func:`localise`."""
    if not cam.max() > 0:
        return [region.mean(), np.nan, np.nan, np.nan]
    large = resize(cam[None], region.shape)[0].astype(np.float64)  # (H, W)
    cell = np.array(np.unravel_index(cam.argmax(), cam.shape))
    row, column = ((cell + 0.5) * region.shape / cam.shape).astype(int)
    hot = large >= large.max() / 2
    overlap = (region & hot).sum() / (region | hot).sum()
    return [region.mean(), large[region].sum() / large.sum(), region[row, column], overlap]


def randomised(model: torch.nn.Module, seed: int = 0) -> Iterator[tuple[str, torch.nn.Module]]:
    """Copies of a torchvision ResNet with ever more random layers, from the last on: (stage,
    copy).

    The sanity check of Adebayo et al. 2018, arXiv 1810.03292: maps that stay the same do not show
    what was learnt. Convolutions are drawn as in torchvision (He normal, fan out), the linear layer
    as in torch; batch norm becomes the identity.
    """
    model, rng = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    for stage in STAGES:
        modules = [*getattr(model, stage).modules()]
        if stage == "conv1":
            modules.append(model.bn1)
        for module in modules:
            if isinstance(module, torch.nn.BatchNorm2d):
                module.reset_parameters()
                continue
            for values in module.parameters(recurse=False):
                # on the CPU: the same numbers whatever the model's device
                drawn = torch.empty(values.shape)
                if values.dim() == 4:
                    torch.nn.init.kaiming_normal_(drawn, mode="fan_out", generator=rng)
                else:
                    bound = module.in_features**-0.5
                    torch.nn.init.uniform_(drawn, -bound, bound, generator=rng)
                values.data.copy_(drawn)
        yield stage, copy.deepcopy(model)

"""What a network is made of, as a forward pass of it shows: ``results/networks/<name>.json``.

The book is built without torch, so its drawings of the networks read these files. A test compares
them with a new pass.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np

from companion import studies
from companion.options import read_yaml
from cxrlib.files import write_text

HEADS = (1000, 4, 2)  # classes: ImageNet's and those of the two studies


def trace(name: str = "resnet18", size: int = 224) -> dict:
    """Send one image (3, size, size) through a network with 1,000 classes and random weights, and
    note what it passes.

    ``modules`` holds the residual blocks and, after each, the layers in it, in the order they are
    called; a layer that is called twice stands there twice. Each has ``name``, ``type``, ``input``
    and ``output`` (shapes without the batch, channels first) and ``parameters`` (how many numbers
    are learned); convolutions and max-pooling also ``kernel``, ``stride`` and ``padding`` (height,
    width), blocks also ``downsample``: whether their shortcut has layers. ``parameters`` beside
    ``modules`` is the whole network's, ``fc`` that of its last layer by number of classes.

    Raises:
        InputError: no such network.
    """
    import torch
    from torchvision.models.resnet import BasicBlock, Bottleneck

    from cxrlib.transfer import resnet

    model, rows = resnet.build(name, HEADS[0]).eval(), []
    blocks = (BasicBlock, Bottleneck)

    def note(title, module, inputs, output):
        row = {"name": title, "type": type(module).__name__, "input": list(inputs[0].shape[1:])}
        row |= {"output": list(output.shape[1:]), "parameters": _count(module)}
        if hasattr(module, "kernel_size"):
            for key in ("kernel_size", "stride", "padding"):
                value = np.broadcast_to(getattr(module, key), 2)  # height, width
                row[key.removesuffix("_size")] = value.tolist()
        place = len(rows)
        if isinstance(module, blocks):  # before its layers, which are noted already
            row["downsample"] = module.downsample is not None
            place = [other["name"].startswith(f"{title}.") for other in rows].index(True)
        rows.insert(place, row)

    for title, module in model.named_modules():
        if isinstance(module, blocks) or not list(module.children()):
            module.register_forward_hook(functools.partial(note, title))
    with torch.no_grad():
        model(torch.zeros(1, 3, size, size))
    return {
        "name": name,
        "input": [3, size, size],
        "parameters": _count(model),
        "fc": {str(classes): _count(resnet.build(name, classes).fc) for classes in HEADS},
        "modules": rows,
    }


def _count(module) -> int:
    return sum(values.numel() for values in module.parameters())


def _file(name: str) -> Path:
    return studies.results_folder() / "networks" / f"{name}.json"


def write(name: str = "resnet18") -> Path:
    """Record :func:`trace`, one module a line."""
    facts = trace(name)
    rows = ",\n".join(json.dumps(row) for row in facts.pop("modules"))
    return write_text(_file(name), f'{json.dumps(facts)[:-1]}, "modules": [\n{rows}\n]}}\n')


def recorded(name: str = "resnet18") -> dict:
    """The recorded :func:`trace`. :class:`InputError` when it cannot be read, one line that names
    the file.
    """
    return read_yaml(_file(name))  # which JSON is, too

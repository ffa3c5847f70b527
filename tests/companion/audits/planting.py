"""Something planted into pictures of one class, networks that can see it, and when an audit fires.

Pictures are phantoms, 64 pixels a side, each of a person of its own. Everything is drawn from a
seed; nothing here hangs on what a training converges to but :func:`small_network`.
"""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from PIL import Image
from scipy.ndimage import binary_dilation
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from companion.audits import duplicates
from cxrlib import metrics, occlusion
from cxrlib.data import phantom, radiographs
from cxrlib.transfer import fit, frozen

SIDE, CELL = 64, 8
PEOPLE, TRAIN = 160, 96  # the others are tested
SQUARE = 0.8  # side of the black square
CLASSES = ["ill", "well"]
LEAST = 0.1  # change of a probability below which a mark counts for nothing
LIKE = 0.99  # correlation of thumbnails from which on two pictures are copies


class Chests:
    """People with and without an opacity, which lies in the lungs and in the square, and nowhere
    else; and their lungs.
    """

    def __init__(self, people: int = PEOPLE):
        drawn = [
            [
                phantom.radiograph(np.random.default_rng([23, number]), kind, SIDE)
                for kind in ("none", "bilateral")
            ]
            for number in range(people)
        ]
        self.clear, opaque = (np.stack([each[k].image for each in drawn]) for k in (0, 1))
        # the film's blur carries an opacity a little further than the lung
        self.lungs = np.stack([binary_dilation(each[0].lungs, iterations=2) for each in drawn])
        inside = occlusion.black_out(np.ones_like(self.clear), SQUARE) == 0
        self.opaque = np.where(self.lungs & inside, opaque, self.clear)


def resized(pixels: np.ndarray, side: int) -> np.ndarray:
    return np.stack([radiographs.square(Image.fromarray(image), side) for image in pixels])


def reduced(pixels: np.ndarray, side: int) -> np.ndarray:
    """Pictures reduced to ``side`` and enlarged again."""
    return resized(resized(pixels, side), SIDE)


def larger(pixels: np.ndarray) -> np.ndarray:
    """Chests enlarged by a seventh, as if they stood nearer."""
    edge = SIDE // 16
    return resized(pixels[:, edge : SIDE - edge, edge : SIDE - edge], SIDE)


def edged(pixels: np.ndarray) -> np.ndarray:
    """A grey line along the picture's edge, two pixels wide."""
    changed = np.full_like(pixels, 128)
    changed[:, 2:-2, 2:-2] = pixels[:, 2:-2, 2:-2]
    return changed


PLANTED = {
    "nothing": lambda pixels: pixels,
    "opacity": None,
    "source mark": lambda pixels: occlusion.mark(pixels, "letter"),
    "border": edged,
    "resampling": lambda pixels: reduced(pixels, SIDE // 2),
    "size of the chest": larger,
}


def planted(chests: Chests, what: str, seed: int) -> SimpleNamespace:
    """Pictures, half of them ill, ``what`` planted in these; their lungs, and who is trained on."""
    rng = np.random.default_rng([seed, 7])
    order = rng.permutation(len(chests.clear))
    pixels, ill = chests.clear[order].copy(), rng.permutation(np.arange(len(order)) % 2 == 0)
    lungs = chests.lungs[order]
    if what == "opacity":
        pixels[ill] = chests.opaque[order][ill]
    else:
        pixels[ill] = PLANTED[what](pixels[ill])
    if what == "size of the chest":
        lungs = np.where(ill[:, None, None], larger(lungs.astype(np.uint8) * 255) > 0, lungs)
    train = np.arange(len(order)) < TRAIN
    return SimpleNamespace(pixels=pixels, ill=ill, lungs=lungs, train=train, people=order)


class Cells(nn.Module):
    """Fixed features: the mean of each cell of the picture, and of its edges (Laplacian)."""

    def forward(self, x):  # (B, 3, H, W)
        grey = x[:, :1]
        around = nn.functional.avg_pool2d(nn.functional.pad(grey, [1] * 4, "replicate"), 3, 1)
        both = torch.cat([grey, 20 * (grey - around).abs()], 1)
        return nn.functional.avg_pool2d(both, CELL)


class Network(nn.Module):
    """Features, and a last layer ``fc``, as the library's functions expect it."""

    def __init__(self, features: nn.Module, fc: nn.Linear):
        super().__init__()
        self.features, self.fc = features, fc

    def forward(self, x):
        return self.fc(self.features(x).flatten(1))


def probe(pixels: np.ndarray, ill: np.ndarray) -> Network:
    """A logistic regression on fixed features, which has one solution, as a network."""
    net = Network(Cells(), nn.Linear(1, 1))
    features = frozen.extract(net, pixels)
    scale = StandardScaler().fit(features)
    line = LogisticRegression(C=0.01, max_iter=5000).fit(scale.transform(features), ill)
    weight = line.coef_[0] / scale.scale_
    bias = line.intercept_[0] - (weight * scale.mean_).sum()
    return linear(net.features, weight, bias)


def linear(features: nn.Module, weight, bias: float) -> Network:
    """A network whose probability of ``ill`` is the logistic function of one sum."""
    fc = nn.Linear(len(weight), 2)
    with torch.no_grad():
        fc.weight.copy_(torch.from_numpy(np.stack([weight, np.zeros_like(weight)])))
        fc.bias.copy_(torch.tensor([bias, 0.0]))
    return Network(features, fc).requires_grad_(False).eval()


def small_network(pixels: np.ndarray, ill: np.ndarray, seed: int, epochs: int = 20) -> Network:
    """A network of three convolutions, trained for a few epochs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for before, after in ((3, 8), (8, 16), (16, 32)):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
        net = Network(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4)), nn.Linear(512, 2))
        optimizer = torch.optim.Adam(net.parameters(), 0.002, weight_decay=0.001)
        y = torch.from_numpy(np.where(ill, 0, 1))
        x = fit.augment.prepare(pixels, "cpu")
        for _ in range(epochs):
            for at in torch.randperm(len(x)).split(32):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(x[at]), y[at]).backward()
                optimizer.step()
    return net.requires_grad_(False).eval()


def asked(net: nn.Module, pixels: np.ndarray, ill: np.ndarray) -> pd.DataFrame:
    """A network's predictions, one patient an image."""
    p = np.exp(fit.predict(net, pixels))[:, 0]
    names = [str(number) for number in range(len(pixels))]
    table = pd.DataFrame({"image_id": names, "patient_id": names, "source": "s", "split": "test"})
    return table.assign(y_true=np.where(ill, *CLASSES), p_ill=p, p_well=1 - p)


# When an audit fires. Ends are of 95 % intervals over patients.


def tells(predictions: pd.DataFrame, replicates: int) -> bool:
    """The classes are told apart: the lower end of the AUC is above one half. Where resampling
    cannot tell, an AUC of exactly 1.
    """
    found = metrics.bootstrap_by_patient(predictions, ["auc"], "ill", replicates=replicates)
    estimate, low, _ = found.to_numpy()[0]
    return bool(estimate == 1 if np.isnan(low) else low > 0.5)


def falls(before: pd.DataFrame, after: pd.DataFrame, replicates: int) -> bool:
    """The AUC falls: the lower end of the fall is above 0."""
    found = metrics.difference_by_patient(before, after, "auc", "ill", replicates=replicates)
    return bool(found.low > 0)


def change(net: nn.Module, pixels: np.ndarray, kind: str) -> np.ndarray:
    """How a mark changes the probability of ``ill``, less what its control changes: (N,)."""
    marked, other = (
        np.exp(fit.predict(net, occlusion.mark(pixels, kind, control=control)))[:, 0]
        for control in (False, True)
    )
    return marked - other


def moved(net: nn.Module, pixels: np.ndarray, replicates: int, kind="letter", least=LEAST) -> bool:
    """A mark on pictures of the other class raises the probability: the lower end of the mean
    change, less the control's, is above ``least``.
    """
    found = change(net, pixels, kind)
    return metrics.mean_by_patient(found, np.arange(len(found)), replicates=replicates).low > least


def framed(pixels: np.ndarray) -> np.ndarray:
    return occlusion.black_out(pixels, SQUARE)


def at_test_time(net: nn.Module, given: SimpleNamespace, replicates: int = 300) -> set[str]:
    """The audits that fire of those that change a trained network's test pictures."""
    pixels, ill, lungs = (x[~given.train] for x in (given.pixels, given.ill, given.lungs))
    found = {
        "black-out": tells(asked(net, framed(pixels), ill), replicates),
        "lungs out": tells(asked(net, occlusion.cover(pixels, lungs, "grey"), ill), replicates),
        "marks": moved(net, pixels[~ill], replicates),
    }
    return {name for name, fires in found.items() if fires}


def by_training(train: Callable, given: SimpleNamespace, replicates: int = 300) -> set[str]:
    """Those that fire of the audits that train a network on changed pictures."""

    def trained(change: Callable) -> pd.DataFrame:
        seen = change(given.pixels)
        net = train(seen[given.train], given.ill[given.train])
        return asked(net, seen[~given.train], given.ill[~given.train])

    plain = trained(np.asarray)
    smaller = trained(lambda pixels: reduced(pixels, SIDE // 4))
    found = {
        "frame probe": tells(trained(framed), replicates),
        "one pipeline": falls(plain, smaller, replicates),
    }
    return {name for name, fires in found.items() if fires}


def copies(given: SimpleNamespace) -> set[str]:
    """Whether a picture is both trained and tested on."""
    found = duplicates.pairs(duplicates.thumbnails(given.pixels))
    sure = found[found["correlation"] >= LIKE]
    apart = given.train[sure["first"]] != given.train[sure["second"]]
    return {"duplicates"} if apart.any() else set()


def fired(train: Callable, given: SimpleNamespace) -> set[str]:
    """All audits that fire."""
    net = train(given.pixels[given.train], given.ill[given.train])
    return at_test_time(net, given) | by_training(train, given) | copies(given)

"""``slim``: a network with all the parts of a ResNet-18 and a hundredth of its weights.

For tests of what is done with a network, where none of its own sizes matters: a checkpoint of it is
written in a moment.
"""

import torch
import torchvision
from torchvision.models._api import register_model
from torchvision.models.resnet import BasicBlock

from cxrlib.transfer.config import NETWORKS


class Slim(torchvision.models.ResNet):
    def __init__(self, num_classes: int):
        torch.nn.Module.__init__(self)
        self._norm_layer, self.inplanes, self.dilation, self.groups, self.base_width = (
            torch.nn.BatchNorm2d,
            8,
            1,
            1,
            64,
        )
        self.conv1, self.bn1 = torch.nn.Conv2d(3, 8, 7, 2, 3, bias=False), torch.nn.BatchNorm2d(8)
        self.relu, self.maxpool = torch.nn.ReLU(inplace=True), torch.nn.MaxPool2d(3, 2, 1)
        for number, width in enumerate((8, 16, 32, 64), start=1):
            setattr(
                self,
                f"layer{number}",
                self._make_layer(BasicBlock, width, 2, stride=1 if number == 1 else 2),
            )
        self.avgpool, self.fc = torch.nn.AdaptiveAvgPool2d((1, 1)), torch.nn.Linear(64, num_classes)
        for module in self.modules():
            if isinstance(
                module, torch.nn.Conv2d
            ):  # as torchvision does, so that what passes through keeps its size
                torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


@register_model("slim")
def slim(*, weights=None, progress=True, num_classes=1000) -> Slim:
    return Slim(num_classes)


NETWORKS.append("slim")

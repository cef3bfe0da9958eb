"""Residual units of He et al. 2016, batch normalisation and relu in any order, and the network around them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from train.blocks import Network, ZeroPadShortcut, at_least, average_pool

Layers = tuple[Literal["norm", "relu"], ...]


@dataclass(frozen=True)
class Order:
    """What stands where: figure 4 of the paper. A unit is after(shortcut(x) + residual(before(x)))."""

    stem: Layers = ()
    """After the first convolution."""
    before: Layers = ()
    """Before the first convolution of a unit."""
    between: Layers = ("norm", "relu")
    """Between its convolutions."""
    last: Layers = ()
    """After its last convolution, before the addition."""
    after: Layers = ()
    """After the addition, where it changes what the shortcuts carry on."""
    end: Layers = ()
    """After the last unit."""


class Unit(nn.Module):
    """One residual unit: (N, inputs, S, S) -> (N, outputs, S / stride, S / stride).

    `bottleneck`: 1x1, 3x3, 1x1 convolutions, the inner ones with a quarter of the channels, the stride on the first, as
    in the paper's code; otherwise two 3x3. `shared`: the shortcut, too, starts from `before(x)`.
    """

    def __init__(
        self,
        order: Order,
        inputs: int,
        outputs: int,
        *,
        stride: int,
        bottleneck: bool,
        projection: bool,
        shared: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.shared = shared
        width = outputs // 4 if bottleneck else outputs
        layers: list[nn.Module] = [convolution(inputs, width, kernel=1 if bottleneck else 3, stride=stride)]
        layers += norm_and_relu(order.between, width)
        if dropout:
            layers.append(nn.Dropout(dropout))
        layers.append(convolution(width, width, kernel=3))
        if bottleneck:
            layers += [*norm_and_relu(order.between, width), convolution(width, outputs, kernel=1)]
        self.before = nn.Sequential(*norm_and_relu(order.before, inputs))
        self.residual = nn.Sequential(*layers, *norm_and_relu(order.last, outputs))
        self.shortcut: nn.Module = nn.Identity()
        if projection:  # normalised where the residual is
            norm = [nn.BatchNorm2d(outputs)] if "norm" in order.last else []
            self.shortcut = nn.Sequential(convolution(inputs, outputs, kernel=1, stride=stride), *norm)
        elif inputs != outputs:
            self.shortcut = ZeroPadShortcut(outputs - inputs, stride)
        self.after = nn.Sequential(*norm_and_relu(order.after, outputs))

    def forward(self, x: Tensor) -> Tensor:
        ready = self.before(x)
        added: Tensor = self.after(self.shortcut(ready if self.shared else x) + self.residual(ready))
        return added


def residual_network(
    order: Order,
    *,
    num_classes: int,
    channels: Sequence[int],
    units: int,
    bottleneck: bool,
    projections: bool,
    dropout: float = 0.0,
) -> Network:
    """Three stages of `units` units, with `channels[0..2]` channels at S, S/2, S/4 pixels, after a 3x3 stem of 16.

    Where the shape changes, shortcuts are 1x1 convolutions (`projections`) or skip pixels and add channels of zeros.
    The first unit and those with a projection share `before` with their shortcut, as in the paper's appendix and code.
    All starts as in the paper: He initialisation, batch normalisation with a scale of 1, no zeros in the head.
    """
    layers: list[nn.Module] = [convolution(3, 16, kernel=3), *norm_and_relu(order.stem, 16)]
    inputs = 16
    for stage, outputs in enumerate(channels):
        for unit in range(units):
            projection = projections and inputs != outputs
            layers.append(
                Unit(
                    order,
                    inputs,
                    outputs,
                    stride=2 if stage and not unit else 1,
                    bottleneck=bottleneck,
                    projection=projection,
                    shared=projection or not (stage or unit),
                    dropout=dropout,
                )
            )
            inputs = outputs
    body = nn.Sequential(*layers, *norm_and_relu(order.end, inputs), average_pool())
    return Network(body, embedding_dim=inputs, num_classes=num_classes, zero_head=False)


def identity_mapping_network(order: Order, name: str, depth: int, *, num_classes: int, image_size: int) -> Network:
    """The ResNet of a variant in table 2 of the paper.

    56 and 110 layers: 6n + 2, two 3x3 convolutions a unit, 16, 32, 64 channels, shortcuts without parameters, as in the
    ResNets of 2015. 164 layers: 9n + 2, bottlenecks, 64, 128, 256 channels, projections, as in the paper's code.
    """
    at_least(4, image_size, f"{name}{depth}")
    bottleneck = depth == 164
    return residual_network(
        order,
        num_classes=num_classes,
        channels=(64, 128, 256) if bottleneck else (16, 32, 64),
        units=(depth - 2) // (9 if bottleneck else 6),
        bottleneck=bottleneck,
        projections=bottleneck,
    )


def convolution(inputs: int, outputs: int, *, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Without bias: (N, inputs, S, S) -> (N, outputs, S / stride, S / stride)."""
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


def norm_and_relu(layers: Layers, channels: int) -> list[nn.Module]:
    """The layers that an `Order` names. Relu keeps its input, which a shortcut may need."""
    return [nn.BatchNorm2d(channels) if layer == "norm" else nn.ReLU() for layer in layers]

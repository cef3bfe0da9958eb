"""Several kernel sizes side by side."""

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from train.blocks import ConvBN, Network, at_least, average_pool, first_layers, initialise

INCEPTION = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}
"""Table 1 of the paper: inputs, 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection."""


def googlenet(*, num_classes: int, image_size: int, auxiliary: bool = False, dropout: float = 0.4) -> Network:
    """GoogLeNet: nine inception modules, kernels of 1, 3, 5 pixels side by side.

    Szegedy et al. 2015, "Going Deeper with Convolutions", table 1, with batch normalisation after each convolution
    (Ioffe, Szegedy 2015) in place of local response normalisation. `auxiliary` adds the paper's two heads after modules
    4a and 4d, for training alone, whose loss counts 0.3. Up to 64 px the stem is one 3x3 convolution that keeps the
    resolution; above it is the paper's.

    Input (N, 3, S, S), S >= 8; embeddings (N, 1024).
    Parameters with 10 classes: 5,871,914. Multiply-adds at 32 px: 1,447.2 million.
    With 1000 classes at 224 px: 7,005,832 parameters, 1.58 billion multiply-adds.
    """
    at_least(8, image_size, "googlenet")
    first = first_layers(image_size, 192)
    if image_size > 64:
        first = [*first_layers(image_size, 64), relu_conv(64, 64, kernel=1), relu_conv(64, 192), nn.MaxPool2d(3, 2, 1)]
    layers: dict[str, nn.Module] = {"stem": nn.Sequential(*first)}
    for name, channels in INCEPTION.items():
        if name in ("4a", "5a"):
            layers[f"pool{name[0]}"] = nn.MaxPool2d(3, 2, 1)
        layers[name] = Inception(*channels)
    layers["end"] = nn.Sequential(average_pool(), nn.Dropout(dropout))
    return GoogLeNet(
        nn.Sequential(OrderedDict(layers)), num_classes, auxiliary={"4a": 512, "4d": 528} if auxiliary else {}
    )


class GoogLeNet(Network):
    """A network with auxiliary heads. `auxiliary`: after which layers of the body, and how many channels these have."""

    def __init__(self, body: nn.Sequential, num_classes: int, *, auxiliary: Mapping[str, int]) -> None:
        super().__init__(body, embedding_dim=1024, num_classes=num_classes)
        self.heads = nn.ModuleDict({name: auxiliary_head(inputs, num_classes) for name, inputs in auxiliary.items()})
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def features(self, images: Tensor) -> Tensor:
        """As in any network; in training `self.auxiliary` gets the logits of the auxiliary heads."""
        x = self.normalised(images)
        auxiliary = []
        for name, layer in self.body.named_children():
            x = layer(x)
            if self.training and name in self.heads:
                auxiliary.append(self.heads[name](x))
        self.auxiliary = auxiliary
        return x


class Inception(nn.Module):
    """Four branches side by side, figure 2 (b) of the paper: (N, inputs, S, S) -> (N, sum of the outputs, S, S)."""

    def __init__(
        self, inputs: int, one: int, three_reduce: int, three: int, five_reduce: int, five: int, pool: int
    ) -> None:
        super().__init__()
        self.one = relu_conv(inputs, one, kernel=1)
        self.three = nn.Sequential(relu_conv(inputs, three_reduce, kernel=1), relu_conv(three_reduce, three))
        self.five = nn.Sequential(relu_conv(inputs, five_reduce, kernel=1), relu_conv(five_reduce, five, kernel=5))
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), relu_conv(inputs, pool, kernel=1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1)


def relu_conv(inputs: int, outputs: int, *, kernel: int = 3) -> nn.Sequential:
    """Convolution, batch normalisation, relu: (N, inputs, S, S) -> (N, outputs, S, S)."""
    return nn.Sequential(ConvBN(inputs, outputs, kernel=kernel), nn.ReLU(inplace=True))


def auxiliary_head(inputs: int, num_classes: int) -> nn.Sequential:
    """Section 5 of the paper: (N, inputs, S, S) -> logits, (N, K). The last layer starts at zero, as the main one."""
    last = nn.Linear(1024, num_classes)
    head = nn.Sequential(
        nn.AdaptiveAvgPool2d(4),
        relu_conv(inputs, 128, kernel=1),
        nn.Flatten(),
        nn.Linear(128 * 4 * 4, 1024),
        nn.ReLU(inplace=True),
        nn.Dropout(0.7),
        last,
    )
    head.apply(initialise)
    nn.init.zeros_(last.weight)
    return head

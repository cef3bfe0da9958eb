"""What the networks are made of. A new network needs nothing from here but `Network`."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.errors import UserError

Shortcut = Literal["A", "B", "C"]
"""How a shortcut changes its shape: He et al. 2015, section 4.1. "A": every second pixel, zeros for the new channels,
no parameters. "B": a 1x1 convolution where the shape changes. "C": a 1x1 convolution in every block."""


class Network(nn.Module):
    """A classifier of pixels as they come from a file: it carries its own normalisation, so weights are never used with
    the wrong one.

    `body` maps normalised images, shape (N, 3, S, S), to embeddings, shape (N, `embedding_dim`). `logit_scale` below 1
    keeps the head stable at high learning rates where embeddings are large, as after max pooling. `zero_head`: the
    head starts at zero, so that the first steps at a high learning rate start from even odds; without, as PyTorch
    starts a linear layer, which is what the papers' networks did. Hidden layers start as in He et al. 2015, "Delving
    Deep into Rectifiers".
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(
        self,
        body: nn.Module,
        *,
        embedding_dim: int,
        num_classes: int,
        logit_scale: float = 1.0,
        zero_head: bool = True,
    ) -> None:
        super().__init__()
        self.auxiliary: list[Tensor] = []
        """Logits of auxiliary heads for the last batch, each of shape (N, K); empty where there are none, and outside
        of training. The training loop adds their loss."""
        self.embedding_dim, self.logit_scale = embedding_dim, logit_scale
        self.register_buffer("pixel_mean", torch.full((3,), 127.5))
        self.register_buffer("pixel_std", torch.full((3,), 64.0))
        self.body = body
        self.head = nn.Linear(embedding_dim, num_classes)
        self.body.apply(initialise)
        if zero_head:
            nn.init.zeros_(self.head.weight)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice the speed of NCHW on CPU

    def start_from(self, images: Tensor, mean: Tensor, std: Tensor) -> None:
        """Fit what depends on the training images, before the first step: normalisation, and modules with `start_from`.

        images: shape (N, 3, S, S), uint8, a sample. mean, std: shape (3,), of each channel of all images, 0 to 255.
        """
        self.pixel_mean.copy_(mean)
        self.pixel_std.copy_(std)
        for module in self.modules():
            if isinstance(module, PatchStem | WhiteningStem):
                module.start_from(self.normalised(images))

    def normalised(self, images: Tensor) -> Tensor:
        """Shape (N, 3, S, S), float32, each channel of mean 0 and deviation 1 over the training set."""
        shape = (1, 3, 1, 1)
        return (images.float() - self.pixel_mean.view(shape)) / self.pixel_std.view(shape)

    def features(self, images: Tensor) -> Tensor:
        """Embeddings, shape (N, D). `images`: shape (N, 3, S, S), RGB, 0 to 255, uint8 or float."""
        embeddings: Tensor = self.body(self.normalised(images))
        return embeddings

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape (N, K). `images` as for `features`."""
        return self.classify(self.features(images))

    def classify(self, embeddings: Tensor) -> Tensor:
        """Logits, shape (N, K), of embeddings, shape (N, D)."""
        logits: Tensor = self.head(embeddings) * self.logit_scale
        return logits

    def train(self, mode: bool = True) -> "Network":
        """As of any module; logits of an earlier batch go, and with them the memory that their gradients hold."""
        self.auxiliary = []
        return super().train(mode)


class ConvBN(nn.Module):
    """Convolution without bias, then batch normalisation: (N, inputs, S, S) -> (N, outputs, S / stride, S / stride)."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.convolution(x))
        return normed


class PatchStem(nn.Module):
    """Convolution of `patch` x `patch` pixels at once, with relu: (N, 3, S, S) -> (N, C, S / patch, S / patch).

    It sees 3 x 3 patches, and starts with their principal directions and the negatives of these instead of random
    filters: Page 2019, "How to train your ResNet 8", and Jordan 2024, section 3.2. Measured on 10,000 images of
    CIFAR-10 (JPEG) after 3 epochs: test accuracy 59.5 % with, 49.9 % without (one run each).
    Sides that `patch` does not divide are cut at the bottom right.
    """

    def __init__(self, outputs: int, *, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.layers = ConvBN(3 * patch**2, outputs)

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.layers(self.unshuffled(images)), inplace=True)

    def unshuffled(self, images: Tensor) -> Tensor:
        """Shape (N, 3 * patch^2, S / patch, S / patch): the pixels of a patch side by side."""
        height, width = (side // self.patch * self.patch for side in images.shape[2:])
        return F.pixel_unshuffle(images[:, :, :height, :width], self.patch)

    @torch.no_grad()
    def start_from(self, images: Tensor) -> None:
        """Set the filters. images: shape (N, 3, S, S), normalised."""
        weight = self.layers.convolution.weight
        padded = F.pad(self.unshuffled(images), (1, 1, 1, 1))
        filters = principal_filters(padded, len(weight) // 2, weight.shape[-1])
        weight[: 2 * len(filters)] = torch.cat([filters, -filters]).to(weight.device)


class WhiteningStem(nn.Module):
    """relu of a fixed `kernel` x `kernel` convolution: (N, 3, S, S) -> (N, outputs, S - kernel + 1, S - kernel + 1).

    Its filters are the principal directions of the image patches, each scaled to unit variance, and their negatives;
    only the bias is trained. Jordan 2024, "94 % on CIFAR-10 in 3.29 seconds", section 3.2.
    """

    def __init__(self, outputs: int, *, kernel: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, outputs, kernel)
        self.convolution.weight.requires_grad_(False)
        self.convolution.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.convolution(images), inplace=True)

    @torch.no_grad()
    def start_from(self, images: Tensor) -> None:
        """Set the filters. images: shape (N, 3, S, S), normalised."""
        weight = self.convolution.weight
        filters = principal_filters(images, len(weight) // 2, weight.shape[-1])
        weight[: 2 * len(filters)] = torch.cat([filters, -filters]).to(weight.device)


def principal_filters(images: Tensor, count: int, kernel: int) -> Tensor:
    """The `count` principal directions of the `kernel` x `kernel` patches of `images`, scaled to unit variance.

    images: shape (N, C, S, S). Returns: shape (count, C, kernel, kernel); fewer than `count` where there are no more.
    """
    channels = images.shape[1]
    patches = images.unfold(2, kernel, 1).unfold(3, kernel, 1)[:, :, ::2, ::2]
    flat = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, channels * kernel**2)
    values, vectors = torch.linalg.eigh(flat.T @ flat / max(1, len(flat)))
    return (vectors / (values + 1e-2).sqrt()).flip(1)[:, :count].T.reshape(-1, channels, kernel, kernel)


class BasicBlock(nn.Module):
    """relu(shortcut(x) + two 3x3 convolutions of x): (N, inputs, S, S) -> (N, outputs, S / stride, S / stride).

    He et al. 2015, figure 5 left. With `zero_gamma` a block starts as its shortcut: Goyal et al. 2017, section 5.1.
    """

    def __init__(
        self, inputs: int, outputs: int, *, stride: int = 1, shortcut: Shortcut = "B", zero_gamma: bool = True
    ) -> None:
        super().__init__()
        self.first = ConvBN(inputs, outputs, stride=stride)
        self.second = ConvBN(outputs, outputs)
        if zero_gamma:
            nn.init.zeros_(self.second.norm.weight)
        self.shortcut = make_shortcut(inputs, outputs, stride=stride, kind=shortcut)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.second(F.relu(self.first(x), inplace=True)), inplace=True)


class Bottleneck(nn.Module):
    """relu(shortcut(x) + 1x1, 3x3, 1x1 convolutions of x): (N, inputs, S, S) -> (N, 4 width, S / stride, S / stride).

    He et al. 2015, figure 5 right, with the stride on the 3x3 convolution, which skips no pixels, instead of on the
    first 1x1: Goyal et al. 2017, section 5.1. A block starts as its shortcut, as there.
    """

    def __init__(self, inputs: int, width: int, *, stride: int = 1, shortcut: Shortcut = "B") -> None:
        super().__init__()
        outputs = 4 * width
        self.first = ConvBN(inputs, width, kernel=1)
        self.second = ConvBN(width, width, stride=stride)
        self.third = ConvBN(width, outputs, kernel=1)
        nn.init.zeros_(self.third.norm.weight)
        self.shortcut = make_shortcut(inputs, outputs, stride=stride, kind=shortcut)

    def forward(self, x: Tensor) -> Tensor:
        residual = F.relu(self.second(F.relu(self.first(x), inplace=True)), inplace=True)
        return F.relu(self.shortcut(x) + self.third(residual), inplace=True)


def make_shortcut(inputs: int, outputs: int, *, stride: int, kind: Shortcut) -> nn.Module:
    """The shortcut of a block: (N, inputs, S, S) -> (N, outputs, S / stride, S / stride)."""
    if kind != "C" and stride == 1 and inputs == outputs:
        return nn.Identity()
    if kind == "A":
        return ZeroPadShortcut(outputs - inputs, stride)
    return ConvBN(inputs, outputs, kernel=1, stride=stride)


class ZeroPadShortcut(nn.Module):
    """Option A of He et al. 2015: every `stride`-th pixel, and `more` channels of zeros."""

    def __init__(self, more: int, stride: int) -> None:
        super().__init__()
        self.more, self.stride = more, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))


def average_pool() -> nn.Sequential:
    """Global average: (N, C, S, S) -> (N, C)."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


Stem = Literal["auto", "small", "large"]
"""First layers: "small" for small images, "large" for photos, "auto" by the size, see `first_layers`."""


def first_layers(image_size: int, channels: int, kind: Stem = "auto") -> list[nn.Module]:
    """First layers of a ResNet or GoogLeNet: (N, 3, S, S) -> (N, channels, S, S), large (N, channels, S / 4, S / 4).

    "small" is one 3x3 convolution that keeps the resolution, as is usual for CIFAR; "large" the 7x7 convolution and
    pooling of the papers, both with stride 2; "auto" is small up to 64 px.
    """
    if kind == "small" or (kind == "auto" and image_size <= 64):
        return [ConvBN(3, channels), nn.ReLU(inplace=True)]
    return [ConvBN(3, channels, kernel=7, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]


def at_least(smallest_px: int, image_size: int, network: str) -> None:
    """Raises `UserError` for images that are too small for a network's pooling."""
    if image_size < smallest_px:
        raise UserError(
            f"{network} takes images of {smallest_px} px and more, not of {image_size}; set image_size={smallest_px}"
        )


def initialise(module: nn.Module) -> None:
    """Start the weights of a layer before relu: He et al. 2015, "Delving Deep into Rectifiers"."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    if isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)

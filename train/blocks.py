"""What the networks are made of. A new network needs nothing from here but `Network`."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Network(nn.Module):
    """A classifier of pixels as they come from a file: it carries its own normalisation, so weights are never used with
    the wrong one.

    `body` maps normalised images, shape (N, 3, S, S), to embeddings, shape (N, `embedding_dim`). `logit_scale` below 1
    keeps the head stable at high learning rates where embeddings are large, as after max pooling.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, body: nn.Module, *, embedding_dim: int, num_classes: int, logit_scale: float = 1.0) -> None:
        super().__init__()
        self.embedding_dim, self.logit_scale = embedding_dim, logit_scale
        self.register_buffer("pixel_mean", torch.full((3,), 127.5))
        self.register_buffer("pixel_std", torch.full((3,), 64.0))
        self.body = body
        self.head = nn.Linear(embedding_dim, num_classes)
        self.apply(_initialise)
        nn.init.zeros_(self.head.weight)  # the first steps at a high learning rate then start from even odds
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

    He et al. 2015, figure 2. `shortcut` is the identity where shapes agree, and otherwise
    option "A" (every second pixel, zeros for the new channels; no parameters) or "B" (1x1 convolution).
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, option: str = "B") -> None:
        super().__init__()
        self.first = ConvBN(inputs, outputs, stride=stride)
        self.second = ConvBN(outputs, outputs)
        nn.init.zeros_(self.second.norm.weight)  # a block starts as its shortcut: Goyal et al. 2017, section 5.1
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = (
                ZeroPadShortcut(outputs - inputs, stride)
                if option == "A"
                else ConvBN(inputs, outputs, kernel=1, stride=stride)
            )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.second(F.relu(self.first(x), inplace=True)), inplace=True)


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


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

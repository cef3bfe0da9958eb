"""The deepest of the plain stacks that were used widely."""

from torch import nn

from train.blocks import ConvBN, Network, at_least

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and convolutions of each stage: column D of table 1."""


def vgg16(*, num_classes: int, image_size: int, dropout: float = 0.5) -> Network:
    """VGG-16 with batch normalisation: thirteen 3x3 convolutions, three fully connected layers.

    Simonyan, Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image Recognition", table 1, column D,
    with batch normalisation after each convolution (Ioffe, Szegedy 2015). Above 64 px the hidden fully connected layers
    are the paper's, 4096 channels over a map of 7x7; up to 64 px they have 512 over the mean of the last map, as is
    usual for CIFAR-10.

    Input (N, 3, S, S), S >= 32; embeddings (N, 512), or (N, 4096) above 64 px.
    Parameters with 10 classes: 15,249,354. Multiply-adds at 32 px: 313.7 million.
    With 1000 classes at 224 px: 138,361,768 parameters, 15.47 billion multiply-adds.
    """
    at_least(32, image_size, "vgg16")
    side, hidden = (1, 512) if image_size <= 64 else (7, 4096)
    layers: list[nn.Module] = []
    inputs = 3
    for outputs, count in STAGES:
        for _ in range(count):
            layers += [ConvBN(inputs, outputs), nn.ReLU(inplace=True)]
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    layers += [nn.AdaptiveAvgPool2d(side), nn.Flatten()]
    for width in (inputs * side**2, hidden):
        layers += [nn.Linear(width, hidden), nn.ReLU(inplace=True), nn.Dropout(dropout)]
    return Network(nn.Sequential(*layers), embedding_dim=hidden, num_classes=num_classes)

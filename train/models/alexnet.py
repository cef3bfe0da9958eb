"""Where the story begins: convolution, pooling, dropout, fully connected layers."""

from torch import nn

from train.blocks import Network, at_least


def alexnet(*, num_classes: int, image_size: int, dropout: float = 0.5) -> Network:
    """AlexNet: five convolutions, three fully connected layers, max pooling, dropout; no batch normalisation.

    Krizhevsky, Sutskever, Hinton 2012, "ImageNet Classification with Deep Convolutional Neural Networks", with the
    channels of the version for one GPU (Krizhevsky 2014, "One weird trick", 64, 192, 384, 256, 256) and without its
    local response normalisation. Above 64 px the stem is the paper's 11x11 convolution with stride 4, and the hidden
    fully connected layers have 4096 channels; up to 64 px it is a 3x3 convolution, pooling is 2x2, and they have 1024
    (chosen by eye: 4096 were for 1000 classes). Without batch normalisation it takes lower learning rates than the
    others; the paper's is 0.01.

    Input (N, 3, S, S), S >= 8; embeddings (N, 1024), or (N, 4096) above 64 px.
    Parameters with 10 classes: 7,506,762. Multiply-adds at 32 px: 172.2 million.
    With 1000 classes at 224 px: 61,100,840 parameters, 0.71 billion multiply-adds.
    """
    at_least(8, image_size, "alexnet")
    small = image_size <= 64
    stem = nn.Conv2d(3, 64, 3, 1, 1) if small else nn.Conv2d(3, 64, 11, 4, 2)
    window, side, hidden = (2, 4, 1024) if small else (3, 6, 4096)
    body = nn.Sequential(
        stem,
        nn.ReLU(inplace=True),
        nn.MaxPool2d(window, 2),
        nn.Conv2d(64, 192, 3 if small else 5, padding="same"),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(window, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(window, 2),
        nn.AdaptiveAvgPool2d(side),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(256 * side**2, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
    )
    return Network(body, embedding_dim=hidden, num_classes=num_classes)

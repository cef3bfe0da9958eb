"""The standard ResNet."""

from torch import nn

from train.blocks import BasicBlock, ConvBN, Network, average_pool


def resnet18(*, num_classes: int, image_size: int) -> Network:
    """ResNet-18: the standard network; most accurate here, and slow without a GPU.

    He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition", table 1: four stages of two blocks with
    64, 128, 256, 512 channels, projection shortcuts. Up to 64 px the stem is one 3x3 convolution that keeps the
    resolution, as is usual for CIFAR; above, it is the paper's 7x7 convolution and pooling, both with stride 2.

    Input (N, 3, S, S), S >= 8; embeddings (N, 512).
    Parameters with 10 classes: 11,173,962 (S <= 64); 11,181,642 (S > 64).
    Multiply-adds at 32 px: 555.4 million; at 224 px: 1.814 billion.
    """
    if image_size <= 64:
        stem: list[nn.Module] = [ConvBN(3, 64), nn.ReLU(inplace=True)]
    else:
        stem = [ConvBN(3, 64, kernel=7, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    blocks = [BasicBlock(64, 64), BasicBlock(64, 64)]
    for inputs, outputs in ((64, 128), (128, 256), (256, 512)):
        blocks += [BasicBlock(inputs, outputs, stride=2), BasicBlock(outputs, outputs)]
    body = nn.Sequential(*stem, *blocks, average_pool())
    return Network(body, embedding_dim=512, num_classes=num_classes)

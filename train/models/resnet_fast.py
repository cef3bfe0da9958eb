from torch import nn

from train.blocks import BasicBlock, ConvBN, Network


def resnet_fast(*, num_classes: int, image_size: int) -> Network:
    """Small."""
    stem = [nn.PixelUnshuffle(2), ConvBN(12, 64), nn.ReLU(inplace=True)]
    layers = [
        ConvBN(64, 128, stride=2), nn.ReLU(inplace=True), BasicBlock(128, 128),
        ConvBN(128, 256, stride=2), nn.ReLU(inplace=True), BasicBlock(256, 256),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(),
    ]
    return Network(nn.Sequential(*stem, *layers), embedding_dim=256, num_classes=num_classes, logit_scale=0.125)

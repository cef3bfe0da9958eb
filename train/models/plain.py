"""Plain networks of He et al. 2015: a ResNet without its shortcuts."""

from typing import Literal

from torch import nn

from train.blocks import ConvBN, Network, at_least, average_pool


def plain(*, num_classes: int, image_size: int, depth: Literal[20, 32, 44, 56, 110]) -> Network:
    """Plain stack of 3x3 convolutions, no shortcuts: deeper ones train worse.

    He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition", section 4.2: 6n + 2 layers as in the
    ResNets of the same depth, each convolution with batch normalisation and relu. The paper's test errors on CIFAR-10,
    read off figure 6: about 9.5 % with 20 layers, 13.5 % with 56; with 110 it is over 60 %.
    Starts as in the paper: He initialisation, batch normalisation with a scale of 1, no zeros in the head.

    Input (N, 3, S, S), S >= 4; embeddings (N, 64); stages of S, S/2, S/4 pixels.

    | with 10 classes, at 32 px | parameters | multiply-adds |
    | --- | --- | --- |
    | plain20 | 269,722 | 40.6 million |
    | plain32 | 464,154 | 68.9 million |
    | plain44 | 658,586 | 97.2 million |
    | plain56 | 853,018 | 125.5 million |
    | plain110 | 1,727,962 | 252.9 million |
    """
    at_least(4, image_size, f"plain{depth}")
    layers: list[nn.Module] = [ConvBN(3, 16), nn.ReLU(inplace=True)]
    inputs = 16
    for stage, outputs in enumerate((16, 32, 64)):
        for layer in range((depth - 2) // 3):
            stride = 2 if stage and not layer else 1
            layers += [ConvBN(inputs, outputs, stride=stride), nn.ReLU(inplace=True)]
            inputs = outputs
    body = nn.Sequential(*layers, average_pool())
    return Network(body, embedding_dim=64, num_classes=num_classes, zero_head=False)

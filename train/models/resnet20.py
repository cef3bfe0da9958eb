"""The small ResNet for CIFAR."""

from torch import nn

from train.blocks import BasicBlock, ConvBN, Network, average_pool


def resnet20(*, num_classes: int, image_size: int) -> Network:
    """ResNet-20 for 32 px images: small and thin, the paper's CIFAR network.

    He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition", section 4.2: a 3x3 stem of 16 channels,
    three stages of three blocks with 16, 32, 64 channels, shortcuts without parameters (option A), global average.
    The paper's test error on CIFAR-10 is 8.75 % after 64,000 steps of 128 images.

    Input (N, 3, S, S), S >= 4; embeddings (N, 64); stages of S, S/2, S/4 pixels.
    Parameters with 10 classes: 269,722. Multiply-adds at 32 px: 40.6 million.
    On a CPU its thin channels cost: 547 images per core and second in training, where `resnet_fast`, with a fifth
    more multiply-adds, reaches 689 (batches of 256, bf16).
    """
    del image_size  # the same layers for every size
    blocks = [BasicBlock(16, 16) for _ in range(3)]
    for inputs, outputs in ((16, 32), (32, 64)):
        blocks += [BasicBlock(inputs, outputs, stride=2, option="A")]
        blocks += [BasicBlock(outputs, outputs) for _ in range(2)]
    body = nn.Sequential(ConvBN(3, 16), nn.ReLU(inplace=True), *blocks, average_pool())
    return Network(body, embedding_dim=64, num_classes=num_classes)

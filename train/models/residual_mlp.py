"""Skip connections without convolutions."""

from torch import Tensor, nn

from train.blocks import Network, at_least

WIDTH, BLOCKS = 512, 8


def residual_mlp(*, num_classes: int, image_size: int, skip: bool = True, dropout: float = 0.0) -> Network:
    """Fully connected layers with skip connections: what shortcuts do, apart from convolutions.

    Gorishniy, Rubachev, Khrulkov, Babenko 2021, "Revisiting Deep Learning Models for Tabular Data", section 3.2 (their
    ResNet): eight blocks of batch normalisation, linear, relu, `dropout`, linear, each added to its input, which
    without `skip` it replaces; width 512. It knows nothing of neighbouring pixels, and is far behind convolutions on
    photos. Larger images are averaged down to 32 px.

    Input (N, 3, S, S), S >= 1; embeddings (N, 512).
    Parameters with 10 classes: 5,790,218. Multiply-adds at 32 px: 5.8 million.
    """
    at_least(1, image_size, "residual_mlp")
    side = min(image_size, 32)
    body = nn.Sequential(
        nn.AdaptiveAvgPool2d(side),
        nn.Flatten(),
        nn.Linear(3 * side**2, WIDTH),
        *[LinearBlock(WIDTH, skip=skip, dropout=dropout) for _ in range(BLOCKS)],
        nn.BatchNorm1d(WIDTH),
        nn.ReLU(inplace=True),
    )
    return Network(body, embedding_dim=WIDTH, num_classes=num_classes)


class LinearBlock(nn.Module):
    """x + two linear layers of x, or without `skip` these alone: (N, width) -> (N, width)."""

    def __init__(self, width: int, *, skip: bool, dropout: float) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm1d(width),
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(width, width),
        )
        self.shortcut = nn.Identity() if skip else None

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.residual(x)
        return residual if self.shortcut is None else self.shortcut(x) + residual

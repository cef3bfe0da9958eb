"""What all images of a batch have in common."""

from typing import NamedTuple


class Frame(NamedTuple):
    """Size of the images of a batch, in pixels, and their channels."""

    height: int
    width: int
    channels: int

    def __str__(self) -> str:
        return f"{self.width} x {self.height}"

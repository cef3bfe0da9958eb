"""Files decoded and brought to one size, in worker processes, which would begin seconds later with torch imported."""

import cv2
import numpy as np

from curate.errors import UserError
from curate.images import ImageError, decode, read_unchanged
from curate.wording import pasted

LONGEST = 8
"""Short sides of which the long side is scaled: of a line of 1 x 40,000 px it would take gigabytes."""


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Short side to `size`, then the centre: shape (H, W, 3) -> (size, size, 3), uint8."""
    height, width = image.shape[:2]
    if (height, width) != (size, size):
        image = _middle(image, LONGEST * min(height, width))
        height, width = image.shape[:2]
        scale = size / min(height, width)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        shape = max(size, round(width * scale)), max(size, round(height * scale))
        image = cv2.resize(image, shape, interpolation=method)
    return _middle(image, size)


def _middle(image: np.ndarray, longest: int) -> np.ndarray:
    """What lies in the middle, of no more than so many pixels a side."""
    height, width = (min(longest, side) for side in image.shape[:2])
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def read_batch(files: list[tuple[str, str]], *, size: int) -> np.ndarray:
    """Decoded and resized: shape (B, size, size, 3), uint8.

    files: path and `content_hash`. Raises `UserError` for one that cannot be read, or is another than was added.
    """
    return np.stack([resize(_read(path, digest), size) for path, digest in files])


def _read(path: str, digest: str) -> np.ndarray:
    try:
        if (data := read_unchanged(path, digest)) is not None:
            return decode(data)
        why = "it has changed since it was added"
    except ImageError as error:
        why = f"{error}; it could be read when it was added"
    raise UserError(
        f"{pasted(path)}: {why}. Put it back, or 'curate add' its folder again: that notes what has changed, what has "
        "moved and what is gone"
    )

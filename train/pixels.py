"""Files decoded and brought to one size, in worker processes, which would begin seconds later with torch imported."""

import cv2
import numpy as np

from curate.errors import UserError
from curate.images import ImageError, read_image
from curate.wording import pasted


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Short side to `size`, then the centre: shape (H, W, 3) -> (size, size, 3), uint8."""
    height, width = image.shape[:2]
    if (height, width) != (size, size):
        scale = size / min(height, width)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        shape = max(size, round(width * scale)), max(size, round(height * scale))
        image = cv2.resize(image, shape, interpolation=method)
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top : top + size, left : left + size]


def read_batch(paths: list[str], *, size: int) -> np.ndarray:
    """Decoded and resized: shape (B, size, size, 3), uint8. Raises `UserError` for one that cannot be read."""
    return np.stack([resize(_read(path), size) for path in paths])


def _read(path: str) -> np.ndarray:
    try:
        return read_image(path)
    except ImageError as error:
        raise UserError(
            f"{pasted(path)}: {error}; it could be read when it was added. Put it back, or "
            "'curate add' its folder again: that notes what has moved and what is gone"
        ) from None

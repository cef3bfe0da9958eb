"""Curate image-classification training sets: find what is wrong, decide, apply, retrain, and see what it was worth."""

import os

__version__ = "0.1.0"
REVIEWER = "CURATE_REVIEWER"
"""The variable of the environment that says who decides, where no option does."""

_LIMIT = os.environ.get("CURATE_MAX_PIXELS") or str(1 << 27)
if not (_LIMIT.isdecimal() and 0 < int(_LIMIT) < 1 << 62):
    raise SystemExit(
        f"curate: CURATE_MAX_PIXELS is {_LIMIT[:40]!r}; it has to be a number of pixels, such as {1 << 27}"
    )
MAX_PIXELS = int(_LIMIT)
"""Images with more pixels are not decoded: 134 million, 400 MB as RGB. Scanners and phones stay below."""
# Here, because OpenCV reads them when it is imported, whichever module imports it first.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

"""Curate image-classification training sets: find what is wrong, decide, apply, retrain, and see what it was worth."""

import os

__version__ = "0.1.0"

MAX_PIXELS = int(os.environ.get("CURATE_MAX_PIXELS", 1 << 27))
"""Images with more pixels are not decoded: 134 million, 400 MB as RGB. Scanners and phones stay below."""
# Here, because OpenCV reads them when it is imported, whichever module imports it first.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

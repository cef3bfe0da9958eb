"""Albumentations itself, imported when it is needed, and without its look for a newer version on the network."""

import importlib
import os
from typing import Any


def albumentations(module: str = "") -> Any:
    """The package, or a module of it: `.pytorch`."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    return importlib.import_module(f"albumentations{module}")

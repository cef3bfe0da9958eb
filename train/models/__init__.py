"""Networks, one file each: a file `x.py` here with a function `x(*, num_classes, image_size)` is the network `x`."""

import importlib
import pkgutil

from curate.errors import known
from train.blocks import Network


def names() -> list[str]:
    """The networks there are, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def build(name: str, *, num_classes: int, image_size: int) -> Network:
    """A fresh network, its weights drawn from torch's global generator.

    It maps images of `image_size` x `image_size` pixels to `num_classes` logits; `features` gives its embeddings.
    """
    if name not in names():
        raise known("model", name, names())
    function = getattr(importlib.import_module(f"{__name__}.{name}"), name)
    network: Network = function(num_classes=num_classes, image_size=image_size)
    return network


def summaries() -> dict[str, str]:
    """Name -> the first line of the network's docstring."""
    lines = {}
    for name in names():
        function = getattr(importlib.import_module(f"{__name__}.{name}"), name)
        lines[name] = (function.__doc__ or "").strip().splitlines()[0]
    return lines

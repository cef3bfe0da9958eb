"""A trained network as an ONNX file, which runs without torch, and is checked against torch before it is written."""

import json
import logging
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from curate.errors import UserError
from curate.files import write_bytes_atomic
from curate.wording import pasted
from train.blocks import Network
from train.run import Saved

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
TOLERANCE = 1e-3
"""Highest difference of a logit from torch's, relative to the largest logit. Measured: 1e-6 with resnet_fast,
resnet20 and resnet18, which is the rounding of float32."""
CHECKED = (1, 2, 7)
"""Batch sizes that the file is checked with: none of them is fixed in it."""


@dataclass(frozen=True)
class Exported:
    """An ONNX file: images, (batch, 3, S, S), uint8, RGB, to logits, (batch, K)."""

    written: str
    classes: tuple[str, ...]
    """In the order of the logits; in the file as the metadata `classes`, a JSON list."""
    image_size: int
    max_difference: float
    """Between a logit of onnxruntime and of torch, on random images."""


def write_onnx(path: Path, saved: Saved) -> Exported:
    """Write the network to `path`; its normalisation is in it.

    Raises `UserError` where a package is missing, and where onnxruntime gives other logits than torch.
    """
    missing = [name for name in PACKAGES if not find_spec(name)]
    if missing:
        raise UserError(f"an ONNX file takes {', '.join(missing)}: pip install {' '.join(PACKAGES)}")
    model, side = saved.model.eval(), saved.config.image_size or 32
    content = to_onnx(model, side, {"classes": json.dumps(saved.classes), "image_size": str(side)})
    difference, largest = compare(content, model, side)
    if not difference <= TOLERANCE * max(1.0, largest):
        raise UserError(
            f"onnxruntime's logits differ from torch's by {difference:.2g}, more than {TOLERANCE:g} of the largest, "
            f"{largest:.2g}; {pasted(path)} was not written. Please report it with the network's name, "
            f"{saved.config.model}"
        )
    write_bytes_atomic(path, content)
    return Exported(str(path), saved.classes, side, difference)


def to_onnx(model: Network, side: int, about: dict[str, str]) -> bytes:
    """The file's content. about: its metadata."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)  # it says that torchvision is missing, which nothing here uses
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)  # torch's own
            program = torch.onnx.export(
                model,
                (torch.zeros((2, 3, side, side), dtype=torch.uint8),),
                dynamo=True,
                verbose=False,
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes={"images": {0: "batch"}},
            )
    finally:
        log.setLevel(level)
    assert program
    file = program.model_proto
    for name, text in about.items():
        file.metadata_props.add(key=name, value=text)
    content: bytes = file.SerializeToString()
    return content


def compare(content: bytes, model: Network, side: int) -> tuple[float, float]:
    """The largest difference between logits of onnxruntime and of torch, and the largest logit; on random images."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    random = torch.Generator().manual_seed(0)
    differences, sizes = [], []
    for count in CHECKED:
        images = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=random)
        theirs = session.run(None, {"images": images.numpy()})[0]
        with torch.no_grad():
            ours = model(images).numpy()
        differences.append(np.abs(theirs - ours).max())
        sizes.append(np.abs(ours).max())
    return float(max(differences)), float(max(sizes))

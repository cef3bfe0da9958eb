"""Pipelines of augmentation in YAML or JSON; the first byte chooses."""

from curate.augment import pipeline
from tests.fuzz.contract import answered, file


def seeds() -> list[bytes]:
    """Lists of transforms, compositions in one another, and what `A.to_dict` gives."""
    listed = [
        b"- HorizontalFlip: {p: 0.5}\n- Transpose\n- PadIfNeeded: {min_height: 40, border_mode: reflect_101}\n",
        b"- OneOf: {transforms: [{Blur: {blur_limit: [3, 5]}}, {RandomGamma: {p: 0.2}}], p: 0.7}\n- NoOp\n",
        b"- SomeOf: {transforms: [VerticalFlip, Affine: {rotate: [-5, 5]}], n: 1, replace: false}\n",
        b"- RandAugment: {count: 2}\n- Normalize: {mean: [0, 0, 0], std: [1, 1, 1]}\n",
    ]
    saved = (
        b'{"__version__": "2.0.8", "transform": {"__class_fullname__": "Compose", "p": 1.0, "transforms": '
        b'[{"__class_fullname__": "HorizontalFlip", "p": 0.5}], "bbox_params": null, "additional_targets": {}}}'
    )
    return [*(b"\0" + text for text in listed), b"\1" + saved, b'\1[{"CoarseDropout": {"p": 1}}]']


def one(data: bytes) -> None:
    """A pipeline that is read has steps, or says which of its transforms has no version for batches."""
    path = file("x.json" if data[:1] == b"\1" else "x.yaml", data[1:])
    with answered():
        found = pipeline.read_pipeline(path)
        assert len(pipeline.steps(found)) <= pipeline.MOST

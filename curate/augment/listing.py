"""Every transform that a pipeline may hold, and what runs it."""

from dataclasses import dataclass
from typing import Any, Literal

from curate import registry
from curate.augment.pipeline import added, classes, known_transforms
from curate.augment.upstream import albumentations

NEED_MORE = (
    *("AtLeastOneBBoxRandomCrop", "BBoxSafeRandomCrop", "RandomSizedBBoxSafeCrop"),
    *("ConstrainedCoarseDropout", "CropNonEmptyMaskIfExists"),
    *("FromFloat", "ToTensor3D"),
    *("RandomCropFromBorders", "RandomScale"),
)
"""Needs boxes or a mask; takes no image as files hold them; gives sizes that differ in a batch."""


@dataclass(frozen=True)
class Listed:
    """A transform, and what runs it.

    "batch": on whole batches, on a CPU or a GPU; "fallback": Albumentations, with `--fallback cpu`.
    """

    name: str
    summary: str
    runs: Literal["batch", "fallback"]


def transforms() -> list[Listed]:
    """Those for batches, and every other transform of Albumentations that needs nothing but an image; by name."""
    base = albumentations().BasicTransform
    policies = {name: kind for name, kind in added().items() if not issubclass(kind, base)}
    batched = {**known_transforms(), **policies, "NoOp": classes()["NoOp"]}
    others = {name: kind for name, kind in classes().items() if name not in batched and _takes_an_image(name, kind)}
    found = [Listed(name, registry.summary(kind), "batch") for name, kind in batched.items()]
    found += [Listed(name, registry.summary(kind), "fallback") for name, kind in others.items()]
    return sorted(found, key=lambda item: item.name)


def _takes_an_image(name: str, kind: Any) -> bool:
    """Whether it takes an image as files hold them, and asks for nothing beside, such as other images."""
    base = albumentations().BasicTransform
    if not issubclass(kind, base) or name in NEED_MORE:
        return False
    return kind.targets_as_params is base.targets_as_params and "IMAGE" in {target.name for target in kind._targets}

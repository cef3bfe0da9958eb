"""What Albumentations lacks, one file each: a class in it can be used as if it were a transform of Albumentations.

A class that one image is enough for runs there, too. One that has `for_batches` is run on batches by that class.
"""

import inspect
from typing import Any, ClassVar

from curate.augment.transform import Transform
from curate.augment.upstream import albumentations
from curate.errors import UserError

A: Any = albumentations()


class Policy:
    """A composition that is written as its settings, not as the transforms that follow from them."""

    def set_random_seed(self, seed: int | None) -> None:
        super().set_random_seed(seed)  # type: ignore[misc]
        # it gives every transform a generator of its own with the same seed, so that all slots would choose alike
        self.set_random_state(self.random_generator, self.py_random)  # type: ignore[attr-defined]

    def to_dict_private(self) -> dict[str, Any]:
        names = [name for name in inspect.signature(type(self)).parameters if name != "self"]
        return {
            "__class_fullname__": self.get_class_fullname(),  # type: ignore[attr-defined]
            **{name: getattr(self, name) for name in names},
        }

    def get_dict_with_id(self) -> dict[str, Any]:
        # ReplayCompose builds it anew from its transforms, of which those that were applied are marked
        return {**super().get_dict_with_id(), "__class_fullname__": "Sequential"}  # type: ignore[misc]

    def indented_repr(self, indent: int = 0) -> str:
        settings = {name: value for name, value in self.to_dict_private().items() if name != "__class_fullname__"}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in settings.items())})"


class BatchOnly(A.ImageOnlyTransform):
    """A transform that one image is not enough for."""

    for_batches: ClassVar[type[Transform]]

    def __call__(self, *args: Any, **data: Any) -> Any:
        raise UserError(
            f"{type(self).__name__} needs the batch and the epoch, and Albumentations has one image; run the pipeline "
            "with curate.augment.compile(pipeline)"
        )

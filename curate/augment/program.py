"""A pipeline made ready for batches, on a CPU or a GPU, and how it is run."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from curate.augment.choices import Chooser, positions
from curate.augment.draws import Stream
from curate.augment.frame import Frame
from curate.augment.fused import Scaling, Stage, fused, rounded, scales
from curate.augment.pipeline import Step, albumentations, from_dict, read_pipeline, steps
from curate.augment.replay import matched
from curate.augment.transform import Params, frame_of
from curate.errors import UserError

Mode = Literal["exact", "fused"]
Layout = Literal["auto", "NHWC", "NCHW"]
Batch = Tensor | np.ndarray
"""A result is what the images were."""
CHANNELS = (1, 3)
"""Numbers of channels that tell one layout from the other."""


@dataclass
class Program:
    """A pipeline for batches. Called with images, what names them, and the epoch, it gives the augmented images.

    The same image gets the same augmentation in an epoch, whatever the batch, its order and the device.
    """

    steps: Sequence[Step]
    seed: int = 0
    mode: Mode = "exact"
    dtype: torch.dtype | None = None
    """Of the result; None: what the last step gives."""
    layout: Layout = "auto"
    """Of the images, and of the result unless ToTensorV2 makes it NCHW. "auto": told from where 1 or 3 channels are."""
    ahead: dict[int, int] = field(default_factory=dict)
    """How many random words each place took in earlier calls."""

    def __call__(self, images: Batch | list[np.ndarray], ids: Any, epoch: int = 0) -> Batch:
        """The images, augmented.

        images: uint8, shape (N, H, W, C), (N, C, H, W) or (N, H, W); a tensor stays on its device, an array stays one.
        Or a list of arrays (H, W, C) of different sizes, if the pipeline brings them to one. ids: N whole numbers from
        0 on, or names, which must not change between epochs. epoch: 0 for the first.

        Raises `UserError` for images that the pipeline is not for, and for ids that don't name them.
        """
        if isinstance(images, list):
            return self._sizes(images, ids, epoch)
        pixels = _tensor(images)
        return self._back(self.run(self._channels_last(pixels), numbers(ids, pixels), epoch), images)

    def replay(self, images: Batch, applied: Sequence[Sequence[tuple[str, Mapping[str, Any]]]]) -> Batch:
        """The images with what Albumentations drew for them, in exact mode.

        applied: for each image the `applied_transforms` of a `Compose` with `save_applied_params=True`.
        """
        pixels = self._channels_last(_tensor(images))
        if len(applied) != len(pixels):
            raise UserError(f"{len(pixels)} images, but {len(applied)} lists of applied transforms; give one for each")
        return self._back(self._replayed(pixels, matched(self.steps, applied)), images)

    def run(self, pixels: Tensor, ids: Tensor, epoch: int) -> Tensor:
        """As `__call__`: shape (N, H, W, C), uint8, and (N,), int64, on one device."""
        self.check(frame_of(pixels))
        if not len(pixels):
            size = self.output(frame_of(pixels))
            return torch.empty((0, *size), dtype=self.dtype or pixels.dtype, device=pixels.device)
        stream = Stream(self.seed, epoch, ids, self.ahead)
        chooser = Chooser(stream)
        if self.mode == "fused":
            for stage in self.stages():
                pixels = stage(pixels, stream, chooser)
            if not scales(self.steps):
                pixels = rounded(pixels)
        else:
            for step in self.steps:
                pixels = exact(step, pixels, stream, chooser)
        return pixels if self.dtype is None else pixels.to(self.dtype)

    def stages(self) -> Sequence[Stage]:
        """The steps in groups that are computed at once."""
        return fused(self.steps, exact)

    def output(self, frame: Frame) -> Frame:
        """Size of what comes out for images of this size. Raises `UserError` for images that it is not for."""
        for step in self.steps:
            frame = step.transform.output(frame)
        return frame

    def check(self, frame: Frame) -> None:
        """Raises `UserError` where images of this size would not all come out in one."""
        for step in self.steps:
            after = step.transform.output(frame)
            if step.gates and after != frame:
                raise UserError(
                    f"{step.transform.name} makes {after} px of {frame} px, but of some images alone: in a batch all "
                    "have one size. Give it p=1, or put the same size behind every choice"
                )
            frame = after

    def _replayed(self, pixels: Tensor, drawn: Sequence[Sequence[Mapping[str, Any] | None]]) -> Tensor:
        """drawn: for each step, for each image the params, None where it was not applied."""
        for step, each in zip(self.steps, drawn, strict=True):
            chosen = torch.tensor([number for number, params in enumerate(each) if params is not None])
            if len(chosen):
                frame = frame_of(pixels)
                params = step.transform.replay([p for p in each if p is not None], frame, pixels.device)
                pixels = _applied(step, pixels, params, None if len(chosen) == len(pixels) else chosen)
        return pixels

    def _sizes(self, images: Sequence[np.ndarray], ids: Any, epoch: int) -> np.ndarray:
        """Images of several sizes: those of one size at once."""
        if not len(images):
            raise UserError("no images: the list is empty; give an array of shape (0, H, W, C) where that is meant")
        for number, image in enumerate(images):
            if not isinstance(image, np.ndarray) or image.ndim not in (2, 3):
                raise UserError(
                    f"image {number} of the list is no array of shape (H, W, C), but {type(image).__name__}"
                )
        whole = [image[:, :, None] if image.ndim == 2 else image for image in images]
        named = numbers(ids, whole)
        result: list[np.ndarray | None] = [None] * len(whole)
        for shape in dict.fromkeys(image.shape for image in whole):
            of = [number for number, image in enumerate(whole) if image.shape == shape]
            batch = self(np.stack([whole[number] for number in of]), named[of], epoch)
            for number, image in zip(of, batch, strict=True):
                result[number] = image
        done = [image for image in result if image is not None]
        sizes = list(dict.fromkeys(image.shape for image in done))
        if len(sizes) > 1:
            listed = ", ".join("x".join(map(str, size)) for size in sizes[:3])
            raise UserError(
                f"the pipeline leaves images in several sizes ({listed}, …); put a Resize or a crop into it"
            )
        return np.stack(done)

    def _channels_last(self, pixels: Tensor) -> Tensor:
        """Shape (N, H, W, C), contiguous."""
        if pixels.ndim == 3:
            return pixels[..., None].contiguous()
        return (pixels.permute(0, 2, 3, 1) if self._planes(pixels) else pixels).contiguous()

    def _planes(self, pixels: Tensor) -> bool:
        """Whether the layout is NCHW."""
        if pixels.ndim != 4:
            raise UserError(
                f"images have {pixels.ndim} axes, shape {tuple(pixels.shape)}; a batch is (N, H, W, C) or (N, C, H, W)"
            )
        last, first = pixels.shape[3] in CHANNELS, pixels.shape[1] in CHANNELS
        if self.layout != "auto":
            return self.layout == "NCHW"
        if last == first:
            reason = "either axis could be the channels" if last else "no axis has 1 or 3 channels"
            raise UserError(f'images of shape {tuple(pixels.shape)}: {reason}; say layout="NHWC" or layout="NCHW"')
        return first

    def _back(self, pixels: Tensor, images: Batch) -> Batch:
        """The result as the images came: layout, tensor or array."""
        given = _tensor(images)
        planes = any(step.transform.name == "ToTensorV2" for step in self.steps)
        if given.ndim == 3 and not planes and pixels.shape[3] == 1:
            pixels = pixels[..., 0]
        elif planes or (given.ndim == 4 and self._planes(given)):
            pixels = pixels.permute(0, 3, 1, 2)
        return pixels.numpy() if isinstance(images, np.ndarray) else pixels


def compile(
    pipeline: Any,
    *,
    seed: int = 0,
    mode: Mode = "exact",
    dtype: torch.dtype | None = None,
    layout: Layout = "auto",
    fallback: Literal["cpu"] | None = None,
) -> Program:
    """A pipeline of Albumentations made ready for batches.

    pipeline: an `A.Compose`, or any transform; what `A.to_dict` gives; a list of transforms; or the path of a JSON or
    YAML file, see `curate.augment.pipeline.read_pipeline`. mode: "exact" gives the pixels of Albumentations; "fused"
    composes what can be composed, which is faster and differs as docs/augment.md says. fallback: "cpu" runs transforms
    that have no version for batches through Albumentations, one image after the other.

    Raises `UserError` for a pipeline that cannot be read or run.
    """
    if mode not in ("exact", "fused"):
        raise UserError(f'mode is "exact" or "fused", not {mode!r}')
    if layout not in ("auto", "NHWC", "NCHW"):
        raise UserError(f'layout is "auto", "NHWC" or "NCHW", not {layout!r}')
    if fallback not in (None, "cpu"):
        raise UserError(f'fallback is None or "cpu", not {fallback!r}')
    if not 0 <= seed < 2**64:
        raise UserError(f"seed is {seed}; it has to be from 0 to 2**64 - 1")
    if isinstance(pipeline, str | Path):
        pipeline = read_pipeline(Path(pipeline))
    elif isinstance(pipeline, list) and any(hasattr(each, "p") for each in pipeline):
        pipeline = albumentations().Compose(pipeline)
    elif isinstance(pipeline, Mapping | list):
        pipeline = from_dict(pipeline)
    replacement = None
    if fallback == "cpu":
        from curate.augment.fallback import Fallback

        replacement = Fallback
    found = steps(pipeline, replacement)
    _check_order(found)
    return Program(found, seed, mode, dtype, layout)


def _check_order(steps: Sequence[Step]) -> None:
    """Raises `UserError` for a step that is for levels, but comes when these are floats already."""
    scaled = ""
    for step in steps:
        transform = step.transform
        if scaled and not transform.floats:
            raise UserError(f"{transform.name} comes after {scaled}, and takes levels from 0 to 255; put {scaled} last")
        scaled = transform.name if isinstance(transform, Scaling) else scaled


def exact(step: Step, pixels: Tensor, stream: Stream, chooser: Chooser) -> Tensor:
    """One step, with the pixels that Albumentations gives."""
    passed = chooser.passes(step.gates)
    frame = frame_of(pixels)
    if passed is None or pixels.device.type != "cpu":  # elsewhere a look at who passes would wait for it
        done = step.transform.apply(pixels, step.transform.draw(stream.at(step.place), frame))
        return done if passed is None else torch.where(passed[:, None, None, None], done, pixels)
    chosen = positions(passed)
    if not len(chosen):
        return pixels
    params = step.transform.draw(stream.at(step.place, chosen), frame)
    return _applied(step, pixels, params, chosen if len(chosen) < len(pixels) else None)


def _applied(step: Step, pixels: Tensor, params: Params, chosen: Tensor | None) -> Tensor:
    """The images at `chosen` changed, None for all."""
    if chosen is None:
        return step.transform.apply(pixels, params)
    chosen = chosen.to(pixels.device)
    done = step.transform.apply(pixels.index_select(0, chosen), params)
    if done.shape[1:] != pixels.shape[1:] or done.dtype != pixels.dtype:
        raise UserError(f"{step.transform.name} changes size or type of some images of a batch alone; give it p=1")
    return pixels.index_copy(0, chosen, done)


def numbers(ids: Any, images: Sequence[Any] | Tensor) -> Tensor:
    """What names the images, as whole numbers: shape (N,), int64, on their device. Names are hashed.

    Raises `UserError` where there is not one for each image.
    """
    if isinstance(ids, Tensor):
        found = ids
    else:
        values = np.atleast_1d(np.asarray(() if ids is None else ids))
        if values.dtype.kind in "OUS":
            values = np.array([_hashed(str(name)) for name in values.tolist()], np.int64)
        if values.dtype.kind not in "iu" and values.size:
            raise UserError(f"ids are of type {values.dtype}; they have to be whole numbers or names")
        found = torch.from_numpy(values.astype(np.int64))
    device = images.device if isinstance(images, Tensor) else torch.device("cpu")
    if found.shape != (len(images),):
        raise UserError(f"{len(images)} images, but ids of shape {tuple(found.shape)}; give one id for each image")
    if found.is_floating_point() or found.dtype == torch.bool:
        raise UserError(f"ids are of type {found.dtype}; they have to be whole numbers or names")
    return found.to(device=device, dtype=torch.int64, non_blocking=True)


def _hashed(name: str) -> int:
    """63 bits that stay the same for good."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") >> 1


def _tensor(images: Any) -> Tensor:
    pixels = torch.from_numpy(images) if isinstance(images, np.ndarray) else images
    if not isinstance(pixels, Tensor):
        raise UserError(f"images are a {type(images).__name__}; give a tensor, an array or a list of arrays")
    if pixels.dtype != torch.uint8:
        raise UserError(
            f"images are {str(pixels.dtype).removeprefix('torch.')}; give uint8, levels from 0 to 255, and let the "
            "pipeline make floats of them (Normalize, ToFloat)"
        )
    return pixels

"""A pipeline made ready for batches: how it is run, on a CPU or a GPU."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, overload

import numpy as np
import torch
from torch import Tensor

from curate.augment.batches import Batch, Layout, as_epoch, as_given, channels_last, numbers, with_channels
from curate.augment.choices import Chooser, positions
from curate.augment.device import keep_memory
from curate.augment.draws import Ahead, Stream
from curate.augment.frame import Frame
from curate.augment.fused import Stage, fused, rounded, scales
from curate.augment.mixing import Mix, as_targets
from curate.augment.pipeline import Step
from curate.augment.replay import matched
from curate.augment.transform import Params, frame_of
from curate.errors import UserError

Mode = Literal["exact", "fused"]
RARE = 0.2
"""Share of images. RandAugment on 512 images of 32 px: 77 ms with all steps composed, 42 ms with each on its own."""


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
    ahead: Ahead = field(default_factory=Ahead, init=False, repr=False)
    _checked: set[Frame] = field(default_factory=set, init=False, repr=False)
    """Sizes of images that the pipeline is for."""

    @overload
    def __call__(self, images: Batch | list[np.ndarray], ids: Any, epoch: int | Tensor = 0) -> Batch: ...

    @overload
    def __call__(
        self,
        images: Batch | list[np.ndarray],
        ids: Any,
        epoch: int | Tensor = 0,
        *,
        labels: Any,
        classes: int | None = None,
    ) -> tuple[Batch, Any]: ...

    def __call__(
        self,
        images: Batch | list[np.ndarray],
        ids: Any,
        epoch: int | Tensor = 0,
        *,
        labels: Any = None,
        classes: int | None = None,
    ) -> Batch | tuple[Batch, Any]:
        """The images, augmented; where there are labels, these as well.

        images: uint8, shape (N, H, W, C), (N, C, H, W) or (N, H, W); a tensor stays on its device, an array stays one.
        Or a list of arrays (H, W, C) of different sizes, if the pipeline brings them to one; `layout` does not count
        then. ids: N whole numbers from 0 on, or names, which must not change between epochs. epoch: 0 for the first; a
        tensor without axes on their device where a CUDA graph is to be replayed for others. labels: shape (N,), whole
        numbers below `classes`, or (N, K), float; a pipeline that mixes images (MixUp, CutMix) needs them and gives
        shape (N, K), float32, any other gives them back as they are.

        Raises `UserError` for images or labels that the pipeline is not for, and for ids that don't name them.
        """
        if labels is None and self.mixes:
            raise UserError("the pipeline mixes images, and their labels with them: give labels=…")
        if isinstance(images, list):
            whole = with_channels(images)
            frame, device = Frame(*whole[0].shape), torch.device("cpu")
            pixels = self._sizes(whole, numbers(ids, len(whole), device), epoch)
            done: Batch = as_given(pixels, whole[0][None], "NHWC", planes=self.planes)
        else:
            pixels = channels_last(images, self.layout)
            frame, device = frame_of(pixels), pixels.device
            done = self.run(pixels, numbers(ids, len(pixels), device), epoch)
            done = as_given(done, images, self.layout, planes=self.planes)
        if labels is None or not self.mixes:
            return done if labels is None else (done, labels)
        targets = as_targets(labels, classes, len(images), device)
        targets = self.targets(targets, numbers(ids, len(targets), device), epoch, frame)
        return done, targets if isinstance(images, Tensor) else targets.numpy()

    def replay(self, images: Batch, applied: Sequence[Sequence[tuple[str, Mapping[str, Any]]]]) -> Batch:
        """The images with what Albumentations drew for them, in exact mode.

        applied: for each image the `applied_transforms` of a `Compose` with `save_applied_params=True`.
        """
        pixels = channels_last(images, self.layout)
        if len(applied) != len(pixels):
            raise UserError(f"{len(pixels)} images, but {len(applied)} lists of applied transforms; give one for each")
        done = self._replayed(pixels, matched(self.steps, applied))
        return as_given(done, images, self.layout, planes=self.planes)

    def run(self, pixels: Tensor, ids: Tensor, epoch: int | Tensor) -> Tensor:
        """As `__call__`: shape (N, H, W, C), uint8, and (N,), int64, on one device."""
        self.check(frame_of(pixels))
        epoch = as_epoch(epoch)
        if not len(pixels):
            size, made = self.output(frame_of(pixels)), torch.float32 if scales(self.steps) else torch.uint8
            return torch.empty((0, *size), dtype=self.dtype or made, device=pixels.device)
        if pixels.device.type == "cpu":
            keep_memory()
        stream = Stream(self.seed, epoch, ids, self.ahead)
        chooser = Chooser(stream)
        if self.mode == "fused":
            for stage in self.stages_on_cpu if pixels.device.type == "cpu" else self.stages:
                pixels = stage(pixels, stream, chooser)
            if not scales(self.steps):
                pixels = rounded(pixels)
        else:
            for step in self.steps:
                pixels = exact(step, pixels, stream, chooser)
        return pixels if self.dtype is None else pixels.to(self.dtype)

    def targets(self, targets: Tensor, ids: Tensor, epoch: int | Tensor, frame: Frame) -> Tensor:
        """The targets mixed as `run` mixes the images of these ids: shape (N, K), float32. frame: of the images."""
        stream = Stream(self.seed, as_epoch(epoch), ids)  # numbers by counter: they are those that the images got
        chooser = Chooser(stream)
        for step in self.steps:
            if isinstance(step.transform, Mix):
                params = step.transform.draw(stream.at(step.place), frame)
                targets = step.transform.targets(targets, params, frame, chooser.passes(step.gates))
            frame = step.transform.output(frame)
        return targets

    @property
    def mixes(self) -> bool:
        """Whether images are mixed with one another, and their labels have to be."""
        return any(isinstance(step.transform, Mix) for step in self.steps)

    @cached_property
    def stages(self) -> Sequence[Stage]:
        """The steps in groups that are computed at once."""
        return fused(self.steps, exact, self.dtype)

    @cached_property
    def stages_on_cpu(self) -> Sequence[Stage]:
        """The same for a CPU, where what few images pass is not composed."""
        return fused(self.steps, exact, self.dtype, rare=RARE)

    def output(self, frame: Frame) -> Frame:
        """Size of what comes out for images of this size. Raises `UserError` for images that it is not for."""
        for step in self.steps:
            frame = step.transform.output(frame)
        return frame

    def check(self, frame: Frame) -> None:
        """Raises `UserError` where images of this size would not all come out in one."""
        if frame in self._checked:
            return
        given = frame
        for step in self.steps:
            after = step.transform.output(frame)
            if step.gates and after != frame:
                sizes = [
                    f"{each} px" if after[:2] != frame[:2] else f"{each.channels} channels" for each in (after, frame)
                ]
                raise UserError(
                    f"{step.transform.name} makes {sizes[0]} of {sizes[1]}, but of some images alone: "
                    "in a batch all have one size. Take it out of what chance decides: p=1, and in no OneOf or SomeOf"
                )
            frame = after
        self._checked.add(given)

    def _replayed(self, pixels: Tensor, drawn: Sequence[Sequence[Mapping[str, Any] | None]]) -> Tensor:
        """drawn: for each step, for each image the params, None where it was not applied."""
        for step, each in zip(self.steps, drawn, strict=True):
            chosen = torch.tensor([number for number, params in enumerate(each) if params is not None])
            if len(chosen):
                frame = frame_of(pixels)
                params = step.transform.replay([p for p in each if p is not None], frame, pixels.device)
                pixels = _applied(step, pixels, params, None if len(chosen) == len(pixels) else chosen)
        return pixels

    def _sizes(self, images: Sequence[np.ndarray], ids: Tensor, epoch: int | Tensor) -> Tensor:
        """As `run`, of images of several sizes: those of one size at once, all from the first step on that mixes."""
        mix = next((at for at, step in enumerate(self.steps) if isinstance(step.transform, Mix)), None)
        alone = self if mix is None else replace(self, steps=self.steps[:mix], dtype=None)
        result: dict[int, Tensor] = {}
        for shape in dict.fromkeys(image.shape for image in images):
            of = [number for number, image in enumerate(images) if image.shape == shape]
            batch = channels_last(np.stack([images[number] for number in of]), "NHWC")
            result.update(zip(of, alone.run(batch, ids[of], epoch), strict=True))
        done = [result[number] for number in range(len(images))]
        sizes = list(dict.fromkeys(image.shape for image in done))
        if len(sizes) > 1:
            listed = ", ".join("x".join(map(str, size)) for size in sizes[:3])
            raise UserError(
                f"the pipeline leaves images in several sizes ({listed}, …); put a Resize or a crop into it"
            )
        if mix is None:
            return torch.stack(done)
        mode: Mode = "exact" if scales(self.steps[:mix]) else self.mode  # floats: there the modes are the same
        return replace(self, steps=self.steps[mix:], mode=mode).run(torch.stack(done), ids, epoch)

    @property
    def planes(self) -> bool:
        """Whether the result is NCHW, whatever the images are."""
        return any(step.transform.name == "ToTensorV2" for step in self.steps)


def exact(step: Step, pixels: Tensor, stream: Stream, chooser: Chooser) -> Tensor:
    """One step, with the pixels that Albumentations gives."""
    passed = chooser.passes(step.gates)
    frame = frame_of(pixels)
    whole = isinstance(step.transform, Mix) or pixels.device.type != "cpu"  # a look at who passes would wait there
    if passed is None or whole:
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

"""AugMix: an image mixed with copies of itself that were augmented in chains."""

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from curate.augment.choices import Chooser, positions
from curate.augment.draws import Ahead, Draws, Stream
from curate.augment.frame import Frame
from curate.augment.pipeline import steps
from curate.augment.policies import A, BatchOnly, operations
from curate.augment.policies.operations import Fill
from curate.augment.transform import Params, Settings, Transform

LEAST = 0.1
"""Lowest level, as in the authors' code; the highest one is the severity."""
APART = 0x9E3779B97F4A7C15
"""Golden ratio: keeps the chains' random numbers from those of the pipeline."""
PASSED = "passed"


class BatchAugMix(Transform):
    """An image mixed with copies of itself, each changed by a chain of operations."""

    examples = ()  # Albumentations has none, so there is nothing to compare with

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.steps = steps(chain(settings.depth, settings.severity, settings.fill))
        self._ahead = Ahead()

    def output(self, frame: Frame) -> Frame:
        for step in self.steps:
            frame = step.transform.output(frame)
        return super().output(frame)

    def draw(self, draws: Draws, frame: Frame) -> Params:
        """Shares of original and chains; params of step k of all chains under "k name", shape (N, width, …)."""
        alpha, width = self.settings.alpha, self.settings.width
        gamma = draws.gamma(alpha, width) + 1e-300  # with a small alpha all may be 0, which is equal shares
        params = {"own": draws.beta(alpha, alpha), "shares": gamma / gamma.sum(1, keepdim=True)}
        stream = self._chains(draws)
        chooser = Chooser(stream)
        for number, step in enumerate(self.steps):
            passed = chooser.passes(step.gates)
            assert passed is not None, "each is one of several"
            drawn = {**step.transform.draw(stream.at(step.place), frame), PASSED: passed}
            params |= {f"{number} {name}": value.unflatten(0, (-1, width)) for name, value in drawn.items()}
        return params

    def apply(self, images: Tensor, params: Params) -> Tensor:
        width = self.settings.width
        chains = images.repeat_interleave(width, 0)
        for number, step in enumerate(self.steps):
            begin = f"{number} "
            mine = {
                key.removeprefix(begin): value.flatten(0, 1) for key, value in params.items() if key.startswith(begin)
            }
            chains = _changed(step.transform, chains, mine)
        own = params["own"].float()[:, None]
        shares = torch.cat([own, (1 - own) * params["shares"].float()], 1)[:, :, None, None, None]
        chains = chains.unflatten(0, (-1, width))
        mixed = shares[:, 0] * images
        for number in range(width):
            mixed += shares[:, number + 1] * chains[:, number]
        return mixed.round_().to(torch.uint8)

    def _chains(self, draws: Draws) -> Stream:
        """Random numbers of the chains, those of an image after one another."""
        ids = draws.stream.ids if draws.chosen is None else draws.stream.ids[draws.chosen]
        width = self.settings.width
        chains = ids[:, None] * width + torch.arange(width, device=ids.device)
        seed = (draws.stream.seed + (draws.place + 1) * APART) % 2**64
        return Stream(seed, draws.epoch, chains.flatten(), self._ahead)


class AugMix(BatchOnly):
    """An image mixed with copies of itself, each changed by a chain of operations.

    severity: how strong they are at most, 1 to 10. width: chains. depth: operations of a chain at most, from 1 on.
    alpha: shares are drawn from Dirichlet(alpha, …) and, of the original, from Beta(alpha, alpha). fill: of what comes
    from outside the image. Source: Hendrycks et al. 2020, "AugMix: a simple data processing method to improve
    robustness and uncertainty"; its 9 operations and their ranges are those of the authors' code.
    """

    for_batches = BatchAugMix

    class InitSchema(A.BasicTransform.InitSchema):
        severity: float = Field(ge=1, le=10)
        width: int = Field(ge=1)
        depth: int = Field(ge=1)
        alpha: float = Field(gt=0)
        fill: float | tuple[float, ...]

    def __init__(
        self,
        severity: float = 3,
        width: int = 3,
        depth: int = 3,
        alpha: float = 1.0,
        fill: float | tuple[float, ...] = 0,
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.severity, self.width, self.depth, self.alpha, self.fill = severity, width, depth, alpha, fill


def chain(depth: int, severity: float, fill: Fill) -> Any:
    """1 to `depth` operations, each number as probable: a second one behind the first, a third behind the second, …"""
    behind: list[Any] = []
    for more in range(depth):  # that may follow
        behind = [A.Sequential([A.OneOf(choices(severity, fill), p=1.0), *behind], p=(more + 1) / (more + 2))]
    behind[0].p = 1.0
    return behind[0]


def choices(severity: float, fill: Fill) -> list[Any]:
    """The 9 operations, each as probable as the others, of any level up to `severity`."""
    share = severity / 10
    return [
        operations.shear("x", -0.3 * share, 0.3 * share, fill=fill),
        operations.shear("y", -0.3 * share, 0.3 * share, fill=fill),
        operations.translate("x", -share / 3, share / 3, fill=fill),
        operations.translate("y", -share / 3, share / 3, fill=fill),
        operations.rotate(-30 * share, 30 * share, fill=fill),
        operations.posterize(_bits(severity)),
        operations.solarize((256 - 256 * share) / 255, 1),
        operations.auto_contrast(),
        operations.equalize(),
    ]


def _bits(severity: float) -> list[tuple[int, float]]:
    """Bits that Posterize leaves, 4 - int(0.4 level), and the length of the range of levels where it does."""
    return [
        (4 - cut, min(severity, 2.5 * (cut + 1)) - max(LEAST, 2.5 * cut)) for cut in range(4) if 2.5 * cut < severity
    ]


def _changed(transform: Transform, images: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """Those images changed that passed."""
    drawn, passed = {name: value for name, value in params.items() if name != PASSED}, params[PASSED]
    if images.device.type != "cpu":  # a look at who passed would wait for it
        return torch.where(passed[:, None, None, None], transform.apply(images, drawn), images)
    chosen = positions(passed)
    if not len(chosen):
        return images
    drawn = {name: value[chosen] for name, value in drawn.items()}
    return images.index_copy(0, chosen, transform.apply(images[chosen], drawn))

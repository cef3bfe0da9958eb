"""CutMix: a rectangle of another image, and as much of its label."""

import torch
from pydantic import Field
from torch import Tensor

from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.holes import inside
from curate.augment.mixing import Mix, partners
from curate.augment.policies import A, BatchOnly
from curate.augment.transform import Params, frame_of


class BatchCutMix(Mix):
    """A rectangle of another image, and as much of its label."""

    def draw(self, draws: Draws, frame: Frame) -> Params:
        order, size = self.order(draws), (1 - self.weight(draws)).sqrt()
        height, width = (size * frame.height).round().long(), (size * frame.width).round().long()
        top = draws.integers(0, frame.height) - height // 2
        left = draws.integers(0, frame.width) - width // 2
        right, bottom = (left + width).clamp(max=frame.width), (top + height).clamp(max=frame.height)
        return {"order": order, "box": torch.stack([left.clamp(min=0), top.clamp(min=0), right, bottom], 1)}

    def own(self, params: Params, frame: Frame) -> Tensor:
        left, top, right, bottom = params["box"].unbind(1)
        return 1 - ((right - left) * (bottom - top)).float() / (frame.height * frame.width)

    def apply(self, images: Tensor, params: Params) -> Tensor:
        cut = inside(params["box"][:, None], frame_of(images))[..., None]
        return torch.where(cut, images[partners(params["order"])], images)


class CutMix(BatchOnly):
    """A rectangle of another image, and as much of its label.

    It has the image's proportions and lies around a pixel drawn from all, cut off at the border. alpha: the share that
    stays is drawn for each image from Beta(alpha, alpha), before what lies outside is cut off; labels are mixed by the
    pixels that are there. Source: Yun et al. 2019, "CutMix: regularization strategy to train strong classifiers with
    localizable features".
    """

    for_batches = BatchCutMix

    class InitSchema(A.BasicTransform.InitSchema):
        alpha: float = Field(gt=0)

    def __init__(self, alpha: float = 1.0, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.alpha = alpha

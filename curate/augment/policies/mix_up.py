"""MixUp: the weighted mean of two images, and of their labels."""

from pydantic import Field
from torch import Tensor

from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.mixing import Mix, partners
from curate.augment.policies import A, BatchOnly
from curate.augment.transform import Params


class BatchMixUp(Mix):
    """The weighted mean of two images, and of their labels."""

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"order": self.order(draws), "own": self.weight(draws).float()}

    def own(self, params: Params, frame: Frame) -> Tensor:
        return params["own"]

    def apply(self, images: Tensor, params: Params) -> Tensor:
        own = params["own"][:, None, None, None]
        levels = images.float()
        mixed = levels[partners(params["order"])].lerp_(levels, own)
        return mixed.to(images.dtype) if images.is_floating_point() else mixed.round_().to(images.dtype)


class MixUp(BatchOnly):
    """The weighted mean of two images, and of their labels.

    alpha: the weight is drawn for each image from Beta(alpha, alpha): near 0 one of the two images prevails, at 1 all
    weights are equally probable. Source: Zhang et al. 2018, "mixup: beyond empirical risk minimization".
    """

    for_batches = BatchMixUp

    class InitSchema(A.BasicTransform.InitSchema):
        alpha: float = Field(gt=0)

    def __init__(self, alpha: float = 1.0, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.alpha = alpha

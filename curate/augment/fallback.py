"""Transforms that have no version for batches: Albumentations runs them on the processor, image after image."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.pipeline import one_line
from curate.augment.transform import Params, Settings, Transform
from curate.engine import threads
from curate.errors import UserError


class Fallback(Transform):
    """Any transform of Albumentations, with random numbers from the seed that was drawn for the image."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if missing := set(settings.targets_as_params) - {"image"}:
            raise UserError(
                f"{self.name} needs {', '.join(sorted(missing))} beside the image, which a batch has not; take it out"
            )

    def output(self, frame: Frame) -> Frame:
        """Found out by trying it on a grey image."""
        image = np.full((*frame,), 127, np.uint8)
        return Frame(*self._one(deepcopy(self.settings), image, 0).shape)

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"seed": draws.integers(0, 2**31 - 1)}

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        raise UserError(
            f"{self.name} has no version for batches, and what was drawn for it cannot be replayed; take it out"
        )

    def apply(self, images: Tensor, params: Params) -> Tensor:
        pixels, seeds = images.cpu().numpy(), params["seed"].tolist()
        workers = min(threads(), len(pixels))

        def part(worker: int) -> list[np.ndarray]:
            own = deepcopy(self.settings)
            return [self._one(own, pixels[at], seeds[at]) for at in range(worker, len(pixels), workers)]

        done: list[np.ndarray] = [pixels[0]] * len(pixels)
        with ThreadPoolExecutor(workers) as pool:
            for worker, part_done in enumerate(pool.map(part, range(workers))):
                done[worker::workers] = part_done
        if len({image.shape for image in done}) > 1:
            raise UserError(f"{self.name} makes images of different sizes, but those of a batch have one; take it out")
        return torch.from_numpy(np.stack(done)).to(images.device)

    def _one(self, settings: Settings, image: np.ndarray, seed: int) -> np.ndarray:
        settings.set_random_seed(seed)
        grey = image.shape[2] == 1
        try:
            result = settings(image=image, force_apply=True)["image"]
        except MemoryError:
            raise
        except Exception as error:  # most say what they are not for, and some fall over it
            tried = f"{self.name}, run by Albumentations on images of {Frame(*image.shape)} px"
            raise UserError(f"{tried}: {one_line(error)}; take it out, or give it larger ones") from None
        if not isinstance(result, np.ndarray) or result.dtype != np.uint8:
            raise UserError(f"{self.name}, run by Albumentations, gives no uint8 image; it cannot stand in a batch")
        return result[:, :, None] if grey and result.ndim == 2 else result

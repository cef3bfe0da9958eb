"""Colours that vary: brightness, contrast, saturation, hue, colour of the light."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from curate.augment.choices import positions
from curate.augment.device import constant, in_parts
from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.hue import PART, TURN, shifted, turned
from curate.augment.pointwise import GREY, GREY_BITS, Linear, Pointwise, every_level, looked_up
from curate.augment.transform import Params, Transform
from curate.errors import UserError

KINDS = ("brightness", "contrast", "saturation", "hue")
"""What `ColorJitter` adjusts, as `order` numbers them."""
CONTRAST, SATURATION, HUE = 1, 2, 3
NEUTRAL = (1, 1, 1, 0)
"""The factor of each that changes nothing."""
WHITE, WARM, STEP = 6000, 0.4, 500
"""Of `PlanckianJitter`: temperature of white light, probability of a lower one, steps of the table, in kelvin."""
Adjust = Callable[[Tensor, Tensor], Tensor]
"""Images and their factors, shape (N,), float64, in; the adjusted images out."""
TOGETHER = 3 << 19
"""Values whose images `fast` composes matrices for at once on a CPU: 512 images of 32 px, 10 of 224."""


class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue vary, in a random order."""

    examples = (
        {},
        {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
        {"brightness": 0.0, "contrast": (0.0, 0.0), "saturation": 0.0, "hue": 0.0},
        {"brightness": (0.5, 2.0), "contrast": (0.2, 3.0), "saturation": (0.0, 2.5), "hue": 0.0},
    )

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.limits = [tuple(getattr(settings, kind)) for kind in KINDS]
        self.used = [kind for kind, neutral in enumerate(NEUTRAL) if self.limits[kind] != (neutral, neutral)]
        """The kinds that may change something, by number."""

    def draw(self, draws: Draws, frame: Frame) -> Params:
        share = draws.uniform(shape=(len(KINDS),))
        factors = {
            kind: low + (high - low) * share[:, number]
            for number, (kind, (low, high)) in enumerate(zip(KINDS, self.limits, strict=True))
        }
        return {**factors, "order": draws.permutation(len(KINDS))}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        adjusts = (_brightened, _contrasted, _saturated, _rotated)
        kinds = [
            kind for kind in self.used if kind < SATURATION or images.shape[3] == 3
        ]  # grey has no colour to adjust
        images = images.clone()
        for slot in params["order"].unbind(1):
            for kind in kinds:
                images = _only(images, slot == kind, adjusts[kind], params[KINDS[kind]])
        return images

    def fast(self, levels: Tensor, params: Params) -> Tensor:
        """Shape (N, H, W, C), float32, from 0 to 255, in and out, nothing rounded; cut off before the hue and last."""
        factors = torch.stack([params[kind] for kind in KINDS], 1)
        return in_parts(self._fast, levels, factors, params["order"], values=TOGETHER)

    def _fast(self, levels: Tensor, factors: Tensor, order: Tensor) -> Tensor:
        planes = levels.flatten(1, 2).mT.contiguous()
        slot = torch.arange(len(KINDS), device=order.device)
        rotates = planes.shape[1] == 3 and HUE in self.used
        place = (order == HUE).int().argmax(1, keepdim=True) if rotates else len(KINDS)
        planes = _mixed(planes, factors, order, slot < place)
        if rotates:
            turn = torch.floor(factors[:, HUE] * TURN)
            planes = in_parts(_turned_planes, planes[..., None], turn, values=PART)[..., 0]
            planes = _mixed(planes, factors, order, slot > place)
        return planes.mT.reshape(levels.shape)


class HueSaturationValue(Transform):
    """Hue, saturation and value are shifted."""

    examples = (
        {},
        {"hue_shift_limit": 180, "sat_shift_limit": (-255, 255), "val_shift_limit": (-100, 100)},
        {"hue_shift_limit": 0, "sat_shift_limit": 0, "val_shift_limit": 60},
        {"hue_shift_limit": 0, "sat_shift_limit": (10, 50), "val_shift_limit": 0},
        {"hue_shift_limit": 0, "sat_shift_limit": 0, "val_shift_limit": 0},
    )

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        names = ("hue", "sat", "val")
        self.limits = {f"{name}_shift": getattr(settings, f"{name}_shift_limit") for name in names}
        self.used = [name for name, limits in self.limits.items() if tuple(limits) != (0, 0)]

    def output(self, frame: Frame) -> Frame:
        if frame.channels == 1 and self.used not in ([], ["val_shift"]):
            raise UserError(
                "HueSaturationValue: images of 1 channel have no hue and no saturation to shift; set hue_shift_limit "
                "and sat_shift_limit to 0, or give images of 3"
            )
        return super().output(frame)

    def draw(self, draws: Draws, frame: Frame) -> Params:
        share = draws.uniform(shape=(len(self.limits),))
        return {
            name: low + (high - low) * share[:, number]
            for number, (name, (low, high)) in enumerate(self.limits.items())
        }

    def apply(self, images: Tensor, params: Params) -> Tensor:
        if not self.used:
            return images
        hue, saturation, value = self._shifts(params)
        if images.shape[3] == 1:
            return (images.int() + value.int()[:, None, None, None]).clamp(0, 255).to(torch.uint8)
        return shifted(images, hue, *self._others(saturation, value))

    def fast(self, levels: Tensor, params: Params) -> Tensor:
        """Shape (N, H, W, C), float32, from 0 to 255, in and out, nothing rounded."""
        if not self.used:
            return levels
        hue, saturation, value = self._shifts(params)
        if levels.shape[3] == 1:
            return (levels + value.float()[:, None, None, None]).clamp(0, 255)
        return in_parts(_turned, levels, hue, *self._others(saturation, value), values=PART)

    def _shifts(self, params: Params) -> tuple[Tensor, Tensor, Tensor]:
        """Shape (N,), float64, whole: of the hue rounded down, of the others towards 0."""
        hue, saturation, value = (params[name] for name in self.limits)
        return torch.floor(hue), torch.trunc(saturation), torch.trunc(value)

    def _others(self, saturation: Tensor, value: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """None for what is not shifted."""
        return saturation if "sat_shift" in self.used else None, value if "val_shift" in self.used else None


class PlanckianJitter(Pointwise):
    """The light becomes warmer or colder."""

    examples = (
        {},
        {"mode": "cied"},
        {"sampling_method": "gaussian"},
        {"mode": "cied", "temperature_limit": (5800, 6100), "sampling_method": "gaussian"},
    )
    channels = (3,)

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        from albumentations.augmentations.pixel.functional import PLANCKIAN_COEFFS

        self.light = PLANCKIAN_COEFFS[settings.mode]
        """Red, green and blue by temperature, in steps of 500 kelvin."""

    def draw(self, draws: Draws, frame: Frame) -> Params:
        low, high = self.settings.temperature_limit
        warm = draws.coin(WARM)
        if self.settings.sampling_method == "uniform":
            share = draws.uniform()
            temperature = torch.where(warm, low + (WHITE - low) * share, WHITE + (high - WHITE) * share)
        else:
            away = draws.normal().abs() / 3
            temperature = torch.where(warm, WHITE - (WHITE - low) * away, WHITE + (high - WHITE) * away)
        return {"temperature": temperature.clamp(low, high).long()}

    def table(self, params: Params, channels: int) -> Tensor:
        factors = _single(self._factors(params))
        return (every_level(factors.device) * factors[:, :, None]).float().clamp(0, 255).to(torch.uint8)

    def linear(self, params: Params, channels: int) -> Linear:
        factors = self._factors(params).float()
        return Linear(torch.diag_embed(factors), torch.zeros_like(factors))

    def _factors(self, params: Params) -> Tensor:
        """What each channel is multiplied by: shape (N, 3), float64."""
        temperature, coldest = params["temperature"], min(self.light)
        table = constant([self.light[each] for each in sorted(self.light)], torch.float64, temperature.device)
        step = ((temperature - coldest) // STEP).clamp(max=len(table) - 2)
        share = ((temperature - coldest - step * STEP).double() / STEP)[:, None]
        light = (1 - share) * table[step] + share * table[step + 1]
        return light / light[:, 1:2]


def _only(images: Tensor, chosen: Tensor, adjust: Adjust, factor: Tensor) -> Tensor:
    """The images with those adjusted, in place on a CPU, that are `chosen`, shape (N,), bool."""
    if images.device.type != "cpu" or torch.compiler.is_compiling():  # a look at which they are would wait for it
        return torch.where(chosen[:, None, None, None], adjust(images, factor), images)
    at = positions(chosen)
    if not len(at):
        return images
    return images.index_copy_(0, at, in_parts(adjust, images.index_select(0, at), factor[at], values=PART))


def _brightened(images: Tensor, factor: Tensor) -> Tensor:
    return looked_up(images, _cut(every_level(images.device) * _single(factor)[:, None]))


def _contrasted(images: Tensor, factor: Tensor) -> Tensor:
    """Levels grow away from the mean of the grey image."""
    mean = _grey(images).sum((1, 2), dtype=torch.int64).double() / (images.shape[1] * images.shape[2])
    spread = _single(every_level(images.device) * _single(factor)[:, None])
    table = _cut(spread + _single(mean * (1 - factor))[:, None])
    flat = torch.floor(mean + 0.5).to(torch.uint8)  # without contrast Albumentations rounds, otherwise it cuts
    return looked_up(images, torch.where((factor == 0)[:, None, None], flat[:, None, None], table))


def _saturated(images: Tensor, factor: Tensor) -> Tensor:
    """Each pixel's mean with its grey, added in float64 and rounded once, as a fused multiply-add does."""
    own, others = (each.float()[:, None, None] for each in (factor, 1 - factor))
    grey = (_grey(images).float() * others).double()
    planes = []
    for channel in range(3):
        plane = (images[..., channel].double() * own.double() + grey).float().round_().clamp_(0, 255)
        planes.append(plane.int().to(torch.uint8).flatten())
    return torch.stack(planes, 1).view(images.shape)


def _rotated(images: Tensor, factor: Tensor) -> Tensor:
    return shifted(images, torch.floor(factor * TURN))


def _grey(images: Tensor) -> Tensor:
    """As `cv2.COLOR_RGB2GRAY`: shape (N, H, W, 1 or 3), uint8 -> (N, H, W), int32."""
    if images.shape[3] == 1:
        return images[..., 0].int()
    red, green, blue = (images[..., channel].int() * share for channel, share in enumerate(GREY))
    return red + green + blue + (1 << GREY_BITS - 1) >> GREY_BITS


def _single(values: Tensor) -> Tensor:
    """Rounded as float32 is, which keeps every step of NumPy apart, whatever a compiler joins."""
    return values.float().double()


def _cut(table: Tensor) -> Tensor:
    """Tables of levels, rounded down: shape (N, 256), float64 -> (N, 1, 256), uint8."""
    return table.float().clamp(0, 255).to(torch.uint8)[:, None]


def _turned(levels: Tensor, hue: Tensor, saturation: Tensor | None, value: Tensor | None) -> Tensor:
    """As `turned`: shape (N, H, W, 3) in and out."""
    red, green, blue = (levels[..., channel].contiguous() for channel in range(3))
    planes = turned((red, green, blue), hue, saturation, value)
    return torch.stack([plane.flatten() for plane in planes], 1).view(levels.shape)


def _turned_planes(planes: Tensor, hue: Tensor) -> Tensor:
    """As `turned`: shape (N, 3, P, 1) in and out."""
    red, green, blue = planes.unbind(1)
    return torch.stack(turned((red, green, blue), hue), 1)


def _mixed(planes: Tensor, factors: Tensor, order: Tensor, counted: Tensor) -> Tensor:
    """Brightness, contrast and saturation of the slots that are counted, as one matrix; then cut off.

    planes: shape (N, C, P). factors: of each kind, shape (N, 4). order, counted: of each slot, shape (N, 4).
    """
    factors = torch.where(counted & (order != HUE), factors.gather(1, order), 1).float()
    matrix, shift = _composed(factors, order, planes.mean(2))
    return torch.baddbmm(shift[:, :, None], matrix, planes).clamp_(0, 255)


def _composed(factors: Tensor, order: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """That matrix, and what is added: shape (N, C, C) and (N, C), float32. mean: of each channel, shape (N, C).

    A slot makes factor * levels + (1 - factor) * rest: the rest is 0, the mean grey level, or the pixel's own grey.
    What is added follows from what an image that is all mean becomes.
    """
    channels = mean.shape[1]
    weights = [share / (1 << GREY_BITS) for share in GREY] if channels == 3 else [1.0]
    grey = constant([weights] * channels, torch.float32, mean.device)
    same = torch.eye(channels, device=mean.device)
    own, rest = factors[:, :, None, None] * same, (1 - factors)[:, :, None, None] * grey
    own = own + rest * (order == SATURATION)[:, :, None, None]
    both = torch.stack([own, own + rest * (order == CONTRAST)[:, :, None, None]])
    first, second, third, fourth = both.unbind(2)
    matrix, of_mean = (fourth @ third @ (second @ first)).unbind(0)
    return matrix, ((of_mean - matrix) @ mean[:, :, None])[:, :, 0]

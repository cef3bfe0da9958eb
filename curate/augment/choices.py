"""Which images of a batch a step of the pipeline changes: probabilities, `OneOf`, `SomeOf`, `RandomOrder`."""

from dataclasses import dataclass

import torch
from torch import Tensor

from curate.augment.draws import Draws, Stream


@dataclass(frozen=True)
class Choice:
    """One choice at one place of the pipeline, drawn per image: what is taken in each of a number of slots."""

    place: int
    weights: tuple[float, ...]
    """How probable each option is; where there are several slots, all alike."""
    slots: int = 1
    replace: bool = True
    """Whether an option may be taken in two slots."""
    ordered: bool = True
    """Whether slots hold options in the order of the pipeline; otherwise in that of the draw."""

    def draw(self, draws: Draws) -> Tensor:
        """Shape (N, slots), int64: the option in each."""
        if self.slots == 1:
            return draws.choice(self.weights)[:, None]
        count = len(self.weights)
        mixed = draws.integers(0, count, (self.slots,)) if self.replace else draws.permutation(count)
        taken = mixed[:, : self.slots]
        return taken.sort(1).values if self.ordered else taken


@dataclass(frozen=True)
class Gate:
    """True for images for which `choice` took `option`, in `slot`; in any slot where that is None."""

    choice: Choice
    option: int
    slot: int | None = None

    @property
    def share(self) -> float:
        """Of the images that pass, on average."""
        choice = self.choice
        if choice.slots == 1:
            return choice.weights[self.option] / sum(choice.weights)
        return (1 if self.slot is not None else choice.slots) / len(choice.weights)


Gates = tuple[Gate, ...]
"""All have to be open."""


def coin(place: int, p: float) -> Gates:
    """Open with probability `p`."""
    return () if p >= 1 else (Gate(Choice(place, (p, 1 - p)), 0),)


class Chooser:
    """Answers, for one call, which images pass which gates. A choice is drawn once."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._drawn: dict[Choice, Tensor] = {}

    def passes(self, gates: Gates) -> Tensor | None:
        """Shape (N,), bool; None: all images pass."""
        passed: Tensor | None = None
        for gate in gates:
            taken = self._taken(gate.choice)
            column = taken if gate.slot is None else taken[:, gate.slot : gate.slot + 1]
            opened = (column == gate.option).any(1)
            passed = opened if passed is None else passed & opened
        return passed

    def _taken(self, choice: Choice) -> Tensor:
        if choice not in self._drawn:
            self._drawn[choice] = choice.draw(self.stream.at(choice.place))
        return self._drawn[choice]


def positions(passed: Tensor) -> Tensor:
    """Where `passed` is true: shape (N,), bool -> (M,), int64."""
    return torch.nonzero(passed)[:, 0]

"""What a finder may ask for by parameter name, each computed or read once per scan."""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from curate import manifest as manifests
from curate import predictions, registry, signals
from curate.engine import Engine, Local
from curate.errors import UserError, meant
from curate.measure import Measure, folder, measure, unmeasured
from curate.workspace import Workspace

PREDICTED = ("pred_probs", "embeddings", "repeats", "neighbors", "margins")
"""What `curate predict` leaves, see `curate.predictions.Predictions`."""


def wanted(functions: Iterable[Callable]) -> set[str]:
    """Names that functions ask for, directly or through a signal."""
    found = registry.functions(signals)
    names, queue = set[str](), [name for function in functions for name in registry.needs(function)]
    while queue:
        name = queue.pop()
        if name not in names:
            names.add(name)
            queue += registry.needs(found[name]) if name in found else []
    return names


@dataclass
class Evidence:
    """Values by parameter name, over the rows of one manifest."""

    workspace: Workspace
    manifest: pd.DataFrame
    engine: Engine = Local()
    known: dict[str, Any] = field(default_factory=dict)
    measured: list[Measure] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    """Signals and finders of which there were values, all of another version: they are found anew."""

    def __post_init__(self) -> None:
        self.known["manifest"] = self.manifest

    def get(self, name: str) -> Any:
        """The value a parameter of that name stands for: an array that cannot be written into, or a table or list of
        one's own, so that no finder changes what the next is given."""
        if name not in self.known:
            self.known[name] = self._compute(name)
        value = self.known[name]
        if isinstance(value, np.ndarray):
            value = value.view()
            value.flags.writeable = False
            return value
        return value.copy(deep=False) if isinstance(value, pd.DataFrame) else copy(value)

    def measure(self, measures: list[Measure]) -> dict[str, np.ndarray]:
        """Per-image values, all in one decoding pass."""
        self.measured += measures
        self._note_renewed(measures)
        return measure(self.workspace, self.manifest, measures, engine=self.engine)

    def unmeasured(self) -> list[str]:
        """image_ids of decodable images that could not be measured: missing, or changed since they were added."""
        if not self.measured:
            return []
        lacking = [unmeasured(self.workspace, self.manifest, item) for item in self.measured]
        return self.manifest["image_id"][np.logical_or.reduce(lacking)].to_list()

    def prepare(self, functions: list[Callable], beside: Sequence[Measure] = ()) -> dict[str, np.ndarray]:
        """Measure everything per image that these functions ask for, directly or through a signal, in one pass.

        beside: what is measured in the same pass; its values are returned.
        """
        found = registry.functions(signals)
        names = sorted(wanted(functions) & set(found) - set(self.known))
        measures = [Measure(found[name]) for name in names if registry.is_per_image(found[name])]
        values = self.measure([*measures, *beside])
        self.known |= {item.name: values[item.name] for item in measures}
        return {item.name: values[item.name] for item in beside}

    def _compute(self, name: str) -> Any:
        if name == "labels":
            return manifests.label_codes(self.manifest, self.get("classes"))
        if name == "classes":
            return self._classes()
        if name == "predictions":  # all of them, read once
            return predictions.read(self.workspace, self.manifest)
        if name in PREDICTED:
            return getattr(self.get("predictions"), name)
        found = registry.functions(signals)
        if name not in found:
            if error := registry.fault_of(name, signals):
                raise error
            raise UserError(
                f"no signal is called {name!r}{meant(name, [*registry.GIVEN, *found])}; a finder may ask for: "
                f"{', '.join([*registry.GIVEN, *found])}"
            )
        if registry.is_per_image(found[name]):
            return self.measure([Measure(found[name])])[name]
        self._note_renewed([Measure(found[name])])
        own = {"store": folder(self.workspace.root, Measure(found[name])), "engine": self.engine}
        needs = {need: own[need] if need in own else self.get(need) for need in registry.needs(found[name])}
        with registry.Blaming("signal", name, found[name]):
            return found[name](**needs)

    def _note_renewed(self, measures: list[Measure]) -> None:
        for item in measures:
            here = folder(self.workspace.root, item)
            number = item.version.partition("-")[0]
            kept = {path.name.partition("-")[0] for path in here.parent.glob("v*")}
            if kept and number not in kept:
                self.renewed.append(item.name)

    def _classes(self) -> list[str]:
        """The classes that the predictions are for, where there are predictions; else those of the manifest."""
        if predictions.exists(self.workspace):
            classes: list[str] = self.get("predictions").classes
            return classes
        return manifests.classes(self.manifest)

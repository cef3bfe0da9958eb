"""How far training has come: by steps, or by the clock where there is a time budget."""

import re
import time

from curate.errors import UserError
from train import distributed

UNITS = {"s": 1, "m": 60, "h": 3600}


def parse_seconds(text: str, what: str = "time_budget") -> float:
    """ "90s", "16m" and "2h" as seconds; a bare number is seconds. what: is named in the error."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smh]?)", text.strip())
    if not found:
        raise UserError(f"{what} = {text!r}; it has to be a time such as 90s, 16m or 2h")
    return float(found[1]) * UNITS[found[2] or "s"]


class Clock:
    """Seconds of training against a budget. Evaluation and compiling are left out: pause for them."""

    def __init__(self, budget: float | None, spent: float = 0.0) -> None:
        """`spent`: seconds of earlier parts of the same training."""
        self.budget, self.before = budget, spent
        self.started: float | None = None

    def resume(self) -> None:
        self.started = time.perf_counter()

    def pause(self) -> None:
        self.before, self.started = self.spent(), None

    def spent(self) -> float:
        """Seconds so far."""
        return self.before + (time.perf_counter() - self.started if self.started is not None else 0.0)

    def progress(self, done: float, *, ahead: float = 0.0) -> float:
        """0 at the start and 1 at the end of training: `done`, the share of the steps, or that of the budget where the
        clock is ahead, so that the learning rate comes down to 0 when time is up. ahead: of the clock, in so many
        seconds."""
        if self.budget is None:
            return done
        return min(1.0, max(done, distributed.as_the_first_says(self.spent() + ahead) / self.budget))

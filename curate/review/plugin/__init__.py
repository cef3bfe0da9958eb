"""The plugin that FiftyOne's App loads: operators for the verdicts, and a panel that says where the review stands.

It holds no logic: what an operator does is in `curate.review.acting`. `keys.js` beside it binds the keys.
"""

from collections.abc import Callable
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from curate.errors import UserError
from curate.review import acting
from curate.review.verdicts import KEYS, LABELS, Verdict
from curate.wording import plural

NAME = "review"
SHOW = "@curate/review/show"
"""The operator of `keys.js` that shows samples in the grid as they are now."""


def targets(ctx: Any) -> list[str]:
    """image_ids that are meant: the sample that is open, or the selected ones, or, if asked for, the whole view.
    Samples of the user's own have none."""
    chosen = [ctx.current_sample] if ctx.current_sample else ctx.selected
    meant = ctx.view if ctx.params.get("whole_view") else ctx.dataset.select(chosen, ordered=True)
    return [image_id for image_id in meant.values("image_id") if image_id is not None]


def told(ctx: Any, act: Callable[[], str]) -> dict[str, object]:
    """Do it and say what was done, or why not: in the App, and to who called the operator."""
    try:
        message, variant = act(), "success"
    except UserError as error:
        message, variant = str(error), "error"
    except OSError as error:  # a full disk, a folder that has gone
        message, variant = f"{error.strerror or error}: nothing was written", "error"
    ctx.ops.notify(message, variant=variant)
    if variant == "success":
        ctx.ops.clear_selected_samples()
        ctx.trigger(SHOW)
    return {"message": message, "done": variant == "success"}


class Decide(foo.Operator):
    """An operator for one verdict."""

    verdict: Verdict

    @property
    def config(self) -> foo.OperatorConfig:
        label, what = LABELS[self.verdict]
        return foo.OperatorConfig(
            name=self.verdict, label=f"curate: {label}", description=f"{what} ({KEYS[self.verdict]})", dynamic=True
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        inputs = types.Object()
        if self.verdict == "relabel":
            try:
                classes = acting.session(ctx.dataset).asked.classes
            except UserError:
                classes = []
            choices = types.AutocompleteView(allow_user_input=True)
            for name in classes:
                choices.add_choice(name, label=name)
            inputs.str("label", label="Label", required=True, view=choices)
        if ctx.params.get("whole_view"):
            inputs.str("note", label="Note", required=False)
        count = len(targets(ctx)) if ctx.params.get("whole_view") else 0
        asks = f"{LABELS[self.verdict][0]}: all {plural(count, 'image', 'images')} of this view?" if count else ""
        return types.Property(inputs, view=types.View(label=asks or LABELS[self.verdict][0]))

    def execute(self, ctx: Any) -> dict[str, object]:
        label, note = (str(ctx.params.get(name) or "") for name in ("label", "note"))

        def act() -> str:
            at = acting.session(ctx.dataset)
            return acting.act(at, ctx.dataset, self.verdict, targets(ctx), label=label, note=note)

        return told(ctx, act)


class Accept(Decide):
    """Take what is proposed."""

    verdict = "accept"


class Relabel(Decide):
    """Give another label."""

    verdict = "relabel"


class Drop(Decide):
    """Leave out."""

    verdict = "drop"


class KeepThis(Decide):
    """Drop all others that show the same photo."""

    verdict = "keep_this"


class Fine(Decide):
    """Keep as it is."""

    verdict = "fine"


class Undo(foo.Operator):
    """Take back the last decision."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(name="undo", label="curate: Undo", description=f"{LABELS['undo'][1]} (U)")

    def execute(self, ctx: Any) -> dict[str, object]:
        return told(ctx, lambda: acting.undo(acting.session(ctx.dataset), ctx.dataset))


class Review(foo.Panel):
    """Where the review stands, and a button for each verdict."""

    @property
    def config(self) -> foo.PanelConfig:
        return foo.PanelConfig(name=NAME, label="Review", icon="rule", surfaces="grid modal", allow_multiple=False)

    def on_load(self, ctx: Any) -> None:
        self.refresh(ctx)

    def on_change_selected(self, ctx: Any) -> None:
        self.refresh(ctx)

    def on_change_view(self, ctx: Any) -> None:
        self.refresh(ctx)

    def refresh(self, ctx: Any) -> None:
        try:
            at = acting.session(ctx.dataset)
            found = acting.standing(at)
        except UserError as error:
            ctx.panel.state.standing = f"**{error}**"
            return
        pace = "Your pace is told after a few decisions."
        if found.per_minute is not None and found.gain_per_minute is not None:
            gain = f"the next minute is worth about {found.gain_per_minute:.1f} right labels"
            pace = f"{found.per_minute:.1f} images a minute: {gain}."
        ctx.panel.state.standing = f"**{found.left:,} left for {at.desk.by}**\n\n{pace}\n\n{found.advice}"

    def render(self, ctx: Any) -> types.Property:
        panel = types.Object()
        panel.md(str(ctx.panel.get_state("standing") or ""), name="standing_text")
        for name, (label, what) in LABELS.items():
            panel.btn(
                name,
                label=f"{label}  [{KEYS[name]}]",
                description=what,
                on_click=getattr(self, f"on_{name}"),
                variant="contained" if name == "accept" else "outlined",
            )
        return types.Property(panel, view=types.GridView(align_x="left", orientation="vertical", gap=1, px=3, py=2))

    def on_accept(self, ctx: Any) -> None:
        self._run(ctx, "accept")

    def on_relabel(self, ctx: Any) -> None:
        ctx.prompt("@curate/review/relabel")

    def on_drop(self, ctx: Any) -> None:
        self._run(ctx, "drop")

    def on_keep_this(self, ctx: Any) -> None:
        self._run(ctx, "keep_this")

    def on_fine(self, ctx: Any) -> None:
        self._run(ctx, "fine")

    def on_undo(self, ctx: Any) -> None:
        told(ctx, lambda: acting.undo(acting.session(ctx.dataset), ctx.dataset))
        self.refresh(ctx)

    def _run(self, ctx: Any, verdict: Verdict) -> None:
        told(ctx, lambda: acting.act(acting.session(ctx.dataset), ctx.dataset, verdict, targets(ctx)))
        self.refresh(ctx)


def register(plugin: Any) -> None:
    """Called by FiftyOne."""
    for each in (Accept, Relabel, Drop, KeepThis, Fine, Undo, Review):
        plugin.register(each)

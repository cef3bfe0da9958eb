"""Checks of a set's runs: which one is judged, whether it is of the set as it is, and whether accuracy has fallen."""

import pandas as pd

from curate.errors import known
from curate.gate.check import Check, bounded
from curate.gate.comparable import Compared, compared, sure_loss
from curate.gate.facts import Facts
from curate.manifest import tested
from curate.results.flips import other_images, predicted
from curate.results.runs import MEASURE, Run
from curate.wording import percent, plural, signed


def chosen(facts: Facts, name: str | None) -> Run | None:
    """The run to judge: the one of that name, else the newest that was trained on the judged set as it is; where there
    is none, the newest of the curated set, else of the raw one.

    Not simply the newest: a raw one that is trained last, to compare, is no step back. Arms of `prove` have a check of
    their own, and may be short trainings: they stand in where there is no other run.
    """
    if name is not None:
        named = [run for run in facts.runs if run.name == name]
        if not named:
            raise known("finished run", name, [run.name for run in facts.runs])
        return named[0]
    fitting = [run for run in facts.runs if run.data_hash == facts.data_hash]
    kinds = [
        [run for run in among if run.data == data and run.proves == arms]
        for arms in (False, True)
        for among in (fitting, facts.runs)
        for data in ("curated", "raw")
    ]
    return next((runs[-1] for runs in kinds if runs), None)


def _without_run(name: str, facts: Facts) -> Check:
    way_out = f"curate train {facts.ws} --data {facts.judged} --seeds 3"
    return Check(name, "skipped", "there is no finished run of the raw or the curated set", way_out=way_out)


def run_current(facts: Facts, run: Run | None) -> Check:
    """Whether the run was trained on the judged set as it is, and measured on the test images that there are."""
    name = "run_current"
    if run is None:
        return _without_run(name, facts)
    if not run.data_hash:
        reason = f"{run.name} does not say which images it was trained on"
    elif run.data_hash != facts.data_hash:
        reason = f"{run.name} was trained on other images or labels than those of the {facts.judged} set"
    else:
        reason = _other_tests(run, tested(facts.manifest))
    if reason:
        way_out = f"curate train {facts.ws} --data {facts.judged} --seeds {len(run.seeds)} --name NAME"
        return Check(name, "skipped", reason, way_out=way_out, details={"run": run.name})
    reason = f"{run.name} was trained on the {facts.judged} set as it is"
    return Check(name, "passed", reason, details={"run": run.name})


def _other_tests(run: Run, there: pd.DataFrame) -> str:
    """How the test images that there are differ from those of a run; "" where they do not, as far as the run tells.

    By image_id and label; of a run that has not kept what it predicted, by their number alone.
    """
    count = len(there)
    if run.eval_images != count:
        return f"{run.name} was measured on {run.eval_images:,} test images, and there are {count:,}"
    said = predicted(run.folder, run.seeds)
    if said is None:
        return ""
    came, changed = other_images(there.set_index("image_id")["label"], said["label"])
    if len(came):
        return f"{len(came):,} of {count:,} test images are none that {run.name} was measured on, such as {came[0]!r}"
    if len(changed):
        return f"{len(changed):,} of {count:,} test images had another label for {run.name}, such as {changed[0]!r}"
    return ""


def accuracy_loss(facts: Facts, run: Run | None, limit: float) -> Check:
    """By how much the run is surely worse than the one before it that can be compared.

    One of the same set first, raw or curated: a raw one that was trained between, to compare, hides no step back.
    """
    name = "accuracy_loss"
    if run is None:
        return _without_run(name, facts)
    earlier = facts.runs[: [each.name for each in facts.runs].index(run.name)]
    candidates = sorted((each for each in earlier if each.data != "other"), key=lambda each: each.data == run.data)
    found = compared(run, candidates, facts.proof)
    if not isinstance(found, Compared):
        way_out = f"curate train {facts.ws} --data {run.data} --seeds {len(run.seeds)} --name NAME"
        return Check(name, "skipped", found, way_out=way_out, details={"run": run.name})
    points = f"{signed(found.difference)} ± {percent(found.half_width)} points"
    before, after = (f"{percent(accuracy)} %" for accuracy in found.accuracies)
    reason = f"{run.name} {after}, before it {found.before.name} {before}: {points}"
    details: dict[str, str | float | None] = {
        "run": run.name,
        "before": found.before.name,
        "difference": found.difference,
        "half_width": found.half_width,
        "interval": found.interval,
    }
    return bounded(
        Check(
            name,
            "passed",
            f"{reason}, {found.interval}",
            found.sure_loss,
            "at most",
            limit,
            f"curate runs {facts.ws} {found.before.name} {run.name}",
            details,
        )
    )


def accuracy_at_least(facts: Facts, run: Run | None, limit: float) -> Check:
    """The mean accuracy of the run, single view."""
    name = "accuracy_at_least"
    if run is None:
        return _without_run(name, facts)
    score = run.scores[MEASURE]
    reason = f"{run.name} has {_accuracy(run)}, mean of {plural(len(run.seeds), 'seed', 'seeds')}"
    details: dict[str, str | float | None] = {"run": run.name, "half_width": score.half_width, "seeds": len(run.seeds)}
    way_out = f"curate runs {facts.ws}"
    return bounded(Check(name, "passed", reason, score.mean, "at least", limit, way_out, details))


def proof_loss(facts: Facts, limit: float) -> Check:
    """By how much the curated set is surely worse than the raw one, as `prove` has found."""
    name, way_out = "proof_loss", f"curate prove {facts.ws}"
    if facts.proof is None:
        return Check(name, "skipped", "nothing was proved yet", way_out=way_out)
    found = facts.proof.main
    if found.accuracy.half_width is None:
        return Check(name, "skipped", "the proof has too few seeds for an interval", way_out=f"{way_out} --seeds 5")
    names = {arm.run for arm in facts.proof.arms if arm.name == found.after}
    seen = {run.data_hash for run in facts.runs if run.name in names}
    if seen and facts.data_hash not in seen:
        reason = f"the proof is of other images or labels than those of the {facts.judged} set"
        return Check(name, "skipped", reason, way_out=way_out)
    mean, half = found.accuracy.mean, found.accuracy.half_width
    seeds = plural(len(found.accuracy.values), "seed", "seeds")
    reason = f"{found.after} minus {found.before}: {signed(mean)} ± {percent(half)} points, {seeds}, paired"
    details: dict[str, str | float | None] = {"difference": mean, "half_width": half}
    return bounded(Check(name, "passed", reason, sure_loss(mean, half), "at most", limit, way_out, details))


def _accuracy(run: Run) -> str:
    score = run.scores[MEASURE]
    return f"{percent(score.mean, score.half_width)} %"

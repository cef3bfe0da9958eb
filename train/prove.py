"""`curate prove`: the same training on the raw and on the curated set, seed by seed, until the answer is clear."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from curate import tables
from curate.errors import UserError
from curate.machine import choose_device, hardware
from curate.results import paired, proof
from curate.results.interval import score
from curate.results.proof import CLEAN, CURATED, RAW, ArmScore, Compared, Proof, Seeds, Stopped
from curate.workspace import Workspace
from train import event_files, parallel
from train import trial as trials
from train.arms import Arm, Plan, Question, planned
from train.checkpoint import Epoch
from train.config import configure
from train.data import common_size
from train.result import RunResult, write_result
from train.rows import eval_rows_of, leaks_unknown
from train.run import check_classes
from train.schedule import with_steps_of
from train.trial import Done, Trial

SEEDS_AT_MOST = 10
"""Where no number is given: a difference that is not clear by then is below 1.3 deviations between seeds."""


def prove(
    workspace: Workspace,
    *,
    settings: Mapping[str, object],
    seeds: int | None = None,
    at_most: int = SEEDS_AT_MOST,
    budget: float | None = None,
    since: int | None = None,
    ablate: bool = False,
    take_in: bool = False,
    controls: bool = False,
    truth: Path | None = None,
    precision: float | None = None,
    fresh: bool = False,
    tensorboard: bool = False,
    at_once: int | None = None,
    on_epoch: Callable[[str, Epoch], None] | None = None,
) -> Proof:
    """Train raw and curated alike, compare them, and write `proof.json` and a run for each.

    All sets are trained for as many steps as the raw one takes, of as many images each, paired by seed, and measured on
    the same test images.
    seeds: so many, fixed; None: from `paired.LEAST` on until every question is clear, `at_most` at most. budget:
    seconds, after which no more seeds are begun. since: a version of the workspace that is taken for raw, so that
    images that came later count, too; None: the manifest. ablate: the curated set with each step left out, too;
    take_in: the raw set with each step alone. controls: as many images dropped at random. truth: a CSV of true
    labels, for the ceiling. precision: half of the interval that is wanted, as a share; differences within it count
    as none.
    Finished seeds are kept: a call that was interrupted goes on, and more seeds can be added; `fresh` forgets them.
    `on_epoch` gets the arm's name and the epoch's figures.
    Raises `UserError` where nothing was changed, where there is nothing to measure on, and where the seeds that were
    kept are of other settings.
    """
    read = workspace.hashes()
    images = tables.read_manifest(workspace)
    plan = planned(workspace, images, since=since, ablate=ablate, take_in=take_in, controls=controls, truth=truth)
    found = measure(
        workspace,
        plan,
        settings=settings,
        seeds=seeds,
        at_most=at_most,
        budget=budget,
        precision=precision,
        fresh=fresh,
        tensorboard=tensorboard,
        at_once=at_once,
        on_epoch=on_epoch,
    )
    kinds = {arm.run: arm.name if arm.name in (RAW, CURATED) else "other" for arm in plan.arms}
    asked: dict[str, object] = {
        "seeds": seeds,
        "budget": budget,
        "precision": precision,
        "since": since,
        "fresh": fresh,
        "ablate": ablate,
        "take_in": take_in,
        "controls": controls,
        "truth": None if truth is None else str(truth),
    }
    given = {name: value for name, value in asked.items() if value}
    with workspace.waiting().writing("prove", {"runs": kinds, **given, **settings}, read=read) as transaction:
        transaction.write_text(proof.PROOF, proof.as_json(found))
    return found


def measure(
    workspace: Workspace,
    plan: Plan,
    *,
    settings: Mapping[str, object],
    seeds: int | None = None,
    at_most: int = SEEDS_AT_MOST,
    budget: float | None = None,
    precision: float | None = None,
    fresh: bool = False,
    tensorboard: bool = False,
    at_once: int | None = None,
    on_epoch: Callable[[str, Epoch], None] | None = None,
) -> Proof:
    """Train the arms of a plan and answer its questions, as `prove` does, and write a run for each; no table."""
    if seeds is not None and seeds < 2:
        raise UserError(f"seeds = {seeds}; an interval takes at least 2")
    if at_most < paired.LEAST:
        raise UserError(f"at_most = {at_most}; nothing is clear at all times with less than {paired.LEAST} seeds")
    if tensorboard:
        event_files.check_installed()
    ends = None if budget is None else time.monotonic() + budget
    images = tables.read_manifest(workspace)
    test_rows = eval_rows_of(workspace, images)
    for arm in plan.arms[:2]:
        check_classes(arm.rows, test_rows, within=arm.name)
    asked = config = configure(workspace, settings)
    numbers = range(config.seed, config.seed + (seeds or at_most))
    plan = _learnable(plan, test_rows, numbers)
    raw = plan.arms[0].rows
    if config.time_budget is not None:
        raise UserError(
            f"time_budget = {config.time_budget:g}; the sets have to be learned for as many steps: set epochs, leave "
            "time_budget out, and limit the whole by --budget"
        )
    if config.skip_easy:
        says = f"skip_easy = {config.skip_easy:g} is off here: how many images it leaves out depends on the set"
        plan = replace(plan, notes=(*plan.notes, says))
    plan = replace(plan, notes=(*plan.notes, *leaks_unknown(workspace)))
    size, fewest = config.image_size or common_size(raw), min(arm.images for arm in plan.arms)
    config = with_steps_of(replace(config, image_size=size), len(raw), fewest=fewest)
    all_jobs = [config] * (len(plan.arms) * len(numbers))
    at_once = parallel.choose(at_once, all_jobs, images=len(raw), side=config.image_size or 0)
    with ExitStack() as held:
        for arm in plan.arms:
            held.enter_context(workspace.locked(f"runs/{arm.run}"))
        trial = trials.make(workspace, images, test_rows, plan, config, at_once)
        trials.prepare(trial, asked, fresh)
        shared, eval_set = held.enter_context(parallel.shared(trial.images, trial.eval_set, at_once=at_once))
        trial = replace(trial, images=shared, eval_set=eval_set)
        rule = _Rule(plan.questions, fixed=seeds is not None, margin=precision)
        done, stopped = _train(trial, rule, numbers, ends, at_once, on_epoch)
        results = {
            name: write_result(
                trial.folder(name),
                [done[name][seed] for seed in sorted(done[name])],
                config=config,
                train_images=arm.images,
                eval_set=eval_set,
                leak_free=trial.leak_free,
                data_hash=arm.data_hash,
                at_once=at_once,
                tensorboard=tensorboard,
            )
            for name, arm in trial.arms.items()
        }
        trials.forget_others(trial)
        return _proof(trial, plan, rule, done, results, stopped)


def _learnable(plan: Plan, test_rows: pd.DataFrame, seeds: Sequence[int]) -> Plan:
    """The plan without the sets that lack a class, where these are not raw or curated; a note for each."""
    left_out: dict[str, str] = {}
    for arm in plan.arms[2:]:
        try:
            for seed in seeds if arm.dropped else seeds[:1]:
                check_classes(arm.drawn(seed), test_rows)
        except UserError as error:
            left_out[arm.name] = f"{arm.name} is left out: {error}"
    questions = [one for one in plan.questions if not {one.before, one.after} & left_out.keys()]
    arms = [arm for arm in plan.arms if arm.name not in left_out]
    notes = (*plan.notes, *left_out.values())
    return replace(plan, arms=tuple(arms), questions=tuple(questions), notes=notes)


@dataclass(frozen=True)
class _Rule:
    """When a question is answered."""

    questions: tuple[Question, ...]
    fixed: bool
    """Whether the number of seeds was given: then all are trained, and intervals are Student's."""
    margin: float | None

    def compare(self, trial: Trial, done: Done, question: Question, *, leak_free: bool = False) -> paired.Difference:
        """What is known of a question."""
        before, after = (trials.seeds_of(trial, done[name]) for name in (question.before, question.after))
        among = trial.measured_leak_free if leak_free else None
        return proof.compare(before, after, at_all_times=not self.fixed, margin=self.margin, among=among)

    def answer(self, trial: Trial, done: Done, question: Question) -> paired.Verdict:
        """The verdict alone."""
        before, after = (trials.seeds_of(trial, done[name]) for name in (question.before, question.after))
        return paired.answer(proof.change(before, after), at_all_times=not self.fixed, margin=self.margin)

    def open(self, trial: Trial, done: Done) -> list[Question]:
        """The questions that more seeds may answer."""
        return [
            question
            for question in self.questions
            if self.fixed
            or len(done[question.before].keys() & done[question.after].keys()) < paired.LEAST
            or self.answer(trial, done, question) == "unclear"
        ]


def _train(
    trial: Trial,
    rule: _Rule,
    numbers: Sequence[int],
    ends: float | None,
    at_once: int,
    on_epoch: Callable[[str, Epoch], None] | None,
) -> tuple[Done, Stopped]:
    """Train what is missing, a few seeds of all arms at a time, until there is no open question."""
    done, seconds = trials.kept(trial, numbers), 0.0
    for block in _blocks(numbers, whole=rule.fixed and ends is None, one_by_one=ends is not None):
        earlier = {name: {seed: one for seed, one in own.items() if seed < block[0]} for name, own in done.items()}
        asked = rule.open(trial, earlier) or rule.open(trial, done)  # first as if nothing of this block were finished
        if not asked:
            return done, "clear"
        names = dict.fromkeys(name for question in asked for name in (question.before, question.after))
        jobs = [(name, seed) for seed in block for name in names]  # all: the place says how many threads one has
        missing = sum(seed not in done[name] for name, seed in jobs)
        begun = all(done[each.before].keys() & done[each.after].keys() for each in rule.questions)
        if not missing:
            continue
        if ends is not None and begun and time.monotonic() + seconds * missing > ends:
            return done, "budget"
        started = time.monotonic()

        def hear(number: int, epoch: Epoch, jobs: list[tuple[str, int]] = jobs) -> None:
            if on_epoch:
                on_epoch(jobs[number][0], epoch)

        trained = parallel.each(partial(trials.train_one, trial=trial), jobs, at_once=at_once, hear=hear)
        for (name, seed), one in zip(jobs, trained, strict=True):
            done[name][seed] = one
        seconds = (time.monotonic() - started) / missing
    return done, "seeds" if rule.fixed or rule.open(trial, done) else "clear"


def _blocks(numbers: Sequence[int], *, whole: bool, one_by_one: bool) -> list[Sequence[int]]:
    """Seeds that are trained together: all, or the fewest that can be clear and then one after the other."""
    if whole:
        return [numbers]
    first = 1 if one_by_one else paired.LEAST
    return [numbers[:first], *([seed] for seed in numbers[first:])]


def _proof(
    trial: Trial, plan: Plan, rule: _Rule, done: Done, results: Mapping[str, RunResult], stopped: Stopped
) -> Proof:
    """All that was found."""
    free = trial.measured_leak_free
    seeds = {name: trials.seeds_of(trial, done[name]) for name in trial.arms}
    compared = tuple(
        Compared(
            question.name,
            question.says,
            question.before,
            question.after,
            plan.differing(question),
            rule.compare(trial, done, question),
            None if free is None or not free.any() else rule.compare(trial, done, question, leak_free=True),
        )
        for question in plan.questions
    )
    main = compared[0].accuracy
    before, after = seeds[compared[0].before], seeds[compared[0].after]
    images = len(next(iter(before.right.values())))
    reached = main.half_width is not None and rule.margin is not None and main.half_width <= rule.margin
    wanted = None
    if rule.margin is not None and not reached and len(main.values) > 1:
        wanted = paired.seeds_needed(proof.change(before, after), rule.margin, at_all_times=not rule.fixed)
    return Proof(
        config=trial.config.as_dict(),
        hardware=hardware(choose_device(trial.config.device)),
        arms=tuple(_score(arm, seeds[arm.name], results[arm.name], free) for arm in plan.arms),
        compared=compared,
        split=None if free is None else proof.split(before, after, free),
        gap_closed=_gap_closed(seeds, plan.questions) if plan.truth_is_whole else None,
        test_images=images,
        leak_free_images=None if free is None else int(free.sum()),
        stopped=stopped,
        precision=rule.margin,
        seeds_needed=wanted,
        notes=(*plan.notes, *_computed_otherwise(plan, done)),
    )


def _computed_otherwise(plan: Plan, done: Done) -> list[str]:
    """A note for each question whose pairs of networks were not all computed on the same kind of hardware."""
    notes = []
    for question in plan.questions:
        before, after = done[question.before], done[question.after]
        pairs = [(before[seed].computed, after[seed].computed) for seed in sorted(before.keys() & after.keys())]
        unlike = [pair for pair in pairs if all(pair) and pair[0] != pair[1]]
        if unlike:
            how = f"{question.before} on {unlike[0][0]}, {question.after} on {unlike[0][1]}"
            notes.append(f"{len(unlike)} of {len(pairs)} pairs of seeds were not computed alike ({how}): see --fresh")
    return notes


def _score(arm: Arm, seeds: Seeds, result: RunResult, free: np.ndarray | None) -> ArmScore:
    return ArmScore(
        arm.name,
        arm.run,
        arm.says,
        arm.images,
        arm.right_labels,
        result.seeds,
        score([seeds.accuracy()[seed] for seed in result.seeds]),
        None if free is None or not free.any() else score([seeds.accuracy(free)[seed] for seed in result.seeds]),
        result.seconds,
        result.images_seen,
    )


def _gap_closed(seeds: Mapping[str, Seeds], questions: Sequence[Question]) -> float | None:
    """On the seeds that raw, curated and clean have in common; None where true labels are worth nothing. Another set of
    the same images and labels may stand for the clean one."""
    reached = next((question.after for question in questions if question.name == CLEAN), None)
    if reached is None:
        return None
    raw, curated, clean = (seeds[name].accuracy() for name in (RAW, CURATED, reached))
    common = raw.keys() & curated.keys() & clean.keys()
    gap = sum(clean[seed] - raw[seed] for seed in common)
    return sum(curated[seed] - raw[seed] for seed in common) / gap if gap > 0 else None

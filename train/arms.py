"""The training sets that `curate prove` compares: raw, curated, the controls, and one step of curating at a time."""

import hashlib
import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from curate import decisions, manifest, tables, versions
from curate.csv_text import read_csv
from curate.errors import UserError, known
from curate.results import steps
from curate.results.proof import CLEAN, CURATED, RANDOM, RAW
from curate.results.runs import PROVE
from curate.wording import pasted, plural
from curate.workspace import FINDINGS, Workspace
from train.rows import train_rows_of

FILE = ["path", "content_hash", "width", "height", "error"]
"""Columns of the manifest that say what an image's file holds."""
LONGEST = 80
"""Characters of an arm's name in that of its folder; chosen by eye."""


@dataclass(frozen=True)
class Arm:
    """A training set that takes part."""

    name: str
    says: str
    rows: pd.DataFrame
    """Of the manifest: labelled, decodable, of the training split; with `dropped` those that it is drawn from."""
    right_labels: float | None
    """Share of right labels, with `dropped` of those that it is drawn from; None where no true ones were given."""
    prefix: str = PROVE
    dropped: int = 0
    """So many of `rows` are left out at random, others for each seed: one draw may be lucky, for all seeds at once."""

    @property
    def images(self) -> int:
        """How many it trains on."""
        return len(self.rows) - self.dropped

    def drawn(self, seed: int) -> pd.DataFrame:
        """The rows that a seed trains on."""
        return steps.randomly_dropped(self.rows, self.dropped, seed=seed) if self.dropped else self.rows

    @cached_property
    def data_hash(self) -> str:
        """Of the images and labels, as runs keep it; with `dropped` of one draw, which stands for the others."""
        return manifest.data_hash(self.drawn(0))

    @cached_property
    def content(self) -> str:
        """Names what it trains on, with all seeds."""
        return f"{manifest.data_hash(self.rows)}-{self.dropped}" if self.dropped else self.data_hash

    @property
    def run(self) -> str:
        """The folder in `runs/`; a reason that people wrote into `decisions.csv` need not be fit for a name."""
        plain = re.sub(r"[^\w.-]+", "_", self.name)[:LONGEST]
        if plain == self.name:
            return self.prefix + self.name
        return f"{self.prefix}{plain}-{hashlib.blake2b(self.name.encode(), digest_size=4).hexdigest()}"


@dataclass(frozen=True)
class Question:
    """Two arms that are compared."""

    name: str
    says: str
    before: str
    after: str


@dataclass(frozen=True)
class Plan:
    """What is trained, and what for. The first question is about the first two arms, which are raw and curated where a
    workspace is proved; all take as many steps as the first."""

    arms: tuple[Arm, ...]
    questions: tuple[Question, ...]
    notes: tuple[str, ...]
    truth_is_whole: bool = True
    """Whether the true label of every training image is known, where some are."""

    def differing(self, question: Question) -> int:
        """Training images that the two sets differ in: those of one alone, and those with two labels."""
        before, after = (
            next(arm.drawn(0) for arm in self.arms if arm.name == name) for name in (question.before, question.after)
        )
        same = before.merge(after, on=["image_id", "label"])
        return len(set(before["image_id"]) | set(after["image_id"])) - len(same)


def planned(
    workspace: Workspace,
    images: pd.DataFrame,
    *,
    since: int | None,
    ablate: bool,
    take_in: bool,
    controls: bool,
    truth: Path | None,
) -> Plan:
    """The sets and questions that are asked for. images: the manifest. since: the version that is taken for raw.

    Raises `UserError` where the curated set is missing, stale or the raw one, and where the truth cannot be read.
    """
    curated = tables.read_images(workspace, CURATED)
    settled = tables.read_decisions(workspace, images)
    true = _read_truth(truth, images) if truth else None
    seen: dict[str, str] = {}
    arms: list[Arm] = []
    questions: list[Question] = []
    notes: list[str] = []
    whole = True

    def add(name: str, says: str, table: pd.DataFrame, question: Question | None = None) -> None:
        rows = train_rows_of(table)
        same = seen.setdefault(manifest.data_hash(rows), name)
        if same == name:
            arms.append(Arm(name, says, rows, None if true is None else steps.labels_right(rows, true)))
        if question:
            before, after = (same if each == name else each for each in (question.before, question.after))
            if same != name:
                so = "there is nothing to compare" if before == after else f"{same} stands for it"
                notes.append(f"{name} holds the images and labels of {same}; {so}")
            if before != after:
                questions.append(replace(question, before=before, after=after))

    raw = images
    if since is not None:
        raw, replaced = _at(workspace, since, images)
        if replaced:
            held = plural(replaced, "image of then is", "images of then are")
            notes.append(f"{held} taken as the files are now: what they held at version {since} is gone")
    add(RAW, "the set as it came" if since is None else f"the set as it was at version {since}", raw)
    add(CURATED, "the curated set", curated, Question(CURATED, "curated minus raw", RAW, CURATED))
    if not questions:
        raise UserError(_nothing_changed(workspace, images, since))
    if controls:
        says = "as many images dropped at random"
        arm = replace(arms[0], name=RANDOM, says=says, dropped=steps.lost(arms[0].rows, train_rows_of(curated)))
        if arm.dropped:
            arms.append(arm)
            questions.append(Question(RANDOM, f"curated minus raw with {says}", RANDOM, CURATED))
        else:
            notes.append(f"{RANDOM} is left out: curating dropped no image")
    if true is not None:
        has_label = steps.true_labels(train_rows_of(raw), true).notna()
        whole = bool(has_label.all())
        says = f"the set as it came, with {'its true labels' if whole else 'true labels as far as they are known'}"
        notes += _gaps(true, has_label, images)
        add(CLEAN, says, steps.with_labels(raw, true), Question(CLEAN, "true labels minus raw", RAW, CLEAN))
    for step in steps.steps(images, settled) if ablate or take_in else []:
        if ablate:
            name = f"without-{step.name}"
            rows = steps.without(images, settled, step)
            add(name, f"curated without: {step.says}", rows, Question(step.name, step.says, name, CURATED))
        if take_in and not steps.is_supplement(step):
            name = f"only-{step.name}"
            rows = steps.alone(raw, settled, step)
            add(name, f"raw with: {step.says}", rows, Question(name, f"{step.says}, alone", RAW, name))
    return Plan(tuple(arms), tuple(questions), tuple(notes), truth_is_whole=whole)


def _at(workspace: Workspace, version: int, images: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The set of a version, without images that are measured on now; how many of its training images were replaced by
    others since. Files are where, and as, they are now: what they held then is gone."""
    then = versions.images_at(workspace, version)
    then = then[~then["image_id"].isin(images["image_id"][images["split"].isin(["test", "val"])])]
    now = images.set_index("image_id").reindex(then["image_id"])[FILE].set_axis(then.index)
    there = now["path"].notna()
    files = now.where(there, then[FILE]).astype(then[FILE].dtypes)
    replaced = train_rows_of(then)["image_id"].isin(then["image_id"][files["content_hash"] != then["content_hash"]])
    return then.assign(**{name: files[name] for name in FILE}), int(replaced.sum())


def _nothing_changed(workspace: Workspace, images: pd.DataFrame, since: int | None) -> str:
    """Why there is nothing to prove, and the way out."""
    root = workspace.root
    if since is not None:
        others = f"'curate log {pasted(root)}' lists the others"
        return f"the curated training set of {pasted(root)} is that of version {since}; {others}"
    same = f"the curated training set of {pasted(root)} is the raw one"
    why = f"{same}: no decision changes it, so there is nothing to prove"
    if any(steps.is_supplement(step) for step in steps.steps(images, decisions.empty())):
        return f"{why}; images that were added are in both: --since VERSION compares with the set of before"
    if not workspace.has(FINDINGS):
        return f"{why}; 'curate scan {pasted(root)}' finds what may be wrong"
    return f"{why}; 'curate findings {pasted(root)}' lists what may be wrong, 'curate decide {pasted(root)}' acts on it"


def _gaps(true: "pd.Series[str]", has_label: pd.Series, images: pd.DataFrame) -> list[str]:
    """What true labels lack, and what they have too much; has_label: of each training image, whether it has one."""
    notes = []
    if not has_label.all():
        notes.append(f"true labels are known of {has_label.sum():,} of {len(has_label):,} training images alone")
    if len(strangers := true.index.difference(pd.Index(images["image_id"]))):
        of = plural(len(strangers), "label is of an image", "labels are of images")
        notes.append(f"{of} that this set has not, such as {strangers[0]!r}")
    return notes


def _read_truth(path: Path, images: pd.DataFrame) -> "pd.Series[str]":
    """True labels by image_id, of a CSV with the columns `image_id` and `label`."""
    if not path.is_file():
        raise UserError(f"{pasted(path)} is no file; --truth takes a CSV with the columns image_id and label")
    table = read_csv(path)
    missing = [name for name in ("image_id", "label") if name not in table]
    if missing:
        raise UserError(
            f"{pasted(path)}: column {missing[0]!r} is missing; there are: {', '.join(map(str, table.columns))}"
        )
    twice = table["image_id"][table["image_id"].duplicated()]
    if len(twice):
        raise UserError(
            f"{pasted(path)}, line {twice.index[0]}: image_id {twice.iloc[0]!r} stands twice; keep one of the rows"
        )
    classes = manifest.classes(images)
    strange = table["label"][~table["label"].isin(classes)]
    if len(strange):
        raise UserError(f"{pasted(path)}, line {strange.index[0]}: {known('class', strange.iloc[0], classes)}")
    learned = table["image_id"].isin(images["image_id"][images["split"] == "train"])
    if not learned.any():
        raise UserError(
            f"{pasted(path)}: none of its {len(table):,} images is a training image; is it for another set?"
        )
    return table.set_index("image_id")["label"]

"""`curate reproduce`: an experiment at a scale, on a workspace or the embedded digits, and the folder it writes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from curate import __version__, manifest, recipe, registry, tables
from curate.errors import UserError, known
from curate.files import write_bytes_atomic, write_json
from curate.images import decode
from curate.layouts import Options
from curate.machine import choose_device, hardware
from curate.sources import digits
from curate.wording import pasted
from curate.workspace import Workspace
from train import experiments, figures, parallel, plots
from train.config import OF_SETS, TrainConfig
from train.data import ImageSet, load_images
from train.pixels import resize
from train.rows import eval_rows_of, train_rows_of
from train.study import Claim, Outcome, Scale, Study, arm_config, forget, image_set, result_path, stratified

HEADINGS = {
    "train_error_percent": "training error, %",
    "test_error_percent": "test error, %",
    "test_error_half_width": "±",
    "test_accuracy_percent": "test accuracy, %",
    "paper_test_error_percent": "paper: test error, %",
    "seconds": "seconds each",
}
"""Headings for people; columns without one are called as in the CSV."""


@dataclass(frozen=True)
class Data:
    """What an experiment is trained and tested on."""

    name: str
    hash: str
    """blake2b-128 of pixels and labels of the training images, then of the test images."""
    train_images: int
    test_images: int
    classes: int
    image_size: int


@dataclass(frozen=True)
class Reproduced:
    """What `reproduce` did: `result.json`, without the curves."""

    experiment: str
    scale: str
    data: Data
    seeds: tuple[int, ...]
    hardware: str
    torch_version: str
    curate: str
    at_once: int
    """How many trainings ran at the same time, and so shared the hardware."""
    seconds: float
    """Of training, all arms added up."""
    settings: Mapping[str, Mapping[str, object]]
    """Training settings by arm."""
    note: str
    claims: tuple[Claim, ...]
    table: tuple[Mapping[str, object], ...]
    written: str
    files: tuple[str, ...]


def summaries() -> dict[str, str]:
    """Name -> what the experiment shows, in a line."""
    return {name: registry.summary(function) for name, function in registry.functions(experiments).items()}


def find(name: str) -> str:
    """The experiment's name as its file is called: `-` and `_` are the same."""
    wanted = name.replace("-", "_")
    registry.pick("experiment", wanted, experiments)
    return wanted


def scales(name: str) -> dict[str, Scale]:
    """The scales of an experiment by name."""
    return dict(registry.modules(experiments)[name].SCALES)


def reproduce(
    name: str,
    workspace: Workspace | None,
    *,
    scale: str,
    out: Path | None = None,
    seeds: int | None = None,
    only: Sequence[str] | None = None,
    settings: Mapping[str, object],
    fresh: bool = False,
    at_once: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Reproduced:
    """Run an experiment and write its figures, tables and, last, `result.json` to `out`.

    `workspace` None: the embedded digits. `seeds`: how many, instead of the scale's. `only`: these arms alone.
    Arms that were trained before are read, an interrupted one goes on; `fresh` trains them anew. `at_once` trainings
    run at the same time; None: chosen, see `train.parallel.choose`.
    """
    name = find(name)
    there = scales(name)
    if scale not in there:
        raise known("scale", scale, list(there))
    chosen = chosen_arms(there[scale], only)
    if "model" in settings:
        raise UserError("--set model=… is what the experiment varies; --only ARM trains some of its networks alone")
    for other in ("steps", "time_budget"):
        if settings.get(other) is not None:
            raise UserError(f"--set {other}={settings[other]}: experiments go by epochs; set these, and leave that out")
    first = settings.get("seed", 0)
    TrainConfig.from_mapping(settings)  # what cannot work is said before images are read
    assert isinstance(first, int)
    numbers = tuple(range(first, first + (chosen.seeds if seeds is None else seeds)))
    of_the_data, train_set, test_set, data = read_data(workspace, chosen, settings)
    chosen = replace(chosen, settings={**chosen.settings, **of_the_data})
    folder = out or Path("reproduce") / f"{name.replace('_', '-')}-{scale}"
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{pasted(folder)} is a file; name a folder with --out")
    with Workspace(folder).locked("arms"):
        study = Study(chosen, train_set, test_set, data.hash, settings, numbers, folder, say)
        each = {arm.name: arm_config(study, arm, first) for arm in chosen.arms}
        several = parallel.choose(
            at_once, list(each.values()) * len(numbers), images=len(train_set), side=data.image_size
        )
        study = replace(study, at_once=several)
        configs = {name: config.as_dict() for name, config in each.items()}
        if fresh:
            start_over(study)
        outcome: Outcome = registry.pick("experiment", name, experiments)(study)
        return write(study, name, scale, data, outcome, configs)


def chosen_arms(scale: Scale, only: Sequence[str] | None) -> Scale:
    """The scale with the named arms alone."""
    if not only:
        return scale
    names = [arm.name for arm in scale.arms]
    for name in only:
        if name not in names:
            raise known("arm of this experiment and scale", name, names)
    return replace(scale, arms=tuple(arm for arm in scale.arms if arm.name in only))


def read_data(
    workspace: Workspace | None, scale: Scale, settings: Mapping[str, object]
) -> tuple[dict[str, object], ImageSet, ImageSet, Data]:
    """What the recipe of the data says of the settings `OF_SETS`, training images, test images, and what they are."""
    own = (recipe.in_workspace(workspace) if workspace else recipe.load("digits")).train
    size = TrainConfig.from_mapping({**own, **settings}).image_size
    read = read_digits(scale, size) if workspace is None else read_workspace(workspace, scale, size)
    train_set, test_set, told = read
    present = len(torch.unique(train_set.labels))
    if present < 2:
        where = pasted(workspace.root) if workspace else "the digits"
        raise UserError(f"{where} has labelled training images of {present} classes; an experiment takes at least 2")
    digest = train_set.fingerprint() + test_set.fingerprint()
    classes = len(train_set.classes)
    name = f"{told}; {len(train_set):,} training and {len(test_set):,} test images, {train_set.image_size} px"
    data = Data(name, digest, len(train_set), len(test_set), classes, train_set.image_size)
    return {key: value for key, value in own.items() if key in OF_SETS}, train_set, test_set, data


def read_digits(scale: Scale, size: int | None) -> tuple[ImageSet, ImageSet, str]:
    """The digits embedded in scikit-learn, no more than the scale wants. size: their side in pixels; None: as they
    are."""
    samples = list(digits.read(Path(), Options()))
    sets = []
    for split, count in (("train", scale.train_images), ("test", scale.test_images)):
        own = [sample for sample in samples if sample.split == split]
        own = [own[at] for at in stratified([sample.label for sample in own], count, seed=0)]
        decoded = [decode(sample.data or b"") for sample in own]
        images = np.stack([resize(image, size or len(image)) for image in decoded])
        sets.append(image_set(images, [sample.label or "" for sample in own], [sample.name for sample in own]))
    return sets[0], sets[1], "handwritten digits embedded in scikit-learn"


def read_workspace(workspace: Workspace, scale: Scale, size: int | None) -> tuple[ImageSet, ImageSet, str]:
    """Training and test images of a workspace's manifest, no more than the scale wants. size: their side in pixels;
    None: chosen from the images."""
    raw = tables.read_manifest(workspace)
    train_rows, test_rows = train_rows_of(raw), eval_rows_of(workspace, raw)
    if train_rows.empty:
        raise UserError(f"{pasted(workspace.root)} has no labelled training images; add some with --split train")
    classes = manifest.classes(raw[manifest.decodable(raw)])
    parts = []
    for rows, count in ((train_rows, scale.train_images), (test_rows, scale.test_images)):
        some = rows.iloc[stratified(rows["label"].tolist(), count, seed=0)].reset_index(drop=True)
        parts.append(load_images(some, workspace.root, classes=classes, image_size=size))
        size = parts[0].image_size
    sources = ", ".join(sorted(set(raw["source"])))
    shown = f"{sources} ({len(train_rows):,} training and {len(test_rows):,} {test_rows['split'].iloc[0]} images)"
    return parts[0], parts[1], shown


def start_over(study: Study) -> None:
    """Remove what was trained before of the arms and seeds that are asked for."""
    for arm in study.scale.arms:
        for seed in study.seeds:
            path = result_path(study, arm, seed)
            path.unlink(missing_ok=True)
            forget(path.with_suffix(""))


def write(
    study: Study,
    name: str,
    scale: str,
    data: Data,
    outcome: Outcome,
    configs: Mapping[str, Mapping[str, object]],
) -> Reproduced:
    """Write figures, tables and, last, `result.json`."""
    files: dict[str, bytes] = {}
    for title, figure in outcome.figures.items():
        figure.supxlabel(f"{data.name}; seeds: {len(study.seeds)}", fontsize=8, color=figures.QUIET)
        files |= {f"{title}.png": plots.png(figure, dpi=130), f"{title}.svg": figures.svg(figure)}
    files["table.csv"] = outcome.table.to_csv(index=False).encode()
    device = str(study.settings.get("device", "auto"))
    result = Reproduced(
        experiment=name,
        scale=scale,
        data=data,
        seeds=study.seeds,
        hardware=hardware(choose_device(device)),
        torch_version=torch.__version__,
        curate=__version__,
        at_once=study.at_once,
        seconds=sum(item.seconds for item in outcome.results),
        settings=configs,
        note=outcome.note,
        claims=outcome.claims,
        table=tuple(rows(outcome.table)),
        written=str(study.folder),
        files=(*files, "table.md", "result.json"),
    )
    files["table.md"] = page(result, outcome.table).encode()
    (study.folder / "result.json").unlink(missing_ok=True)
    for file, content in files.items():
        write_bytes_atomic(study.folder / file, content)
    write_json(study.folder / "result.json", asdict(result) | {"arms": [asdict(item) for item in outcome.results]})
    return result


def rows(table: pd.DataFrame) -> list[dict[str, object]]:
    """The table as what JSON knows: no nan."""
    return [
        {str(key): None if isinstance(value, float) and value != value else value for key, value in row.items()}
        for row in table.astype(object).to_dict("records")
    ]


def page(result: Reproduced, table: pd.DataFrame) -> str:
    """`table.md`: ours beside the paper's, what came out as in the paper, and what all of it was measured on."""
    shown = for_people(table)
    lines = [f"# {result.experiment.replace('_', ' ')}, scale {result.scale}", "", *markdown(shown), ""]
    claims = [[claim.says, claim.ours, "yes" if claim.as_in_the_paper else "no"] for claim in result.claims]
    if claims:
        lines += [*markdown(pd.DataFrame(claims, columns=["claim", "here", "as in the paper"])), ""]
    lines += [
        f"* Data: {result.data.name}; hash {result.data.hash[:16]}.",
        f"* Seeds: {', '.join(map(str, result.seeds))}; {result.seconds:,.0f} s of training on {result.hardware}"
        f"{f', {result.at_once} trainings at the same time' if result.at_once > 1 else ''}, "
        f"torch {result.torch_version}, curate {result.curate}. Settings: `result.json`.",
        f"* Beside the paper: {result.note}.",
    ]
    return "\n".join(lines) + "\n"


def for_people(table: pd.DataFrame) -> pd.DataFrame:
    """The table as text: rounded, empty where there is no figure, with readable headings; empty columns left out."""
    shown = pd.DataFrame()
    for name in table.columns:
        column = table[name]
        if column.isna().all():
            continue
        shown[HEADINGS.get(str(name), str(name))] = [cell(value, name == "seconds") for value in column]
    return shown


def cell(value: object, whole: bool) -> str:
    """A value of the table as text."""
    if isinstance(value, float):
        return "" if value != value else f"{value:,.0f}" if whole else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int | np.integer) else str(value)


def markdown(table: pd.DataFrame) -> list[str]:
    """A Markdown table, line by line."""
    lines = [[str(name) for name in table.columns], ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return [f"| {' | '.join(map(str, line))} |" for line in lines]

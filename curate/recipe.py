"""Recipes: one YAML file says where a training set comes from, how to train and scan it, what to do with findings."""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from curate import yaml_text
from curate.errors import UserError, first_line, known, meant
from curate.files import json_hash
from curate.manifest import Split
from curate.workspace import RECIPE, Workspace

MAX_BYTES = 1_000_000
"""A recipe is written by hand; a file beyond this is something else that was named by mistake."""
DEFAULT = "default"
TWICE = "stands_twice"
"""Type of the error for two files of one name, which says all that there is to say."""
FINDINGS_OF = "findings."
"""How the name of a finder's threshold begins, and of its check."""

RuleAction = Literal["drop", "relabel", "review", "keep"]


def _scalar(value: object) -> object:
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError("should be a number, a text, true or false")


def _setting(value: object) -> object:
    """A scalar, options of a network by name, or a pipeline: a list of transforms, each its name or a mapping."""
    is_pipeline = isinstance(value, list) and all(isinstance(each, str | dict) for each in value)
    return _nested(value) if is_pipeline or isinstance(value, dict) else _scalar(value)


def _nested(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _nested(each) for name, each in value.items()}
    return [_nested(each) for each in value] if isinstance(value, list) else _scalar(value)


Scalar = Annotated[bool | int | float | str | None, PlainValidator(_scalar)]
Setting = Annotated[object, PlainValidator(_setting)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Checked = Literal[
    "curated_current",
    "findings_current",
    "decisions_current",
    "findings",
    "leaks",
    "images_per_class",
    "test_images",
    "disputes",
    "run_current",
    "accuracy_loss",
    "accuracy_at_least",
    "proof_loss",
]
"""Checks of `curate gate`; `findings` stands for those of every finder."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class File(_Model):
    """A file to download."""

    url: str
    sha256: str | None = None
    """64 hexadecimal digits. Without it a download that was cut off starts again from the beginning."""
    size: Annotated[int, Field(gt=0)] | None = None
    """Bytes."""
    filename: Annotated[str, Field(validate_default=True)] = ""
    """What to call it here; by default the last part of the URL."""

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("should start with https:// or http://")
        return url

    @field_validator("sha256")
    @classmethod
    def _is_hex(cls, digest: str | None) -> str | None:
        if digest is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
            raise ValueError("should be 64 hexadecimal digits")
        return digest and digest.lower()

    @field_validator("filename")
    @classmethod
    def _is_plain_name(cls, name: str, info: ValidationInfo) -> str:
        name = name or PurePosixPath(urlsplit(info.data.get("url", "")).path).name or "download"
        if name in (".", "..") or re.search(r"[/\\\0]", name):
            raise ValueError("should be a plain file name, without folders")
        return name


class Rule(_Model):
    """What to do with the images that a finder names. Rules are read in order; the first that fits an image decides."""

    finder: str
    below: Annotated[float, Field(ge=0, le=1)] | None = None
    """Only rows with a score below this; without it and `sure`, the rows that the finder flagged."""
    sure: Annotated[float, Field(ge=0, le=1)] | None = None
    """Only rows whose suggested label is right with at least this probability, by `suggested_prob` of the findings."""
    action: RuleAction
    """`review` leaves it to people, `relabel` takes the finder's suggestion; without one, people look."""
    splits: list[Split] = ["train"]
    """Where the rule acts. The test split is what everything is measured on: change it only knowingly."""


class Reviewers(_Model):
    """What counts where several people decided on one image."""

    rule: Literal["majority", "unanimous", "latest"] = "majority"
    """`majority`: what more than half of them said; `unanimous`: what all said; `latest`: who spoke last. Where a rule
    comes to nothing, the image stays as it is until somebody settles it."""
    arbiter: str = ""
    """Whose word settles it, whatever others say."""


class Gate(_Model):
    """What a set has to meet, see `curate.gate`. A check without a value is not made."""

    findings: dict[str, Share | None] = {}
    """Finder -> highest share of the training images of any class that it flags and nobody decided about."""
    leaks: Count | None = None
    """Training images, at most, that show a photo of the test or validation images."""
    images_per_class: Count | None = None
    """Labelled training images, at least."""
    test_images: Count | None = None
    """Labelled test images, at least."""
    disputes: Count | None = None
    """Images, at most, about which people disagree and the rule of `reviewers` comes to nothing."""
    accuracy_loss: Share | None = None
    """By how much, at most, the newest run may be surely worse than the one before; 0.01 is one point."""
    accuracy_at_least: Share | None = None
    """Single-view accuracy of the newest run, 0 to 1."""
    proof_loss: Share | None = None
    """By how much, at most, the curated set may be surely worse than the raw one, as `curate prove` has found."""
    required: list[Checked] = []
    """Checks that fail, and are not skipped, where there is nothing to check."""


class Recipe(_Model):
    """A training set and what to do with it."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """Becomes the first part of every `image_id`; by default the file's name."""
    summary: str = ""
    """One line for lists."""
    layout: str | None = None
    """One of `curate sources`; by default it is recognised."""
    columns: dict[str, str] = {}
    """For tables: which column holds `path`, `image`, `label`, `split`, where the names differ from these."""
    split: str | None = None
    """How `add` splits images whose layout says nothing about it."""
    download: list[File] | None = None
    """Each under a name of its own."""
    classes: dict[str, str] = {}
    """Label as the source has it -> label to use, where the source's are not readable."""
    train: dict[str, Setting] = {}
    """Settings of `train.config.TrainConfig`, which checks them."""
    scan: dict[str, dict[str, Scalar]] = {}
    """Finder -> its settings, which the scan checks."""
    policy: list[Rule] = []
    reviewers: Reviewers = Reviewers()
    gate: Gate = Gate()
    """Thresholds of `curate gate`."""

    @field_validator("download")
    @classmethod
    def _has_a_name_for_each(cls, files: list[File] | None) -> list[File] | None:
        """Of two files of one name the second would not be downloaded, or would take the place of the first."""
        names: dict[str, str] = {}
        for file in files or []:
            name = file.filename.casefold()
            if name in names:
                how = "" if names[name] == file.filename else ", as macOS reads it"
                told = {"name": repr(file.filename), "how": how}
                raise PydanticCustomError(
                    TWICE, "filename {name} stands twice{how}; give one of them another 'filename'", told
                )
            names[name] = file.filename
        return files


def rules_hash(rules: Iterable[Rule]) -> str:
    """Names a policy by what it says."""
    return json_hash([rule.model_dump(exclude_defaults=True) for rule in rules], size=4)


INHERITED = ("split", "train", "scan", "policy", "reviewers", "gate")
"""What a recipe that doesn't name it takes from `default.yaml`."""
NESTED: dict[str, type[_Model]] = {"download": File, "policy": Rule, "reviewers": Reviewers, "gate": Gate}


def load(name_or_path: str | Path) -> Recipe:
    """The recipe of that name or in that file, laid over the default one.

    `train`, `scan` and `gate` replace single settings, `policy` replaces all rules. A text is a path where it holds a
    slash or ends in `.yaml` or `.yml`. Raises `UserError`, one line with file and key, for whatever is wrong in it.
    """
    is_path = isinstance(name_or_path, Path) or "/" in name_or_path or Path(name_or_path).suffix in (".yaml", ".yml")
    own = _read(Path(name_or_path) if is_path else find(str(name_or_path)))
    base = default()
    inherited: dict[str, object] = {key: getattr(base, key) for key in INHERITED if key not in own.model_fields_set}
    scan = {finder: base.scan.get(finder, {}) | own.scan.get(finder, {}) for finder in base.scan | own.scan}
    merged = {"train": base.train | own.train, "scan": scan, "gate": _over(base.gate, own.gate)}
    return own.model_copy(update=inherited | merged)


def default() -> Recipe:
    """What holds where a recipe says nothing else: `datasets/default.yaml`."""
    return _read(find(DEFAULT))


def change_gate(gate: Gate, changes: Mapping[str, object]) -> Gate:
    """The thresholds with some changed: `{"leaks": 2, "findings.dark": 0.1}`. Raises `UserError` for what is wrong."""
    own: dict[str, object] = {name: value for name, value in changes.items() if not name.startswith(FINDINGS_OF)}
    finders = {name.removeprefix(FINDINGS_OF): value for name, value in changes.items() if name.startswith(FINDINGS_OF)}
    try:
        changed = Recipe.model_validate({"name": DEFAULT, "gate": own | ({"findings": finders} if finders else {})})
    except ValidationError as error:
        raise UserError(f"--set: {_explain(error)}") from None
    return _over(gate, changed.gate)


def _over(base: Gate, own: Gate) -> Gate:
    """Thresholds laid over others, finder by finder."""
    given = {name: getattr(own, name) for name in own.model_fields_set}
    return base.model_copy(update=given | {"findings": base.findings | own.findings})


def names() -> list[str]:
    """The training sets that come with curate, sorted."""
    return sorted(path.stem for path in _folder().glob("*.yaml") if path.stem != DEFAULT)


def find(name: str) -> Path:
    """The file of a recipe that comes with curate, or an error that lists what there is."""
    path = _folder() / f"{name}.yaml"
    if "/" in name or not path.is_file():
        raise known("recipe", name, names())
    return path


def in_workspace(workspace: Workspace) -> Recipe:
    """The recipe kept in the workspace, which may be edited, or the default."""
    return load(workspace.path(RECIPE)) if workspace.has(RECIPE) else default()


def dump(recipe: Recipe) -> str:
    """The recipe as YAML, everything it inherited included: `load` of that file gives an equal recipe."""
    content = recipe.model_dump()
    content["policy"] = [rule.model_dump(exclude_defaults=True) for rule in recipe.policy]
    if recipe.download is not None:
        content["download"] = [file.model_dump(exclude_defaults=True) for file in recipe.download]
    return yaml_text.write(content)


def _folder() -> Path:
    """`datasets/` of an installed package, or of a checkout.

    Recognised by its default recipe: beside an installed curate, `datasets` may be a Python package of that name.
    """
    package = Path(__file__).parent
    for folder in (package / "datasets", package.parent / "datasets"):
        if (folder / f"{DEFAULT}.yaml").is_file():
            return folder
    raise UserError(f"{package / 'datasets'} is missing; install curate again")


def _read(path: Path) -> Recipe:
    """One file, without the default."""
    content = _parse(path)
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: a recipe is a list of 'key: value' lines; there are: {', '.join(Recipe.model_fields)}"
        )
    try:
        return Recipe.model_validate({"name": _name_of(path)} | content)
    except ValidationError as error:
        raise UserError(f"{path}: {_explain(error)}") from None


def _name_of(path: Path) -> str:
    """The file's name as a recipe's name: `my pets.yaml` is `my-pets`."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).strip("-._") or "recipe"


def _parse(path: Path) -> object:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UserError(f"{path} has {size:,} bytes, a recipe has at most {MAX_BYTES:,}; is it the right file?")
        return yaml_text.read(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; {', '.join(names())} come with curate") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; is it a recipe?") from None
    except RecursionError:
        raise UserError(f"{path} is nested too deeply for a recipe; is it the right file?") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}{line}: {error.problem}; see datasets/README.md for an example") from None
    except (AttributeError, LookupError):  # what PyYAML raises for `!!timestamp x` and the like
        raise UserError(f"{path}: a value is not what its tag (!!…) says; leave tags out") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # a date such as 2026-13-45; a number without end
        raise UserError(f"{path} cannot be read as YAML: {first_line(error)}") from None


def _explain(error: ValidationError) -> str:
    """The first thing that is wrong: where, what, and the way out."""
    first = error.errors()[0]
    where = _key_path(first["loc"])
    if first["type"] == "extra_forbidden":
        model = NESTED.get(str(first["loc"][0]), Recipe) if len(first["loc"]) > 1 else Recipe
        keys = list(model.model_fields)
        return f"unknown key {where!r}{meant(str(first['loc'][-1]), keys)}; there are: {', '.join(keys)}"
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] == TWICE:
        return f"{where}: {first['msg']}"
    given = _given(first["input"])
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if where.endswith(".action"):
        message = f"should be one of: {', '.join(get_args(RuleAction))}"
    return f"{where} {message}, not {given if len(given) <= 60 else given[:57] + '...'}"


def _key_path(location: tuple[int | str, ...]) -> str:
    """('policy', 2, 'below') as policy[2].below."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text.removeprefix("."))


def _given(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"

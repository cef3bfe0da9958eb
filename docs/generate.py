"""Write the generated pages of `docs/` and the generated parts of the README, or `--check` that they are current.

What can be read from the code is read from it: verbs, finders, signals, networks, layouts, recipes, the file tree.
Figures come from `docs/benchmarks/*.json`. In a page that is partly handwritten, generated parts stand between the
lines `<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

import argparse
import ast
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import benchmark_tables
import command_reference
import gpu_tables
import study_tables

from curate import finders, recipe, registry, signals, sources
from curate.augment import listing
from train import config, experiments, models, recipes
from train.reproduce import scales

ROOT = Path(__file__).parents[1]
GENERATED = "<!-- Written by docs/generate.py; edit the docstrings and run `make docs`. -->\n\n"


def pages() -> dict[str, str]:
    """Path, relative to the repository, of every page with generated parts -> what it should be."""
    figures = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / "docs/benchmarks").glob("*.json"))
    }
    pseudo = figures.pop("pseudo_labels", None)
    readme = {"verbs": _verbs(), "tree": _tree(), "figures": benchmark_tables.headlines(figures)}
    found = {
        "README.md": _filled("README.md", readme),
        "docs/benchmarks.md": _filled("docs/benchmarks.md", {"tables": benchmark_tables.tables(figures)}),
        "docs/study.md": _filled("docs/study.md", study_tables.pages(figures, benchmark_tables.table)),
        "docs/gpu.md": _filled("docs/gpu.md", {"checks": gpu_tables.checks(benchmark_tables.table)}),
        "docs/reference/cli.md": GENERATED + command_reference.page(),
        "docs/reference/finders.md": GENERATED + _finders(),
        "docs/reference/signals.md": GENERATED + _signals(),
        "docs/reference/models.md": GENERATED + _models(),
        "docs/reference/sources.md": GENERATED + _sources(),
        "docs/reference/transforms.md": GENERATED + _transforms(),
        "docs/reference/experiments.md": GENERATED + _experiments(),
    }
    if pseudo:  # until then its table is what was typed by hand
        found["docs/adding.md"] = _filled(
            "docs/adding.md", {"pseudo_labels": study_tables.pseudo_labels(pseudo, benchmark_tables.table)}
        )
    return found


def stale() -> list[str]:
    """The pages that are not what they should be."""
    return [name for name, text in pages().items() if _current(name) != text]


def main() -> None:
    """Write the pages; with `--check` name those that are stale instead, and exit with status 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is stale")
    if parser.parse_args().check:
        if names := stale():
            sys.exit(f"stale: {', '.join(names)}; 'make docs' writes them")
        return
    for name, text in pages().items():
        path = ROOT / name
        if _current(name) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")


def _current(name: str) -> str | None:
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.exists() else None


def _filled(name: str, parts: dict[str, str]) -> str:
    """The page with the text between its markers replaced."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for part, content in parts.items():
        begin, end = f"<!-- begin {part} -->\n", f"<!-- end {part} -->"
        if begin not in text or end not in text:
            sys.exit(f"{name} lacks the lines '<!-- begin {part} -->' and '{end}'; put them back")
        head, tail = text.partition(begin)[0], text.partition(end)[2]
        text = f"{head}{begin}\n{content.strip()}\n\n{end}{tail}"
    return text


def _verbs() -> str:
    return benchmark_tables.table(
        ["verb", "does"], [[f"`curate {name}`", line] for name, line in command_reference.verbs().items()]
    )


def _tree() -> str:
    """The packages and recipes, a line per file: the first line of its docstring or its summary."""
    lines = []
    for package in ("curate", "train"):
        lines += _folder(ROOT / package, 0)
    lines.append(("datasets/", "Recipes: where a set comes from, how to train and scan it, what to do with findings."))
    lines += [(f"  {name}.yaml", f"{recipe.load(name).summary}.") for name in [recipe.DEFAULT, *recipe.names()]]
    width = max(len(name) for name, _ in lines) + 2
    return "```text\n" + "\n".join(f"{name:<{width}}{line}".rstrip() for name, line in lines) + "\n```"


def _folder(folder: Path, depth: int) -> list[tuple[str, str]]:
    own = folder / "__init__.py"
    lines = [(f"{'  ' * depth}{folder.name}/", _first_line(own) if own.exists() else "")]
    for path in sorted(folder.glob("*.py")):
        if path != own:
            lines.append((f"{'  ' * (depth + 1)}{path.name}", _first_line(path)))
    for path in sorted(folder.iterdir()):
        if path.is_dir() and any(path.glob("*.py")):
            lines += _folder(path, depth + 1)
    return lines


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n", 1)[0]


def _finders() -> str:
    parts = [
        "# Finders",
        "`curate scan` runs all of these but those on request, `curate scan --only NAME` one. A score runs from 1, "
        "fine, to 0, certainly "
        "bad; an image is flagged below 0.5 unless the finder says otherwise. Settings are changed for one scan by "
        "`--set FINDER.SETTING=VALUE`, and for good under `scan:` in a recipe. *Needs* are explained in "
        "[signals](signals.md); finders that need `pred_probs` or `embeddings` run after `curate predict`.",
    ]
    found = registry.functions(finders)
    parts.append(_index(found))
    for name, function in found.items():
        parts += [f"## `{name}`", _docstring(function), f"Needs: {_needs(function)}.", _settings(function)]
    return _joined(parts)


def _transforms() -> str:
    kinds = {
        "batch": "## On whole batches",
        "fallback": "## With `--fallback cpu`, image after image",
    }
    parts = [
        "# Transforms",
        "What a pipeline may hold, see [augmentation](../augment.md). Settings, distributions and pixels of those on "
        "whole batches are Albumentations' own, but for what it lacks: `AlternatingFlip`, `AugMix`, `CutMix`, "
        "`Cutout`, `MixUp`, `RandAugment`, `Sharpness`, `TrivialAugment`. `Compose`, `Sequential`, `OneOf`, `SomeOf` "
        "and `RandomOrder` put them together.",
    ]
    for runs, title in kinds.items():
        rows = [[f"`{each.name}`", each.summary] for each in listing.transforms() if each.runs == runs]
        parts += [title, benchmark_tables.table(["transform", "does"], rows)]
    return _joined(parts)


def _signals() -> str:
    parts = [
        "# Signals",
        "What a finder may ask for by the name of a parameter. Each is computed once a scan; what is measured per "
        "image is kept in `signals/NAME/VERSION/`, keyed by the content of the file: only new images are decoded.",
        benchmark_tables.table(
            ["parameter", "is"],
            [
                *[[f"`{name}`", told] for name, told in registry.GIVEN.items()],
                ["a signal's name", "its value for all images"],
                *[[f"`{name}`", f"for signals alone: {told}"] for name, told in registry.GIVEN_TO_SIGNALS.items()],
            ],
        ),
    ]
    for name, function in registry.functions(signals).items():
        per_image = set(registry.needs(function)) <= {"image", "gray"}
        kind = "measured per image and kept" if per_image else "computed over the whole set, each scan"
        parts += [f"## `{name}`", _docstring(function), f"Needs: {_needs(function)}; {kind}."]
    return _joined(parts)


def _models() -> str:
    functions, families = registry.functions(models), models.families()
    parts = [
        "# Networks and training settings",
        "`curate train WS --model NAME` trains one of these. A file is a network, or a family of networks that differ "
        "in depth. Options are set by `--set 'model_options={OPTION: VALUE}'`, or under `train:` in a recipe.",
        benchmark_tables.table(
            ["file", "networks", ""],
            [
                [
                    f"[`{family}`](#{family})",
                    ", ".join(f"`{name}`" for name in members),
                    registry.summary(functions[family]),
                ]
                for family, members in families.items()
            ],
        ),
    ]
    for family, members in families.items():
        parts += [f"## `{family}`", _docstring(functions[family]), _options(next(iter(members)))]
    parts += [
        "## Training recipes",
        "`curate train --recipe NAME` and `curate predict --recipe NAME` take these settings by name; `--set` changes "
        "them further. The values, each with its reason, stand in `train/recipes/NAME.yaml`.",
        benchmark_tables.table(["name", ""], [[f"`{name}`", line] for name, line in recipes.summaries().items()]),
        "## Training settings",
        "Of `curate predict` and `curate train`: `--set NAME=VALUE` for one run, `train:` in a recipe for good. From "
        "`train/config.py`.",
        _training_settings(),
    ]
    return _joined(parts)


def _experiments() -> str:
    parts = [
        "# Experiments",
        "`curate reproduce NAME [WS] --scale smoke|short|paper` runs one of these on the training and test images of a "
        "workspace, or on the embedded handwritten digits, and writes figures (PNG, SVG), `table.csv`, `table.md` and "
        "`result.json`: ours beside the paper's, and for each claim of the paper whether it came out so. What was "
        "trained is kept in `arms/`; the same command goes on where it was interrupted. Settings, each with its "
        "reason, stand at the top of `train/experiments/NAME.py`. The trainer is ours and not the papers': momentum "
        "with Nesterov's correction, borders reflected, no weight decay on biases and batch normalisation.",
        _index(registry.functions(experiments)),
    ]
    for name, function in registry.functions(experiments).items():
        rows = [
            [
                f"`{scale}`",
                ", ".join(f"`{arm.name}`" for arm in item.arms),
                f"{item.train_images:,}" if item.train_images else "all",
                str(item.settings["epochs"]),
                str(item.seeds),
            ]
            for scale, item in scales(name).items()
        ]
        table = benchmark_tables.table(["scale", "arms", "training images", "epochs", "seeds"], rows)
        parts += [f"## `{name}`", _docstring(function), table]
    return _joined(parts)


def _options(network: str) -> str:
    """A table of a network's options, nothing where it has none."""
    rows = [[f"`{name}`", f"`{value!r}`", takes] for name, (value, takes) in models.options(network).items()]
    return benchmark_tables.table(["option", "default", "takes"], rows) if rows else ""


def _training_settings() -> str:
    """The fields of `TrainConfig`: name, default, the text below it."""
    tree = ast.parse(inspect.getsource(config.TrainConfig))
    body = tree.body[0].body  # type: ignore[attr-defined]
    rows, defaults = [], config.TrainConfig()
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and node.value:
            told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            text = " ".join(inspect.cleandoc(str(after.value.value)).split()) if told else ""
            name = ast.unparse(node.target)
            rows.append([f"`{name}`", f"`{getattr(defaults, name)!r}`", text])
    return benchmark_tables.table(["setting", "default", "what and why"], rows)


def _sources() -> str:
    parts = [
        "# Sources and recipes",
        "`curate add WS SOURCE` takes a folder, an archive, a table or the name of a recipe. The layout is recognised; "
        "`--as NAME` says it. `curate export WS DEST --as NAME` writes the layouts marked so.",
    ]
    found = sources.layouts()
    writable = sources.writable()
    rows = [
        [f"[`{name}`](#{name})", _summary(module), "yes" if name in writable else ""] for name, module in found.items()
    ]
    parts.append(benchmark_tables.table(["layout", "images", "export"], rows))
    for name, module in found.items():
        parts += [f"## `{name}`", inspect.getdoc(module) or "", *_read_and_write(module)]
    parts.append("## Recipes")
    rows = []
    for name in recipe.names():
        loaded = recipe.load(name)
        size = sum(file.size or 0 for file in loaded.download or [])
        rows.append([f"`{name}`", loaded.summary, f"{size / 1e6:,.0f} MB" if size else "nothing"])
    parts += [
        benchmark_tables.table(["recipe", "training set", "downloads"], rows),
        "How to write one: [datasets/README.md](../../datasets/README.md).",
    ]
    return _joined(parts)


def _read_and_write(module: ModuleType) -> list[str]:
    parts = [f"Adding: {inspect.getdoc(module.read)}"]
    if hasattr(module, "write"):
        parts.append(f"Exporting: {inspect.getdoc(module.write)}")
    return parts


def _index(found: dict[str, Callable]) -> str:
    return benchmark_tables.table(
        ["name", ""], [[f"[`{name}`](#{name})", registry.summary(item)] for name, item in found.items()]
    )


def _summary(module: ModuleType) -> str:
    return (inspect.getdoc(module) or "").split("\n", 1)[0]


def _docstring(function: Callable) -> str:
    return inspect.getdoc(function) or ""


def _needs(function: Callable) -> str:
    return ", ".join(f"`{name}`" for name in registry.needs(function))


def _settings(function: Callable) -> str:
    found = registry.settings(function)
    if not found:
        return "No settings."
    return benchmark_tables.table(
        ["setting", "default"], [[f"`{name}`", f"`{value!r}`"] for name, value in found.items()]
    )


def _joined(parts: list[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


if __name__ == "__main__":
    main()

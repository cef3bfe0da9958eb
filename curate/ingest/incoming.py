"""What `curate add` accepts for a source: a recipe's name, a path, or a set in a database, `fiftyone:NAME`."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from curate import recipe, sources
from curate.errors import UserError
from curate.ingest.add import LeaveOut, add
from curate.ingest.added import Added
from curate.layouts import Options
from curate.recipe import Recipe
from curate.sources import Named
from curate.wording import pasted, plural, printable
from curate.workspace import LEDGER, MANIFEST, RECIPE, Workspace

DOWNLOADS = "downloads"


@dataclass(frozen=True)
class Request:
    """How a source is to be read, as far as the command line says; the recipe says the rest."""

    local: Path | None = None
    split: str | None = None
    layout: str | None = None
    name: str | None = None
    root: Path | str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    leave_out: LeaveOut | None = None
    """See `curate.ingest.add.add`."""


def add_source(workspace: Workspace, source: str, request: Request, *, workers: int | None = None) -> Added:
    """Add what `source` names. A recipe is kept in the workspace as `recipe.yaml`, unless one is there already.

    Raises `UserError` for what is no source, and for an empty name, which would be the folder of the process.
    """
    if not source.strip():
        raise UserError("a source has no name; is a variable empty? The folder here is '.'")
    path = Path(source)
    if path.exists() and source in recipe.names() and not request.local:
        raise UserError(
            f"{source!r} is a recipe, and here lies a file or folder of that name: './{source}' is the latter; for the "
            "recipe, run this in another folder"
        )
    if (path / LEDGER).is_file() and (path / MANIFEST).is_file():
        other = workspace.root.is_dir() and not workspace.has(MANIFEST)
        meant = f"did you mean 'curate add {pasted(source)} {pasted(workspace.root)}'? " if other else ""
        way_out = f"{meant}'curate export {pasted(source)} FOLDER' hands its images on"
        raise UserError(f"{pasted(source)} is a workspace; {way_out}")
    place = path if path.exists() else sources.named(source)
    if place and source not in recipe.names():
        if request.local:
            raise UserError(
                f"--from goes with a recipe's name, and {source!r} is none; recipes: {', '.join(recipe.names())}"
            )
        notes = _not_asked(workspace, request)  # before anything is added: the recipe may be one that cannot be read
        added = _add(workspace, place, request, None, workers)
        return replace(added, warnings=[*added.warnings, *notes])
    if source not in recipe.names():
        datasets = " or ".join(f"{name}:NAME" for name in sources.databases())
        raise UserError(
            f"{source!r} is neither a file or folder nor a recipe; recipes: {', '.join(recipe.names())}; "
            f"a dataset in a database is {datasets}"
        )
    chosen = recipe.load(source)
    if request.local and not chosen.download:
        raise UserError(f"recipe {source!r} downloads nothing, so --from has nothing to stand in for; leave it out")
    added = _add(workspace, request.local or fetch(workspace, chosen), request, chosen, workers)
    if not workspace.has(RECIPE):
        with workspace.writing("recipe", {"name": chosen.name}) as transaction:
            transaction.write_text(RECIPE, recipe.dump(chosen))
    return added


def fetch(workspace: Workspace, chosen: Recipe) -> Path:
    """Download what a recipe names into the workspace's `downloads/`, or return a path for a recipe that needs none.

    The folder, where a recipe names several files; the file, where it names one.
    """
    from curate.ingest.download import download

    folder = workspace.root / DOWNLOADS
    if not chosen.download:
        return folder
    files = [download(item.url, folder / item.filename, sha256=item.sha256, size=item.size) for item in chosen.download]
    return files[0] if len(files) == 1 else folder


def _add(
    workspace: Workspace, place: Path | Named, request: Request, chosen: Recipe | None, workers: int | None
) -> Added:
    return add(
        workspace,
        place,
        layout=request.layout or (chosen.layout if chosen and not request.local else None),
        name=request.name or (chosen.name if chosen else None),
        split=request.split or (chosen.split if chosen else None),
        options=Options(
            columns=(chosen.columns if chosen else {}) | request.columns,
            root=request.root,
            classes=chosen.classes if chosen else {},
        ),
        leave_out=request.leave_out,
        workers=workers,
    )


def _not_asked(workspace: Workspace, request: Request) -> list[str]:
    """A line where somebody's own recipe in the workspace says how to read a source: only one that is added by its name
    is read so."""
    own = recipe.in_workspace(workspace)
    if own.name in recipe.names():  # of a set that was added by its name
        return []
    usual = recipe.default()
    keys = [key for key in ("layout", "columns", "split", "classes") if not getattr(request, key, None)]
    given = [key for key in keys if getattr(own, key) != getattr(usual, key)]
    told = f"{RECIPE} of the workspace says {', '.join(given)}, which a source that is given by its path is not read by"
    return [f"{told}; --as, --column and --split do, and a recipe in datasets/"] if given else []


def told(added: Added) -> str:
    """What an `add` did, as one line for people."""
    parts = [plural(added.added, "image added", "images added")]
    parts += [f"{added.skipped:,} there already"] if added.skipped else []
    is_copy = ("copy of an image that is there", "copies of images that are there")
    parts += [f"{plural(added.copies, *is_copy)} left out"] if added.copies else []
    parts += [f"{added.changed:,} changed"] if added.changed else []
    parts += [plural(added.restored, "lost file restored", "lost files restored")] if added.restored else []
    broken = added.undecodable - added.missing
    parts += [f"{broken:,} cannot be decoded"] if broken else []
    parts += [plural(added.missing, "without its file", "without their files")] if added.missing else []
    parts += [f"{count:,} left out ({why}: {_first(added, why, count)})" for why, count in added.left_out.items()]
    splits = ", ".join(f"{split} {count:,}" for split, count in added.by_split.items())
    classes = plural(len([label for label in added.by_class if label]), "class", "classes")
    return "; ".join(parts) + (f" ({splits}; {classes}; read as {added.layout})" if splits else "")


def _first(added: Added, why: str, count: int) -> str:
    """The names of the first that were left out for a reason, on one line."""
    names = added.left_out_names[why]
    return ", ".join(map(printable, names)) + (", …" if count > len(names) else "")

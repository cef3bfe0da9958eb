"""FiftyOne's App on a workspace: the dataset brought up to date, a server of our own, and hand edits read back."""

import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from curate import REVIEWER, manifest, predictions, remote, verbs
from curate.engine import Local
from curate.errors import UserError
from curate.files import file_hash, write_bytes_atomic
from curate.images import ImageError, encode_jpeg, read_image, thumbnail
from curate.review import acting, asking, dataset, hand_edits, samples, views
from curate.review.database import fiftyone, gone, leave, reachable
from curate.review.desk import Desk
from curate.review.server import HOST
from curate.wording import pasted, plural
from curate.workspace import FINDINGS, MANIFEST, Workspace

if TYPE_CHECKING:
    import fiftyone as fo

PORT = 5151
"""FiftyOne's own."""
START_SECONDS = 60
"""How long the server may take until it answers; four, mostly."""
END_SECONDS, END_SECONDS_ALONE = 10, 1
"""How long the server may take to end, and how long without a database, for which it would wait in vain."""
PORT_SECONDS = 5.0
"""How long a port may stay taken: the server of a command that was killed ends within these."""
LOOK_SECONDS = 2.0
"""How often edits by hand are read back."""
THUMBNAILS = Path("signals") / "review_thumbnails"
PLAIN = {"image_id", "filepath", "split", "source", "ground_truth", "prediction", "digest"}
"""Fields that every image may have; with others there is something to look at."""
PLUGIN = Path(__file__).parent / "plugin"


@dataclass(frozen=True)
class Opened:
    """A workspace in FiftyOne."""

    data: "fo.Dataset"
    session: acting.Session
    synced: dataset.Synced
    warnings: list[str]


def connect(workspace: Workspace) -> None:
    """FiftyOne with its database. Raises `UserError` where there is none, or nothing to look at: that is told first."""
    for name, read in ((MANIFEST, verbs.read_manifest), (FINDINGS, verbs.read_findings)):
        if not workspace.has(name):
            read(workspace)
    if not os.access(workspace.root, os.W_OK):
        raise UserError(f"{pasted(workspace.root)} cannot be written to, so nothing can be decided; mend that first")
    fiftyone()


def prepare(workspace: Workspace, by: str, *, budget: int | None, second: int) -> Opened:
    """Bring the workspace's dataset up to date: edits by hand are taken over first, then what changed is written.

    Raises `UserError` where there is no database, or a dataset of that name is not ours.
    """
    connect(workspace)
    images, findings = verbs.read_manifest(workspace), verbs.read_findings(workspace)
    found = predictions.read(workspace, images) if predictions.exists(workspace) else None
    with reachable():
        data = dataset.open_dataset(workspace, by)
        warnings = take_by_hand(Desk(workspace, by), data) if len(data) else []
        asked = asking.asked(workspace, by, budget=budget, second=second, predicted=found)
        paths = manifest.locate(images, workspace.root)
        predicted, embeddings = _predicted(found, images)
        documents = samples.documents(
            images, paths, findings, verbs.read_decisions(workspace, images), asked, predicted
        )
        small = _thumbnails(workspace, images, paths, documents)
        synced = dataset.sync(data, documents)
        views.show_fields(data, thumbnails=small)
        views.save_views(data)
        if embeddings:
            views.embed(data, embeddings, file_hash(workspace.root / predictions.FILE))
    return Opened(data, acting.begin(workspace, by, asked), synced, warnings + _missing(paths) + verbs.stale(workspace))


def take_by_hand(desk: Desk, data: "fo.Dataset", shown: Callable[[list[str]], None] | None = None) -> list[str]:
    """Take over what was decided in the App by tags and edited labels; a line for each that cannot be."""
    images = desk.images()
    labels = dict(zip(images["image_id"], images["label"], strict=True))
    found = hand_edits.by_hand(data, labels, manifest.classes(images))
    if found.answers:
        desk.take(found.answers)
        decided = [answer.image_id for answer in found.answers]
        hand_edits.taken_over(data, labels, decided)
        if shown:
            shown(decided)
    return found.refused


def _by_hand(opened: Opened) -> list[str]:
    """Take over edits by hand since the last look; a line for each that cannot be.

    What keeps all of them from it, such as another verb that writes just now, is no reason to end: they stay where they
    are until the next look. Raises `UserError` where the dataset has gone.
    """
    import fiftyone as fo

    try:
        opened.data.reload()
    except fo.DatasetNotFoundError:
        raise UserError(
            f"dataset {opened.data.name} was deleted in FiftyOne; no decision is lost, run the command again"
        ) from None
    try:
        return take_by_hand(opened.session.desk, opened.data, lambda ids: acting.show(opened.session, opened.data, ids))
    except UserError as error:
        return [f"what was tagged or edited by hand in FiftyOne is not taken over yet: {error}"]


@dataclass(frozen=True)
class Server:
    """The App's server, which may still be starting."""

    process: subprocess.Popen
    port: int
    errors: Path
    """What it says when it does not start."""


@contextmanager
def served(workspace: Workspace, by: str, *, port: int, budget: int | None, second: int) -> Iterator[Server]:
    """The App's server, as long as the block lasts; it starts while the block goes on. The database is there by then.

    Raises `UserError` where the port is taken.
    """
    refuse_taken(port)
    roots = _roots(verbs.read_manifest(workspace), workspace)
    with tempfile.TemporaryDirectory(prefix="curate-plugins-") as folder, open(os.devnull, "wb") as nothing:
        _link_plugins(Path(folder))
        environment = os.environ | {
            "FIFTYONE_PLUGINS_DIR": folder,
            "FIFTYONE_DO_NOT_TRACK": "true",
            REVIEWER: by,
            acting.BUDGET: str(budget or 0),
            acting.SECOND: str(second),
        }
        command = [sys.executable, "-m", "curate.review.server", str(port), dataset.name_of(workspace, by), *roots]
        errors = Path(folder) / ".errors"
        with errors.open("wb") as log:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=nothing, stderr=log, start_new_session=True
            )
        try:
            yield Server(process, port, errors)
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS_ALONE if gone() else END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin:
                process.stdin.close()


def watch(opened: Opened, process: subprocess.Popen, say: Callable[[str], None]) -> None:
    """Read edits by hand back until the server ends or the user interrupts; say once what cannot be taken over."""
    told: set[str] = set()
    _map_in_background(opened)
    while process.poll() is None:
        with reachable():
            refused = _by_hand(opened)
        for line in refused:
            if line not in told:
                say(line)
                told.add(line)
        time.sleep(LOOK_SECONDS)
    raise UserError("the App's server has ended; no decision is lost, run the command again to go on")


def close(opened: Opened) -> list[str]:
    """The end of a review: the last edits by hand, and the decisions as a version of the workspace."""
    try:
        with reachable():
            refused = _by_hand(opened)
    except UserError as error:
        refused = [str(error)]
    try:
        opened.session.desk.keep_version()
    except (UserError, OSError) as error:  # the decisions are there all the same; the next verb keeps their version
        refused.append(str(error))
    leave()
    return refused


def give_up() -> list[str]:
    """The end of a review that never began."""
    leave()
    return []


def url(opened: Opened, port: int) -> str:
    """Where the App shows what waits for an answer, or, where nothing does, the dataset."""
    view = "?view=needs-a-person" if len(opened.session.waiting) else ""
    return f"http://{HOST}:{port}/datasets/{opened.data.name}{view}"


def _predicted(
    found: predictions.Predictions | None, images: pd.DataFrame
) -> tuple[tuple[np.ndarray, np.ndarray, list[str]] | None, dict[str, np.ndarray]]:
    """The class that each image is predicted to be, with its probability and the class names; and embeddings."""
    if found is None:
        return None, {}
    probs = np.nan_to_num(found.pred_probs, nan=-1.0)
    codes = np.where(found.present, probs.argmax(axis=1), -1)
    known = ~np.isnan(found.embeddings).any(axis=1)
    embeddings = dict(zip(images["image_id"][known], found.embeddings[known], strict=True))
    return (codes, probs.max(axis=1), found.classes), embeddings


def _thumbnails(
    workspace: Workspace, images: pd.DataFrame, paths: list[str], documents: dict[str, samples.Document]
) -> bool:
    """Give large images that something is said of a smaller copy; whether there is any. Made once, by content."""
    said = {image_id for image_id, document in documents.items() if document.keys() - PLAIN}
    large = (images[["width", "height"]].max(axis=1) > samples.LARGE).to_numpy()
    if not large.any():
        return False
    folder = workspace.root / THUMBNAILS
    wanted = []
    for image_id, path, digest, is_large in zip(images["image_id"], paths, images["content_hash"], large, strict=True):
        document = documents[image_id]
        document["thumbnail"] = path
        if is_large and image_id in said:
            document["thumbnail"] = str((folder / f"{digest}.jpg").resolve())
            wanted.append((path, document["thumbnail"]))
        document["digest"] = samples.digest(document)
    missing = [pair for pair in wanted if not os.path.exists(pair[1])]  # noqa: PTH110
    folder.mkdir(parents=True, exist_ok=True)
    made = Local().map_batches(
        _make, missing, batch_size=16, describe="thumbnails", total=len(missing), crashed=lambda _: [False]
    )
    for _ in made:
        pass
    return True


def _make(pairs: list[tuple[str, str]]) -> list[bool]:
    made = []
    for path, small in pairs:
        try:
            write_bytes_atomic(Path(small), encode_jpeg(thumbnail(read_image(path), samples.LARGE), quality=85))
            made.append(True)
        except (ImageError, OSError):  # the App shows that there is nothing; `corrupt` says why
            made.append(False)
    return made


def _missing(paths: list[str]) -> list[str]:
    """A warning where files have gone since they were added."""
    gone = [path for path in paths if not remote.is_url(path) and not os.path.exists(path)]  # noqa: PTH110
    if not gone:
        return []
    told = f"{plural(len(gone), 'image is', 'images are')} not where 'curate add' saw them ({gone[0]})"
    return [f"{told}; put them back, or add them again; decisions on them count all the same"]


def _roots(images: pd.DataFrame, workspace: Workspace) -> list[str]:
    """The folders that the images lie in, one for each source, and the workspace's own."""
    folders: dict[str, set[str]] = defaultdict(set)
    for source, path in zip(images["source"], manifest.locate(images, workspace.root), strict=True):
        if not remote.is_url(path):
            folders[source].add(os.path.dirname(os.path.abspath(path)))  # noqa: PTH100, PTH120
    roots = {os.path.commonpath(each) for each in folders.values()}
    return sorted(roots | {str((workspace.root / name).resolve()) for name in ("images", THUMBNAILS)})


def _link_plugins(folder: Path) -> None:
    """Our plugin beside those that the user has."""
    import fiftyone as fo

    (folder / "curate-review").symlink_to(PLUGIN, target_is_directory=True)
    own = Path(fo.config.plugins_dir or "")
    if fo.config.plugins_dir and own.is_dir():
        for each in own.iterdir():
            if each.is_dir() and each.name != "curate-review":
                (folder / each.name).symlink_to(each.resolve(), target_is_directory=True)


def refuse_taken(port: int) -> None:
    """Raise `UserError`, with a free port in it, where another program listens on this one and does not end."""
    until = time.monotonic() + PORT_SECONDS
    while not _is_free(port):
        if time.monotonic() > until:
            with socket.socket() as free:
                free.bind((HOST, 0))
                other = free.getsockname()[1]
            raise UserError(f"port {port} is taken, perhaps by another App; take another: --port {other}")
        time.sleep(0.1)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def wait_until_it_answers(server: Server) -> None:
    """Raises `UserError` where it does not start."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if server.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://{HOST}:{server.port}/fiftyone", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    lines = server.errors.read_text(errors="replace").strip().splitlines()
    raise UserError(
        f"the App's server does not start: {lines[-1] if lines else 'it says nothing'}; try 'curate doctor'"
    )


def _map_in_background(opened: Opened) -> None:
    """The map by UMAP, where that is installed: it takes minutes for a large set, and nobody has to wait for it."""
    if importlib.util.find_spec("umap") is not None:
        threading.Thread(target=views.embed_by_umap, args=(opened.data,), daemon=True).start()

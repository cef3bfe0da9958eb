"""The engine on Ray gives what the local one gives: on a cluster of several nodes, and with workers that are killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from curate import manifest, ray_engine, tables, verbs
from curate.engine import Engine, Local
from curate.errors import UserError
from curate.images import encode_png
from curate.ingest.add import add
from curate.likeness import links, neighbors, search, shared
from curate.measure import Measure, folder, measure, measure_batch
from curate.ray_engine import ENVIRONMENT, LOOPBACK, ONLY_LOOPBACK, Ray
from curate.signals.color import color
from curate.signals.edge_blur import edge_blur
from curate.signals.thumbnail import thumbnail
from curate.signals.tones import tones
from curate.workspace import FINDINGS, Workspace
from tests.pictures import digits
from tests.test_engine import alive, double, end_on_600, fail_on_600, minus

EAGER = {"RAY_worker_niceness": "0"}
"""Otherwise the workers wait for the tests that run beside."""
os.environ.update(ENVIRONMENT | ONLY_LOOPBACK | EAGER)  # Ray reads them when it is imported
ray = pytest.importorskip("ray", reason="Ray is an extra: pip install 'curate-images[ray]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray leaves sockets and processes to the end of the process

COUNT = 1500
MEASURES = [Measure(color), Measure(edge_blur), Measure(thumbnail), Measure(tones)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    """Two nodes of one core each, on 127.0.0.1 alone."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "node_ip_address": LOOPBACK, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=node)
    made.add_node(**node)
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def engine(cluster: object) -> Ray:
    return Ray(cluster.address)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace of digits, some of them twice, one broken; scanned by the local engine."""
    photos = tmp_path_factory.mktemp("photos")
    for number, image in enumerate(digits()[:COUNT]):
        (photos / f"{number:04}.png").write_bytes(encode_png(image if number % 100 else digits()[0]))
    (photos / "broken.png").write_bytes(b"no image")
    made = Workspace(tmp_path_factory.mktemp("ws"))
    add(made, photos)
    verbs.scan(made, only=None, settings={}, engine=Local(2))
    return made


@pytest.fixture
def unmeasured(scanned: Workspace, tmp_path: Path) -> Workspace:
    """The same images, nothing measured."""
    made = Workspace(tmp_path / "ws")
    made.root.mkdir()
    for name in ("manifest.parquet", "ledger.jsonl"):
        (made.root / name).write_bytes((scanned.root / name).read_bytes())
    return made


def items(workspace: Workspace) -> list[tuple[str, str]]:
    """What `measure` gives to an engine."""
    rows = tables.read_manifest(workspace)
    return list(zip(rows["content_hash"], manifest.locate(rows, workspace.root), strict=True))


def killed_once(batch: list[tuple[str, str]], *, victim: str, marker: Path) -> tuple[list[str], dict[str, list]]:
    """`measure_batch` in a worker that is killed at the batch with `victim`, the first time."""
    if victim in {digest for digest, _ in batch} and not marker.exists():
        marker.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return measure_batch(batch, measures=MEASURES)


def elsewhere(kind: type[shared.AsFile], path: Path) -> shared.AsFile:
    """What a worker gets whose node has another file system."""
    return kind.opened(path.with_name("absent"))


def where(batch: list[int]) -> tuple[str, int]:
    """The node and the process that it ran in."""
    time.sleep(0.05)
    return ray.get_runtime_context().get_node_id(), os.getpid()


def when(batch: list[int]) -> tuple[float, float]:
    """When it began and ended."""
    began = time.monotonic()
    time.sleep(0.05)
    return began, time.monotonic()


def test_same_values_bit_for_bit(scanned: Workspace, unmeasured: Workspace, engine: Ray) -> None:
    rows = tables.read_manifest(scanned)
    here = measure(scanned, rows, MEASURES, engine=Local(1))
    there = measure(unmeasured, rows, MEASURES, engine=engine)
    for name, values in here.items():
        assert values.dtype == there[name].dtype
        assert values.tobytes() == there[name].tobytes()
    for item in MEASURES:
        local, remote = (folder(ws.root, item) / "part-00001.parquet" for ws in (scanned, unmeasured))
        assert local.read_bytes() == remote.read_bytes()


def test_same_findings(scanned: Workspace, unmeasured: Workspace, engine: Ray) -> None:
    verbs.scan(unmeasured, only=None, settings={}, engine=engine)
    found = unmeasured.path(FINDINGS).read_bytes()
    assert len(tables.read_findings(unmeasured)) > COUNT
    assert found == scanned.path(FINDINGS).read_bytes()


def test_a_worker_that_is_killed_changes_nothing(
    scanned: Workspace, engine: Ray, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    work, marker = items(scanned)[:600], tmp_path / "killed"
    function = partial(killed_once, victim=work[300][0], marker=marker)
    there = list(engine.map_batches(function, work, batch_size=50))
    here = list(Local(1).map_batches(partial(measure_batch, measures=MEASURES), work, batch_size=50))
    assert not alive(int(marker.read_text()))
    assert [hashes for hashes, _ in there] == [hashes for hashes, _ in here]
    for (_, values), (_, expected) in zip(there, here, strict=True):
        assert {name: np.array(column).tobytes() for name, column in values.items()} == {
            name: np.array(column).tobytes() for name, column in expected.items()
        }
    time.sleep(1)  # Ray tells of the killed worker a moment later
    assert capfd.readouterr() == ("", "")


# The search for pairs


class KilledOnce(search.Looking):
    """The search, in a worker that is killed at the first block that reaches it."""

    def __call__(self, blocks: list[search.Block]) -> list[search.Pairs]:
        marker = self.images.rows.path.parents[1] / "killed"
        if not marker.exists():
            marker.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(blocks)


def found(store: Path, engine: Engine, *, known: int = 0) -> list[bytes]:
    """Links among digits and their mirror images and enlarged parts; so many are searched before the others."""
    few = digits()[:100, :, :, 0]
    parts = np.stack([cv2.resize(image[4:28, 4:28], (32, 32)) for image in few])
    images = np.concatenate([few, few[:, :, ::-1], parts]).reshape(300, -1)
    hashes = [f"{row * 7919 % 300:03}" for row in range(300)]
    large = np.arange(300) % 3 == 0
    for count in (known, 300):
        order = np.argsort(hashes[:count])
        names = [hashes[row] for row in order]
        made = links.find(names, images, order, large[:count], store, engine)
    return [values.tobytes() for values in vars(made).values()]


@pytest.mark.parametrize("known", [0, 200])
@pytest.mark.parametrize("killed", [False, True])
def test_the_same_pairs_bit_for_bit(
    known: int, killed: bool, engine: Ray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbors, "EXACT_UP_TO", 150)
    monkeypatch.setattr(search, "BLOCK", 100)
    monkeypatch.setattr(links, "PAIRS", 1000)
    here = found(tmp_path / "here", Local(), known=known)
    if killed:
        monkeypatch.setattr(search, "Looking", KilledOnce)
    there = found(tmp_path / "there", engine, known=known)
    assert here == there
    assert len(here[0]) > 8 * 100
    files = [sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("here", "there")]
    assert files == [[links.FILE], ["killed"] * killed + [links.FILE]]
    if killed:
        assert not alive(int((tmp_path / "there" / "killed").read_text()))


def test_an_item_that_always_kills_its_worker_gets_another_result(
    engine: Ray, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "RETRIES", 1)
    results = engine.map_batches(end_on_600, range(590, 620), batch_size=10, crashed=minus)
    assert [item for batch in results for item in batch] == [*range(590, 600), -600, *range(601, 620)]
    time.sleep(1)  # see above
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_workers_do_not_see(engine: Ray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "_opened", elsewhere)
    with pytest.raises(UserError, match=r"^Ray gave up: .*No such file or directory.*mend that"):
        found(tmp_path, engine)


@pytest.mark.parametrize("count", [0, 1, 10, 11])
def test_every_item_once_and_in_order(count: int, engine: Ray) -> None:
    results = engine.map_batches(double, iter(range(count)), batch_size=10)
    assert [item for batch in results for item in batch] == [2 * item for item in range(count)]


def test_every_node_works(engine: Ray) -> None:
    assert len({node for node, _ in engine.map_batches(where, range(20), batch_size=1)}) == 2


def test_no_more_workers_than_asked_for(engine: Ray) -> None:
    few = Ray(engine.address, workers=1)
    spans = sorted(few.map_batches(when, range(20), batch_size=1))
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_what_is_not_read_to_the_end_ends(engine: Ray) -> None:
    results = engine.map_batches(double, range(10_000), batch_size=1)
    assert next(results) == [0]
    results.close()
    assert list(engine.map_batches(double, range(2), batch_size=1)) == [[0], [2]]


def test_an_error_in_the_function_arrives(engine: Ray) -> None:
    with pytest.raises(ValueError, match="600"):
        list(engine.map_batches(fail_on_600, range(1000), batch_size=10))


def test_workers_that_are_always_killed_are_an_error(
    engine: Ray, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "RETRIES", 1)
    with pytest.raises(UserError, match=r"^Ray gave up: workers were killed again and again.*--workers"):
        list(engine.map_batches(end_on_600, range(590, 610), batch_size=10))
    assert capfd.readouterr() == ("", "")


# What people can mend


@pytest.mark.parametrize("address", ["here", "here:", "ray://127.0.0.1:10001", "127.0.0.1:port", "127.0.0.1"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(UserError, match="must be HOST:PORT, for instance"):
        list(Ray(address).map_batches(double, range(3)))


@pytest.mark.parametrize("kind", ["closed", "silent", "another server", "no such port"])
def test_an_address_that_does_not_answer(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "PATIENCE_S", 1)
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1] if kind != "no such port" else 99_999
        if kind == "closed":
            server.close()
        other = (
            subprocess.Popen([sys.executable, "-c", SPEAKS, str(server.fileno())], pass_fds=[server.fileno()])
            if (kind == "another server")
            else None
        )
        started = time.monotonic()
        with pytest.raises(UserError, match=rf"^no Ray cluster answers at {LOOPBACK}:{port} \(.+\); start one"):
            list(Ray(f"{LOOPBACK}:{port}").map_batches(double, range(3)))
        assert time.monotonic() - started < 5
        if other:
            assert other.wait(10) == 0


SPEAKS = """
import socket, sys
connection, _ = socket.socket(fileno=int(sys.argv[1])).accept()
connection.sendall(b"HTTP/1.0 400 Bad Request\\r\\n")
connection.recv(99)
"""

ABSENT = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "curate":
            raise ModuleNotFoundError("No module named 'curate'")
sys.meta_path.insert(0, Absent())
"""
OLDER = """
import importlib.metadata, curate
curate.__version__ = "0.0.1"
"""


@pytest.mark.parametrize(
    ("site", "message"),
    [
        (
            ABSENT,
            r"no working curate \(No module named 'curate'\), and here is curate .*; install the same on every node",
        ),
        (OLDER, r"curate 0\.0\.1, Python 3\.\d+, .* and here is curate .*; install the same on every node"),
    ],
    ids=["absent", "older"],
)
def test_a_node_without_the_package(
    site: str, message: str, cluster: object, engine: Ray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(engine.map_batches(double, range(3)))
    (tmp_path / "sitecustomize.py").write_text(site)  # what Python runs before anything else
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    node = cluster.add_node(num_cpus=1, node_ip_address=LOOPBACK)  # type: ignore[attr-defined]
    try:
        with pytest.raises(UserError, match=rf"^Ray's node {LOOPBACK} has {message}$"):
            list(engine.map_batches(double, range(3)))
    finally:
        cluster.remove_node(node)  # type: ignore[attr-defined]
    assert list(engine.map_batches(double, range(3))) == [[0, 2, 4]]


def test_without_ray(tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError")
    code = "from curate.ray_engine import Ray; list(Ray().map_batches(str, [1]))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stderr.endswith("UserError: --engine ray needs Ray: pip install 'curate-images[ray]'\n")


# A Ray of this machine alone

ALONE = """
import json, os, pathlib, sys
from curate.cli import app
app(sys.argv[1:], standalone_mode=False)
family, grown = {os.getpid()}, 0
while len(family) > grown:
    grown = len(family)
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        if int(stat.read_text().rpartition(")")[2].split()[1]) in family:
            family.add(int(stat.parent.name))
sockets = {os.readlink(fd) for pid in family for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}
addresses = []
for name in ("tcp", "tcp6"):
    for line in pathlib.Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
        local, state, inode = (line.split()[at] for at in (1, 3, 9))
        if state == "0A" and f"socket:[{inode}]" in sockets:
            addresses.append(local.partition(":")[0])
print(json.dumps(addresses))
"""
"""A command, and then the addresses at which it and the processes that it has started listen."""


def test_a_ray_of_this_machine_listens_to_it_alone_and_says_no_word(scanned: Workspace, unmeasured: Workspace) -> None:
    ours = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT | ONLY_LOOPBACK}
    ours["PYTHONPATH"] = str(Path(__file__).parents[1])
    verb = ["scan", str(unmeasured.root), "--only", "blurry", "--engine", "ray", "--workers", "1", "--json"]
    done = subprocess.run([sys.executable, "-c", ALONE, *verb], env=ours, capture_output=True, text=True)
    assert done.stderr == ""
    said, end = json.JSONDecoder().raw_decode(done.stdout)
    found = tables.read_findings(scanned)
    assert said["flagged"] == {"blurry": int(found["flagged"][found["finder"] == "blurry"].sum())}
    addresses = json.loads(done.stdout[end:])
    assert len(addresses) > 3  # Ray's own processes are among them
    assert set(addresses) <= {"0100007F", "0000000000000000FFFF00000100007F"}

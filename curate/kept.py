"""Signals of the whole set that take long: computed again only where something that they depend on has changed.

Such a signal gives a table, and its module says `DEPENDS_ON`: the columns of the manifest that it needs, and the only
ones that it is given. The table is kept as `signals/<name>/v<VERSION>/<digest of all inputs>.parquet`.
"""

import hashlib
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from curate.errors import UserError
from curate.files import replacing
from curate.measure import Measure, folder, read_part

MOST = 4
"""Tables of one signal that are kept, those used last: of the whole set, and of parts that a training was given."""


def is_kept(function: Callable) -> bool:
    """Whether the signal's module says what it depends on."""
    return hasattr(sys.modules[function.__module__], "DEPENDS_ON")


def table(root: Path, function: Callable, inputs: Mapping[str, pd.DataFrame | np.ndarray]) -> pd.DataFrame:
    """What the signal gives for `inputs` (by parameter name), read where it was kept in the workspace `root`.

    A kept table that is damaged counts as missing.
    """
    columns = list(sys.modules[function.__module__].DEPENDS_ON)
    given = {**inputs, "manifest": inputs["manifest"][columns]}
    path = folder(root, Measure(function)) / f"{_digest(given)}.parquet"
    if path.exists():
        with suppress(UserError):
            found: pd.DataFrame = read_part(path).to_pandas()
            path.touch()
            return found
    computed: pd.DataFrame = function(**given)
    with replacing(path) as temporary:
        computed.to_parquet(temporary, index=False, compression="zstd")
    for old in sorted(path.parent.glob("*.parquet"), key=lambda other: other.stat().st_mtime)[:-MOST]:
        old.unlink()
    return computed


def _digest(inputs: Mapping[str, pd.DataFrame | np.ndarray]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(inputs):
        value = inputs[name]
        if isinstance(value, pd.DataFrame):
            content = pd.util.hash_pandas_object(value, index=False).to_numpy()
            about = f"{name} {list(value.columns)} {len(value)}"
        else:
            content = np.ascontiguousarray(value)
            about = f"{name} {value.dtype} {value.shape}"
        digest.update(about.encode())
        digest.update(content.view(np.uint8).data)
    return digest.hexdigest()

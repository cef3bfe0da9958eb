"""Kernels compile for a GPU, also where there is none: Triton's interpreter, which the other tests use, takes more."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("triton")

COMPILE = """
import json, sys
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from curate.augment.philox_kernel import BLOCK, _words

types, constants = json.loads(sys.argv[1]), {"BLOCK": BLOCK, **json.loads(sys.argv[2])}
types |= dict.fromkeys(constants, "constexpr")
places = {(_words.arg_names.index(name),): value for name, value in constants.items()}
made = compile(ASTSource(fn=_words, signature=types, constexprs=places), target=GPUTarget("cuda", 90, 32))
print(len(made.asm["cubin"]))
"""
TYPES = {
    **dict.fromkeys(("words", "counters", "epoch", "ids"), "*i64"),
    **dict.fromkeys(("key_low", "key_high", "count", "total"), "i32"),
}


@pytest.mark.parametrize(
    ("types", "constants"),
    [
        pytest.param({}, {}, id="seed 0"),
        pytest.param({"key_low": "i64", "key_high": "i64"}, {}, id="a large seed"),
        pytest.param({}, {"count": 1}, id="one draw an image"),
        pytest.param({}, {"key_low": 1, "key_high": 0}, id="as torch.compile analyses it"),
    ],
)
def test_random_words_compile_for_a_gpu(types: dict[str, str], constants: dict[str, int], tmp_path: object) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-W", "ignore", "-c", COMPILE, json.dumps(TYPES | types), json.dumps(constants)]
    ran = subprocess.run(
        command,
        env=environment | {"TRITON_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-1500:]
    assert int(ran.stdout) > 0

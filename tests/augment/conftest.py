"""Has Triton run kernels on the processor, and torch use one thread: the tests run beside others.

Triton reads the variable when it is first imported, which is after this file.
"""

import os
from collections.abc import Iterator

import pytest
import torch

os.environ.setdefault("TRITON_INTERPRET", "1")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

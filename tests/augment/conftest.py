"""Has Triton run kernels on the processor, and torch use one thread: the tests run beside others.

Triton reads the variable when it is first imported, which is after this file.
"""

import os

from tests.threads import one_thread

os.environ.setdefault("TRITON_INTERPRET", "1")
__all__ = ["one_thread"]

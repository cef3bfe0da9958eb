"""Has Triton run kernels on the processor. It reads this when it is first imported, which is after this file."""

import os

os.environ.setdefault("TRITON_INTERPRET", "1")

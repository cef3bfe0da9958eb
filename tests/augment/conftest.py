"""Has Triton run kernels on the processor; it reads the variable when it is imported, which is after this file."""

import os

os.environ.setdefault("TRITON_INTERPRET", "1")

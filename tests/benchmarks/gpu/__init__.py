"""What needs a GPU: `python -m tests.benchmarks.gpu` (`make bench-gpu`) runs every check of `checks.CHECKS` in turn.

`docs/gpu.md` says how to run it on a rented machine.
"""

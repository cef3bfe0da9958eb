"""Measurements on real data: `python -m tests.benchmarks NAME…` runs them and writes `docs/benchmarks/NAME.json`."""

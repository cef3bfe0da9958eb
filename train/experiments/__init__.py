"""Experiments, one file each: a file `x.py` here with a function `x(study)` and its `SCALES` is the experiment `x`."""

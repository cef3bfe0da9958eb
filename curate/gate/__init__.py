"""Whether a training set meets the thresholds of its recipe: what `curate gate` checks, reads and says."""

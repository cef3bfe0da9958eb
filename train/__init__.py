"""The trainer: settings, images in memory, networks (one file each), one flat loop, evaluation, cross-validation."""

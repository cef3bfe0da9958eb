"""The trainer: settings, images in memory, networks (one file each), one flat loop, evaluation, cross-validation."""

import curate  # noqa: F401  (its limits for OpenCV have to be there before a module here imports that)

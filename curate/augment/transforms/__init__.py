"""One file per family of transforms. A class called as one of Albumentations is its version for batches."""

"""How pairs of images that show one photo are found: looked for by coarse details, then laid on each other."""

SIDE = 32
"""Pixels of a thumbnail's side. At 16, handwritten digits that differ cannot be told from shifted ones (measured)."""
THUMBNAIL = 3
"""Their version, raised whenever other pixels come out: what was found among those of another is looked for again."""

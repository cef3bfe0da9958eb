"""How pairs of images that show one photo are found: looked for by coarse details, then laid on each other."""

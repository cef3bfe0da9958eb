"""Signals: what is measured once per image and kept, keyed by content hash and by the version of what measured it.

A signal is a file with one function of the same name. Where its positional parameters are `image` (RGB, shape
(H, W, 3), uint8) or `gray` (shape (H, W), uint8) it is measured per image, all such signals in one decoding pass, and
returns a number or a one-dimensional array of fixed length. Other parameters (`manifest`, other signals) make it a
signal of the whole set, computed anew when asked for; where that takes long it asks for `store`, a folder of its own,
and keeps there what took long (see `curate.evidence`). The constant `VERSION` in its module is raised when its values
change, and makes the kept ones invalid.
"""

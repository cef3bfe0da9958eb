"""Curate image-classification training sets: find what is wrong, decide, apply, retrain, and see what it was worth."""

__version__ = "0.1.0"

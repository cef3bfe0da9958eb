"""Readers to fuzz, one file each; they need nothing but what they read with, so that the tests run them, too."""

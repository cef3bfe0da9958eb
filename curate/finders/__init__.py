"""Finders: one file, one function, one thing that may be wrong with an image or its label.

The function's name is the finder's name. Its positional parameters say what it needs: `image` or `gray` for a check of
single images (it then returns one score), or any of `manifest`, `labels`, `pred_probs`, `embeddings` and the names of
signals for a check of the whole set (it then returns scores, shape (N,), or a table with the columns `row`, `score` and
any other column of the findings). Keyword-only parameters are its settings. Scores run from 1, fine, to 0, certainly
bad; below 0.5 is flagged unless the table has a column `flagged`. A module that says `ON_REQUEST = True` is left out of
a scan of everything: its finder runs where it is asked for by name. The docstring's first line is its line in `curate
finders`; the contract tests cover it unseen.
"""

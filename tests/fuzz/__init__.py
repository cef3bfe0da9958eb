"""Coverage-guided fuzzing of everything that reads what others made, with atheris: `python -m tests.fuzz --seconds 60`.

A target is a module in `targets/`: `seeds()` gives inputs to begin with, `one(data)` reads one and raises where the
reader broke its word: it gives a result, or an error of one line. The tests run the same targets with few inputs.
"""

"""`python -m tests.mutation [--record]`: do the tests notice it when the code that decides is changed at random places?

mutmut changes a line at a time of the files that pyproject.toml names, and runs the tests that call it, in a copy of
the checkout, `build/mutation`. What goes unnoticed is listed; a second call goes on where the first was ended.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COPY = ROOT / "build" / "mutation"
NOTICED = {1, 3, -24, 24, 36, 152, 255}
"""Exit statuses of mutmut's test runs: a test failed, or the change never ends."""
UNTESTED = {5, 33}


def main() -> None:
    """Run mutmut, print a line for each file, and write docs/benchmarks/mutation.json with `--record`."""
    asked = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    asked.add_argument("--record", action="store_true", help="write docs/benchmarks/mutation.json")
    given = asked.parse_args()
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, COPY / name)
    subprocess.run([sys.executable, "-m", "mutmut", "run"], cwd=COPY, check=False)
    figures = {path.name.removesuffix(".meta"): counted(path) for path in sorted(COPY.glob("mutants/**/*.meta"))}
    for name, each in figures.items():
        print(f"{name:20}{each['score']:7.1%}  {each['noticed']:,} of {each['changes']:,} changes")
    print("unnoticed: mutmut results, mutmut show NAME, in build/mutation")
    if given.record:
        from tests.benchmarks import record

        what = "the files that decide, changed a line at a time: changes that a test notices"
        record.write("mutation", what, "python -m tests.mutation --record", figures)


def counted(path: Path) -> dict[str, Any]:
    """Changes of one file by what became of them."""
    codes = list(json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].values())
    noticed = sum(code in NOTICED for code in codes)
    untested = sum(code in UNTESTED for code in codes)
    return {"changes": len(codes), "noticed": noticed, "untested": untested, "score": noticed / max(1, len(codes))}


if __name__ == "__main__":
    main()

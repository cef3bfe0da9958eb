"""Look at what an installation brings in: the locks, licences, and, with a network, known weaknesses.

python -m requirements.audit            # exit status 1 where something is wrong; says what it could not look up
python -m requirements.audit --answer   # and 1 where no database of known weaknesses answered
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from requirements import check


def ask() -> str:
    """What pip-audit says of the packages of the lock, as JSON; "" where it could not ask."""
    with tempfile.TemporaryDirectory() as folder:
        # A local version ("+cpu") is the same code in another build, and no database knows it.
        plain = [f"{name}=={version.partition('+')[0]}" for name, version in check.pinned(check.LOCK).items()]
        listed = Path(folder) / "requirements.txt"
        listed.write_text("\n".join(plain), encoding="utf-8")
        pip_audit = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner=off"]
        return subprocess.run([*pip_audit, "-f", "json", "-r", listed], capture_output=True, text=True).stdout


def answered(said: str) -> tuple[int, list[str]]:
    """(how many packages were looked up, a line for each known weakness) of what pip-audit said."""
    packages = json.loads(said)["dependencies"] if said else []
    looked_up = [each for each in packages if "skip_reason" not in each]
    return len(looked_up), [
        f"{each['name']} {each['version']}: {weakness['id']}, mended in {', '.join(weakness['fix_versions']) or 'none'}"
        for each in looked_up
        for weakness in each["vulns"]
    ]


def main() -> None:
    mistakes = check.mistakes()
    pins = len(check.pinned(check.LOCK))
    print("\n".join(mistakes) or f"{pins} packages: pinned by hash, as pyproject.toml asks, licences fit Apache-2.0")
    there = importlib.util.find_spec("pip_audit") is not None
    looked_up, known = answered(ask() if there else "")
    if looked_up:
        print("\n".join([*known, f"known weaknesses: {len(known)}; {looked_up} of {pins} packages were looked up"]))
    elif there:
        print("known weaknesses: not looked up, because no database of them answers; run it again with a network")
    else:
        print("known weaknesses: not looked up, because pip-audit is not installed; pip install pip-audit")
    sys.exit(1 if mistakes or known or ("--answer" in sys.argv and not looked_up) else 0)


if __name__ == "__main__":
    main()

"""The command line, called in this process. The fixtures `ends` and `fails` of `conftest.py` run the whole command."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from curate.cli import app
from curate.errors import UserError


def invoke(*arguments: object, refused: bool = False) -> Result:
    """`invoke("scan", "ws")`: how the verb ends, whatever its status: `exit_code`, `stdout`, `stderr`, `output`.

    refused: it has to end with a UserError, which is then not raised, so that what was said before it can be read.
    """
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=refused)
    assert not refused or isinstance(result.exception, UserError), result.output
    return result


def run(*arguments: object) -> str:
    """What a verb that ends with status 0 prints on stdout."""
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def run_json(*arguments: object) -> Any:
    """What it prints with `--json`, read."""
    return json.loads(run(*arguments, "--json"))

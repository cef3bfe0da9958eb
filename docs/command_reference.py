"""The verbs as a Markdown page: what `curate VERB --help` says, without colours, at any width of the terminal.

It reads the signatures that Typer reads, and not Typer's output, which differs from one version of Typer to the next.
"""

import inspect
import textwrap
import typing
from collections.abc import Callable

from typer.models import ArgumentInfo, CommandInfo, OptionInfo

from curate.cli import app

WIDTH = 100
TERM_WIDTH = 26
"""Columns of the names; longer ones stand on a line of their own."""


def verbs() -> dict[str, str]:
    """Verb -> its line in lists, in the order of `curate --help`."""
    return {name: _doc(command).split("\n", 1)[0] for name, command in _commands()}


def page() -> str:
    """Usage, arguments, options and an example of every verb."""
    parts = [
        "# Command line",
        "Every verb has `--help`, and `--json` for machines. Exit status: 0 done, 1 something you can mend (one line "
        "on stderr says what), 2 wrong usage, 3 a gate was not met, 70 a bug (one line says where the "
        "traceback is), 130 interrupted. Tables and JSON go to stdout, "
        "progress and warnings to stderr. With `curate --verbose VERB` an error shows its whole "
        "traceback.",
    ]
    for name, command in _commands():
        parts += [f"## `curate {name}`", f"```text\n{_help(name, command)}\n```"]
    return "\n\n".join(parts) + "\n"


def _commands() -> list[tuple[str, CommandInfo]]:
    """Every verb that is not hidden, by how it is called: `apply`, `augment add`."""
    groups = [("", app), *((f"{group.name} ", group.typer_instance) for group in app.registered_groups)]
    return [
        (prefix + _name(command), command)
        for prefix, group in groups
        if group
        for command in group.registered_commands
        if not command.hidden
    ]


def _help(name: str, command: CommandInfo) -> str:
    callback = command.callback
    assert callback
    arguments, options = _parameters(callback)
    usage = " ".join(["curate", name, *[usage for usage, _ in arguments], "[OPTIONS]"])
    blocks = [f"Usage: {usage}", _wrap(_doc(command), "  ")]
    for title, rows in (("Arguments", arguments), ("Options", options)):
        if rows:
            blocks.append("\n".join([f"{title}:", *[_row(term, text) for term, text in rows]]))
    if command.epilog:
        blocks.append(_wrap(command.epilog, "  "))
    return "\n\n".join(blocks)


def _parameters(callback: Callable) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Arguments and options as (how it is written, what it means)."""
    hints = typing.get_type_hints(callback, include_extras=True)
    arguments, options = [], []
    for name, parameter in inspect.signature(callback).parameters.items():
        kind, info = typing.get_args(hints[name])[:2]
        default = None if parameter.default is parameter.empty else parameter.default
        text = (info.help or "") + _default(default)
        if isinstance(info, ArgumentInfo):
            term = info.metavar or name.upper()
            optional = parameter.default is not parameter.empty and not term.startswith("[")
            arguments.append((f"[{term}]" if optional else term, text))
        elif isinstance(info, OptionInfo):
            options.append((_option(name, kind, info), text))
    return arguments, options


def _option(name: str, kind: object, info: OptionInfo) -> str:
    said = [info.default] if isinstance(info.default, str) else []  # where Typer puts the first name within Annotated
    names = ", ".join([*said, *(info.param_decls or ())] or [f"--{name.replace('_', '-')}"])
    if kind is bool:
        return names
    plain = next((item for item in (kind, *typing.get_args(kind)) if item in (int, float)), str)
    word = info.metavar or {int: "NUMBER", float: "NUMBER"}.get(plain, name.split("_")[0].upper())
    return f"{names} {word}"


def _default(value: object) -> str:
    return "" if value is None or isinstance(value, bool) else f" [default: {value}]"


def _row(term: str, text: str) -> str:
    lines = textwrap.wrap(text, WIDTH - TERM_WIDTH - 2, break_on_hyphens=False) or [""]
    if len(term) > TERM_WIDTH - 2:
        return "\n".join([f"  {term}", *[" " * (TERM_WIDTH + 2) + line for line in lines]])
    first = f"  {term:<{TERM_WIDTH}}{lines[0]}".rstrip()
    return "\n".join([first, *[" " * (TERM_WIDTH + 2) + line for line in lines[1:]]])


def _wrap(text: str, indent: str) -> str:
    return "\n".join(
        textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    )


def _name(command: CommandInfo) -> str:
    assert command.callback
    return command.name or command.callback.__name__.replace("_", "-")


def _doc(command: CommandInfo) -> str:
    assert command.callback
    return command.help or inspect.getdoc(command.callback) or ""

"""What a user can mend."""


class UserError(Exception):
    """One line that says what is wrong, where, and the way out. The command line prints it and exits with status 1."""


def known(kind: str, name: str, names: list[str]) -> UserError:
    """The error for a name that is not among `names`: it lists what there is."""
    return UserError(f"no {kind} is called {name!r}; there are: {', '.join(sorted(names)) or 'none'}")

"""What ends the daemon with words and an exit code instead of a traceback."""


class ConfigurationError(Exception):
    """A configuration that cannot be used; `lines`: every error, `file:line: what`."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class SetupError(Exception):
    """This machine cannot do what is asked; the message says what is missing."""

"""What commands share: the options given before the command, opening the app, logging, printing."""

import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from auditor.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from auditor.app import App
    from auditor.config import Config
    from auditor.policyfile import PolicyBook

T = TypeVar("T")

FORMAT_NAMES = ("text", "html", "markdown", "json", "ndjson", "csv", "sarif", "junit", "ocsf", "oscal", "prometheus")
"""Those of `report.formats`, without which most commands start faster."""

MAX_WIDTH = 120
"""Cells of a line of text: longer ones are hard to read."""


@dataclass(frozen=True)
class Settings:
    """The options given before the command."""

    config_file: Path | None
    verbose: bool
    log_format: str

    def configure_logging(self, *, default: int = logging.WARNING) -> None:
        """Send the log to stderr, at `default` or finer if asked for."""
        from auditor.cli.log import configure

        configure(level=logging.DEBUG if self.verbose else default, as_json=self.log_format == "json")

    def load_config(self) -> "Config":
        """Find and read the configuration, and say on stderr which one it is."""
        config = self.load_config_if_any()
        if config is not None:
            return config
        from auditor.app.places import config_places, vendors_config

        vendors = vendors_config()
        if vendors is None:
            raise ConfigError(
                f"no configuration: looked for {', '.join(str(place) for place in config_places())}",
                hint="`auditor init` writes a commented example here; `auditor demo` needs none; KEYFACTOR_* or a command_config.json will do, too",
            )
        config, found = vendors
        say(f"configuration: {found.source}; target {found.name}, database {config.database}")
        for warning in found.warnings:
            say(f"warning: {warning}")
        return config

    def load_config_if_any(self) -> "Config | None":
        """The same, but None where there is no configuration and none was named."""
        from auditor import config
        from auditor.app.places import find_config, refuse_skip_verify

        refuse_skip_verify()
        path = find_config(self.config_file)
        if path is None:
            return None
        click.echo(f"configuration: {path}", err=True)
        return config.load(path)

    def policies(self) -> "Policies":
        """The policies of the configuration where there is one, else the shipped ones alone."""
        self.configure_logging()
        from auditor.app.judging import load_judge

        config = self.load_config_if_any()
        return Policies(load_judge(config).book, config)


@dataclass(frozen=True)
class Policies:
    """The policies, and the configuration that they go with."""

    book: "PolicyBook"
    config: "Config | None"


@contextmanager
def opened(settings: Settings, *, framework: str | None = None) -> "Iterator[App]":
    """The app of the configuration, its policies and waivers checked; closed at the end.

    With a `framework` it judges by the rules alone that support it.
    """
    from auditor.app import App

    with App(settings.load_config(), framework=framework) as app:
        _ = app.judge, app.waiver_file  # a typo in a policy or a waiver is refused before anything else is done
        yield app


def parse_labels(values: tuple[str, ...]) -> dict[str, str]:
    """`--label k=v`, given any number of times."""
    labels = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not (key and equals):
            raise UsageError(f"--label {value}: a label is given as KEY=VALUE")
        labels[key] = text
    return labels


def wants_colour() -> bool:
    """Colour only on a terminal, and never against NO_COLOR (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextmanager
def progress(label: str, *, total: int, shown: bool = True) -> "Iterator[Callable[[T], T]]":
    """A bar on stderr, on a terminal alone. What it yields passes a value through and moves the bar by one."""
    if not (shown and sys.stderr.isatty()):
        yield lambda value: value
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR"))), transient=True) as bar:
        task = bar.add_task(label, total=total)

        def advance(value: T) -> T:
            bar.advance(task)
            return value

        yield advance


def print_text(render: "Callable[..., str]") -> None:
    """Put a text on stdout that `render(width=, style=)` lays out: as wide as the terminal (up to 120 cells), coloured there alone."""
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH) if sys.stdout.isatty() else 80
    if wants_colour():
        click.echo(render(width=width, style=click.style), nl=False, color=True)
    else:
        print_bytes(render(width=width).encode())


def print_bytes(content: bytes) -> None:
    """Put data on stdout as it is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def say(text: str) -> None:
    """Say something on stderr, on one line: what it quotes can begin none of its own."""
    from auditor.report.safetext import safe

    click.echo(safe(text), err=True)


framework_option = click.option("--framework", metavar="KEY", help="Only rules that support a control of this framework, such as nis2.")
label_option = click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Only targets that carry this label; repeat to narrow.")

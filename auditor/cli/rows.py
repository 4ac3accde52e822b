"""Rows for a person or for a program: a table, or JSON."""

import json
import shutil
import sys
from collections.abc import Sequence
from io import StringIO
from typing import Any

import click

from auditor.report.safetext import safe

form_option = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)


def print_json(value: object) -> None:
    """Put `value` on stdout as JSON."""
    click.echo(json.dumps(value, indent=2))  # ASCII: what a policy or label says must not reach a terminal as it is


def print_rows(rows: Sequence[dict[str, Any]], form: str) -> None:
    """Put rows, which have the same keys, on stdout."""
    if form == "json":
        print_json(rows)
        return
    if not rows:
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(rows[0]):
        table.add_column(column, no_wrap=number == 0, overflow="fold")  # a name stays whole, and nothing is cut where the window is narrow
    for row in rows:
        table.add_row(*(safe(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)) for value in row.values()))
    drawn = StringIO()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000  # in a pipe nothing is cut or wrapped
    Console(file=drawn, width=width, no_color=True).print(table, markup=False)
    click.echo("\n".join(line.rstrip() for line in drawn.getvalue().splitlines()))  # not by rich: it would end the process with 1 if the reader left

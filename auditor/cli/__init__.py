"""What a person types: parse, call, print, exit code.

`run` is the one edge that turns errors into exit codes. stdout is data, stderr is talk. Commands are named here and imported when called, so
that `auditor --version` costs no more than click.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import IO

import click

from auditor import __version__
from auditor.errors import AuditorError, InstanceError, SchemaError, StoreError

EXIT_CODES = """\b
Exit codes
  0    compliant; waived failures and standing limits included
  1    findings, or open drift events, at or above the threshold
  2    usage, configuration or policy is wrong; nothing was done
  3    nothing could be evaluated
  4    evaluated in part, and nothing failed
  70   internal error: a bug of ours
  74   trouble with the database or a file
  75   another daemon is at work on the database
  130  interrupted
"""

_COMMANDS = {
    "check": ("auditor.cli.check", "check", "Read servers now, judge what they say, record it."),
    "daemon": ("auditor.cli.daemon", "daemon", "Do so on schedule, until told to stop."),
    "reload": ("auditor.cli.reload", "reload", "Have the daemon read its configuration anew."),
    "doctor": ("auditor.cli.doctor", "doctor", "Say what keeps it from working, and what to do next."),
    "show": ("auditor.cli.show", "show", "Show where one target stands."),
    "diff": ("auditor.cli.diff", "diff", "Show field by field what a target says otherwise than before."),
    "history": ("auditor.cli.history", "history", "Tell what changed on a target, between which reads, and how it ended."),
    "report": ("auditor.cli.report", "report", "Write the HTML report from what is recorded."),
    "policy": ("auditor.cli.policy", "policy", "List, check, explain and try policies."),
    "baseline": ("auditor.cli.baseline", "baseline", "Approve values, and see what differs from them."),
    "waiver": ("auditor.cli.waiver", "waiver", "List, check and draft waivers."),
    "coverage": ("auditor.cli.coverage", "coverage", "Show which reads were owed, and what became of each."),
    "ledger": ("auditor.cli.ledger", "ledger", "Verify and read the chain over all that was recorded."),
    "evidence": ("auditor.cli.evidence", "evidence", "Make a key to sign with, and have checkpoints dated later."),
    "note": ("auditor.cli.note", "note", "Put on record that a gap is known or a week reviewed."),
    "alerts": ("auditor.cli.alerts", "alerts", "Show what channels are owed, and try them."),
    "targets": ("auditor.cli.targets", "targets", "Show what is configured."),
    "db": ("auditor.cli.db", "db", "Look after the database."),
    "init": ("auditor.cli.init", "init", "Write a commented configuration."),
    "demo": ("auditor.cli.demo", "demo", "Audit a simulated server through a week of drift."),
    "completion": ("auditor.cli.completion", "completion", "Print the shell's completion script."),
}


class _Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name, _ = _COMMANDS[cmd_name]
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in _COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from auditor.errors import did_you_mean

            ctx.fail(f"no command is called {args[0]!r}; {did_you_mean(args[0], _COMMANDS, else_say='`auditor --help` lists them')}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="auditor", message="%(prog)s %(version)s")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="The configuration (else AUDITOR_CONFIG, ./auditor.yaml, ...).")
@click.option("-v", "--verbose", is_flag=True, help="Log what is done.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How log lines are written.")
@click.pass_context
def cli(ctx: click.Context, config_file: Path | None, verbose: bool, log_format: str) -> None:
    """Watch the mail (SMTP) profile of Keyfactor Command servers for drift and for breaches of policy."""
    from auditor.cli.common import Settings

    ctx.obj = Settings(config_file=config_file, verbose=verbose, log_format=log_format)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Nothing is raised; whatever goes wrong is said on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # a Windows pipe is cp1252 and cannot hold what a server may say
    if "_AUDITOR_COMPLETE" in os.environ:
        cli.main(prog_name="auditor")  # a shell asks for completions; click answers and leaves
    os.umask(0o077)  # database, key and reports tell an attacker where mail goes
    try:
        with cli.make_context("auditor", list(arguments)) as context:
            code = cli.invoke(context)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as failure:
        failure.show(file=sys.stderr)
        return 2
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted", sys.stderr)
        return 130
    except AuditorError as failure:
        _tell(failure)
        if isinstance(failure, InstanceError):
            return 75
        return 74 if isinstance(failure, StoreError) and not isinstance(failure, SchemaError) else 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read us has left; say nothing more, not even at exit
        return 74
    except OSError as failure:
        _say(f"error: {failure.filename or 'a file'}: {failure.strerror}", sys.stderr)
        return 74
    except Exception as failure:  # noqa: BLE001 - the one edge: a crash must not look like findings (Python's own exit code is 1)
        _bug(failure)
        return 70


def _tell(failure: AuditorError) -> None:
    from auditor.report.safetext import safe

    _say(f"error: {safe(str(failure))}", sys.stderr)
    if failure.hint:
        _say(f"  hint: {safe(failure.hint)}", sys.stderr)


def _bug(failure: Exception) -> None:
    """Say where it broke, but not the exception's own words: they can quote what a server or a file said."""
    _say(f"internal error: {type(failure).__name__}; please report this, with the lines below", sys.stderr)
    for frame in traceback.extract_tb(failure.__traceback__)[-8:]:
        _say(f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}", sys.stderr)


def _say(text: str, stream: IO[str]) -> None:
    click.echo(text, file=stream)

"""`auditor completion`: the script that lets a shell complete our commands."""

import click

_HOW = {
    "bash": 'eval "$(auditor completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(auditor completion zsh)"   # in ~/.zshrc',
    "fish": "auditor completion fish > ~/.config/fish/completions/auditor.fish",
}


@click.command(epilog="\b\nTo use it\n" + "\n".join(f"  {line}" for line in _HOW.values()))
@click.argument("shell", type=click.Choice(list(_HOW)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL."""
    from click.shell_completion import get_completion_class

    made_for = get_completion_class(shell)
    assert made_for is not None
    click.echo(made_for(ctx.find_root().command, {}, "auditor", "_AUDITOR_COMPLETE").source())

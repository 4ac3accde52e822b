"""`auditor targets`: what is configured, and where each value came from."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.common import Settings, label_option, opened, parse_labels, wants_colour
from auditor.core.model import BasicAuth, ClientCredentials, StaticToken

if TYPE_CHECKING:
    from auditor.config import Config
    from auditor.core.model import Schedule, Target


@click.group()
def targets() -> None:
    """Show what is configured."""


@targets.command("list")
@label_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def list_(settings: Settings, labels: tuple[str, ...], form: str) -> None:
    """List the configured targets, each value with the line that set it. No secret is read or shown."""
    settings.configure_logging()
    with opened(settings) as app:
        chosen = app.select([target.name for target in app.config.targets], parse_labels(labels))
        described = [_described(app.config, target) for target in chosen]
        installation = _installation(app.config)
    if form == "json":
        click.echo(json.dumps({"schema_version": 1, "targets": described, "installation": installation}, indent=2))
        return
    from auditor.report.safetext import safe

    style = click.style if wants_colour() else lambda text, **_: text
    for target in [*described, {"name": "for all of them", "values": installation}]:
        click.echo(style(target["name"], bold=True))
        width = max(len(key) for key in target["values"])
        for key, entry in target["values"].items():
            click.echo(f"  {key:{width}}  {safe(_written(entry['value']))}  {style('(' + entry['from'] + ')', dim=True)}")


def _described(config: "Config", target: "Target") -> dict[str, Any]:
    values: dict[str, Any] = {
        "url": target.url,
        "api_path": target.api_path,
        "auth": _auth(target),
        "policy": target.policy,
        "schedule": _schedule(target.schedule),
        "labels": ", ".join(f"{key}={value}" for key, value in target.labels) or "none",
        "owner": target.owner or "nobody named",
        "ca_file": target.ca_file or "the system's roots alone",
        "client_certificate": target.client_certificate.certificate if target.client_certificate else "none",
        "proxy": target.proxy or "none",
        "no_proxy": ", ".join(target.no_proxy) or "none",
        "insecure_skip_verify": target.insecure_skip_verify,
        "insecure_http": target.insecure_http,
        "attribution": target.attribution,
        "pam_providers": target.pam_providers,
        "timeout": f"{target.timeout_s:g}s",
        "attempts": target.attempts,
        "max_body_bytes": target.max_body_bytes,
        "backoff": lasting(target.backoff_s),
        "volatile": ", ".join(target.volatile) or "none",
        "paused_until": f"{target.paused_until}: {target.paused_reason}" if target.paused_until else "not paused",
        "retired_on": str(target.retired_on or "not retired"),
        "renamed_from": target.renamed_from or "nothing",
        "vars": _vars(config.target_vars[target.name]),
    }
    return {
        "name": target.name,
        "values": {key: {"value": value, "from": config.origin(target.name, key)} for key, value in values.items()},
    }


def lasting(seconds: int) -> str:
    """A duration as the configuration writes it: `15m`, `6h`."""
    unit, length = next((unit, length) for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)) if seconds % length == 0)
    return f"{seconds // length}{unit}"


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _installation(config: "Config") -> dict[str, Any]:
    values: dict[str, Any] = {
        "database": str(config.database),
        "fingerprint_key": str(config.fingerprint_key),
        "policies": ", ".join(map(str, config.policy_folders)) or "the shipped ones alone",
        "vars": _vars(config.vars),
        "report": f"{config.report_folder}, {_schedule(config.report_schedule)}",
        "spread": f"{config.spread_s}s",
        "late_after": lasting(config.late_after_s),
        "workers": config.workers,
        "grace": f"{config.grace_s}s",
        "health": f"{config.health.host}:{config.health.port}" if config.health else "none: nothing listens",
    }
    return {
        key: {"value": value, "from": f"{config.file.name}:{line}" if (line := config.source.lines.get((key,))) else "default"}
        for key, value in values.items()
    }


def _vars(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in values.items()) or "none"


def _auth(target: "Target") -> str:
    match target.auth:
        case BasicAuth(username=username, password=password):
            return f"basic as {username}, password from {password}"
        case ClientCredentials(client_id=client_id, token_url=token_url, client_secret=secret):
            return f"oauth as {client_id} at {token_url}, secret from {secret}"
        case StaticToken(token=token):
            return f"token from {token}"


def _schedule(schedule: "Schedule | None") -> str:
    if schedule is None:
        return "none: read only when asked"
    return f"every {lasting(schedule.every_s)}" if schedule.every_s else f"{schedule.cron} ({schedule.timezone})"

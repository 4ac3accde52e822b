"""Where the configuration is, and what the time is."""

import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from auditor import config, kfutil, yamlfile
from auditor.errors import ConfigError, StoreError

if TYPE_CHECKING:
    pass

log = logging.getLogger("auditor.app")


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def find_config(explicit: Path | None) -> Path | None:
    """The configuration to use: `explicit`, the one that `AUDITOR_CONFIG` names, else the first of `config_places()`; None where there is none.

    Raises:
        ConfigError: The one that is named does not exist.
    """
    named = explicit or (Path(os.environ["AUDITOR_CONFIG"]) if os.environ.get("AUDITOR_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise ConfigError(f"{named}: no such file", hint="`auditor init` writes a commented example")
        return named
    return next((place for place in config_places() if place.is_file()), None)


def refuse_skip_verify() -> None:
    """The vendor's tools take `KEYFACTOR_SKIP_VERIFY` to switch certificate checks off, for everything and without a trace; that is not done here.

    Raises:
        ConfigError: It is set, and to something else than false.
    """
    if os.environ.get("KEYFACTOR_SKIP_VERIFY", "").casefold() not in ("", "0", "false", "no"):
        hint = "unset it; use ca_file for a private CA, or insecure_skip_verify: true for one target, which every report shows"
        raise ConfigError("KEYFACTOR_SKIP_VERIFY is set, and is not obeyed", hint=hint)


def config_places() -> list[Path]:
    """Where a configuration is looked for when none is named: this folder, the user's, the system's."""
    from platformdirs import site_config_path, user_config_path

    return [Path(config.FILE_NAME), *(folder("auditor", appauthor=False) / config.FILE_NAME for folder in (user_config_path, site_config_path))]


def vendors_config(*, profile: str | None = None) -> tuple[config.Config, kfutil.Found] | None:
    """The configuration that `KEYFACTOR_*` or the vendor's own file make where there is no auditor.yaml, and what was found; None where neither is.

    Database and fingerprint key lie in the user's data folder, which is made.

    Raises:
        ConfigError: What is there names no server that can be audited.
        StoreError: The folder cannot be made.
    """
    from platformdirs import user_data_path

    refuse_skip_verify()
    found = vendors_server(profile=profile)
    if found is None:
        return None
    folder = user_data_path("auditor", appauthor=False).absolute()
    ca_file = folder / found.ca_name() if found.ca_pem else None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if ca_file is not None and not ca_file.exists():
            ca_file.write_text(found.ca_pem or "", encoding="utf-8")
    except OSError as failure:
        raise StoreError(f"{folder}: cannot be made: {failure.strerror}", hint="the database and the fingerprint key belong there") from failure
    path = folder / "from-kfutil.yaml"
    source = yamlfile.parse(found.as_yaml(ca_file=ca_file), path=str(path), error=ConfigError)
    return config.understood(source, path), found


def vendors_server(*, profile: str | None = None) -> kfutil.Found | None:
    """The server that the environment or the vendor's file names; None where neither does.

    Raises:
        ConfigError: What is there names no server that can be audited.
    """
    return kfutil.find(os.environ, profile=profile)

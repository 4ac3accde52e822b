"""Reads what users of the vendor's own tools have already: `KEYFACTOR_*` variables, and the profiles of `command_config.json`.

Either is turned into the text of an `auditor.yaml`, in which secrets stand by reference. The vendor's file is the one place where a secret may be
written out: it is read whenever it is needed, and nothing of it is copied. Host and credentials come from one source, never some from either: the
vendor's tools can send the credentials of one server to another.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from auditor import yamlfile
from auditor.errors import ConfigError, did_you_mean

DEFAULT_FILE = Path("~/.keyfactor/command_config.json")
DEFAULT_PROFILE = "default"
MAX_FILE_BYTES = 1024 * 1024
MAX_TIMEOUT_S = 600

_VARIABLES = {
    "host": "KEYFACTOR_HOSTNAME",
    "port": "KEYFACTOR_PORT",
    "api_path": "KEYFACTOR_API_PATH",
    "username": "KEYFACTOR_USERNAME",
    "password": "KEYFACTOR_PASSWORD",
    "domain": "KEYFACTOR_DOMAIN",
    "client_id": "KEYFACTOR_AUTH_CLIENT_ID",
    "client_secret": "KEYFACTOR_AUTH_CLIENT_SECRET",
    "token_url": "KEYFACTOR_AUTH_TOKEN_URL",
    "scopes": "KEYFACTOR_AUTH_SCOPES",
    "audience": "KEYFACTOR_AUTH_AUDIENCE",
    "access_token": "KEYFACTOR_AUTH_ACCESS_TOKEN",
    "ca_cert_path": "KEYFACTOR_CA_CERT",
}
"""The keys of a profile, and the variables that say the same. `skip_tls_verify` has one, too, which is refused before anything is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One server, as the vendor's tools were told of it: `source` says by what, `warnings` what a person should know.

    `settings` are those of a target of ours; `ca_pem` is a certificate that the environment held itself, in place of a path.
    """

    source: str
    name: str
    settings: Mapping[str, Any]
    ca_pem: str | None = None
    warnings: tuple[str, ...] = ()

    def ca_name(self) -> str:
        """What the file is to be called that holds `ca_pem`; another certificate has another name."""
        return f"kfutil-ca-{hashlib.sha256((self.ca_pem or '').encode()).hexdigest()[:12]}.pem"

    def as_yaml(self, *, ca_file: Path | None = None, schedule: str | None = None) -> str:
        """The text of an auditor.yaml that says it; `ca_file` is where `ca_pem` lies, `schedule` how often the server is to be read."""
        settings = dict(self.settings) | ({"ca_file": str(ca_file)} if ca_file else {})
        lines = [f"# Made by what {_one_line(self.source)} says.", "targets:", f"- name: {yamlfile.quoted(self.name)}"]
        lines += [f"  {key}: {_written(value)}" for key, value in settings.items()]
        return "\n".join([*lines, *([f"  schedule: {{every: {schedule}}}"] if schedule else []), ""])


def find(environ: Mapping[str, str], *, profile: str | None = None) -> Found | None:
    """The server that the environment names or, where it names none, the vendor's file; of the file alone where a `profile` is named.

    Raises:
        ConfigError: What is there does not say how to reach and log in to one server, or asks for what is not done here.
    """
    timeout = _timeout(environ.get("KEYFACTOR_CLIENT_TIMEOUT", ""))
    if profile is None and environ.get("KEYFACTOR_HOSTNAME"):
        values = {key: text for key, name in _VARIABLES.items() if (text := environ.get(name, ""))}
        return _found(
            values, refs={key: f"env:{_VARIABLES[key]}" for key in _SECRETS}, source="the environment (KEYFACTOR_HOSTNAME)", timeout=timeout
        )
    named = environ.get("KEYFACTOR_AUTH_CONFIG_FILE")
    chosen = profile or environ.get("KEYFACTOR_AUTH_CONFIG_PROFILE")
    path = Path(named or DEFAULT_FILE).expanduser().absolute()
    if not path.exists() and not named and not chosen:
        return None
    profile = chosen or DEFAULT_PROFILE
    values = _profile(path, profile)
    if not re.fullmatch(r"[^\s/@][^/@]*", profile) or not profile.isprintable():
        raise ConfigError(f"{path}: profile {profile!r} has a name with blanks, / or @ where a reference cannot have them", hint="rename it there")
    refs = {key: f"kfutil:{profile}/{key}@{path}" for key in _SECRETS}
    passed_over = [name for name in _VARIABLES.values() if environ.get(name)]
    warnings = []
    if passed_over:
        said = "the host comes from the file, and so does all else; set KEYFACTOR_HOSTNAME, too, to go by the environment"
        warnings.append(f"not used: {', '.join(passed_over)}: {said}")
    if os.name == "posix" and path.stat().st_mode & 0o077:
        warnings.append(f"{path} may be read by others than its owner, and holds secrets: chmod 600")
    name = None if profile == DEFAULT_PROFILE else profile
    return _found(values, refs=refs, source=f"profile {profile} of {path}", timeout=timeout, name=name, warnings=tuple(warnings))


def secret(place: str) -> str:
    """The secret at `PROFILE/KEY` of the vendor's file in the home folder, or at `PROFILE/KEY@FILE` of another, as it is now.

    The environment is not asked which file: it could name another than the one that the host was taken from.

    Raises:
        ConfigError: There is none. The message says where it was looked for, never what was found.
    """
    within, _, named = place.partition("@")
    profile, _, key = within.rpartition("/")
    path = Path(named or DEFAULT_FILE).expanduser().absolute()
    value = _profile(path, profile).get(key)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{path}: profile {profile} has no {key}", hint="log in with the vendor's tool again, or write it there as text")
    return value


# --- the vendor's file --------------------------------------------------------------------------------------------


def _profile(path: Path, profile: str) -> dict[str, Any]:
    document = _document(path)
    servers = document.get("servers") if isinstance(document, dict) else None
    if not isinstance(servers, dict) or not all(isinstance(server, dict) for server in servers.values()):
        raise ConfigError(f"{path}: has no `servers` with profiles in it", hint="is this a command_config.json of the vendor's tools?")
    if profile not in servers:
        hint = did_you_mean(profile, servers, else_say=f"there are: {', '.join(map(_one_line, servers)) or 'none'}")
        raise ConfigError(f"{path}: no profile is called {profile!r}", hint=hint)
    found: dict[str, Any] = servers[profile]
    return found


def _document(path: Path) -> Any:
    """The content of the file, in JSON or YAML. No message quotes it."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except OSError as failure:
        raise ConfigError(f"{path}: cannot be read: {failure.strerror}", hint="KEYFACTOR_AUTH_CONFIG_FILE names another") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8", hint="save the file as UTF-8") from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_FILE_BYTES} bytes", hint="is this the right file?")
    if not text.lstrip().startswith("{"):
        try:
            return yamlfile.parse(text, path=str(path), error=ConfigError).value
        except ConfigError as wrong:  # its own words could quote a secret, which stands here in clear
            where = re.match(rf"{re.escape(str(path))}:[0-9]+", str(wrong))
            raise ConfigError(f"{where[0] if where else path}: not YAML that is taken here", hint="write texts in quotes, each key once") from None
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
    except json.JSONDecodeError as wrong:
        raise ConfigError(f"{path}:{wrong.lineno}: not JSON") from None
    except ValueError:
        raise ConfigError(f"{path}: a key stands there twice", hint="readers disagree on which one counts; keep one") from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError
    return dict(pairs)


# --- from their settings to ours ----------------------------------------------------------------------------------

_SECRETS = ("password", "client_secret", "access_token")


def _found(
    values: Mapping[str, Any],
    *,
    refs: Mapping[str, str],
    source: str,
    timeout: str | None,
    name: str | None = None,
    warnings: tuple[str, ...] = (),
) -> Found:
    if str(values.get("skip_tls_verify") or "").casefold() not in ("", "0", "false", "no"):
        hint = (
            "take it out; name a private CA by ca_cert_path, or set insecure_skip_verify: true for a target of auditor.yaml, which every report shows"
        )
        raise ConfigError(f"{source}: skip_tls_verify is set, and is not obeyed", hint=hint)
    for key in (*_VARIABLES, "auth_type"):
        if not isinstance(values.get(key), str | type(None)) and key not in ("port", "scopes"):
            raise ConfigError(f"{source}: {key} must be text", hint="write it in quotes")
    url, api_path, host = _address(values, source)
    settings: dict[str, Any] = {"url": url, "api_path": api_path, "auth": _auth(values, refs, source)}
    ca, pem = values.get("ca_cert_path") or "", None
    if "-----BEGIN" in ca:
        pem = ca.replace("\\n", "\n")  # a variable that was written on one line
    elif ca:
        settings["ca_file"] = str(Path(ca).expanduser().absolute())
    if timeout:
        settings["timeout"] = timeout
    called = re.sub(r"[^A-Za-z0-9._-]", "-", name or host).lstrip("._-")[:63] or "command"
    return Found(source=source, name=called, settings=settings, ca_pem=pem, warnings=warnings)


def _address(values: Mapping[str, Any], source: str) -> tuple[str, str, str]:
    """URL, API path and host."""
    text = values.get("host") or ""
    if not text:
        raise ConfigError(f"{source}: has no host", hint="host and credentials are taken from one source; this one must have both")
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, own_port = parts.hostname or "", parts.port
    except ValueError:
        host, own_port = "", None
    # not quoted: it could hold a password
    if not host or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(f"{source}: the host is neither a name nor a URL of one", hint="command.example.org, or https://command.example.org:8443")
    if parts.scheme != "https":
        raise ConfigError(f"{source}: the host is given with {parts.scheme}://", hint="credentials are sent over https alone")
    port = str(values.get("port") or "")
    if port and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536):
        raise ConfigError(f"{source}: the port is no number from 1 to 65535")
    if own_port and port and own_port != int(port):
        raise ConfigError(f"{source}: the host says port {own_port}, the port says {port}", hint="keep one of the two")
    port = str(own_port or port or 443)
    api_path, own_path = (values.get("api_path") or "").strip("/"), parts.path.strip("/")
    if api_path and own_path and api_path != own_path:
        raise ConfigError(f"{source}: the host has a path, and the API path is another", hint="keep one of the two")
    bracketed = f"[{host}]" if ":" in host else host
    return f"https://{bracketed}" + ("" if port == "443" else f":{port}"), api_path or own_path or "KeyfactorAPI", host


def _auth(values: Mapping[str, Any], refs: Mapping[str, str], source: str) -> dict[str, Any]:
    """How to log in: as `auth_type` says, else by whatever is complete; a token wins over a client's credentials, they over a password."""
    kind = (values.get("auth_type") or "").casefold()
    if any(word in kind for word in ("kerberos", "krb", "spnego", "negotiate")):
        raise ConfigError(
            f"{source}: logs in by Kerberos, which is not built", hint="give the auditor an account for Basic or OAuth (docs/account.md)"
        )
    has_token, has_client, has_user = (bool(values.get(key)) for key in ("access_token", "client_id", "username"))
    if kind not in ("", "none", "basic", "oauth", "oauth2", "token"):
        raise ConfigError(f"{source}: auth_type is none that is known", hint="basic or oauth")
    if has_token and kind != "basic":
        return {"type": "token", "token": refs["access_token"]}
    if has_client and kind != "basic":
        _need(values, source, "client_secret", "token_url")
        scopes = values.get("scopes") or []
        listed = re.split(r"[,\s]+", scopes) if isinstance(scopes, str) else scopes
        if not isinstance(listed, list) or not all(isinstance(scope, str) for scope in listed):
            raise ConfigError(f"{source}: scopes must be a list of texts")
        auth = {"type": "oauth", "token_url": values["token_url"], "client_id": values["client_id"], "client_secret": refs["client_secret"]}
        auth |= {"scopes": [scope for scope in listed if scope]}
        return auth | ({"audience": values["audience"]} if values.get("audience") else {})
    if has_user and kind in ("", "none", "basic"):
        _need(values, source, "password")
        user, domain = values["username"], values.get("domain")
        whole = user if not domain or "\\" in user or "@" in user else f"{domain}\\{user}"
        name, at, domain_of_name = whole.rpartition("@")
        return {"type": "basic", "username": f"{domain_of_name}\\{name}" if at and "\\" not in whole else whole, "password": refs["password"]}
    hint = "it takes an access token, a client id with its secret and token URL, or a user with a password, all from the same source"
    raise ConfigError(f"{source}: does not say how to log in{f' by {kind}' if kind else ''}", hint=hint)


def _need(values: Mapping[str, Any], source: str, *keys: str) -> None:
    for key in keys:
        if not values.get(key):
            named = _VARIABLES[key] if source.startswith("the environment") else key
            raise ConfigError(f"{source}: {named} is missing", hint="host and credentials are taken from one source; this one must have all of them")


def _timeout(text: str) -> str | None:
    """How long a request may take, as auditor.yaml writes it; None where nothing is said."""
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,4}s?", text) or not 0 < int(text.removesuffix("s")) <= MAX_TIMEOUT_S:
        raise ConfigError(f"KEYFACTOR_CLIENT_TIMEOUT is no number of seconds from 1 to {MAX_TIMEOUT_S}", hint="60, or 60s")
    return f"{int(text.removesuffix('s'))}s"


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return yamlfile.quoted(value)


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)

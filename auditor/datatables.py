"""The tables that derived facts look things up in, wired from third-party libraries and from the data files beside the policies.

Loading is cheap: the public suffix list and IDNA are read when the first name is looked up.
"""

import unicodedata
from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from auditor import resources, yamlfile
from auditor.core.addresses import parse_ip
from auditor.core.canonical import digest
from auditor.core.catalogue import AUTHENTICATION_TYPES
from auditor.core.derived import Provider, Tables
from auditor.core.formats import normal_host
from auditor.errors import DocumentError

_REMEMBERED_NAMES = 16384


def load(folder: Path | None = None) -> Tables:
    """The tables in `folder`, by default those shipped.

    Raises:
        DocumentError: A data file is not what it must be.
        FileNotFoundError: This installation is broken.
    """
    folder = folder or resources.folder("policies") / "data"
    providers = yamlfile.read(folder / "providers.yaml")
    freemail = yamlfile.read(folder / "freemail.yaml")
    return Tables(
        org_domain=_org_domain,
        to_ascii=_to_ascii,
        to_unicode=_to_unicode,
        providers=_rows(providers, lambda value: tuple(_provider(row) for row in value["providers"])),
        freemail=_rows(freemail, lambda value: frozenset(_domain(domain) for domain in value["domains"])),
        versions={
            "providers": digest(providers.value),
            "freemail": digest(freemail.value),
            "public_suffix_list": _file_digest("publicsuffixlist", "public_suffix_list.dat"),
            "idna": _file_digest("idna", "package_data.py"),
            "unicode": unicodedata.unidata_version,
        },
    )


def _rows(file: yamlfile.YamlFile, build: Callable[[Any], Any]) -> Any:
    try:
        return build(file.value)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise DocumentError(f"{file.where()}: not the table that it must be: {fault!r}", hint="take the file from this edition again") from fault


def _provider(row: dict[str, Any]) -> Provider:
    types = dict(AUTHENTICATION_TYPES)
    return Provider(
        name=row["provider"],
        hosts=tuple(row["hosts"]),
        ports=tuple(row["Port"]),
        use_ssl=tuple(row["UseSSL"]),
        authentication=tuple(types[name] for name in row["RelayAuthenticationType"]),
        basic_off_on=_day(row.get("basic_off_on")),
        basic_ends_on=_day(row.get("basic_ends_on")),
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text is not None else None


def _domain(text: str) -> str:
    if normal_host(text, _to_ascii) != text:
        raise ValueError(f"{text} is no domain in lower case")
    return text


@cache
def _file_digest(package: str, file: str) -> str:
    """SHA-256 of a file of an installed package: its content decides, and importing the package to ask costs more."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the package {package!r} is missing from this installation")
    return sha256((Path(spec.origin).parent / file).read_bytes()).hexdigest()


@cache
def _public_suffixes() -> Callable[[str], str | None]:
    from publicsuffixlist import PublicSuffixList

    suffixes: Callable[[str], str | None] = PublicSuffixList().privatesuffix
    return suffixes


@lru_cache(maxsize=_REMEMBERED_NAMES)
def _org_domain(host: str) -> str | None:
    """The organisational domain of `host`, None for an address, a single label, a public suffix, and for what is no name."""
    name = normal_host(host, _to_ascii) if parse_ip(host) is None else None
    return _public_suffixes()(name) if name else None


def _to_ascii(name: str) -> str:
    import idna

    return idna.encode(name, uts46=True).decode("ascii")


def _to_unicode(name: str) -> str:
    import idna

    return idna.decode(name)

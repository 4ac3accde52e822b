"""Holds a file to the schema that others wrote for its format, and JSON to our own: what each finds wrong, in words."""

import functools
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from lxml import etree

from auditor.report.schema import LINE, json_schema

CONTRACTS = Path(os.environ.get("AUDITOR_CONTRACTS") or Path(__file__).parents[3] / "shared")
SCHEMAS = CONTRACTS / "schemas"
needs_schemas = pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"the official schemas are not in {SCHEMAS}; AUDITOR_CONTRACTS says where they are")


def _read(name: str) -> Any:
    return json.loads((SCHEMAS / name).read_text(encoding="utf-8"))


@functools.cache
def _sarif() -> jsonschema_rs.Draft4Validator:
    return jsonschema_rs.Draft4Validator(_read("sarif/sarif-schema-2.1.0.json"), validate_formats=True)


@functools.cache
def _oscal() -> Any:
    return jsonschema_rs.validator_for(_read("oscal/oscal_assessment-results_schema-1.2.1.json"), validate_formats=True)


@functools.cache
def _ocsf() -> Any:
    return jsonschema_rs.validator_for(_read("ocsf/compliance_finding-1.8.0.schema.json"), validate_formats=True)


@functools.cache
def _junit(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(SCHEMAS / "junit" / name)))


@functools.cache
def _own() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(json_schema(), validate_formats=True)


@functools.cache
def _own_line() -> jsonschema_rs.Draft202012Validator:
    whole = json_schema()
    return jsonschema_rs.Draft202012Validator({"$schema": whole["$schema"], "$ref": LINE, "$defs": whole["$defs"]}, validate_formats=True)


def _faults(judge: Any, document: Any) -> list[str]:
    return [f"{'/'.join(map(str, error.instance_path))}: {error.message[:300]}" for error in judge.iter_errors(document)]


def _xml_faults(content: bytes) -> list[str]:
    document = etree.fromstring(content, etree.XMLParser(resolve_entities=False, huge_tree=True))
    schemas = [_junit(name) for name in ("junit-10.xsd", "JUnit-windyroad.xsd")]
    return [str(error) for schema in schemas if not schema.validate(document) for error in schema.error_log]


JUDGES: Mapping[str, Callable[[bytes], list[str]]] = {
    "sarif": lambda content: _faults(_sarif(), json.loads(content)),
    "oscal": lambda content: _faults(_oscal(), json.loads(content)),
    "ocsf": lambda content: [fault for line in content.splitlines() for fault in _faults(_ocsf(), json.loads(line))],
    "junit": _xml_faults,
}
OWN_JUDGES: Mapping[str, Callable[[bytes], list[str]]] = {
    "json": lambda content: _faults(_own(), json.loads(content)),
    "ndjson": lambda content: [fault for line in content.decode().splitlines() for fault in _faults(_own_line(), json.loads(line))],
}

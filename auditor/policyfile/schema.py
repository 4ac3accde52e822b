"""The JSON Schema (2020-12) of policy files, made from the fact catalogue, the operators and the control table: editors complete and check by it.

It sees whatever a file says wrong by itself. What needs more than one place of it, such as the type of a var, the loader alone sees.
"""

import json
from typing import Any
from urllib.parse import quote

from auditor.core.canonical import MAX_INTEGER
from auditor.core.catalogue import FACTS, TEXT, Entry, Group, Kind, Type
from auditor.core.formats import FORMATS
from auditor.core.model import PROFILE_FIELDS, JsonType, State
from auditor.core.operators import COMPARISONS, OPERATORS, Operator, Takes
from auditor.policyfile.book import GLOB
from auditor.policyfile.composition import NAME
from auditor.policyfile.conditions import VAR, fitting
from auditor.policyfile.controls import ControlTable
from auditor.policyfile.rules import ID, LEVELS, ON_MISSING, VERDICTS
from auditor.policyfile.values import MAX_PATTERN_CHARACTERS, NEVER_LISTED, ONLY_LISTED, VAR_KINDS

Schema = dict[str, Any]


def json_schema(table: ControlTable) -> Schema:
    """The schema of a policy file that may cite the controls of `table`."""
    text, condition, severity = _ref("text"), _ref("condition"), _ref("severity")
    settings = _map(_ref("setting"), key=VAR.pattern)
    rule_text = {name: {**text, "description": about} for name, about in _RULE_TEXTS.items()}
    rule = {
        "id": _pattern(ID.pattern),
        "title": text,
        "severity": severity,
        "require": condition,
        "when": condition,
        "on_missing": {
            "enum": list(ON_MISSING),
            "description": "What an answer comes to that lacks what the rule needs; fail unless this says otherwise",
        },
        **rule_text,
        "references": _list(text),
        "bundles": _list({"enum": list(table.bundles)}),
        "controls": {
            **_object({key: {**_list({"enum": sorted(ids)}), "description": table.titles.get(key, key)} for key, ids in table.frameworks.items()}),
            "minProperties": 1,
        },
        "examples": _list(_ref("example")),
    }
    policy = {
        "policy": _pattern(NAME.pattern),
        "title": text,
        "version": _INTEGER,
        "extends": _list(_pattern(NAME.pattern)),
        "include": _list(_ref("pick")),
        "exclude": _list(_ref("pick")),
        "severities": _map(severity, key=ID.pattern),
        "vars": _map({"anyOf": [_ref("setting"), _ref("declaration")]}, key=VAR.pattern),
        "overrides": _list(_ref("override")),
        "when": {**condition, "description": "And-ed before the `when` of each rule written in this file"},
        "rules": _list(_ref("rule")),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Policy for the SMTP profile of Keyfactor Command",
        **_object(policy, required=("policy", "title", "version"), extra=True),
        "$defs": {
            "text": {"type": "string", "pattern": r"\S"},
            "level": {"enum": list(LEVELS)},
            "setting": {"anyOf": [{"type": ["null", "boolean", "string"]}, _INTEGER, {"type": "array", "items": _ONE}]},
            "declaration": _object({"type": _var_types(), "default": _ref("setting"), "about": text}, required=("type", "default")),
            "override": {
                **_object({"labels": _map(text), "targets": _list(text), "vars": settings}, required=("vars",)),
                "anyOf": [{"required": ["labels"]}, {"required": ["targets"]}],
            },
            "pick": _pattern(rf"{GLOB}.+|{ID.pattern}"),
            "severity": {
                "anyOf": [
                    _ref("level"),
                    _list({"anyOf": [_ref("level"), _object({"when": condition, "is": _ref("level")}, required=("when", "is"))]}),
                ]
            },
            "rule": _object(rule, required=("id", "title", "severity", "require"), extra=True),
            "example": _example(settings),
            "facts": _object({entry.name: _ref(_seen_name(entry)) for entry in FACTS.values()}),
            "fact": {"enum": list(FACTS)},
            **{
                f"fact of type {entry.type}": {"enum": [other.name for other in FACTS.values() if other.type.same(entry.type)]}
                for entry in FACTS.values()
            },
            "var": _pattern(r"\$" + VAR.pattern),
            "integer": _INTEGER,
            "literal": {"type": "string", "pattern": r"^(?:[^$]|\$\$|$)", "description": "Text; a dollar sign at its beginning is written twice"},
            "number": {"anyOf": [_ref("integer"), _ref("var")]},
            "numbers": {"anyOf": [_ref("number"), {**_object(dict.fromkeys(COMPARISONS, _ref("number"))), "minProperties": 1}]},
            "format": {"enum": list(FORMATS)},
            "json type": {"enum": [kind.value for kind in JsonType]},
            "condition": _condition(condition),
            "test of a var": _test("$", None),
            **{_test_name(entry): _test(entry.name, entry.type) for entry in FACTS.values()},
            **{_seen_name(entry): _seen(entry) for entry in FACTS.values()},
        },
    }


def schema_text(table: ControlTable) -> str:
    """The schema as it stands in a file: a line for each definition, so that a difference can be read."""
    schema = json_schema(table)
    definitions = schema.pop("$defs")
    lines = [f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in definitions.items()]
    head = json.dumps(schema, ensure_ascii=False, indent=1).removesuffix("\n}")
    return head + ',\n "$defs": {\n' + ",\n".join(lines) + "\n }\n}\n"


_RULE_TEXTS = {"rationale": "Why the rule is there", "remediation": "What to do where it fails"}
_INTEGER: Schema = {"type": "integer", "minimum": -MAX_INTEGER, "maximum": MAX_INTEGER}
_ONE: Schema = {"anyOf": [{"type": ["boolean", "string"]}, _INTEGER]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{quote(name)}"}


def _object(properties: Schema, *, required: tuple[str, ...] = (), extra: bool = False) -> Schema:
    said: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return said | ({"patternProperties": {"^x-": True}} if extra else {}) | ({"required": list(required)} if required else {})


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def _map(values: Schema, *, key: str = "") -> Schema:
    named: Schema = {"propertyNames": _pattern(key)} if key else {}
    return {"type": "object", "additionalProperties": values, "minProperties": 1, **named}


def _pattern(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def _var_types() -> Schema:
    named = sorted({entry.name for entry in FACTS.values() if entry.type.names or entry.type.kind is Kind.WORD})
    single = [kind for kind in VAR_KINDS if kind not in ONLY_LISTED]
    listed = [kind for kind in VAR_KINDS if kind not in NEVER_LISTED]
    return {"anyOf": [{"enum": [*single, *named]}, {"type": "array", "items": {"enum": [*listed, *named]}, "minItems": 1, "maxItems": 1}]}


# --- conditions ---------------------------------------------------------------------------------------------------


def _condition(condition: Schema) -> Schema:
    groups = {"all": _list(condition), "any": _list(condition), "none": _list(condition), "not": condition}
    facts = {entry.name: {**_ref(_test_name(entry)), "description": f"{entry.about} ({entry.type_text})"} for entry in FACTS.values()}
    return {**_object({**groups, **facts}), "patternProperties": {rf"^\${VAR.pattern}$": _ref("test of a var")}, "minProperties": 1}


def _test_name(entry: Entry) -> str:
    """Facts of one type share a test; only those of the profile can be asked how they were sent."""
    return f"{'field' if entry.group is Group.PROFILE else 'fact'} {entry.type_text}"


def _test(subject: str, type_: Type | None) -> Schema:
    """What may be asked of a subject; of a var, whose type is not known here, whatever some type allows."""
    named = fitting(subject, type_) if type_ else [name for name in OPERATORS if name not in ("offered", "type")]
    operators = {name: _operand(OPERATORS[name], type_) for name in named}
    plain = [operators["equals"], *([operators["in"]] if "in" in operators else [])] if "equals" in operators else []
    return {"anyOf": [*plain, {**_object(operators), "minProperties": 1}]}


def _operand(operator: Operator, type_: Type | None) -> Schema:
    match operator.takes:
        case Takes.NUMBERS:
            return _ref("numbers")
        case Takes.FACT:
            return _ref(f"fact of type {type_}" if type_ else "fact")
        case Takes.FORMAT:
            return _ref("format")
        case Takes.JSON_TYPE:
            return _ref("json type")
        case Takes.TRUE:
            return {"const": True}
        case Takes.FLAG:
            return {"type": "boolean"}
        case _:
            expected = operator.operand_type(type_ or TEXT) if type_ or operator.takes not in (Takes.VALUE, Takes.LIST, Takes.MEMBER) else None
            one = _literal(expected.one) if expected else {"anyOf": [{"type": "boolean"}, _ref("integer"), _ref("literal")]}
            return {"anyOf": [_list(one) if operator.takes is Takes.LIST else one, _ref("var")]}


def _literal(type_: Type) -> Schema:
    """One value of a type as a file writes it."""
    match type_.kind:
        case Kind.BOOLEAN:
            return {"type": "boolean"}
        case Kind.INTEGER if type_.names:
            return {"anyOf": [{"enum": [name for name, _ in type_.names]}, _ref("integer")]}
        case Kind.INTEGER:
            return _ref("integer")
        case Kind.DATE:
            return {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
        case Kind.WORD | Kind.SECRET:
            return {"enum": list(type_.members)}
        case Kind.FIELD:
            return {"enum": list(PROFILE_FIELDS)}
        case Kind.FACT:
            return _ref("fact")
        case Kind.PATTERN:
            return {**_ref("literal"), "maxLength": MAX_PATTERN_CHARACTERS}
        case _:
            return _ref("literal")


# --- examples -----------------------------------------------------------------------------------------------------


def _example(settings: Schema) -> Schema:
    said = {**dict.fromkeys(VERDICTS, _ref("facts")), "vars": settings, "as_of": _literal(Type(Kind.DATE)), "severity": _ref("level")}
    return {
        **_object(said),
        "oneOf": [{"required": [verdict]} for verdict in VERDICTS],
        "dependentSchemas": {"severity": {"anyOf": [{"required": ["fails"]}, {"required": ["not_evaluated"]}]}},
    }


def _seen_name(entry: Entry) -> str:
    return f"seen {_test_name(entry)}"


def _seen(entry: Entry) -> Schema:
    """A fact as an example gives it: a value, none, the state in which it lacks one; a field of the profile may also be sent with another type."""
    lacking = {
        "minProperties": 1,
        "maxProperties": 1,
        **_object({state.value: _ref("text") for state in State if state is not State.VALUE}),
    }
    return {"anyOf": [{"type": "null"}, {"const": ""}, lacking, *_sent(entry)]}


def _sent(entry: Entry) -> list[Schema]:
    boolean: Schema = {"type": "boolean"}
    if entry.type.kind is Kind.HEADER:
        pair = _object({"Name": True, "Value": True}, required=("Name", "Value"))
        mixed: Schema = {"type": "array", "contains": {"not": {"type": "object"}}}
        return [boolean, {"type": ["integer", "string"]}, {"type": "array", "items": pair}, mixed]
    free = entry.type.kind in (Kind.HOST, Kind.EMAIL, Kind.URL)
    value = _ref("literal") if free else _literal(entry.type.one)
    if entry.type.many:
        return [{"type": "array", "items": value}]
    if entry.group is not Group.PROFILE:
        return [value]
    match entry.type.kind:
        case Kind.BOOLEAN:
            return [{"type": ["boolean", "integer", "string", "array"]}]
        case Kind.INTEGER:
            return [value, boolean, {"type": "array"}, *([] if entry.type.names else [{"type": "string"}])]
        case _:
            return [value, boolean, {"type": ["integer", "array"]}]

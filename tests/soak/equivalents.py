"""Mutants that are no faults, each with the reason: by module, and by the diff that the mutation run prints."""

EQUIVALENTS: dict[tuple[str, str, str], str] = {
    ("auditor.core.operators", "case _: / return None", ""): "a function that ends without `return` gives None",
    ("auditor.core.operators", "return None", "pass"): "the same",
    ("auditor.core.operators", "return lambda value: bool(value == expected)", "pass"): "the shortcut for types written in one way only",
    ("auditor.core.operators", "return lambda value: value in members", "pass"): "the same shortcut",
    (
        "auditor.core.operators",
        "return lambda value: value == expected or form(value) == target",
        "return lambda value: form(value) == target",
    ): "a shortcut: what is equal as written is equal in its form",
    ("auditor.core.waiver", "case WaiverState.IN_FORCE: / pass", ""): "the case stands there so that mypy sees each state decided about",
    (
        "auditor.report.sarif",
        """...ation': {'artifactLocation': {'uri': quote(safe(url), safe=":/?#@!$&'()*+,;=")}}, 'logicalLocations': logical}""",
        """...ation': {'artifactLocation': {'uri': quote(safe(url), safe="XX:/?#@!$&'()*+,;=")}}, 'logicalLocations': logical}""",
    ): "a letter is never quoted",
    (
        "auditor.report.oscal",
        "name = ''.join((c if c.isascii() and (c.isalnum() or c in '._-') else f'_{ord(c):x}_' for c in text[:200]))",
        "name = ''.join((c if c.isascii() and (c.isalnum() or c in 'XX._-') else f'_{ord(c):x}_' for c in text[:200]))",
    ): "a letter stands in a token anyway",
    ("auditor.report.csvdoc", "drawn = StringIO(newline='')", "drawn = StringIO()"): "either leaves line ends as they are written",
    (
        "auditor.report.csvdoc",
        "writer = csv.writer(drawn, lineterminator='\\r\\n')",
        "writer = csv.writer(drawn)",
    ): "it is what the library takes anyway",
}

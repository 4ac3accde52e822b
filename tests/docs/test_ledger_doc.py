"""What docs/ledger.md says of the ledger, done without the auditor's code."""

import hashlib
import json
import re
from pathlib import Path

from auditor.core.ledger import Kind
from tests.e2e.conftest import Site, authority, server_tls, site

__all__ = ["authority", "server_tls", "site"]  # fixtures

PAGE = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")


def test_every_kind_of_record_is_in_the_table() -> None:
    table = PAGE.partition("## Records")[2].partition("## The chain")[0]
    named = {kind for row in table.splitlines() if row.startswith("| `") for kind in re.findall(r"`([a-z]+)`", row.split("|")[1])}
    assert named == {kind.value for kind in Kind} - {"export"}, "nothing is exported yet"


def test_the_chain_can_be_computed_by_hand(site: Site) -> None:
    site.configure()
    site.run("check")
    site.simulator.smtp["SenderName"] = "Zertifikate für alle"
    site.run("check")
    site.run("note", "add", "--about", "review:2026-W40", "--by", "Ада Лавлейс", "--text", "всё хорошо")
    _, out, _ = site.run("ledger", "show", "-n", "1000", "--format", "json")
    link = bytes(32)
    for line in out.splitlines():
        entry = json.loads(line)
        text = json.dumps(entry["record"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)  # as `jq -cS` has it
        assert hashlib.sha256(text.encode()).hexdigest() == entry["digest"]
        link = hashlib.sha256(link + bytes.fromhex(entry["digest"])).digest()
        assert link.hex() == entry["link"]
    _, head, _ = site.run("ledger", "head")
    assert head == f"{len(out.splitlines())}:{link.hex()}\n"

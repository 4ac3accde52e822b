"""What went wrong with other tools that watch configurations, typed against ours: each test names the issue that it is about."""

import csv
import io
import json
from typing import Any

import pytest

from auditor.simulator.profile import in_pam, stored
from tests.e2e.conftest import Site
from tests.e2e.past import DAY, MONDAY, reading, show


def told(site: Site, *arguments: str) -> tuple[int, Any]:
    code, out, err = site.run(*arguments, "--format", "json")
    assert out, err
    return code, json.loads(out)


def drift_of(site: Site) -> list[str]:
    _, found = told(site, "history", "prod")
    return [entry["field"] for entry in found["entries"] if entry["kind"] == "drift"]


# --- B15: ScubaGear#1210, govready#50 ------------------------------------------------------------------------------


def test_scubagear_1210_two_runs_are_compared_in_every_format(site: Site) -> None:
    """The difference of two runs was wanted as JSON, as CSV for a spreadsheet, and as a page for a reader; all three say the same."""
    show(site, MONDAY)
    show(site, MONDAY + DAY, Port=25, UseSSL=False)

    code, document = told(site, "diff", "prod")
    rows = list(csv.DictReader(io.StringIO(site.run("diff", "prod", "--format", "csv")[1], newline="")))
    page, text = (site.run("diff", "prod", "--format", form)[1] for form in ("html", "text"))

    assert code == 1
    assert [one["field"] for one in document["fields"]] == [row["field"] for row in rows] == ["UseSSL", "Port"]  # the worst first
    assert [(row["severity"], row["before"], row["after"]) for row in rows] == [("critical", "true", "false"), ("high", "587", "25")]
    for shown in (page, text):
        assert shown.index("critical") < shown.index("high")
        assert "between Mon 10 Mar 2025 09:00 UTC and Tue 11 Mar 2025 09:00 UTC" in shown


def test_govready_50_a_change_of_policy_is_no_drift(site: Site) -> None:
    show(site, MONDAY)
    site.configure(policy="strict")
    show(site, MONDAY + DAY)

    assert site.run("diff", "prod")[0] == 3
    assert drift_of(site) == []


# --- B18: driftctl#551, driftctl#6 ---------------------------------------------------------------------------------

HEADERS = [{"Name": "X-One", "Value": "1"}, {"Name": "X-Two", "Value": "2"}]
SAME: dict[str, tuple[Any, Any, str, str]] = {
    "Host": ("smtp.office365.com", "SMTP.Office365.COM.", '"smtp.office365.com"', '"SMTP.Office365.COM."'),
    "Scope": ("b https://a.example/.default", "https://a.example/.default  b", '"b https://a.example/.default"', '"https://a.example/.default  b"'),
    "SenderAccount": ("PKI@corp.example", "pki@corp.example", '"PKI@corp.example"', '"pki@corp.example"'),
    "Audience": (None, "", "null", '""'),
    "RelayAuthenticationType": (3, "3", "3 (OAuth)", "3 (OAuth), sent as text"),
}


def test_driftctl_551_what_is_ordered_or_spelt_otherwise_is_no_drift_and_shown_raw(site: Site) -> None:
    """A list that came in another order was reported as drift in every run. Here it is told, with both values as sent, and is none."""
    show(site, MONDAY, RequestHeaders=HEADERS, **{name: before for name, (before, *_) in SAME.items()})
    show(site, MONDAY + DAY, RequestHeaders=HEADERS[::-1], **{name: after for name, (_, after, *_) in SAME.items()})

    code, found = told(site, "diff", "prod")

    assert code == 0
    assert {one["relation"] for one in found["fields"]} == {"rewritten"}
    raw = {one["field"]: (one["before_sent"], one["after_sent"]) for one in found["fields"]}
    headers = raw.pop("RequestHeaders")
    assert raw == {name: (before, after) for name, (_, _, before, after) in SAME.items()}
    assert (headers[0].startswith("X-One (plain, "), headers[1].startswith("X-Two (plain, ")) == (True, True)
    assert sorted(headers[0].split(", X-")) != sorted(headers[1])  # the two are in another order, each whole
    out = site.run("diff", "prod")[1]
    assert out.startswith("prod: nothing differs\n")
    assert "✓ Host: same, written differently" in out
    assert drift_of(site) == []


def test_driftctl_6_a_header_that_changed_within_a_new_order_is_drift(site: Site) -> None:
    show(site, MONDAY, RequestHeaders=HEADERS)
    show(site, MONDAY + DAY, RequestHeaders=[HEADERS[1], {"Name": "X-One", "Value": "other"}])

    assert told(site, "diff", "prod")[0] == 1
    assert drift_of(site) == ["RequestHeaders"]


# --- B19: oxidized#1190 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "field"), [("Id", "Id"), ("unknown:LastMailSent", "LastMailSent")])
def test_oxidized_1190_a_volatile_field_is_no_drift_is_listed_and_is_kept(site: Site, name: str, field: str) -> None:
    """A counter or a time of day in the configuration sent a mail every fifteen minutes."""
    site.configure(volatile=f"['{name}']")
    with reading(site) as read:
        for number in range(3):
            read(MONDAY + number * DAY, **{field: 100 + number})

    assert drift_of(site) == []
    code, found = told(site, "diff", "prod")
    assert (code, found["volatile"], [(one["field"], one["relation"]) for one in found["fields"]]) == (0, [name], [(name, "ignored")])
    out = site.run("diff", "prod")[1]
    assert "ignored by configuration: volatile" in out
    assert f"Volatile by configuration, never drift: {name}." in out
    _, history = told(site, "history", "prod")
    assert [entry["changes"] for entry in history["entries"] if entry["kind"] == "ignored"] == [2]
    assert len(told(site, "history", "prod", "--field", name)[1]["values"]) == 3  # kept all the same

    site.simulator.smtp["Port"] = 25
    code, report = site.check()
    assert code == 1
    assert [one["field"] for one in report["targets"][0]["changes"] if one["field"] == "Port"] == ["Port"]
    assert drift_of(site) == ["Port"]


def test_oxidized_1190_a_field_that_is_not_volatile_any_more_is_watched_again(site: Site) -> None:
    site.configure(volatile="[Id]")
    show(site, MONDAY, Id=1)
    show(site, MONDAY + DAY, Id=2)
    site.configure()
    show(site, MONDAY + 2 * DAY, Id=3)

    assert drift_of(site) == ["Id"]


# --- B20: oxidized#1883 --------------------------------------------------------------------------------------------


def test_oxidized_1883_a_secret_that_is_masked_or_encrypted_anew_is_no_change(site: Site) -> None:
    """Secrets that were encrypted again at each export looked changed in each run."""
    with reading(site) as read:
        read(MONDAY, RelayPassword=stored("first"), ClientSecret=in_pam(1, SecretId="2001"))
        read(MONDAY + DAY, RelayPassword=stored("second, longer"))
        read(MONDAY + 2 * DAY, ClientSecret=in_pam(1, SecretId="2001"))

    assert site.run("diff", "prod")[0] == 3  # one state only
    assert drift_of(site) == []


def test_oxidized_1883_a_pointer_to_another_secret_shows_without_its_value(site: Site) -> None:
    show(site, MONDAY, ClientSecret=in_pam(1, SecretId="vault-entry-2001"))
    show(site, MONDAY + DAY, ClientSecret=in_pam(1, SecretId="vault-entry-2002"))

    code, found = told(site, "diff", "prod")

    assert (code, [(one["field"], one["kind"]) for one in found["fields"]]) == (1, [("ClientSecret", "parameter")])
    assert found["fields"][0]["before"] != found["fields"][0]["after"]
    for form in ("text", "json", "csv", "html"):
        assert "vault-entry" not in site.run("diff", "prod", "--format", form)[1]
    assert drift_of(site) == ["ClientSecret"]


def test_oxidized_1883_fingerprints_under_a_new_key_are_not_comparable_and_no_drift(site: Site) -> None:
    show(site, MONDAY)
    (site.folder / "auditor.key").unlink()
    show(site, MONDAY + DAY)

    code, found = told(site, "diff", "prod")

    assert (code, [(one["field"], one["relation"]) for one in found["fields"]]) == (4, [("ClientSecret", "not_comparable")])
    assert drift_of(site) == []

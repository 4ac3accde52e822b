"""PAM providers from the server to the report: CFG-027 by the vault, the provider's name where a secret's place is shown, no parameter anywhere."""

import html
import os
from pathlib import Path
from typing import Any

import pytest

from auditor.simulator.accounts import READ_PAM, READ_SYSTEM_SETTINGS
from auditor.simulator.profile import in_pam, pam_provider
from tests.e2e.conftest import USER, Site
from tests.e2e.test_secrets import everything_in


@pytest.fixture
def vaulted(site: Site) -> Site:
    """A site whose client secret lies with provider 3, whose policy demands PAM, and whose account may read the providers."""
    site.simulator.accounts.add_user(USER, site.password, permissions=[READ_SYSTEM_SETTINGS, READ_PAM])
    site.simulator.smtp["ClientSecret"] = in_pam(3, SecretId="2001")
    site.simulator.pam_providers = [pam_provider(3, "HashiCorp EU")]
    site.configure(pam_providers="true", vars="{require_pam: true}")
    return site


def cfg_027(document: dict[str, Any]) -> dict[str, Any]:
    (target,) = document["targets"]
    (finding,) = [finding for finding in target["findings"] if finding["rule"] == "CFG-027"]
    return dict(finding)


def test_a_secret_in_an_external_vault_passes_and_the_report_names_the_vault(vaulted: Site) -> None:
    code, document = vaulted.check()
    assert (code, cfg_027(document)["outcome"]) == (0, "pass")
    shown = " ".join(vaulted.run("show", "prod")[1].split())
    page = Path(vaulted.run("report")[1].strip()).read_text(encoding="utf-8")
    for text in (shown, html.unescape(page)):
        assert "provider 3 is HashiCorp EU, an external vault" in text


def test_a_secret_with_command_s_own_provider_fails(vaulted: Site) -> None:
    vaulted.simulator.pam_providers = [pam_provider(3, "House vault", "Command Secret Provider")]
    code, document = vaulted.check()
    assert (code, cfg_027(document)["outcome"], cfg_027(document)["severity"]) == (1, "fail", "medium")
    vaulted.configure(vars="{require_pam: true}")
    code, document = vaulted.check()
    assert (code, cfg_027(document)["outcome"]) == (0, "pass"), "without pam_providers the profile's word counts"


def test_without_the_permission_the_rule_goes_by_what_the_profile_says(vaulted: Site) -> None:
    vaulted.simulator.accounts.add_user(USER, vaulted.password)
    code, document = vaulted.check()
    assert (code, cfg_027(document)["outcome"]) == (0, "pass")
    assert "our account lacks the permission /pam/read/" in " ".join(vaulted.run("show", "prod")[1].split())


def test_a_list_that_cannot_be_read_is_trouble_of_the_rule_alone_and_no_drift(vaulted: Site) -> None:
    vaulted.check()
    vaulted.simulator.fail_with(500, times=1, where="pam")
    code, document = vaulted.check()
    assert (code, cfg_027(document)["outcome"]) == (4, "not_evaluated")
    (target,) = document["targets"]
    assert (target["observation"]["outcome"], target["changes"]) == ("observed", [])
    code, document = vaulted.check()
    assert (code, document["targets"][0]["changes"]) == (0, [])


def test_another_provider_is_drift_and_another_name_is_none(vaulted: Site) -> None:
    vaulted.check()
    vaulted.simulator.pam_providers = [pam_provider(3, "Renamed"), pam_provider(4, "HashiCorp US")]
    code, document = vaulted.check()
    assert (code, document["targets"][0]["changes"]) == (0, [])
    vaulted.simulator.smtp["ClientSecret"] = in_pam(4, SecretId="2001")
    _, document = vaulted.check()
    assert [change["kind"] for change in document["targets"][0]["changes"]] == ["provider"]


def test_no_parameter_of_a_provider_is_found_anywhere(vaulted: Site) -> None:
    planted = f"planted-{os.urandom(6).hex()}"
    vaulted.simulator.pam_providers = [pam_provider(3, "HashiCorp EU", Token=planted, Path=planted)]
    said = "".join(vaulted.run("-v", *arguments)[1] for arguments in (["check"], ["show", "prod", "--output", "json=-"], ["report"]))
    found = everything_in(vaulted.folder)
    assert planted not in said
    assert planted.encode() not in found
    assert b"HashiCorp EU" in found

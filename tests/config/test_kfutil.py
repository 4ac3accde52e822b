"""The vendor's variables and profiles: what is taken from them, and which of the quirks of the vendor's tools are not copied."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from auditor import config, kfutil, yamlfile
from auditor.app.secrets import read_secret
from auditor.core.model import BasicAuth, ClientCredentials, SecretRef, StaticToken, Target
from auditor.errors import AuditorError, ConfigError, SecretError

PASSWORD = "Tr0ub4dor&3-literal"
BASIC = {"KEYFACTOR_HOSTNAME": "command.corp.example", "KEYFACTOR_USERNAME": "svc@CORP", "KEYFACTOR_PASSWORD": PASSWORD}
PROFILE = {"host": "lab.corp.example", "username": "svc", "domain": "LAB", "password": PASSWORD}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def write(path: Path, **profiles: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"servers": profiles}), encoding="utf-8")
    path.chmod(0o600)
    return path


def usual(home: Path, **profiles: Any) -> Path:
    return write(home / ".keyfactor" / "command_config.json", **profiles)


def target_of(environ: dict[str, str], *, profile: str | None = None) -> Target:
    found = kfutil.find(environ, profile=profile)
    assert found is not None
    text = found.as_yaml()
    assert PASSWORD not in text + repr(found)
    (target,) = config.understood(yamlfile.parse(text, path="made.yaml", error=ConfigError), Path("/etc/auditor/made.yaml")).targets
    return target


def refusal(environ: dict[str, str], *, profile: str | None = None) -> str:
    with pytest.raises(ConfigError) as raised:
        kfutil.find(environ, profile=profile)
    said = f"{raised.value} | {raised.value.hint}"
    assert PASSWORD not in said
    return said


def test_without_variables_and_file_nothing_is_found() -> None:
    assert kfutil.find({}) is None


def test_variables_make_one_target_named_after_its_host() -> None:
    target = target_of({**BASIC, "KEYFACTOR_PORT": "8443", "KEYFACTOR_API_PATH": "Api", "KEYFACTOR_CA_CERT": "/etc/ca.pem"})
    assert (target.name, target.url, target.api_path) == ("command.corp.example", "https://command.corp.example:8443", "Api")
    assert target.ca_file == "/etc/ca.pem"
    assert target.auth == BasicAuth(username="CORP\\svc", password=SecretRef("env", "KEYFACTOR_PASSWORD"))


@pytest.mark.parametrize(
    ("host", "url", "api_path"),
    [
        ("command.corp.example", "https://command.corp.example", "KeyfactorAPI"),
        ("https://command.corp.example/", "https://command.corp.example", "KeyfactorAPI"),
        ("https://command.corp.example:444/Other", "https://command.corp.example:444", "Other"),
        ("[::1]:8443", "https://[::1]:8443", "KeyfactorAPI"),
    ],
)
def test_a_host_may_be_a_url(host: str, url: str, api_path: str) -> None:
    target = target_of({**BASIC, "KEYFACTOR_HOSTNAME": host})
    assert (target.url, target.api_path) == (url, api_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"KEYFACTOR_HOSTNAME": "http://command.corp.example"}, "https alone"),
        ({"KEYFACTOR_HOSTNAME": f"https://svc:{PASSWORD}@command.corp.example"}, "neither a name nor a URL"),
        ({"KEYFACTOR_HOSTNAME": "https://command:notaport"}, "neither a name nor a URL"),
        ({"KEYFACTOR_HOSTNAME": "command:444", "KEYFACTOR_PORT": "443"}, "keep one of the two"),
        ({"KEYFACTOR_HOSTNAME": "https://command/A", "KEYFACTOR_API_PATH": "B"}, "keep one of the two"),
        ({"KEYFACTOR_PORT": "70000"}, "1 to 65535"),
        ({"KEYFACTOR_PASSWORD": ""}, "KEYFACTOR_PASSWORD is missing"),
        ({"KEYFACTOR_USERNAME": ""}, "does not say how to log in"),
        ({"KEYFACTOR_CLIENT_TIMEOUT": "1m"}, "number of seconds"),
        ({"KEYFACTOR_CLIENT_TIMEOUT": "601"}, "number of seconds"),
        ({"KEYFACTOR_CLIENT_TIMEOUT": "0"}, "number of seconds"),
    ],
)
def test_variables_that_name_no_server_are_refused(changes: dict[str, str], said: str) -> None:
    assert said in refusal(BASIC | changes)


@pytest.mark.parametrize("text", ["45", "45s"])
def test_the_timeout_is_taken_with_and_without_its_unit(text: str) -> None:
    assert target_of({**BASIC, "KEYFACTOR_CLIENT_TIMEOUT": text}).timeout_s == 45


@pytest.mark.parametrize(
    ("username", "domain", "sent"),
    [("svc", "CORP", r"CORP\svc"), ("svc@CORP", "", r"CORP\svc"), (r"CORP\svc", "OTHER", r"CORP\svc"), ("svc", "", "svc")],
)
def test_a_user_is_sent_with_its_domain_in_front(username: str, domain: str, sent: str) -> None:
    auth = target_of({**BASIC, "KEYFACTOR_USERNAME": username, "KEYFACTOR_DOMAIN": domain}).auth
    assert isinstance(auth, BasicAuth)
    assert auth.username == sent


CLIENT = {
    "KEYFACTOR_HOSTNAME": "command.corp.example",
    "KEYFACTOR_AUTH_CLIENT_ID": "smtp-auditor",
    "KEYFACTOR_AUTH_CLIENT_SECRET": PASSWORD,
    "KEYFACTOR_AUTH_TOKEN_URL": "https://idp.corp.example/token",
}


def test_a_client_has_its_scopes_and_audience() -> None:
    auth = target_of({**CLIENT, "KEYFACTOR_AUTH_SCOPES": "read, openid", "KEYFACTOR_AUTH_AUDIENCE": "command"}).auth
    assert auth == ClientCredentials(
        token_url="https://idp.corp.example/token",
        client_id="smtp-auditor",
        client_secret=SecretRef("env", "KEYFACTOR_AUTH_CLIENT_SECRET"),
        scopes=("read", "openid"),
        audience="command",
    )
    assert target_of(CLIENT).auth == ClientCredentials(
        token_url="https://idp.corp.example/token", client_id="smtp-auditor", client_secret=SecretRef("env", "KEYFACTOR_AUTH_CLIENT_SECRET")
    )


def test_an_access_token_of_the_environment_wins_over_the_client() -> None:
    """One of the vendor's tools ignores it."""
    assert target_of({**CLIENT, "KEYFACTOR_AUTH_ACCESS_TOKEN": PASSWORD}).auth == StaticToken(token=SecretRef("env", "KEYFACTOR_AUTH_ACCESS_TOKEN"))


def test_a_certificate_in_a_variable_is_kept_as_such_and_not_as_a_path() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"
    found = kfutil.find({**BASIC, "KEYFACTOR_CA_CERT": pem.replace("\n", "\\n")})
    assert found is not None
    assert (found.ca_pem, "ca_file" in found.settings) == (pem, False)


# --- one source ---------------------------------------------------------------------------------------------------


def test_a_host_in_the_environment_takes_no_credentials_from_the_file(home: Path) -> None:
    usual(home, default=PROFILE)
    assert "does not say how to log in" in refusal({"KEYFACTOR_HOSTNAME": "command.corp.example"})
    assert "KEYFACTOR_PASSWORD is missing" in refusal({"KEYFACTOR_HOSTNAME": "command.corp.example", "KEYFACTOR_USERNAME": "svc"})


def test_a_host_in_the_file_takes_no_credentials_from_the_environment(home: Path) -> None:
    path = usual(home, default=PROFILE)
    found = kfutil.find({"KEYFACTOR_USERNAME": "other", "KEYFACTOR_PASSWORD": "for another server"})
    assert found is not None
    assert found.settings["auth"] == {"type": "basic", "username": r"LAB\svc", "password": f"kfutil:default/password@{path}"}
    (warning,) = found.warnings
    assert warning.startswith("not used: KEYFACTOR_USERNAME, KEYFACTOR_PASSWORD: ")


def test_a_host_in_the_environment_wins_as_a_whole(home: Path) -> None:
    usual(home, default={**PROFILE, "ca_cert_path": "/etc/lab.pem", "port": 8443})
    target = target_of(BASIC)
    assert (target.url, target.ca_file) == ("https://command.corp.example", None)


def test_a_profile_that_is_named_by_hand_is_of_the_file_whatever_the_environment_says(home: Path) -> None:
    usual(home, lab=PROFILE)
    assert target_of(BASIC, profile="lab").url == "https://lab.corp.example"


# --- the vendor's file --------------------------------------------------------------------------------------------


def test_the_file_and_the_profile_are_named_by_variables(home: Path) -> None:
    path = write(home / "elsewhere.json", default=PROFILE, prod={**PROFILE, "host": "prod.corp.example", "port": 8443})
    target = target_of({"KEYFACTOR_AUTH_CONFIG_FILE": str(path), "KEYFACTOR_AUTH_CONFIG_PROFILE": "prod"})
    assert (target.name, target.url) == ("prod", "https://prod.corp.example:8443")
    assert isinstance(target.auth, BasicAuth)
    assert read_secret(target.auth.password) == PASSWORD


def test_the_default_profile_is_named_after_its_host(home: Path) -> None:
    usual(home, default=PROFILE)
    assert target_of({}).name == "lab.corp.example"


def test_a_file_in_yaml_says_the_same(home: Path) -> None:
    path = home / "command_config.yaml"
    path.write_text(
        f'servers:\n  default:\n    host: lab.corp.example\n    access_token: "{PASSWORD}"\n    skip_tls_verify: false\n', encoding="utf-8"
    )
    path.chmod(0o600)
    target = target_of({"KEYFACTOR_AUTH_CONFIG_FILE": str(path)})
    assert isinstance(target.auth, StaticToken)
    assert read_secret(target.auth.token) == PASSWORD


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"skip_tls_verify": True}, "skip_tls_verify is set, and is not obeyed"),
        ({"skip_tls_verify": "true"}, "insecure_skip_verify"),
        ({"auth_type": "kerberos"}, "Kerberos, which is not built"),
        ({"auth_type": "magic"}, "basic or oauth"),
        ({"auth_type": "oauth"}, "how to log in by oauth"),
        ({"host": ""}, "has no host"),
        ({"host": None}, "has no host"),
        ({"password": 12345}, "password must be text"),
        ({"access_token": [PASSWORD]}, "access_token must be text"),
        ({"client_id": "smtp-auditor", "client_secret": PASSWORD}, "token_url is missing"),
        ({"client_id": "a", "client_secret": "b", "token_url": "https://idp.example", "scopes": [1]}, "scopes must be"),
    ],
)
def test_a_profile_that_names_no_server_is_refused(home: Path, changes: dict[str, Any], said: str) -> None:
    usual(home, default=PROFILE | changes)
    assert said in refusal({})


def test_the_type_of_a_profile_says_which_of_its_credentials_is_used(home: Path) -> None:
    usual(home, default={**PROFILE, "access_token": "abc", "auth_type": "basic"})
    assert isinstance(target_of({}).auth, BasicAuth)


def test_a_misspelt_profile_gets_a_suggestion(home: Path) -> None:
    usual(home, default=PROFILE, production=PROFILE)
    assert "did you mean 'production'?" in refusal({"KEYFACTOR_AUTH_CONFIG_PROFILE": "prodution"})
    assert "there are: default, production" in refusal({}, profile="xyz")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f'{{"servers": {{"default": {{"password": "{PASSWORD}"', ":1: not JSON"),
        (f'{{"servers": {{"default": {{"password": "a", "password": "{PASSWORD}"}}}}}}', "stands there twice"),
        (f"servers:\n  default:\n    access_token: *{PASSWORD}\n", ":3: not YAML"),
        ("servers:\n  default:\n    access_token: 1_000_000\n", "in quotes"),
        ("{}", "has no `servers`"),
        ('{"servers": {"default": 1}}', "has no `servers`"),
        ("[" * 5, "not YAML"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("\udcff", "not UTF-8"),
        ("{" + " " * kfutil.MAX_FILE_BYTES, "larger than"),
    ],
)
def test_a_file_that_is_none_of_theirs_is_refused_and_not_quoted(home: Path, content: str, said: str) -> None:
    path = home / "command_config.json"
    path.write_text(content, encoding="utf-8", errors="surrogateescape")
    told = refusal({"KEYFACTOR_AUTH_CONFIG_FILE": str(path)})
    assert said in told
    assert "1_000" not in told


def test_a_file_that_is_named_must_be_there(home: Path) -> None:
    assert "cannot be read" in refusal({"KEYFACTOR_AUTH_CONFIG_FILE": str(home / "none.json")})
    assert "cannot be read" in refusal({"KEYFACTOR_AUTH_CONFIG_PROFILE": "lab"})


def test_a_profile_that_no_reference_can_name_is_refused(home: Path) -> None:
    usual(home, **{"a@b": PROFILE})
    assert "rename it" in refusal({}, profile="a@b")


@pytest.mark.skipif(os.name != "posix", reason="other systems keep no such modes")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_may_read_is_warned_of(home: Path, mode: int, warned: bool) -> None:
    usual(home, default=PROFILE).chmod(mode)
    found = kfutil.find({})
    assert found is not None
    assert any("may be read by others" in warning for warning in found.warnings) is warned


def test_a_secret_of_the_file_is_read_anew_each_time(home: Path) -> None:
    reference = SecretRef("kfutil", "default/password")
    usual(home, default=PROFILE)
    assert read_secret(reference) == PASSWORD
    usual(home, default={**PROFILE, "password": "another"})
    assert read_secret(reference) == "another"
    usual(home, default={"host": "lab.corp.example"})
    with pytest.raises(SecretError, match=r"kfutil:default/password: .*profile default has no password"):
        read_secret(reference)


def test_a_reference_without_a_file_does_not_ask_the_environment_which(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual(home, default=PROFILE)
    monkeypatch.setenv("KEYFACTOR_AUTH_CONFIG_FILE", str(write(home / "other.json", default={**PROFILE, "password": "of another server"})))
    assert read_secret(SecretRef("kfutil", "default/password")) == PASSWORD


# --- references in auditor.yaml -----------------------------------------------------------------------------------


def with_token(folder: Path, reference: str) -> SecretRef:
    path = folder / "auditor.yaml"
    path.write_text(f"targets:\n- name: prod\n  url: https://command.example.org\n  auth: {{type: token, token: '{reference}'}}\n", encoding="utf-8")
    (target,) = config.load(path).targets
    assert isinstance(target.auth, StaticToken)
    return target.auth.token


@pytest.mark.parametrize("reference", ["keyring:auditor/prod", "kfutil:default/access_token", "kfutil:lab/password@/etc/kf.json"])
def test_a_reference_may_name_a_keyring_or_the_vendors_file(tmp_path: Path, reference: str) -> None:
    assert str(with_token(tmp_path, reference)) == reference


def test_the_file_of_a_reference_counts_from_the_configurations_folder(tmp_path: Path) -> None:
    assert with_token(tmp_path, "kfutil:lab/password@kf.json") == SecretRef("kfutil", f"lab/password@{tmp_path / 'kf.json'}")


@pytest.mark.parametrize("reference", ["keyring:auditor", "keyring:/prod", "kfutil:default", "kfutil:default/host", "kfutil:/password", "vault:a/b"])
def test_a_reference_that_leads_nowhere_is_refused(tmp_path: Path, reference: str) -> None:
    with pytest.raises(ConfigError, match="by reference only"):
        with_token(tmp_path, reference)


def test_kerberos_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "auditor.yaml"
    path.write_text("targets:\n- name: prod\n  url: https://command.example.org\n  auth: {type: kerberos}\n", encoding="utf-8")
    with pytest.raises(AuditorError) as raised:
        config.load(path)
    assert "Kerberos is not built" in raised.value.hint


@pytest.fixture
def ring() -> Iterator[Any]:
    """The real package, with a keyring that is in memory alone."""
    keyring = pytest.importorskip("keyring", reason="needs the extra `keyring`")
    from keyring import backend, errors

    class Ring(backend.KeyringBackend):
        priority = 1  # type: ignore[assignment]
        entries: ClassVar[dict[tuple[str, str], str]] = {}

        def get_password(self, service: str, username: str) -> str | None:
            if service == "locked":
                raise errors.KeyringLocked("words of a backend")
            return self.entries.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.entries[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del self.entries[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(Ring())
    yield keyring
    keyring.set_keyring(before)


def test_a_secret_of_the_keyring_is_read_and_what_is_not_there_is_said(ring: Any) -> None:
    ring.set_password("auditor", "prod/main", "from the ring")
    ring.set_password("auditor", "empty", "")
    assert read_secret(SecretRef("keyring", "auditor/prod/main")) == "from the ring"
    for name in ("other", "empty"):
        with pytest.raises(SecretError, match=f"keyring:auditor/{name}: the keyring has no such entry"):
            read_secret(SecretRef("keyring", f"auditor/{name}"))
    with pytest.raises(SecretError, match=r"gives no answer \(KeyringLocked\)$"):
        read_secret(SecretRef("keyring", "locked/x"))
    ring.delete_password("auditor", "prod/main")
    with pytest.raises(SecretError, match="has no such entry"):
        read_secret(SecretRef("keyring", "auditor/prod/main"))


def test_a_machine_without_any_keyring_says_so(ring: Any) -> None:
    from keyring.backends import fail

    ring.set_keyring(fail.Keyring())
    with pytest.raises(SecretError, match=r"gives no answer \(NoKeyringError\)$"):
        read_secret(SecretRef("keyring", "auditor/prod"))


def test_without_the_extra_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)  # importing it is an ImportError
    with pytest.raises(SecretError) as raised:
        read_secret(SecretRef("keyring", "auditor/prod"))
    assert "pip install 'smtp-auditor[keyring]'" in raised.value.hint

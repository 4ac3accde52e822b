"""`auditor.yaml`: what is understood, and what is refused."""

import json
from pathlib import Path

import jsonschema_rs
import pytest

from auditor import config
from auditor.config import Evidence, Retention
from auditor.core.model import (
    BasicAuth,
    ClientCertificate,
    ClientCredentials,
    Schedule,
    SecretRef,
    SigningFiles,
    StampAuthority,
    StaticToken,
    TokenAuthMethod,
)
from auditor.errors import ConfigError

GOOD = """\
targets:
- name: prod
  url: https://command.example.org
  labels: {env: prod}
  schedule: {every: 15m}
  vars: {allowed_ports: [587]}
- name: lab
  url: https://[::1]:8443/
  policy: strict
defaults:
  auth: {type: basic, username: 'CORP\\svc', password: env:COMMAND_PASSWORD}
  timeout: 20s
"""


def load(tmp_path: Path, text: str) -> config.Config:
    path = tmp_path / "auditor.yaml"
    path.write_text(text, encoding="utf-8")
    return config.load(path)


def test_a_target_takes_its_own_value_then_the_default_then_ours(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD)
    prod, lab = loaded.targets
    assert (prod.url, lab.url) == ("https://command.example.org", "https://[::1]:8443")
    assert prod.auth == lab.auth == BasicAuth(username="CORP\\svc", password=SecretRef("env", "COMMAND_PASSWORD"))
    assert (prod.timeout_s, prod.attempts, prod.policy, lab.policy) == (20, 3, "recommended", "strict")
    assert (prod.schedule, lab.schedule) == (Schedule(every_s=900), None)
    assert prod.labels == (("env", "prod"),)
    assert loaded.target_vars == {"prod": {"allowed_ports": [587]}, "lab": {}}
    assert [loaded.origin("lab", key) for key in ("url", "auth", "policy", "attempts")] == [
        "auditor.yaml:8",
        "auditor.yaml:11",
        "auditor.yaml:9",
        "default",
    ]


def test_relative_paths_count_from_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    loaded = load(tmp_path, GOOD + "database: data/a.db\npolicies: [ours]\nreport: {folder: out}\nfingerprint_key: file:k\n")
    assert loaded.database == tmp_path / "data" / "a.db"
    assert loaded.database_url == f"sqlite:///{(tmp_path / 'data' / 'a.db').as_posix()}"
    assert loaded.policy_folders == (tmp_path / "ours",)
    assert loaded.report_folder == tmp_path / "out"
    assert loaded.fingerprint_key == SecretRef("file", str(tmp_path / "k"))


def test_every_way_to_log_in_is_understood(tmp_path: Path) -> None:
    text = """\
targets:
- name: a
  url: https://a.example.org
  auth: {type: oauth, token_url: https://idp.example.org/t, client_id: me, client_secret: file:s, scopes: [a, b], audience: z,
         method: client_secret_post}
  client_certificate: {certificate: c.pem, key: c.key, passphrase: env:P}
  ca_file: root.pem
- name: b
  url: http://127.0.0.1:8080
  insecure_http: true
  auth: {type: token, token: env:T}
"""
    a, b = load(tmp_path, text).targets
    assert a.auth == ClientCredentials(
        token_url="https://idp.example.org/t",
        client_id="me",
        client_secret=SecretRef("file", str(tmp_path / "s")),
        scopes=("a", "b"),
        audience="z",
        method=TokenAuthMethod.POST,
    )
    assert a.client_certificate == ClientCertificate(
        certificate=str(tmp_path / "c.pem"), key=str(tmp_path / "c.key"), passphrase=SecretRef("env", "P")
    )
    assert a.ca_file == str(tmp_path / "root.pem")
    assert (b.auth, b.insecure_http) == (StaticToken(token=SecretRef("env", "T")), True)


def test_nothing_is_removed_unless_somebody_asks(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).retention is None
    assert load(tmp_path, GOOD + "retention: {keep_reads: 400d}\n").retention == Retention(keep_reads_s=400 * 86400, keep_delivered_s=90 * 86400)
    asked = load(tmp_path, GOOD + "retention: {keep_reads: 3650d, keep_delivered: 1d}\n").retention
    assert asked == Retention(keep_reads_s=3650 * 86400, keep_delivered_s=86400)


def test_evidence_names_files_beside_the_configuration_and_no_authority_of_its_own(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).evidence is None
    signer = "evidence:\n  signer: {pkcs12: s.p12, passphrase: file:s.txt, chain: c.pem}\n"
    folder = tmp_path.resolve()
    files = SigningFiles(pkcs12=str(folder / "s.p12"), passphrase=SecretRef("file", str(folder / "s.txt")), chain=str(folder / "c.pem"))
    assert load(tmp_path, GOOD + signer).evidence == Evidence(signer=files, tsa=None, schedule=Schedule(cron="30 5 * * mon"))
    tsa = '  tsa: {url: "https://tsa.example.org/t", roots: r.pem, chain: i.pem, ca_file: ca.pem, proxy: "http://p:3128", timeout: 5s}\n'
    assert load(tmp_path, GOOD + signer + tsa + "  checkpoint: {every: 1d}\n").evidence == Evidence(
        signer=files,
        tsa=StampAuthority(
            url="https://tsa.example.org/t",
            roots=str(folder / "r.pem"),
            chain=str(folder / "i.pem"),
            ca_file=str(folder / "ca.pem"),
            proxy="http://p:3128",
            timeout_s=5,
        ),
        schedule=Schedule(every_s=86400),
    )


@pytest.mark.parametrize("key", ["attribution", "pam_providers"])
def test_what_needs_a_permission_of_its_own_is_off_unless_it_is_asked_for(tmp_path: Path, key: str) -> None:
    def asked(text: str) -> list[bool]:
        return [getattr(target, key) for target in load(tmp_path, text).targets]

    assert asked(GOOD) == [False, False]
    assert asked(GOOD.replace("policy: strict", f"{key}: true")) == [False, True]
    assert asked(GOOD.replace("policy: strict", f"{key}: false") + f"  {key}: true\n") == [True, False]
    assert load(tmp_path, GOOD + f"  {key}: true\n").origin("prod", key) == "auditor.yaml:13"


@pytest.mark.parametrize(
    ("old", "new", "complaint", "hint"),
    [
        ("  timeout: 20s\n", "retention: {}\n", "12: retention has no `keep_reads`", ""),
        ("  timeout: 20s\n", "retention: {keep_reads: 23h}\n", "12: retention.keep_reads: Input should be greater than or equal to 86400", ""),
        ("  timeout: 20s\n", "retention: {keep_read: 1d}\n", "12: nothing is called 'keep_read' here", "did you mean 'keep_reads'?"),
        ("  timeout: 20s\n", "evidence: {}\n", "12: evidence has no `signer`", ""),
        ("  timeout: 20s\n", "evidence: {signer: {}}\n", "12: evidence.signer: give `certificate` and `key`, or `pkcs12` alone", ""),
        ("  timeout: 20s\n", "evidence: {signer: {certificate: c.pem}}\n", "12: evidence.signer: give `certificate` and `key`, or", ""),
        ("  timeout: 20s\n", "evidence: {signer: {pkcs12: s.p12, key: k}}\n", "12: evidence.signer: give `certificate` and `key`, or", ""),
        ("  timeout: 20s\n", "evidence: {signer: {pkcs: s.p12}}\n", "12: nothing is called 'pkcs' here", "did you mean 'pkcs12'?"),
        ("  timeout: 20s\n", "evidence: {signer: {pkcs12: s, passphrase: hunter2}}\n", "12: evidence.signer.passphrase: a secret stands here by", ""),
        ("  timeout: 20s\n", 'evidence: {signer: {pkcs12: s}, tsa: {url: "https://t"}}\n', "12: evidence.tsa has no `roots`", ""),
        ("  timeout: 20s\n", 'evidence: {signer: {pkcs12: s}, tsa: {url: "http://t", roots: r}}\n', "12: evidence.tsa: url is not https", ""),
        ("  timeout: 20s\n", "evidence: {signer: {pkcs12: s}, tsa: {rots: r}}\n", "12: nothing is called 'rots' here", "did you mean 'roots'?"),
        (
            "  timeout: 20s\n",
            "evidence: {signer: {pkcs12: s}, checkpoint: {evry: 1d}}\n",
            "12: nothing is called 'evry' here",
            "did you mean 'every'?",
        ),
        ("policy: strict", "attribution: 1", "9: targets.1.attribution must be true or false, not a number", ""),
        ("policy: strict", 'pam_providers: "true"', "9: targets.1.pam_providers must be true or false, not text", ""),
        ("policy: strict", "pam_provider: true", "9: nothing is called 'pam_provider' here", "did you mean 'pam_providers'?"),
        ("name: prod", "nmae: prod", "2: nothing is called 'nmae' here", "did you mean 'name'?"),
        ("targets:", "targts:", "1: nothing is called 'targts' here", "did you mean 'targets'?"),
        ("every: 15m", "evry: 15m", "5: nothing is called 'evry' here", "did you mean 'every'?"),
        ("every: 15m", "every: 15", "5: targets.0.schedule.every: a duration is", ""),
        ("every: 15m", "every: 30s", "5: targets.0.schedule.every: Input should be greater than or equal to 60", ""),
        ("every: 15m", 'cron: "0 0 * * 1"', "5: targets.0.schedule.cron: weekday '1': write names", ""),
        ("every: 15m", "timezone: Europe/Berlin", "5: a schedule has either `every` or `cron`", "every: 15m"),
        ("every: 15m", "every: 15m, timezone: Europe/Berlin", "5: `timezone` goes with `cron`", ""),
        ("every: 15m", 'cron: "0 0 * * *", timezone: Mars/Base', "5: targets.0.schedule.timezone: no time zone is called 'Mars/Base'", ""),
        ("{every: 15m}", "15m", "5: targets.0.schedule must be a mapping, not text", ""),
        ("https://command.example.org", "http://command.example.org", "3: target prod: url is not https", "insecure_http"),
        ("https://command.example.org", "https://user:hunter2@command.example.org", "3: target prod: url has a user or password in it", ""),
        ("https://command.example.org", "https://command.example.org/KeyfactorAPI", "3: target prod: url has a path", "api_path"),
        ("https://command.example.org", "https://command.example.org:x", "3: target prod: url is not a URL", ""),
        ("https://command.example.org", "command.example.org", "3: target prod: url is not a URL", ""),
        ("  url: https://command.example.org\n", "", "2: targets.0 has no `url`", "add `url:`"),
        ("{env: prod}", "{env: 5}", "4: targets.0.labels.env must be text, not a number", 'write "5"'),
        ("{env: prod}", '{"a=b": c}', "4: targets.0.labels.a=b has a form", ""),
        ("[587]", "{a: 1}", "6: targets.0.vars.allowed_ports must be true, false, an integer", ""),
        ("name: lab", "name: PROD", "7: a second target 'PROD'; the first is in line 2", ""),
        ("name: lab", 'name: "../lab"', "7: targets.0", ""),
        ("type: basic", "type: basik", "11: defaults.auth needs a type", "basic, oauth or token"),
        ("env:COMMAND_PASSWORD", "hunter2", "11: defaults.auth.password: a secret stands here by reference only", ""),
        ("username:", "usrname:", "11: nothing is called 'usrname' here", "did you mean 'username'?"),
        ("timeout: 20s", "skip_tls_verify: true", "12: nothing is called 'skip_tls_verify' here", "insecure_skip_verify"),
        ("timeout: 20s", "timeout: 2000s", "12: defaults.timeout", ""),
        ("timeout: 20s", "database: x", "12: nothing is called 'database' here", "known here"),
        ("timeout: 20s", "attempts: true", "12: defaults.attempts must be an integer, not true or false", ""),
        ("timeout: 20s", "proxy: socks5://p:1", "12: target prod: a proxy is http://", ""),
        ("policy: strict", "policy:", "9: `policy` has no value", "leave it out"),
        ("every: 15m", 'cron: "0 0 31 feb *"', "5: '0 0 31 feb *' names no day", ""),
        ("timeout: 20s", "no_proxy: [corp.example, 5]", "12: defaults.no_proxy.1 must be text", ""),
        ("timeout: 20s", 'ca_file: "~nobody-of-that-name/x"', "is no path", ""),
        ("timeout: 20s", "client_certificate: {cert: x}", "12: nothing is called 'cert' here", "did you mean 'certificate'?"),
        ("timeout: 20s", "timeout: 20s\nreport: {dir: x}", "13: nothing is called 'dir' here", "known here: due_days, folder, schedule, timezone"),
        ("timeout: 20s", "timeout: 20s\ndatabase: postgresql://db/x", "13: only SQLite is supported", ""),
        ("timeout: 20s", "timeout: 20s\npolicies: [nowhere]", "13: policies: ", ""),
        ("timeout: 20s", "timeout: 20s\nfingerprint_key: abcdef", "13: fingerprint_key: a secret stands here by reference only", ""),
    ],
)
def test_whatever_is_not_understood_is_refused_with_its_line_and_no_secret(tmp_path: Path, old: str, new: str, complaint: str, hint: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    message = str(caught.value)
    if complaint.startswith("7: targets.0"):
        assert ":7: targets." in message
    else:
        assert (f"auditor.yaml:{complaint}" if complaint[0].isdigit() else complaint) in message
    assert hint in caught.value.hint
    assert "hunter2" not in message + caught.value.hint


@pytest.mark.parametrize(
    ("reference", "understood"),
    [
        ("env:P_1", SecretRef("env", "P_1")),
        ("file:/etc/a b:c", SecretRef("file", "/etc/a b:c")),
        ("credential:command-password", SecretRef("credential", "command-password")),
        ("credential:a.b_C-1", SecretRef("credential", "a.b_C-1")),
        ("credential:" + "x" * 255, SecretRef("credential", "x" * 255)),
        ("env:1P", None),
        ("env:", None),
        ("file: x", None),
        ("credential:", None),
        ("credential:../shadow", None),
        ("credential:a/b", None),
        ("credential:.hidden", None),
        ("credential:" + "x" * 256, None),
        ("credential:x\\n", None),
        ("vault:x", None),
    ],
)
def test_a_reference_is_understood_by_file_and_schema_alike(tmp_path: Path, reference: str, understood: SecretRef | None) -> None:
    from auditor import yamlfile

    text = GOOD.replace("password: env:COMMAND_PASSWORD", f'password: "{reference}"')
    validator = jsonschema_rs.validator_for(json.loads(json.dumps(config.json_schema())))
    assert validator.is_valid(yamlfile.parse(text, path="x").value) is (understood is not None)
    if understood is None:
        with pytest.raises(ConfigError, match="by reference only"):
            load(tmp_path, text)
    else:
        auth = load(tmp_path, text).targets[0].auth
        assert isinstance(auth, BasicAuth)
        assert auth.password == understood


@pytest.mark.parametrize("text", ["", "- a", "text"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"auditor.yaml:1: a configuration is a mapping"):
        load(tmp_path, text)


def test_a_target_without_a_login_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="target prod: nothing says how to log in"):
        load(tmp_path, GOOD.replace("auth: {type: basic, username: 'CORP\\svc', password: env:COMMAND_PASSWORD}", "owner: x"))


@pytest.mark.parametrize("url", ["http://idp.example.org/t", "https://u:p@idp.example.org/t", "idp"])
def test_a_token_endpoint_that_no_secret_may_be_sent_to_is_refused(tmp_path: Path, url: str) -> None:
    text = f"targets:\n- name: a\n  url: https://a.example.org\n  auth: {{type: oauth, token_url: '{url}', client_id: me, client_secret: env:S}}\n"
    with pytest.raises(ConfigError, match=r":4: target a: token_url "):
        load(tmp_path, text)


def test_the_json_schema_takes_what_is_taken_and_refuses_an_unknown_key(tmp_path: Path) -> None:
    from auditor import yamlfile

    validator = jsonschema_rs.validator_for(json.loads(json.dumps(config.json_schema())))
    good = yamlfile.parse(GOOD, path="x").value
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "databse": "x"})
    assert not validator.is_valid({**good, "fingerprint_key": "hunter2"})
    assert not validator.is_valid({**good, "targets": []})

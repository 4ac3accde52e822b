"""`alerts`, `events` and `heartbeat` in `auditor.yaml`: what is understood, and what is refused."""

from datetime import time, timedelta
from pathlib import Path

import jsonschema_rs
import pytest

from auditor import config, yamlfile
from auditor.config import Alerts, Config
from auditor.core.model import (
    AppriseChannel,
    ClientCertificate,
    Heartbeat,
    MailChannel,
    MailTls,
    ReportMail,
    SecretRef,
    Severity,
    SyslogChannel,
    WebhookChannel,
)
from auditor.core.notices import QuietHours, Route
from auditor.errors import ConfigError

TARGETS = """\
targets:
- {name: prod, url: https://command.example.org, auth: {type: token, token: env:T}}
"""
GOOD = (
    TARGETS
    + """\
alerts:
  minimum: medium
  reminder: 7d
  quiet_hours: {from: "22:00", to: "06:00", timezone: Europe/Berlin}
  attempts: 5
  channels:
  - name: ops
    type: mail
    minimum: high
    labels: {env: prod}
    owners: [pki-team]
    host: smtp.corp.example
    username: auditor
    password: file:relay.secret
    from: auditor@corp.example
    to: [ops@corp.example, pki@corp.example]
    ca_file: root.pem
    timeout: 10s
  - {name: chat, type: apprise, url: env:CHAT_URL, attempts: 3}
  - {name: hook, type: webhook, url: https://hook.example/a, secret: env:HOOK, proxy: http://proxy.example:3128}
  - {name: secret-hook, type: webhook, url: file:hook.url, secret: env:HOOK}
  - {name: siem, type: syslog, host: log.corp.example, facility: local3, enterprise: 4711, client_certificate: OURS}
events: events.ndjson
heartbeat: https://hc.example/ping
""".replace("OURS", '{certificate: c.pem, key: c.key, passphrase: "file:p"}')
)


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "auditor.yaml"
    path.write_text(text, encoding="utf-8")
    return config.load(path)


def test_every_kind_of_channel_is_understood(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD)

    assert loaded.alerts == Alerts(
        quiet=QuietHours(begin=time(22), end=time(6), timezone="Europe/Berlin"),
        remind_after=timedelta(days=7),
        attempts=5,
        channels=(
            MailChannel(
                name="ops",
                minimum=Severity.HIGH,
                labels=(("env", "prod"),),
                owners=("pki-team",),
                host="smtp.corp.example",
                port=587,
                tls=MailTls.STARTTLS,
                username="auditor",
                password=SecretRef("file", str(tmp_path / "relay.secret")),
                sender="auditor@corp.example",
                to=("ops@corp.example", "pki@corp.example"),
                ca_file=str(tmp_path / "root.pem"),
                timeout_s=10,
            ),
            AppriseChannel(name="chat", minimum=Severity.MEDIUM, url=SecretRef("env", "CHAT_URL"), attempts=3),
            WebhookChannel(
                name="hook",
                minimum=Severity.MEDIUM,
                url="https://hook.example/a",
                secret=SecretRef("env", "HOOK"),
                proxy="http://proxy.example:3128",
            ),
            WebhookChannel(
                name="secret-hook", minimum=Severity.MEDIUM, url=SecretRef("file", str(tmp_path / "hook.url")), secret=SecretRef("env", "HOOK")
            ),
            SyslogChannel(
                name="siem",
                minimum=Severity.MEDIUM,
                host="log.corp.example",
                facility=19,
                enterprise=4711,
                client_certificate=ClientCertificate(
                    certificate=str(tmp_path / "c.pem"), key=str(tmp_path / "c.key"), passphrase=SecretRef("file", str(tmp_path / "p"))
                ),
            ),
        ),
    )
    assert loaded.events == tmp_path / "events.ndjson"
    assert loaded.heartbeat == Heartbeat(url="https://hc.example/ping")


def test_each_channel_is_a_route(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).alerts.routes[:2] == (
        Route(channel="ops", minimum=Severity.HIGH, labels=(("env", "prod"),), owners=("pki-team",)),
        Route(channel="chat", minimum=Severity.MEDIUM),
    )


def test_a_channel_gives_up_after_attempts_of_its_own_or_else_those_of_all(tmp_path: Path) -> None:
    alerts = load(tmp_path, GOOD).alerts

    assert [alerts.attempts_of(name) for name in ("chat", "ops", "gone")] == [3, 5, 5]


def test_nobody_is_told_unless_somebody_asks(tmp_path: Path) -> None:
    loaded = load(tmp_path, TARGETS)

    assert (loaded.alerts, loaded.events, loaded.heartbeat) == (Alerts(), None, None)


@pytest.mark.parametrize(
    ("settings", "report", "link"),
    [
        ("", ReportMail.NONE, None),
        ("report: attached", ReportMail.ATTACHED, None),
        ("report: linked\n    report_link: https://r.corp.example/smtp", ReportMail.LINKED, "https://r.corp.example/smtp/"),
        ("report: attached\n    report_link: https://r.corp.example/smtp//", ReportMail.ATTACHED, "https://r.corp.example/smtp/"),
    ],
)
def test_a_mail_channel_may_ask_for_the_report(tmp_path: Path, settings: str, report: ReportMail, link: str | None) -> None:
    (channel, *_) = load(tmp_path, GOOD.replace("timeout: 10s", settings)).alerts.channels

    assert isinstance(channel, MailChannel)
    assert (channel.report, channel.report_link) == (report, link)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("report: linked", "20: channel ops: nothing says where a report can be fetched"),
        ("report_link: https://r.corp.example/", "20: channel ops: `report_link` goes with `report`"),
        ("report: attached\n    report_link: http://r.corp.example/", "21: channel ops: report_link is not https"),
        ("report: attached\n    report_link: https://u:hunter2@r.corp.example/", "21: channel ops: report_link has a user or password in it"),
        ("report: attached\n    report_link: 'https://r.corp.example/?a=1'", "21: channel ops: report_link has a query or a fragment"),
        ("report: yearly", "20: alerts.channels.0.report"),
    ],
)
def test_a_report_that_could_not_be_sent_so_is_refused(tmp_path: Path, settings: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, GOOD.replace("timeout: 10s", settings))
    assert complaint in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(("tls", "port"), [("implicit", 465), ("starttls", 587)])
def test_the_port_of_mail_follows_from_its_tls(tmp_path: Path, tls: str, port: int) -> None:
    (channel, *_) = load(tmp_path, GOOD.replace("timeout: 10s", f"tls: {tls}")).alerts.channels

    assert isinstance(channel, MailChannel)
    assert channel.port == port


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_mail_in_clear_goes_to_this_machine(tmp_path: Path, host: str) -> None:
    text = f'{TARGETS}alerts: {{channels: [{{name: m, type: mail, host: "{host}", tls: none, from: a@b.example, to: [c@d.example]}}]}}\n'

    (channel,) = load(tmp_path, text).alerts.channels

    assert channel == MailChannel(name="m", host=host, port=25, tls=MailTls.NONE, sender="a@b.example", to=("c@d.example",))


def test_a_heartbeat_can_have_a_way_of_its_own(tmp_path: Path) -> None:
    heartbeat = "{url: env:BEAT, proxy: http://proxy.example:3128, ca_file: root.pem, timeout: 5s}"

    assert load(tmp_path, TARGETS + f"heartbeat: {heartbeat}\n").heartbeat == Heartbeat(
        url=SecretRef("env", "BEAT"), proxy="http://proxy.example:3128", ca_file=str(tmp_path / "root.pem"), timeout_s=5
    )
    assert load(tmp_path, TARGETS + "heartbeat: env:BEAT\n").heartbeat == Heartbeat(url=SecretRef("env", "BEAT"))


@pytest.mark.parametrize(
    ("old", "new", "complaint", "hint"),
    [
        ("minimum: medium", "minimun: medium", "4: nothing is called 'minimun' here", "did you mean 'minimum'?"),
        ("minimum: medium", "minimum: middling", "4: alerts.minimum: Input should be 'info', 'low'", ""),
        ("reminder: 7d", "reminder: 7", "5: alerts.reminder: a duration is", ""),
        ('from: "22:00"', "from: noon", "6: alerts.quiet_hours.from: a time of day is", ""),
        ('from: "22:00"', 'from: "24:00"', "6: alerts.quiet_hours.from: a time of day is", ""),
        ('from: "22:00"', 'form: "22:00"', "6: nothing is called 'form' here", "did you mean 'from'?"),
        ('from: "22:00"', 'from: "06:00"', "6: quiet hours that begin when they end", "leave `quiet_hours` out"),
        ("Europe/Berlin", "Mars/Base", "6: alerts.quiet_hours.timezone: no time zone is called 'Mars/Base'", ""),
        ("attempts: 5", "attempts: 0", "7: alerts.attempts: Input should be greater", ""),
        ("type: mail", "type: mial", "9: alerts.channels.0 needs a type", "type: mail, apprise, webhook, syslog"),
        ("    type: mail\n", "", "9: alerts.channels.0 needs a type", "type: mail, apprise, webhook, syslog"),
        ("host: smtp", "hots: smtp", "14: nothing is called 'hots' here", "did you mean 'host'?"),
        ("type: apprise, url", "type: apprise, uri", "21: nothing is called 'uri' here", "did you mean 'url'?"),
        ("from: auditor@", "form: auditor@", "17: nothing is called 'form' here", "did you mean 'from'?"),
        ("from: auditor@corp.example", 'from: "a@b.example>\\r\\nBcc: x@y.example"', "17: alerts.channels.0.from: String should match", ""),
        ("to: [ops@corp.example, ", 'to: ["Ops <ops@corp.example>", ', "18: alerts.channels.0.to.0: String should match", ""),
        ("to: [ops@corp.example, pki@corp.example]", "to: []", "18: alerts.channels.0.to: List should have at least 1 item", ""),
        ("host: smtp.corp.example", 'host: "smtp.corp.example\\n"', "14: alerts.channels.0.host: String should match", ""),
        ("timeout: 10s", "tls: none", "20: channel ops: mail in clear goes to this machine alone", "starttls (port 587)"),
        ("    password: file:relay.secret\n", "", "15: channel ops: `username` and `password` go together", ""),
        ("password: file:relay.secret", "password: hunter2", "16: alerts.channels.0.password: a secret stands here by reference only", ""),
        ("timeout: 10s", "timeout: 1h", "20: alerts.channels.0.timeout: Input should be less", ""),
        ("url: env:CHAT_URL", "url: slack://hunter2", "21: alerts.channels.1.url: a secret stands here by reference only", ""),
        ("https://hook.example/a", "http://hook.example/hunter2", "22: channel hook: url is not https", "by reference"),
        ("https://hook.example/a", "https://me:hunter2@hook.example", "22: channel hook: url has a user or password in it", ""),
        ("https://hook.example/a", "hook.example/hunter2", "22: alerts.channels.2.url: a URL begins with https://", ""),
        ("http://proxy.example:3128", "socks5://proxy.example:3128", "22: channel hook: a proxy is http://", ""),
        ("name: siem", "name: OPS", "24: a second channel 'OPS'; the first is in line 9", ""),
        ("facility: local3", "facility: local8", "24: alerts.channels.4.facility: Input should be 'kern', 'user'", ""),
        ("heartbeat: https://", "heartbeat: http://", "26: heartbeat: url is not https", "by reference"),
        ("heartbeat: https://hc.example/ping", "heartbeat: 5", "26: heartbeat must be a mapping, not a number", ""),
        ("heartbeat: https://hc.example/ping", "heartbeat: {ulr: env:A}", "26: nothing is called 'ulr' here", "did you mean 'url'?"),
        ("heartbeat: https://hc.example/ping", "heartbeat: {url: http://a.example/}", "26: heartbeat: url is not https", ""),
        ("heartbeat: https://hc.example/ping", "heartbeat: {url: env:A, proxy: a}", "26: heartbeat: a proxy is http://", ""),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(tmp_path: Path, old: str, new: str, complaint: str, hint: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))

    assert str(caught.value).startswith(f"{tmp_path / 'auditor.yaml'}:{complaint}")
    assert hint in caught.value.hint
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_a_password_in_clear_is_refused_even_on_this_machine(tmp_path: Path) -> None:
    mail = "{name: m, type: mail, host: localhost, tls: none, username: u, password: env:P, from: a@b.example, to: [c@d.example]}"
    with pytest.raises(ConfigError, match="channel m: a password is not sent in clear"):
        load(tmp_path, f"{TARGETS}alerts: {{channels: [{mail}]}}\n")


def test_the_json_schema_takes_what_is_understood_and_refuses_a_misspelling(tmp_path: Path) -> None:
    validator = jsonschema_rs.validator_for(config.json_schema())

    def is_valid(text: str) -> bool:
        path = tmp_path / "auditor.yaml"
        path.write_text(text, encoding="utf-8")
        return validator.is_valid(yamlfile.read(path, error=ConfigError).value)

    assert is_valid(GOOD)
    assert is_valid(GOOD.replace("heartbeat: https://hc.example/ping", "heartbeat: {url: env:A, timeout: 5s}"))
    refused = (("host: smtp", "hots: smtp"), ("type: mail", "type: mial"), ("minimum: medium", "minimum: x"), ("heartbeat: https", "heartbeat: ftp"))
    assert [old for old, new in refused if is_valid(GOOD.replace(old, new, 1))] == []

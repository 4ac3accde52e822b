"""The file of waivers: what it can say, and that whatever else it says is refused with its line."""

import os
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor import config
from auditor.core.model import Waiver
from auditor.errors import ConfigError
from auditor.waiverfile import WaiverFile, load

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
RULES = ("CFG-001", "CFG-003", "OAU-002")
TARGETS = ("prod", "lab", "lab-2")

GOOD = {"rule": "CFG-003", "targets": "[lab]", "reason": "spring", "owner": "ann", "approved_by": "bob", "expires": "2026-12-31"}
"""One key a line, in this order, so that a test knows on which line each stands: `rule` on line 2."""


def written(folder: Path, *, head: str = "", **changes: str | None) -> Path:
    """A file with one waiver, `GOOD` but for `changes`; None leaves a key out. What stands in `head` comes last, not to move the lines."""
    values = {key: value for key, value in (GOOD | changes).items() if value is not None}
    lines = [f"{'- ' if number == 0 else '  '}{key}: {value}" for number, (key, value) in enumerate(values.items())]
    return put(folder, "\n".join(["waivers:", *lines, head]))


def put(folder: Path, text: str) -> Path:
    path = folder / "waivers.yaml"
    path.write_text(text + "\n", encoding="utf-8")
    return path


def read(path: Path, at: datetime = AT) -> WaiverFile:
    return load(path, rules=RULES, targets=TARGETS, at=at)


def test_everything_that_a_waiver_can_say_is_read(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        """\
max_days: 400
waivers:
- rule: CFG-003
  targets: [lab, "glob:lab-*"]
  labels: {env: лаб, a: b}
  reason: |
    The relay speaks no TLS.
    It is replaced in spring.
  owner: ann
  requested_by: cy
  approved_by: bob
  ticket: SEC-1
  approved_on: 2026-01-15
  expires: 2026-12-31
  risk: others can read it
- {rule: CFG-001, reason: r, owner: ann, approved_by: bob, expires: "2026-12-31T18:00:00+01:00"}""",
    )
    assert read(path) == WaiverFile(
        path=path,
        lines=(3, 16),
        max_days=400,
        waivers=(
            Waiver(
                rule="CFG-003",
                targets=("lab", "glob:lab-*"),
                labels=(("a", "b"), ("env", "лаб")),
                reason="The relay speaks no TLS.\nIt is replaced in spring.",
                owner="ann",
                requested_by="cy",
                approved_by="bob",
                ticket="SEC-1",
                approved_on=date(2026, 1, 15),
                expires_at=datetime(2027, 1, 1, tzinfo=UTC),
                risk="others can read it",
            ),
            Waiver(rule="CFG-001", reason="r", owner="ann", approved_by="bob", expires_at=datetime(2026, 12, 31, 17, tzinfo=UTC)),
        ),
    )


@pytest.mark.parametrize("text", ["", "# nothing yet", "waivers: []"])
def test_a_file_may_hold_no_waiver(tmp_path: Path, text: str) -> None:
    assert read(put(tmp_path, text)).waivers == ()


@pytest.mark.parametrize(
    ("expires", "at"),
    [
        ("2026-12-31", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2027-02-28", datetime(2027, 3, 1, tzinfo=UTC)),
        ("2026-12-31Z", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-12-31+02:00", datetime(2026, 12, 31, 22, tzinfo=UTC)),
        ("2026-12-31-05:00", datetime(2027, 1, 1, 5, tzinfo=UTC)),
        ("2026-12-31T18:00Z", datetime(2026, 12, 31, 18, tzinfo=UTC)),
        ("2026-12-31T18:00:30+05:30", datetime(2026, 12, 31, 12, 30, 30, tzinfo=UTC)),
        ('"2026-12-31"', datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_an_end_is_a_day_or_an_instant_with_an_offset(tmp_path: Path, expires: str, at: datetime) -> None:
    assert read(written(tmp_path, expires=expires)).waivers[0].expires_at == at


def test_a_leap_day_is_a_day_where_there_is_one(tmp_path: Path) -> None:
    (waiver,) = read(written(tmp_path, expires="2028-02-29", approved_on="2028-01-01")).waivers
    assert waiver.expires_at == datetime(2028, 3, 1, tzinfo=UTC)
    with pytest.raises(ConfigError, match="expires is a day or an instant that exists, not '2027-02-29'"):
        read(written(tmp_path, expires="2027-02-29"))


NO_DAY = "expires is a day or an instant that exists, not "


@pytest.mark.parametrize(
    ("changes", "line", "message", "hint"),
    [
        ({"rule": "CFG-03"}, 2, "no rule is called 'CFG-03'", "did you mean 'CFG-003'?"),
        ({"rule": "cfg-003"}, 2, "no rule is called 'cfg-003'", "did you mean 'CFG-003'?"),
        ({"rule": "glob:CFG-*"}, 2, "no rule is called 'glob:CFG-*'", "policy list"),
        ({"rule": "null"}, 2, "rule is text, not nothing", "fill it in"),
        ({"rule": None}, 2, "a waiver needs `rule`", "add `rule:`"),
        ({"targets": "[labb]"}, 3, "no target is called 'labb'", "did you mean 'lab'?"),
        ({"targets": "[lab-*]"}, 3, "no target is called 'lab-*'", 'a pattern is written "glob:lab-*"'),
        ({"targets": "[lab, prod, lab]"}, 3, "the target 'lab' stands here twice", ""),
        ({"targets": "lab"}, 3, "targets is a list of names, not 'lab'", "leave it out for every target"),
        ({"targets": "[]"}, 3, "targets is a list of names, not an empty list", ""),
        ({"targets": "[7]"}, 3, "a target is a name, or `glob:` and a pattern, not the number 7", ""),
        ({"targets": '["glob:"]'}, 3, "a target is a name, or `glob:` and a pattern, not 'glob:'", ""),
        ({"reason": None}, 2, "a waiver needs `reason`", "add `reason:`"),
        ({"reason": ""}, 4, "reason is text, not nothing", "fill it in"),
        ({"reason": '" "'}, 4, "reason is text, not ' '", "fill it in"),
        ({"reason": "x" * 2001}, 4, "reason has more than 2000 characters", "ticket"),
        ({"owner": None}, 2, "a waiver needs `owner`", ""),
        ({"owner": "[ann]"}, 5, "owner is text, not a list", ""),
        ({"approved_by": None}, 2, "a waiver needs `approved_by`", ""),
        ({"approved_by": "true"}, 6, "approved_by is text, not true", ""),
        ({"expires": None}, 2, "a waiver needs `expires`", ""),
        ({"expires": "null"}, 7, f"{NO_DAY}nothing", "2026-12-31"),
        ({"expires": "2026"}, 7, f"{NO_DAY}the number 2026", ""),
        ({"expires": "never"}, 7, f"{NO_DAY}'never'", ""),
        ({"expires": "31.12.2026"}, 7, f"{NO_DAY}'31.12.2026'", ""),
        ({"expires": "12/31/2026"}, 7, f"{NO_DAY}'12/31/2026'", ""),
        ({"expires": "2026-12-32"}, 7, f"{NO_DAY}'2026-12-32'", ""),
        ({"expires": "2026-W53-1"}, 7, f"{NO_DAY}'2026-W53-1'", ""),
        ({"expires": "٢٠٢٦-12-31"}, 7, NO_DAY, ""),
        ({"expires": "9999-12-31"}, 7, f"{NO_DAY}'9999-12-31'", ""),
        ({"expires": "0001-01-01T00:00+14:00"}, 7, NO_DAY, ""),
        ({"expires": "2026-12-31T24:00Z"}, 7, NO_DAY, ""),
        ({"expires": "2026-12-31T18:00:60Z"}, 7, NO_DAY, ""),
        ({"expires": "2026-12-31+99:00"}, 7, NO_DAY, ""),
        ({"expires": "2026-12-31T18:00"}, 7, "expires has a time but no offset", "write 2026-12-31T18:00Z, or 2026-12-31T18:00+02:00"),
        ({"approved_on": "yesterday"}, 8, "approved_on is a day that exists, not 'yesterday'", "2026-12-31"),
        ({"approved_on": "2026-02-29"}, 8, "approved_on is a day that exists, not '2026-02-29'", ""),
        ({"approved_on": "2026-02-01Z"}, 8, "approved_on is a day that exists, not '2026-02-01Z'", ""),
        ({"approved_on": "null"}, 8, "approved_on is a day that exists, not nothing", ""),
        ({"approved_on": "2027-01-01"}, 7, "it expires before it is approved", ""),
        ({"approved_by": "ann"}, 6, "approved_by is the same as owner", "four_eyes: false"),
        ({"approved_by": '" ANN "'}, 6, "approved_by is the same as owner", ""),
        ({"approved_by": "ａｎｎ"}, 6, "approved_by is the same as owner", ""),
        ({"requested_by": "Bob"}, 6, "approved_by is the same as requested_by", "four_eyes: false"),
        ({"labels": "lab"}, 8, "labels is a mapping, not 'lab'", "labels: {env: lab}"),
        ({"labels": "{}"}, 8, "labels is a mapping, not an empty mapping", ""),
        ({"labels": "{env: 7}"}, 8, "the label 'env' is text, not the number 7", ""),
        ({"ticket": ""}, 8, "ticket is text, not nothing", "fill it in"),
        ({"approved_by": '"an\\u200Bn"'}, 6, "approved_by has a character that is not seen", "type it anew"),
        ({"owner": '"\\e[31mann"'}, 5, "owner has a character that is not seen", ""),
        ({"owner": '"ann\\nbob"'}, 5, "owner has a character that is not seen", ""),
        ({"ticket": '"SEC-1\\u202E"'}, 8, "ticket has a character that is not seen", ""),
        ({"reason": '"spring\\0"'}, 4, "reason has a character that is not seen", ""),
        ({"risk": '"\\x9B2J"'}, 8, "risk has a character that is not seen", ""),
        ({"expire": "2026-12-31"}, 8, "nothing is called 'expire' here", "did you mean 'expires'?"),
        ({"until": "2026-12-31"}, 8, "nothing is called 'until' here", "known here: rule, reason"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(tmp_path: Path, changes: dict[str, str | None], line: int, message: str, hint: str) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:{line}: waiver ")
    assert message in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[]", 1, "a file of waivers is a mapping, not an empty list"),
        ("four_eyes: false", 1, "a file of waivers needs `waivers`"),
        ("waiver: []", 1, "nothing is called 'waiver' here"),
        ("waivers:", 1, "waivers is a list, not nothing"),
        ("waivers: {}", 1, "waivers is a list, not an empty mapping"),
        ("waivers:\n- CFG-003", 2, "waiver 1: a waiver is a mapping, not 'CFG-003'"),
        ("waivers: []\nfour_eyes: maybe", 2, "four_eyes is true or false, not 'maybe'"),
        ("waivers: []\nfour_eyes: 0", 2, "four_eyes is true or false, not the number 0"),
        ("waivers: []\nmax_days: 0", 2, "max_days is a number of days from 1 to 3660, not the number 0"),
        ("waivers: []\nmax_days: 3661", 2, "max_days is a number of days from 1 to 3660, not the number 3661"),
        ("waivers: []\nmax_days: true", 2, "max_days is a number of days from 1 to 3660, not true"),
        ("waivers: []\nwaivers: []", 2, "'waivers' stands here twice"),
        ("waivers: [&a {rule: x}]", 1, "anchor &a"),
    ],
)
def test_a_file_of_another_form_is_refused_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = put(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("same", [{"requested_by": "bob"}, {"owner": "bob"}])
def test_where_one_person_does_it_all_the_file_says_so(tmp_path: Path, same: dict[str, str]) -> None:
    assert read(written(tmp_path, head="four_eyes: false", **same)).waivers[0].approved_by == "bob"


@pytest.mark.parametrize(
    ("approved_on", "expires", "head", "is_taken"),
    [
        ("2026-01-01", "2026-12-31", "", True),
        ("2026-01-01", "2027-01-01", "", False),
        ("2026-01-01", "2026-12-31T23:59:59-00:01", "", False),
        ("2028-01-01", "2028-12-30", "", True),
        ("2028-01-01", "2028-12-31", "", False),
        (None, "2027-11-22", "", True),
        (None, "2027-11-23", "", False),
        ("2026-11-01", "2026-11-30", "max_days: 30", True),
        ("2026-11-01", "2026-12-01", "max_days: 30", False),
    ],
)
def test_a_waiver_is_no_longer_than_max_days(tmp_path: Path, approved_on: str | None, expires: str, head: str, is_taken: bool) -> None:
    path = written(tmp_path, expires=expires, approved_on=approved_on, head=head)
    if is_taken:
        assert len(read(path).waivers) == 1
        return
    with pytest.raises(ConfigError, match=r"it is longer than (365|30) days from (approved_on|today)") as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:7: ")


def test_a_waiver_that_is_too_long_is_told_how_long_it_can_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(written(tmp_path, approved_on="2026-01-01", expires="2030-01-01"))
    assert "it can last through 2026-12-31;" in caught.value.hint


def test_one_that_has_ended_is_no_error(tmp_path: Path) -> None:
    assert len(read(written(tmp_path, expires="2020-12-31")).waivers) == 1


@pytest.mark.parametrize(
    ("second", "is_refused"),
    [("targets: [prod, lab]", True), ("targets: [lab]", False), ("targets: [lab, prod]\n  labels: {a: b}", False)],
)
def test_two_waivers_of_one_rule_for_the_same_targets_are_refused(tmp_path: Path, second: str, is_refused: bool) -> None:
    own = "reason: r\n  owner: ann\n  approved_by: bob\n  expires: 2026-12-31"
    path = put(tmp_path, f"waivers:\n- rule: CFG-001\n  targets: [lab, prod]\n  {own}\n- rule: CFG-001\n  {second}\n  {own}")
    if not is_refused:
        assert len(read(path).waivers) == 2
        return
    with pytest.raises(ConfigError, match=r":8: waiver of CFG-001: a second one with the same targets; the first is in line 2"):
        read(path)


@given(expires=st.text(alphabet="0123456789-+:TZ ", max_size=26) | st.text(max_size=12))
def test_any_text_as_an_end_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, expires: str) -> None:
    path = written(tmp_path_factory.mktemp("w"), expires='"' + expires.encode("unicode_escape").decode().replace('"', "") + '"')
    with suppress(ConfigError):
        assert read(path).waivers[0].expires_at.tzinfo is UTC


CONFIG = "targets:\n- {name: prod, url: 'https://c.example.org', auth: {type: token, token: env:T}}\n"


def configured(folder: Path, text: str = "") -> config.Config:
    (folder / "auditor.yaml").write_text(CONFIG + text, encoding="utf-8")
    return config.load(folder / "auditor.yaml")


def test_waivers_beside_the_configuration_are_used_unless_it_names_others(tmp_path: Path) -> None:
    assert configured(tmp_path).waivers is None
    beside = put(tmp_path, "")
    assert configured(tmp_path).waivers == beside
    (tmp_path / "others.yaml").write_text("", encoding="utf-8")
    assert configured(tmp_path, "waivers: others.yaml").waivers == tmp_path / "others.yaml"


def test_a_reason_may_be_written_in_any_language(tmp_path: Path) -> None:
    (waiver,) = read(written(tmp_path, reason='"\u0645\u06cc\u200c\u0631\u0648\u062f\\n\u26a0\ufe0f"')).waivers  # a joiner, a variation selector
    assert waiver.reason == "\u0645\u06cc\u200c\u0631\u0648\u062f\n\u26a0\ufe0f"


def test_waivers_that_would_not_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "waivers.yml").write_text("waivers: []", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"waivers\.yml: the file of waivers is called waivers\.yaml"):
        configured(tmp_path)
    assert configured(tmp_path, "waivers: waivers.yml").waivers == tmp_path / "waivers.yml"
    (tmp_path / "waivers.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"waivers\.yaml: not a file"):
        configured(tmp_path)


@pytest.mark.platform_only
@pytest.mark.skipif(os.name == "nt", reason="a link needs a privilege there")
def test_a_link_to_waivers_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "waivers.yaml").symlink_to(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match=r"waivers\.yaml: not a file"):
        configured(tmp_path)


def test_waivers_that_the_configuration_names_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"auditor\.yaml:3: waivers: .*nowhere\.yaml is not a file"):
        configured(tmp_path, "waivers: nowhere.yaml")

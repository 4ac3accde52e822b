"""`check --output` and `report --format`: every format from one run, whole or not at all."""

import csv
import io
import json
import os
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from auditor import publish, retention
from auditor.cli.common import FORMAT_NAMES
from auditor.errors import StoreError
from auditor.report.formats import FORMATS, SUFFIXES
from tests.e2e.conftest import Site
from tests.report.specimen import specimen


def test_the_names_on_the_command_line_are_the_formats_that_there_are() -> None:
    assert tuple(FORMATS) == FORMAT_NAMES


def test_one_check_writes_every_format_at_once_and_all_tell_of_the_same_run(site: Site) -> None:
    outputs = [f"--output={form}={site.folder}/out/r.{suffix}" for form, suffix in SUFFIXES.items()]
    code, out, err = site.run("check", *outputs)
    written = {form: (site.folder / "out" / f"r.{suffix}").read_bytes() for form, suffix in SUFFIXES.items()}

    assert code == 0
    assert "prod" in out, "text still goes to stdout"
    assert [line for line in err.splitlines() if line.startswith(tuple(f"{form}: " for form in SUFFIXES))] == [
        f"{form}: {site.folder}/out/r.{suffix}" for form, suffix in SUFFIXES.items()
    ]
    run = json.loads(written["json"])["run_id"]
    assert {form for form, content in written.items() if run.encode() in content} == set(FORMATS) - {"text", "html", "prometheus"}
    if os.name == "posix":
        assert {path.stat().st_mode & 0o077 for path in (site.folder / "out").iterdir()} == {0}


def test_a_format_can_go_to_stdout_while_others_go_to_files(site: Site) -> None:
    _, out, _ = site.run("check", "--output", "junit=-", "--output", f"csv={site.folder}/r.csv")

    assert ElementTree.fromstring(out).tag == "testsuites"
    rows = list(csv.DictReader(io.StringIO((site.folder / "r.csv").read_bytes().decode(), newline="")))
    assert {row["target"] for row in rows} == {"prod", "installation"}


def test_a_report_in_another_format_is_named_by_day_and_format_and_holds_what_was_recorded(site: Site) -> None:
    site.check()
    code, out, _ = site.run("report", "--format", "sarif", "--format", "oscal", "--format", "sarif", "-o", str(site.folder / "r"))
    paths = [Path(line) for line in out.splitlines()]
    day = date.fromisoformat(json.loads(site.run("report", "--format", "json", "-o", "-")[1])["as_of"][:10])

    days = f"{day - timedelta(days=6)}_{day}"
    assert (code, [path.name for path in paths]) == (0, [f"smtp-report-{days}.sarif", f"smtp-report-{days}.oscal.json"])
    assert json.loads(paths[0].read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert "assessment-results" in json.loads(paths[1].read_text(encoding="utf-8"))


def test_the_same_record_gives_the_same_bytes_and_the_check_that_made_it_does_too(site: Site) -> None:
    site.run("check", f"--output=ocsf={site.folder}/a")
    first, second = (site.run("report", "--format", "ocsf", "-o", "-")[1] for _ in range(2))

    assert first == second
    assert first == (site.folder / "a").read_text(encoding="utf-8")


def test_without_a_format_a_report_is_html_as_ever(site: Site) -> None:
    site.check()
    (path,) = site.run("report", "-o", str(site.folder))[1].splitlines()

    assert Path(path).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert path.endswith(".html")


def test_a_target_that_was_never_read_is_in_every_format(site: Site) -> None:
    for form in FORMATS:
        assert "prod" in site.run("report", "--format", form, "-o", "-")[1], form


def test_stdout_takes_one_format_and_a_format_that_is_none_is_refused(site: Site) -> None:
    code, out, err = site.run("report", "--format", "csv", "--format", "json", "-o", "-")
    assert (code, out, "stdout takes one format" in err, "-o FOLDER" in err) == (2, "", True, True)

    code, out, err = site.run("report", "--format", "pdf")
    assert (code, out, "pdf" in err) == (2, "", True)

    code, _, err = site.run("check", "--output", "sariff=x")
    assert (code, "did you mean 'sarif'" in err) == (2, True)


def test_the_schema_is_printed_without_a_configuration(site: Site) -> None:
    site.config.unlink()
    code, out, _ = site.run("report", "--schema")

    assert code == 0
    assert json.loads(out)["$defs"]["line"]


def test_where_one_format_cannot_be_made_none_is_written(tmp_path: Path) -> None:
    places = [("json", tmp_path / "r.json"), ("no such format", tmp_path / "r.broken")]

    with pytest.raises(KeyError):
        publish.write_all(specimen(), places)
    assert list(tmp_path.iterdir()) == []


def test_where_one_file_cannot_be_written_it_stands_as_before_and_the_others_are_whole(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"as before")
    places = [("json", tmp_path / "r.json"), ("csv", tmp_path / "file" / "r.csv")]

    with pytest.raises(StoreError, match=r"r\.csv: cannot be written"):
        publish.write_all(specimen(), places)
    assert (tmp_path / "r.json").read_bytes() == FORMATS["json"](specimen())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "r.json"]
    assert (tmp_path / "file").read_bytes() == b"as before"


def test_old_reports_go_in_every_format_and_the_newest_day_stays_whole(tmp_path: Path) -> None:
    for day in ("2026-11-15", "2026-11-16", "2026-11-17"):
        for suffix in SUFFIXES.values():
            (tmp_path / f"smtp-report-{day}.{suffix}").write_bytes(b"")
    (tmp_path / "smtp-report-2026-11-15.exe").write_bytes(b"")

    old = retention.reports_before(date(2026, 11, 16), tmp_path)
    assert {path.name for path in old} == {f"smtp-report-2026-11-15.{suffix}" for suffix in SUFFIXES.values()}
    older = retention.reports_before(date(2030, 1, 1), tmp_path)
    assert {path.name[12:22] for path in older} == {"2026-11-15", "2026-11-16"}
    assert len(older) == 2 * len(SUFFIXES)

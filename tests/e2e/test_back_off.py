"""A denial that is recorded while a sweep runs holds for the targets that wait in it."""

from datetime import timedelta
from typing import Any

from auditor.app import App
from auditor.audit import text_of
from auditor.config import load
from auditor.core.model import Memory, ReadOutcome, Target
from auditor.store.store import Store
from tests.e2e.conftest import Site


def test_a_denial_that_another_process_records_meanwhile_is_respected(site: Site) -> None:
    site.configure(
        targets=f"- {{name: second, url: '{site.url}', ca_file: root.pem, auth: {{type: basic, username: 'CORP\\x', password: env:E2E_PASSWORD}}}}\n"
    )
    with App(load(site.config)) as app:
        auditor = app.auditor
        observe, asked = auditor.reader.observe, []

        def looking(target: Target, memory: Memory, **given: Any) -> Any:
            asked.append((target.name, memory.denied_as))
            if target.name == "prod":  # the other one waits for this
                denied = Memory(denied_as=ReadOutcome.FORBIDDEN, denied_at=app.clock(), denied_until=app.clock() + timedelta(hours=1))
                with Store.open(app.config.database_url, create=False) as elsewhere:
                    (latest,) = others.audit_all(app.config.targets[1:], clock=app.clock)
                    elsewhere.record(
                        latest,
                        target=app_text,
                        policy_document=app.judge.policy_for(app.config.targets[1]).policy.document(),
                        memory=denied,
                    )
            return observe(target, memory, **given)

        others, app_text = App(load(site.config)).auditor, text_of(app.config.targets[1])
        auditor.reader.observe = looking  # type: ignore[method-assign]
        list(auditor.audit_all(app.config.targets, clock=app.clock, workers=1))
    assert asked == [("prod", None), ("second", ReadOutcome.FORBIDDEN)]

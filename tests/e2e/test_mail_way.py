"""From an event to a mail: the whole service beside a real mail server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.mailbox import Mailbox
from tests.support.processes import wait_until
from tests.support.service import Up

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "https://ae.example/",
    "type": "adverse_event",
    "trial": "msc-cgvhd",
    "subject": "S-001",
    "time": "2026-03-02T08:15:00+09:00",
    "data": {
        "ae": "AE-1",
        "grade": 4,
        "serious": True,
        "causality": "related",
        "status": "valid",
    },
}
WISH = {
    "name": "safety desk",
    "channel": {"kind": "email", "to": ["safety.desk@hospital.example"]},
    "filter": {"categories": ["safety"]},
}


def test_an_event_becomes_a_mail_with_a_link_to_the_alert(tmp_path: Path) -> None:
    settings = {
        "VIGIL_MAIL_FROM": "vigil@trials.example",
        "VIGIL_PUBLIC_URL": "https://vigil.example",
    }
    with (
        Mailbox() as mailbox,
        Up(
            tmp_path / ".vigil", VIGIL_SMTP_URL=f"smtp://127.0.0.1:{mailbox.port}", **settings
        ) as up,
    ):
        service = up.service("admin")
        made: Any = service.post("/v1/subscriptions", WISH)
        assert made.status == 201
        assert "secret" not in made.body
        tested: Any = service.post(f"/v1/subscriptions/{made.body['id']}/test", {})
        assert tested.body["test"]["outcome"] == "delivered"
        refused = service.post(f"/v1/subscriptions/{made.body['id']}/rotate-secret", {})
        assert refused.status == 409
        assert service.post("/v1/events", EVENT).status == 202
        wait_until(lambda: len(mailbox.received) > 1, 60, "the mail of the alert")
        mail = mailbox.received[1]
        assert mail.sender == "vigil@trials.example"
        assert "msc-cgvhd" in mail.message["Subject"]
        assert "https://vigil.example/alerts/al_" in mail.message.get_content()
        assert "VIGIL" not in mail.text.decode()
        log = up.log.read_text()
    assert "safety.desk" not in log

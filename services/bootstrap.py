"""The one place that builds things from settings.

Who comes in: the doors and the commands. Who goes out: the parts that every step asks for.
Nothing connects here; build after a fork, never before.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.broker import Broker
from services.channels import Channel, Channels
from services.channels.address import Reach
from services.channels.mail import MailChannel, Relay
from services.channels.webhook import WebhookChannel
from services.config import Settings
from services.database import Database


@dataclass(frozen=True)
class Services:
    """What the corridor stands on."""

    settings: Settings
    database: Database
    broker: Broker
    channels: Channels

    @staticmethod
    def build(settings: Settings) -> Services:
        """Everything that `settings` ask for."""
        return Services(
            settings=settings,
            database=Database(settings.database_url),
            broker=Broker(settings.broker_url),
            channels=channels(settings),
        )

    def dispose(self) -> None:
        """Close what is open."""
        self.database.dispose()


def reach(settings: Settings) -> Reach:
    """Which addresses webhooks may have, and whether there is e-mail."""
    return Reach(
        private=settings.webhook_allow_private,
        trusted=settings.webhook_trusted,
        mail=settings.smtp_url is not None,
    )


def channels(settings: Settings) -> Channels:
    """The ways out, by the `kind` of a subscription's channel."""
    found: dict[str, Channel] = {"webhook": WebhookChannel(reach(settings))}
    if settings.smtp_url is not None:
        relay = Relay.parse(settings.smtp_url)
        found["email"] = MailChannel(relay, settings.mail_from, settings.public_url)
    return found

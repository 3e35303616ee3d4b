"""Wires the authorization server: one Resources a process, two applications."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from auth_server.app.internal import create_internal_app
from auth_server.app.public import create_public_app
from auth_server.app.resources import Resources, open_resources, utc_now
from auth_server.flows.sweep_expired import SweepExpired
from auth_server.settings import AuthSettings
from service_kit.health import Lifecycle
from service_kit.serving import Listener

__all__ = [
    "Resources",
    "create_internal_app",
    "create_public_app",
    "open_resources",
    "service",
    "utc_now",
]

SEND_REVOCATIONS_SECONDS: Final = 5.0


@asynccontextmanager
async def service(
    settings: AuthSettings, lifecycle: Lifecycle
) -> AsyncIterator[Sequence[Listener]]:
    """Everything that runs in this process, for service_kit.serving."""
    async with open_resources(settings) as resources:
        sweeper = asyncio.create_task(_sweep_for_ever(resources), name="sweep")
        sender = asyncio.create_task(_send_revocations_for_ever(resources), name="revocations")
        try:
            yield [
                Listener(
                    create_public_app(resources), settings.auth_listen_host, settings.auth_port
                ),
                Listener(
                    create_internal_app(resources, lifecycle),
                    settings.auth_listen_host,
                    settings.auth_internal_port,
                ),
            ]
        finally:
            sweeper.cancel()
            sender.cancel()


async def _sweep_for_ever(resources: Resources) -> None:
    sweep = SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    )
    while True:
        await asyncio.sleep(resources.settings.auth_sweep_seconds)
        # A failed sweep is logged by the keeper of tasks; the next one tries again.
        await asyncio.wait([resources.background.start(sweep.until_clean(), name="sweep")])


async def _send_revocations_for_ever(resources: Resources) -> None:
    """What this process ends it sends at once; this finds retries, and what others left behind."""
    while True:
        resources.send_revocations.wake()
        await asyncio.sleep(SEND_REVOCATIONS_SECONDS)

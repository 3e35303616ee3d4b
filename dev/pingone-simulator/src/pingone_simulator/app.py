"""Wires the simulator: the one place that reads its settings."""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import structlog
from fastapi import APIRouter, Depends, FastAPI
from joserfc.jwk import RSAKey

from pingone_simulator.authorize import authorize_routes
from pingone_simulator.clients import Client
from pingone_simulator.connection import ResettableConnections
from pingone_simulator.control import control_routes
from pingone_simulator.correlation import CorrelationId
from pingone_simulator.discovery import discovery_routes
from pingone_simulator.errors import install_oauth_error_handler
from pingone_simulator.fault_injection import injected_faults, install_fault_handlers
from pingone_simulator.grants import Grants, RefreshTokenPolicy
from pingone_simulator.introspect import introspect_routes
from pingone_simulator.jwks import jwks_routes
from pingone_simulator.pages import Pages, install_pages
from pingone_simulator.resources import (
    API_SCOPES,
    SECOND_API_IDENTIFIER,
    SECOND_API_SCOPES,
    Resources,
)
from pingone_simulator.revoke import revoke_routes
from pingone_simulator.sessions import Sessions
from pingone_simulator.settings import SimulatorSettings
from pingone_simulator.sign_on import SignOnForm, sign_on_routes
from pingone_simulator.signing_key import generate_signing_key, load_or_create_signing_key
from pingone_simulator.signoff import signoff_routes
from pingone_simulator.simulator import Simulator
from pingone_simulator.token import token_routes
from pingone_simulator.tokens import TokenMint, TokenPolicy
from pingone_simulator.userinfo import userinfo_routes
from service_kit.body_limit import BodyLimit
from service_kit.cookies import CookiesApart
from service_kit.errors import install_problem_handlers
from service_kit.health import Lifecycle, health_routes
from service_kit.logging import RequestLog, configure_logging
from service_kit.serving import Listener
from service_kit.settings import is_development, read_settings

MAX_BODY_BYTES = 64 * 1024

_log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """The clock of production."""
    return datetime.now(UTC)


def new_secret() -> str:
    """256 bits: codes, refresh tokens, session cookies."""
    return secrets.token_urlsafe(32)


def new_id() -> str:
    """A UUID as PingOne uses them for everything that is public."""
    return str(uuid4())


def create_app(
    settings: SimulatorSettings,
    *,
    now: Callable[[], datetime] = utc_now,
    signing_key: RSAKey | None = None,
    lifecycle: Lifecycle | None = None,
) -> FastAPI:
    """Build the simulator; its state is `app.state.simulator` (a Simulator).

    A signing_key given here goes before SIMULATOR_KEY_FILE: tests share one, as making it is slow.
    Raises InvalidSettings when the key file cannot be used.
    """
    simulator = _create_simulator(settings, now, signing_key or _signing_key_of(settings))
    pages = Pages(issuer=settings.issuer, issuer_path=settings.issuer_path)
    form = SignOnForm(pages=pages, key=new_secret(), now=now)
    app = FastAPI(title="PingOne simulator", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.simulator = simulator
    app.include_router(health_routes(lifecycle or Lifecycle()))
    app.include_router(control_routes(simulator))
    app.include_router(_environment_routes(simulator, pages, form), prefix=settings.issuer_path)
    install_problem_handlers(app)
    install_oauth_error_handler(app)
    install_fault_handlers(app)
    install_pages(app, pages, settings.issuer_path)
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)
    app.add_middleware(RequestLog)
    app.add_middleware(CorrelationId, new_id=new_id)
    app.add_middleware(CookiesApart)
    return app


def _environment_routes(simulator: Simulator, pages: Pages, form: SignOnForm) -> APIRouter:
    # scope="function": a fault after the work strikes before the answer leaves.
    faults = Depends(injected_faults(simulator), scope="function")
    router = APIRouter(include_in_schema=False, dependencies=[faults])
    router.include_router(discovery_routes(simulator.issuer))
    router.include_router(jwks_routes(simulator.tokens))
    router.include_router(authorize_routes(simulator, form))
    router.include_router(sign_on_routes(simulator, form))
    router.include_router(token_routes(simulator))
    router.include_router(userinfo_routes(simulator))
    router.include_router(introspect_routes(simulator))
    router.include_router(revoke_routes(simulator))
    router.include_router(signoff_routes(simulator, pages))
    return router


def _create_simulator(
    settings: SimulatorSettings, now: Callable[[], datetime], signing_key: RSAKey
) -> Simulator:
    sessions = Sessions(
        max_entries=settings.max_entries, now=now, new_id=new_id, new_secret=new_secret
    )
    return Simulator(
        issuer=settings.issuer,
        issuer_path=settings.issuer_path,
        client=Client(
            client_id=settings.client_id,
            client_secret=settings.client_secret.get_secret_value(),
            redirect_uris=settings.redirect_uris,
            post_logout_redirect_uris=settings.post_logout_redirect_uris,
        ),
        resources=Resources(
            {
                settings.api_identifier: API_SCOPES,
                SECOND_API_IDENTIFIER: SECOND_API_SCOPES,
                **settings.resources,
            }
        ),
        sessions=sessions,
        grants=Grants(
            sessions=sessions,
            refresh_token_policy=_refresh_token_policy(settings),
            max_entries=settings.max_entries,
            now=now,
            new_secret=new_secret,
        ),
        tokens=TokenMint(
            issuer=settings.issuer,
            environment_id=settings.environment_id,
            client_id=settings.client_id,
            signing_key=signing_key,
            policy=_token_policy(settings),
            now=now,
            new_id=new_id,
        ),
        now=now,
    )


def _refresh_token_policy(settings: SimulatorSettings) -> RefreshTokenPolicy:
    return RefreshTokenPolicy(
        lifetime=timedelta(seconds=settings.refresh_token_seconds),
        rolling_lifetime=timedelta(seconds=settings.refresh_token_rolling_seconds),
        rolling_grace_period=timedelta(seconds=settings.refresh_grace_seconds),
    )


def _token_policy(settings: SimulatorSettings) -> TokenPolicy:
    return TokenPolicy(
        access_token_type=settings.access_token_type,
        access_token_lifetime=timedelta(seconds=settings.access_token_seconds),
        id_token_lifetime=timedelta(seconds=settings.id_token_seconds),
    )


def _signing_key_of(settings: SimulatorSettings) -> RSAKey:
    if settings.key_file is None:
        return generate_signing_key()
    return load_or_create_signing_key(settings.key_file)


@asynccontextmanager
async def service(lifecycle: Lifecycle) -> AsyncIterator[Sequence[Listener]]:
    """The process: one listener, announced loudly. Raises InvalidSettings."""
    settings = read_settings(SimulatorSettings)
    configure_logging(service="pingone-simulator", development=is_development(settings.issuer))
    app = create_app(settings, lifecycle=lifecycle)
    _log.warning(
        "*** PINGONE SIMULATOR: NOT PINGONE, NOT SECURE, FOR DEVELOPMENT AND TESTS ONLY ***",
        issuer=settings.issuer,
        listening=f"{settings.listen_host}:{settings.port}",
        warning="anyone who reaches it can sign in; passwords are published on its sign-on page",
    )
    yield [Listener(ResettableConnections(app), settings.listen_host, settings.port)]

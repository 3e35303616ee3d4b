"""`POST /sign-on`: a person's user name and password, or Cancel."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from itsdangerous import BadSignature, URLSafeSerializer

from pingone_simulator.authorization_request import AuthorizationRequest
from pingone_simulator.correlation import correlation_id_of
from pingone_simulator.errors import AccessDenied, InvalidRequest, PageProblem
from pingone_simulator.grants import Grant
from pingone_simulator.pages import Pages
from pingone_simulator.parameters import read_form
from pingone_simulator.people import authenticate
from pingone_simulator.session_cookie import set_session_cookie
from pingone_simulator.sessions import Session
from pingone_simulator.simulator import Simulator

PAGE_LIFETIME = timedelta(minutes=30)
ACTIONS = ("sign_on", "cancel")


class SignOnForm:
    """Shows the form and reads it back; the request in between is signed, never trusted."""

    def __init__(self, *, pages: Pages, key: str, now: Callable[[], datetime]) -> None:
        self._pages = pages
        self._now = now
        self._serializer = URLSafeSerializer(
            key,
            salt="authorization-request",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def page(
        self, asked: AuthorizationRequest, *, username: str | None = None, failed: bool = False
    ) -> HTMLResponse:
        """Return the page; after a wrong password, with a message and the user name kept."""
        content = {"at": self._now().timestamp(), "request": asked.to_json()}
        return self._pages.sign_on(
            authorization_request=str(self._serializer.dumps(content)),
            client_host=urlsplit(asked.redirect.redirect_uri).netloc,
            username=username or asked.login_hint or "",
            failed=failed,
        )

    def read(self, signed: str) -> AuthorizationRequest:
        """Return the request that a page carried; raise InvalidRequest when forged or too old."""
        try:
            content: dict[str, Any] = self._serializer.loads(signed)
        except BadSignature:
            raise InvalidRequest(
                "this sign-on page was not made here, or before a restart"
            ) from None
        if self._now().timestamp() - content["at"] > PAGE_LIFETIME.total_seconds():
            raise InvalidRequest("this sign-on page has expired")
        return AuthorizationRequest.from_json(content["request"])


@dataclass(frozen=True, slots=True)
class _Submission:
    asked: AuthorizationRequest
    cancelled: bool
    username: str
    password: str = field(repr=False)


def sign_on_routes(simulator: Simulator, form: SignOnForm) -> APIRouter:
    """The target of the sign-on form."""
    router = APIRouter()

    @router.post("/sign-on")
    async def sign_on(request: Request) -> Response:
        submission = await _read_submission(request, form)
        asked = submission.asked
        if submission.cancelled:
            error = AccessDenied("The person cancelled the sign-on")
            return asked.redirect.with_error(error, correlation_id_of(request), status=303)
        person = authenticate(submission.username, submission.password)
        if person is None:
            return form.page(asked, username=submission.username, failed=True)
        session = simulator.sessions.start(person)
        # 303: the browser must not send the password on (RFC 9700 section 4.12).
        response = redirect_with_code(simulator, asked, session, status=303)
        set_session_cookie(response, simulator, session)
        return response

    return router


def redirect_with_code(
    simulator: Simulator, asked: AuthorizationRequest, session: Session, *, status: int
) -> RedirectResponse:
    """Answer the client with a code for the person of this session."""
    grant = Grant(
        sid=session.sid,
        person=session.person,
        access=asked.access,
        acr=asked.acr,
        auth_time=session.auth_time,
        started_at=simulator.now(),
    )
    code = simulator.grants.issue_code(
        grant,
        redirect_uri=asked.redirect.redirect_uri,
        code_challenge=asked.code_challenge,
        nonce=asked.nonce,
    )
    return asked.redirect.with_code(code, status=status)


async def _read_submission(request: Request, form: SignOnForm) -> _Submission:
    try:
        parameters = await read_form(request)
        action = parameters.required("action")
        if action not in ACTIONS:
            raise InvalidRequest(f"action must be one of {', '.join(ACTIONS)}")
        return _Submission(
            asked=form.read(parameters.required("authorization_request")),
            cancelled=action == "cancel",
            username=parameters.optional("username") or "",
            password=parameters.optional("password") or "",
        )
    except InvalidRequest as error:
        raise PageProblem(error.description) from error

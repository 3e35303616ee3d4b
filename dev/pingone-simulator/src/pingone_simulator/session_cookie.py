"""The cookie of a PingOne session, in the browser that signed on."""

from fastapi import Request, Response

from pingone_simulator.sessions import Session
from pingone_simulator.simulator import Simulator
from service_kit.cookies import cookie_value

# PingOne's own name. Cookies ignore ports, so only its path keeps it from the other services.
_NAME = "ST"


def session_of(request: Request, simulator: Simulator) -> Session | None:
    """The live session of the browser that sent this request."""
    value = cookie_value(request.scope, _NAME.encode("ascii"))
    # As a browser sends it: what is not ASCII is the value of no session.
    text = None if value is None else value.decode("ascii", errors="replace")
    return simulator.sessions.find_by_cookie(text)


def set_session_cookie(response: Response, simulator: Simulator, session: Session) -> None:
    """Let the browser prove the session from now on."""
    response.set_cookie(
        _NAME,
        session.cookie_value,
        path=simulator.issuer_path,
        secure=simulator.issuer.startswith("https:"),
        httponly=True,
        samesite="lax",
    )


def delete_session_cookie(response: Response, simulator: Simulator) -> None:
    """Have the browser forget it."""
    response.delete_cookie(_NAME, path=simulator.issuer_path)

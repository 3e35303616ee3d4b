"""The browser that a program under test opens: `python opened_browser.py VISITS URL`.

The programs take $BROWSER for a browser. This one has alice in front of it, who allows everything;
it notes what she saw in the file VISITS, and goes where the redirect leads: to the program.
"""

import asyncio
import json
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from local_stack.browser import ALICE, Browser

_TIMEOUT_SECONDS = 10.0
_PAUSE_SECONDS = 0.1
_ATTEMPTS = 50


async def open_url(visits: Path, url: str) -> None:
    """Answer every page between the URL and the program's redirect URI, then follow that."""
    request = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    async with Browser() as browser:
        visit = await browser.visit(url, redirect_uri=request["redirect_uri"], person=ALICE)
    seen = {
        "client_id": request["client_id"],
        "redirect_uri": request["redirect_uri"],
        "resource": request.get("resource"),
        "scope": request.get("scope", ""),
        "kinds": visit.kinds,
        "error": visit.answer.get("error"),
    }
    # First: the program may have ended before its answer to us is complete.
    with visits.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(seen) + "\n")
    await _deliver(visit.arrived_at)


async def _deliver(answer: str) -> None:
    """Follow the last redirect. Some programs listen only once the browser is open: we are fast."""
    async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as http:
        for _ in range(_ATTEMPTS):
            try:
                await http.get(answer)
            except httpx.ConnectError:
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return
    sys.exit("nobody listens at the redirect URI")


if __name__ == "__main__":
    asyncio.run(open_url(Path(sys.argv[1]), sys.argv[2]))

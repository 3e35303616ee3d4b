"""What caching headers mean for a cache that serves many (RFC 9111)."""

from datetime import UTC, datetime, timedelta

import pytest
from multidict import CIMultiDict

from auth_server.client_documents.freshness import fresh_for

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Cache-Control": "public"}, None),
        ({"Cache-Control": "max-age=3600"}, 3600),
        ({"cache-control": 'Public , MAX-AGE="60"'}, 60),
        ({"Cache-Control": "max-age=60, s-maxage=3600"}, 3600),
        ({"Cache-Control": "max-age=3600", "Age": "600"}, 3000),
        ({"Cache-Control": "max-age=60", "Age": "600"}, 0),
        ({"Cache-Control": "max-age=60", "Age": "nonsense"}, 60),
        ({"Cache-Control": "max-age=-1"}, 0),
        ({"Cache-Control": "max-age=often"}, 0),
        ({"Cache-Control": "max-age"}, 0),
        ({"Cache-Control": "max-age=" + "9" * 4000}, 2**31),
        ({"Cache-Control": "no-store"}, 0),
        ({"Cache-Control": "no-cache, max-age=3600"}, 0),
        ({"Cache-Control": "private, max-age=3600"}, 0),
        ({"Cache-Control": "max-age=60, max-age=3600"}, 60),
        ({"Expires": "Mon, 02 Nov 2026 10:30:00 GMT"}, 3600),
        (
            {
                "Expires": "Mon, 02 Nov 2026 10:30:00 GMT",
                "Date": "Mon, 02 Nov 2026 10:00:00 GMT",
            },
            1800,
        ),
        ({"Expires": "Mon, 02 Nov 2026 10:30:00 GMT", "Cache-Control": "max-age=5"}, 5),
        ({"Expires": "Mon, 02 Nov 2020 10:30:00 GMT"}, 0),
        ({"Expires": "0"}, 0),
        ({"Expires": "Mon, 99 Nov 2026 10:30:00 GMT"}, 0),
        # Numbers that no date of Python's can hold.
        ({"Expires": "Mon, 02 Nov 99999999999 10:30:00 GMT"}, 0),
        ({"Expires": f"Mon, {'9' * 20} Nov 2026 10:30:00 GMT"}, 0),
        ({"Expires": f"Mon, 02 Nov 2026 10:30:00 +{'9' * 20}"}, 0),
        (
            {
                "Expires": "Mon, 02 Nov 2026 10:30:00 GMT",
                "Date": "Mon, 02 Nov 99999999999 10:00:00 GMT",
            },
            3600,
        ),
    ],
)
def test_freshness_is_what_the_headers_say(headers: dict[str, str], seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert fresh_for(CIMultiDict(headers), NOW) == expected

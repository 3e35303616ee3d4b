"""What an API says of itself in OpenAPI, held against what it does, by Schemathesis.

Requests are drawn from the description, right and wrong ones, and each answer must be one that it
announces: status, media type, headers and schema. The request goes over ASGI in the loop of the
test, since the application's connections belong there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.result import Err
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

Case = schemathesis.Case[Any]

# Credentials are the test's to send: drawn ones would all end at the same refusal.
_CONFIG: Final = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
_CHECKS: Final[list[CheckFunction]] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


def cases_of(document: Mapping[str, Any], *paths: str) -> st.SearchStrategy[Case]:
    """Requests to every operation of the description, as it allows them and as it does not.

    With `paths`, only to these.
    """
    described = {
        path: item for path, item in document["paths"].items() if path in paths or not paths
    }
    schema = schemathesis.openapi.from_dict({**document, "paths": described}, config=_CONFIG)
    strategies = []
    for operation in schema.get_all_operations():
        assert not isinstance(operation, Err), "the description of an operation is not valid"
        strategies += [operation.ok().as_strategy(generation_mode=mode) for mode in GenerationMode]
    assert strategies, "the description names no operation"
    return st.one_of(strategies)


async def hold_to_description(
    case: Case,
    client: httpx.AsyncClient,
    *,
    headers: Mapping[str, str] | None = None,
    except_for: Sequence[CheckFunction] = (),
) -> httpx.Response:
    """Send one request, with these headers besides, and check its answer."""
    described = case.as_transport_kwargs(base_url=str(client.base_url).rstrip("/"))
    # Prepared as for a socket, then sent as these very bytes.
    prepared = requests.Request(**described).prepare()
    assert prepared.url is not None
    assert prepared.body is None or isinstance(prepared.body, str | bytes)
    request = client.build_request(
        str(prepared.method),
        prepared.url,
        headers={name: _text(value) for name, value in prepared.headers.items()}
        | dict(headers or {}),
        content=prepared.body,
    )
    response = await client.send(request)
    case.validate_response(response, checks=[item for item in _CHECKS if item not in except_for])
    return response


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")

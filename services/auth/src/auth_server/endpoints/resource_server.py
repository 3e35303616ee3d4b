"""Who is calling on the internal port: a resource server with its credential."""

import hmac

from fastapi import Request

from auth_server.domain.errors import InvalidClient
from auth_server.domain.handles import digest
from auth_server.domain.resources import ProtectedResource, ProtectedResources
from auth_server.endpoints.client_authentication import (
    authorization_header,
    basic_credentials,
)

# Stands in for the secret of an unknown resource server, so that both cases take the same time.
_NO_SECRET = digest("")


def authenticated_resource(request: Request, resources: ProtectedResources) -> ProtectedResource:
    """The resource whose server proves itself by `client_secret_basic`.

    Raises InvalidClient, or InvalidRequest for a repeated header.
    """
    header = authorization_header(request)
    presented = None if header is None else basic_credentials(header)
    if presented is None or presented.client_secret is None:
        raise InvalidClient("this is for resource servers with a credential")
    resource = resources.by_introspection_client(presented.client_id)
    expected = _NO_SECRET if resource is None else resource.introspection_client_secret_digest
    is_proven = hmac.compare_digest(digest(presented.client_secret), expected)
    if resource is None or not is_proven:
        raise InvalidClient("the resource server's credential is wrong")
    return resource

"""PingOne, as its OIDC client: discovery, login, tokens."""

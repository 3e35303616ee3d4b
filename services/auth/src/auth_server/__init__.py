"""OAuth 2.1 authorization server for MCP clients, and OIDC client of PingOne."""

"""The MCP server: a resource server that checks handles at auth and calls the API for the user."""

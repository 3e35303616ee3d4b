"""Sample protected API: todos, guarded by PingOne access tokens."""

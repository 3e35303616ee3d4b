"""Loads what every test folder shares."""

pytest_plugins = ["database_servers"]

"""`python -m auth_server` is the command `auth`."""

from auth_server.cli import main

main()

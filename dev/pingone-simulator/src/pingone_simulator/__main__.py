"""`python -m pingone_simulator`: serve until SIGTERM or SIGINT."""

import os
import sys

from pingone_simulator.app import service
from service_kit.serving import serve
from service_kit.settings import InvalidSettings


def main() -> None:
    """Serve, or say what to change in the environment and exit with EX_CONFIG."""
    try:
        serve(service)
    except InvalidSettings as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(os.EX_CONFIG) from None


if __name__ == "__main__":
    main()

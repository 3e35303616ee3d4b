"""`python -m mcp_server`: serve until told to stop."""

import argparse
import functools
import logging

from mcp_server.app import run_service
from mcp_server.settings import Settings
from service_kit.logging import configure_logging
from service_kit.serving import serve
from service_kit.settings import read_settings_or_exit


def main() -> None:
    """Read the environment, then serve the public and the internal port."""
    argparse.ArgumentParser(
        prog="python -m mcp_server",
        description="The MCP server. It takes its configuration from environment variables:",
        epilog=_describe_variables(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    settings = read_settings_or_exit(Settings)
    configure_logging(service="mcp", development=settings.development, level=settings.mcp_log_level)
    # The SDK narrates every request at INFO; the access log says it in one line.
    logging.getLogger("mcp").setLevel(logging.WARNING)
    serve(functools.partial(run_service, settings))


def _describe_variables() -> str:
    lines = []
    for name, field in Settings.model_fields.items():
        default = "required" if field.is_required() else f"default: {field.default or 'no'}"
        lines.append(f"  {name.upper()} ({default})\n      {field.description}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

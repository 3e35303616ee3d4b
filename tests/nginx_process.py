"""A real nginx in a folder of its own: a child on loopback that needs neither root nor a package's
configuration. It is Debian's `nginx-light`, or any other nginx from 1.19.5 on.
"""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from installed_programs import installed

_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02

_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {http}
}}
"""


@contextmanager
def running_nginx(folder: Path, http: str, port: int) -> Iterator[None]:
    """Run it with these lines in its `http` block, one of which listens on the port."""
    program = installed("nginx", "nginx-light")
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, http=http), encoding="ascii")
    errors = folder / "error.log"
    command = [program, "-p", str(folder), "-e", str(errors), "-c", str(configuration)]
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(  # noqa: S603  (the configuration is ours)
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait(process, port, errors)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_SECONDS)


def _wait(process: "subprocess.Popen[bytes]", port: int, errors: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            said = errors.read_text() if errors.exists() else ""
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(_POLL_SECONDS)
        else:
            return

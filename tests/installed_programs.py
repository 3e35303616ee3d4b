"""Programs of the machine that tests need and cannot bring with them."""

import os
import shutil

import pytest

# Debian puts servers where an ordinary user's PATH does not look.
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"


def installed(program: str, package: str) -> str:
    """The path of a program. `package` is Debian's package with it.

    Without it: a failure in CI and in `make prove`, which must be whole; elsewhere a skip that says
    what is not tested.
    """
    if (found := shutil.which(program, path=_PATH)) is not None:
        return found
    reason = f"NOT TESTED: this needs {program} (Debian: apt-get install {package})"
    if os.environ.get("CI") or os.environ.get("PROOFS") == "long":
        pytest.fail(reason)
    pytest.skip(reason)

"""What a test runs against and cannot bring with it."""

import os
import shutil
from typing import NoReturn

import pytest


def program(name: str, *, package: str) -> str:
    """Return the path of a program. Where it is not installed: skipped here, a failure in CI."""
    return shutil.which(name) or absent(f"{name} is not installed (Debian: {package})")


def absent(reason: str) -> NoReturn:
    """End the test: what it needs is not there."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)

"""What the shop's tests may ask for."""

from tests.support.postgres import databases

__all__ = ["databases"]

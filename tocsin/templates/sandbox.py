"""The Jinja environment of templates: sandboxed, strict, without a loader, and with every growing operation weighed.

Data are plain JSON, so a key of an object beats a method of the same name (`order.items`), and of the methods of
strings and objects only those are left that cannot grow.
"""

from collections.abc import Callable
from typing import Any

from jinja2 import StrictUndefined
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tocsin.templates.budget import BudgetExceeded
from tocsin.templates.filters import allowed, budget_of

_STRING_METHODS = frozenset(
    {
        *("capitalize", "endswith", "isdigit", "lower", "lstrip", "removeprefix", "removesuffix"),
        *("rstrip", "split", "startswith", "strip", "title", "upper"),
    }
)
_DICT_METHODS = frozenset({"get", "items", "keys", "values"})
_PLAIN = (int, float, list, tuple, type(None))
_MISSING = object()
_MOST_BITS = 1024


class Sandbox(ImmutableSandboxedEnvironment):
    """One for all templates. The budget of a rendering travels in its context, so that renderings can overlap."""

    intercepted_binops = frozenset({"+", "*", "%", "**"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            autoescape=lambda name: name is not None and name.endswith(".html"),
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_printed,
            cache_size=0,
        )
        self.filters = allowed()
        self.globals = {"range": self.globals["range"]}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return `obj.attribute`: for an object of the data its key, if it has one."""
        if isinstance(obj, dict):
            value = obj.get(attribute, _MISSING)
            if value is not _MISSING:
                return value
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Return whether a template may have this attribute."""
        if isinstance(obj, str):
            return attr in _STRING_METHODS
        if isinstance(obj, dict):
            return attr in _DICT_METHODS
        return not isinstance(obj, _PLAIN) and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:  # noqa: ARG002 - Jinja's signature
        """Return None: `str.format` is not offered, because its widths are unbounded. The filter `format` is."""
        return None

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call an object and weigh what it returns."""
        return budget_of(context).weighed(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Calculate with numbers within 1,024 bits; `+` also joins strings and lists."""
        if operator == "+":
            return budget_of(context).weighed(left + right)
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            raise SecurityError(f"`{operator}` is for numbers")
        bits = _bits(left) * right if operator == "**" else _bits(left) + _bits(right)
        if bits > _MOST_BITS:
            raise BudgetExceeded("calculates with numbers that are too large")
        budget_of(context).spend(1)
        return super().call_binop(context, operator, left, right)


def _bits(number: float) -> int:
    return number.bit_length() if isinstance(number, int) else 1


def _printed(value: Any) -> Any:
    """Return what `{{ value }}` prints: nothing for null, which readers of a message should never see as `None`."""
    return "" if value is None else value

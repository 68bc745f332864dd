"""The filters that templates may use: Jinja's own, without those that are random or unbounded, each one weighed.

Left out on purpose: `random`, `pprint`, `xmlattr`, `urlize`, `attr`, `indent`, `center`, `wordwrap`, `batch`,
`slice`. Some of the rest take an argument that could ask for gigabytes; those are checked before they run.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Undefined, pass_context
from jinja2.filters import FILTERS
from jinja2.runtime import Context

from tocsin.templates.budget import Budget, BudgetExceeded

BUDGET = " budget"
COUNTED = " counted"
WEIGHED = " weighed"

_ALLOWED = (
    *("abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "filesizeformat", "first", "float"),
    *("forceescape", "format", "groupby", "int", "items", "join", "last", "length", "list", "lower", "map", "max"),
    *("min", "reject", "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "sort"),
    *("string", "striptags", "sum", "title", "tojson", "trim", "truncate", "unique", "upper", "urlencode"),
    "wordcount",
)
_AS_THEY_ARE = (str, int, float, bool, list, tuple, dict, type(None), Undefined)
_WIDE = re.compile(r"%[^a-zA-Z%]*(?:\d{3}|\*)")
_MOST_DIGITS = 15


def budget_of(context: Context) -> Budget:
    """Return the budget of the rendering that this context belongs to. No template can name that variable."""
    budget: Budget = context.parent[BUDGET]
    return budget


def allowed() -> dict[str, Callable[..., Any]]:
    """Return the filters by name, and the two that only the compiler names (their names hold a space)."""
    return {name: _weighed(name, FILTERS[name]) for name in _ALLOWED} | {COUNTED: _counted, WEIGHED: _weigh}


@pass_context
def _counted(context: Context, items: Any, /) -> Any:
    return items if isinstance(items, Undefined) else budget_of(context).counted(items)


@pass_context
def _weigh(context: Context, value: Any, /) -> Any:
    return budget_of(context).weighed(value)


def _weighed(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap one of Jinja's filters: lazy input is gathered, arguments are checked, the result is weighed."""
    wants = getattr(getattr(original, "jinja_pass_arg", None), "name", None)
    check = _CHECKS.get(name)

    @pass_context
    def run(context: Context, value: Any, /, *args: Any, **kwargs: Any) -> Any:
        budget = budget_of(context)
        if not isinstance(value, _AS_THEY_ARE):
            value = budget.gathered(value)
        if check is not None:
            check(budget, value, args, kwargs)
        match wants:
            case "context":
                result = original(context, value, *args, **kwargs)
            case "eval_context":
                result = original(context.eval_ctx, value, *args, **kwargs)
            case "environment":
                result = original(context.environment, value, *args, **kwargs)
            case _:
                result = original(value, *args, **kwargs)
        return budget.weighed(result)

    return run


Check = Callable[[Budget, Any, tuple[Any, ...], Mapping[str, Any]], None]


def _join(budget: Budget, value: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    separator = str(args[0] if args else kwargs.get("d", ""))
    budget.spend(len(separator) * (len(value) if isinstance(value, str | list | tuple | dict) else 1))


def _replace(budget: Budget, value: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    old, new = (*args[:2], *(str(kwargs[name]) for name in ("old", "new") if name in kwargs))[:2]
    budget.spend(len(str(new)) * str(value).count(str(old)))


def _format(_budget: Budget, value: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any]) -> None:
    if _WIDE.search(str(value)):
        raise BudgetExceeded("formats wider than 99 characters")


def _round(_budget: Budget, _value: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    if abs(int(args[0] if args else kwargs.get("precision", 0))) > _MOST_DIGITS:
        raise BudgetExceeded(f"rounds to more than {_MOST_DIGITS} digits")


def _tojson(_budget: Budget, _value: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    if int((args[0] if args else kwargs.get("indent")) or 0) > _MOST_DIGITS:
        raise BudgetExceeded(f"indents by more than {_MOST_DIGITS}")


def _sum(_budget: Budget, _value: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    start = args[1] if len(args) > 1 else kwargs.get("start", 0)
    if not isinstance(start, int | float):
        raise BudgetExceeded("sums what are not numbers")


_CHECKS: Mapping[str, Check] = {
    "join": _join,
    "replace": _replace,
    "format": _format,
    "round": _round,
    "tojson": _tojson,
    "sum": _sum,
}

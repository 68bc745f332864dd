"""An expression of a rule: JMESPath on an event, checked when it is read and bounded when it is evaluated. Pure.

Source: the JMESPath specification (jmespath.org). Why it is this language: ADR 0018.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import jmespath
from jmespath.exceptions import IncompleteExpressionError, JMESPathError, JMESPathTypeError, LexerError, ParseError
from jmespath.functions import Functions

from producer.rules.interpreter import BoundedInterpreter, TooMuchWork

MAX_LENGTH = 1000
MAX_NESTING = 40
MAX_RESULT_DEPTH = 32

# As escapes of JSON, which JMESPath has in its literals. What they stand for cannot be kept.
_UNKEEPABLE = re.compile(r"\0|\\u(?:0000|[dD][89a-fA-F])")
# The texts and literals of an expression, of which the literals are the group.
_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`((?:\\.|[^`\\])*)`""", re.DOTALL)
# What is said of `&expression` is how to find something, and it is nothing that could be found.
_REFERENCE = "expref"
_STRAY = "has & where no function takes it, as sort_by(list, &name) does"
_FALSE: tuple[Any, ...] = ("", [], {})


class ExpressionError(ValueError):
    """The text is no expression that may be evaluated. The message says why and where."""


class Failed(Exception):
    """The expression cannot be evaluated on this event. The message repeats nothing of the event."""


class Expression:
    """One expression. Made by `parse`; the same for every event. One evaluation at a time."""

    __slots__ = ("_interpreter", "_tree", "text")

    def __init__(self, text: str, tree: Mapping[str, Any]) -> None:
        self.text = text
        self._tree = tree
        self._interpreter = BoundedInterpreter()

    def search(self, document: Any) -> Any:
        """Return what the expression finds in a document, None if nothing. Raises Failed."""
        try:
            found = self._interpreter.evaluate(self._tree, document)
        except TooMuchWork:
            raise Failed("takes more work than an expression may") from None
        except JMESPathTypeError as error:
            raise Failed(f"gives {error.function_name}() a value of a type that it does not take") from None
        except Exception as error:  # noqa: BLE001 - whatever a foreign text does to a foreign event ends here
            raise Failed(f"fails with {type(error).__name__}") from None
        if _deeper(found, MAX_RESULT_DEPTH):
            raise Failed(f"finds what is nested deeper than {MAX_RESULT_DEPTH} levels")
        if not _finite(found):
            # As to_number('nan') does. In the log it would be null.
            raise Failed("finds a number that JSON does not have")
        return found

    def holds(self, document: Any) -> bool:
        """Return whether it finds something true, as JMESPath has it: zero is, empty text is not. Raises Failed."""
        found = self.search(document)
        return found is not None and found is not False and found not in _FALSE


def parse(text: str) -> Expression:
    """Return the expression. Raises ExpressionError."""
    if not text.strip():
        raise ExpressionError("is empty")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"is longer than {MAX_LENGTH:,} characters")
    if _UNKEEPABLE.search(text):
        raise ExpressionError("holds a NUL or half a character, which cannot be kept; write the character itself")
    _check_literals(text)
    try:
        tree: Mapping[str, Any] = jmespath.compile(text).parsed
    except LexerError as error:
        raise ExpressionError(_worded(error.message, error.lexer_position)) from None
    except IncompleteExpressionError:
        raise ExpressionError("is no JMESPath expression: it ends too early") from None
    except ParseError as error:
        if not error.token_value:
            raise ExpressionError("is no JMESPath expression: it ends too early") from None
        raise ExpressionError(_worded(f"unexpected {error.token_value!r}", error.lex_position)) from None
    except JMESPathError as error:
        raise ExpressionError(f"is no JMESPath expression: {error}") from None
    except RecursionError:
        raise ExpressionError("is nested too deeply") from None
    _check(tree)
    return Expression(text, tree)


def _check_literals(text: str) -> None:
    """Refuse `` `text` ``, which the library takes for a text, with a warning: one day it will not."""
    for found in _QUOTED.finditer(text):
        if found[1] is None:
            continue
        try:
            json.loads(found[1].replace("\\`", "`"))
        except (ValueError, RecursionError):
            what = "has between backticks what is not JSON; a text stands in quotes, 'like this',"
            raise ExpressionError(f"{what} at character {found.start() + 1}") from None


def _worded(what: str, position: int) -> str:
    return f"is no JMESPath expression: {what[:1].lower()}{what[1:]} at character {position + 1}"


def _check(tree: Mapping[str, Any]) -> None:
    """Say now what `jmespath` would say of every event: functions that are not there, or want other arguments."""
    if tree["type"] == _REFERENCE:
        raise ExpressionError(_STRAY)
    for node, depth in _nodes(tree):
        if depth > MAX_NESTING:
            raise ExpressionError("is nested too deeply")
        children = [child["type"] for child in node["children"] if isinstance(child, dict)]
        if node["type"] == "function_expression":
            _check_call(node["value"], children)
        elif _REFERENCE in children:
            raise ExpressionError(_STRAY)


def _check_call(name: str, given: Sequence[str]) -> None:
    """Check a call by the types of the nodes that it is given."""
    known: Mapping[str, Any] = Functions.FUNCTION_TABLE
    if name not in known:
        raise ExpressionError(f"calls {name}(), which JMESPath does not have; it has {', '.join(sorted(known))}")
    wanted = known[name]["signature"]
    variadic = bool(wanted) and bool(wanted[-1].get("variadic"))
    if len(given) < len(wanted) or (len(given) > len(wanted) and not variadic):
        least = "at least " if variadic else ""
        raise ExpressionError(f"calls {name}() with {len(given)} arguments; it takes {least}{len(wanted)}")
    for index, kind in enumerate(given):
        if kind == _REFERENCE and _REFERENCE not in wanted[min(index, len(wanted) - 1)]["types"]:
            raise ExpressionError(_STRAY)


def _nodes(tree: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], int]]:
    waiting: list[tuple[Mapping[str, Any], int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        # A slice's children are its numbers.
        waiting.extend((child, depth + 1) for child in node["children"] if isinstance(child, dict))


def _finite(value: Any) -> bool:
    """Return whether all numbers are such as JSON has."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, float) and not isfinite(each):
            return False
        if isinstance(each, dict | list):
            waiting.extend(each.values() if isinstance(each, dict) else each)
    return True


def _deeper(value: Any, depth: int) -> bool:
    """Return whether containers are nested deeper than this."""
    level = [value]
    for _ in range(depth + 1):
        inner = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [below for each in inner for below in each]
        if not level:
            return False
    return True

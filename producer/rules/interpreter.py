"""JMESPath's interpreter, with a bound to the work that one evaluation may do. Pure.

What an expression does to an event is bounded by neither alone: `[@, @] | [@, @] | …` doubles what it is given at each
step. So each visit of a node is a step, and so is each value in what is made or handed to a function.
Source: the JMESPath specification (jmespath.org), as the library `jmespath` has it.
"""

from typing import Any

from jmespath.functions import Functions
from jmespath.visitor import Options, TreeInterpreter

MAX_STEPS = 100_000
# So many characters weigh as much as one value.
_TEXT = 32


class TooMuchWork(Exception):
    """The evaluation took more steps than it may."""


class Steps:
    """What is left of the steps of one evaluation."""

    def __init__(self, left: int = MAX_STEPS) -> None:
        self.left = left

    def take(self, count: int) -> None:
        """Take some. Raises TooMuchWork."""
        self.left -= count
        if self.left < 0:
            raise TooMuchWork

    def take_all_of(self, value: Any) -> None:
        """Take as many as there are values in this one, whatever they share. Raises TooMuchWork."""
        waiting = [value]
        while waiting:
            each = waiting.pop()
            if isinstance(each, str):
                self.take(1 + len(each) // _TEXT)
                continue
            self.take(1)
            if isinstance(each, dict):
                waiting.extend(each.values())
            elif isinstance(each, list):
                # Before they are walked: a list of a million must not be copied to be refused.
                self.take(len(each) // _TEXT)
                waiting.extend(each)


class BoundedInterpreter(TreeInterpreter):
    """Evaluates expressions, one after another. Raises TooMuchWork, besides what `jmespath` raises."""

    def __init__(self) -> None:
        self._steps = Steps()
        super().__init__(Options(custom_functions=_BoundedFunctions(self._steps)))

    def evaluate(self, tree: Any, document: Any) -> Any:
        """Return what an expression finds. The result is paid for as well."""
        self._steps.left = MAX_STEPS
        found = self.visit(tree, document)
        self._steps.take_all_of(found)
        return found

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        """Visit a node."""
        self._steps.take(1)
        found = super().visit(node, *args, **kwargs)
        if type(found) is list:
            self._steps.take(len(found))
        return found

    def visit_multi_select_list(self, node: Any, value: Any) -> Any:
        """Make a list. It may hold the same value twice, which is then as much work as two."""
        found = super().visit_multi_select_list(node, value)
        self._steps.take_all_of(found)
        return found

    def visit_multi_select_dict(self, node: Any, value: Any) -> Any:
        """Make an object, as above."""
        found = super().visit_multi_select_dict(node, value)
        self._steps.take_all_of(found)
        return found


class _BoundedFunctions(Functions):
    """JMESPath's own functions."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    def call_function(self, function_name: str, resolved_args: Any) -> Any:
        for each in resolved_args:
            self._steps.take_all_of(each)
        if function_name == "join" and _joins(resolved_args):
            # The glue is there once, and in the result as often as there is something to join.
            self._steps.take(len(resolved_args[0]) * len(resolved_args[1]) // _TEXT)
        return super().call_function(function_name, resolved_args)


def _joins(arguments: Any) -> bool:
    return len(arguments) == 2 and isinstance(arguments[0], str) and isinstance(arguments[1], list)  # noqa: PLR2004

"""The part of Jinja's language that templates may use, held when a template is compiled.

Templates are text with holes, conditions and loops. Macros, inclusion, inheritance and blocks that capture output are
refused: they are where recursion and growth without output come from, and a template is one self-contained file.
"""

from collections.abc import Iterator
from typing import cast

from jinja2 import nodes

from tocsin.errors import TemplateError
from tocsin.templates.filters import COUNTED, WEIGHED

_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.FilterBlock: "filter",
    nodes.AssignBlock: "set",
    nodes.Block: "block",
    nodes.Extends: "extends",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from",
}
_MAKERS = (nodes.Concat, nodes.List, nodes.Dict, nodes.Tuple)
_GUARDS = {"defined", "undefined", "default", "d"}


def hold(tree: nodes.Template, place: str) -> None:
    """Refuse what the dialect leaves out, and put counters on loops and weights on what grows. Changes the tree.

    Raises TemplateError that names the place and the line.
    """
    for node in _walk(tree):
        if type(node) in _REFUSED:
            tag = _REFUSED[type(node)]
            raise TemplateError(f"{place}, line {node.lineno}: templates cannot use a {{% {tag} %}} block")
        if isinstance(node, nodes.For):
            if node.recursive:
                raise TemplateError(f"{place}, line {node.lineno}: a loop cannot be recursive")
            node.iter = _through(COUNTED, cast(nodes.Expr, node.iter))
        _weigh_children(node)


def guarded_names(tree: nodes.Template) -> set[str]:
    """Return the variables that the template itself asks about (`is defined`, `default`): they may be missing."""
    return {
        node.node.name
        for node in tree.find_all((nodes.Filter, nodes.Test))
        if node.name in _GUARDS and isinstance(node.node, nodes.Name)
    }


def _walk(tree: nodes.Node) -> Iterator[nodes.Node]:
    """Yield the nodes, children before their parents, so that a parent may wrap a child that was seen."""
    for child in tree.iter_child_nodes():
        yield from _walk(child)
    yield tree


def _weigh_children(parent: nodes.Node) -> None:
    for field, value in parent.iter_fields():
        if isinstance(value, list):
            value[:] = [_through(WEIGHED, item) if _grows(item) else item for item in value]
        elif _grows(value):
            setattr(parent, field, _through(WEIGHED, value))


def _grows(value: object) -> bool:
    if not isinstance(value, _MAKERS) or getattr(value, "ctx", "load") != "load":
        return False
    return not all(isinstance(child, nodes.Const) for child in value.iter_child_nodes())


def _through(name: str, node: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)

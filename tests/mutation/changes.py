"""One thing changed at a time: a comparison, a condition, an operator, a number by one,
a statement or a return removed."""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

TEXT_MAX = 60
"""A change is shown with what stands around it, up to this many characters."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
SHOWN = ast.expr | ast.keyword | ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the tree that may be changed, and where it is held."""

    node: ast.AST
    parent: ast.AST
    name: str
    at: int | None
    line: int
    """Of its statement."""
    function: str
    """The outermost that it is in, by its qualified name; a class ends in a dot."""
    around: ast.AST
    """What is shown of the change: the node, or a short expression that has it."""

    def put(self, node: ast.AST) -> None:
        if self.at is None:
            setattr(self.parent, self.name, node)
        else:
            getattr(self.parent, self.name)[self.at] = node


@dataclass(frozen=True, slots=True)
class Mutant:
    file: str
    line: int
    lines: frozenset[int]
    """Where the tests must come by to notice."""
    what: str
    """With file and function, what it is known by."""
    tree: ast.Module
    place: Place
    new: ast.AST

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.place.function}: {self.what}"

    @property
    def key(self) -> tuple[str, str, str]:
        return self.file, self.place.function, self.what

    @property
    def is_inside(self) -> bool:
        """A function: not what is done at import."""
        return bool(self.place.function) and not self.place.function.endswith(".")

    def changed(self, through: Callable[[ast.Module], T]) -> T:
        """What `through` makes of the whole file, changed."""
        self.place.put(self.new)
        try:
            return through(ast.fix_missing_locations(self.tree))
        finally:
            self.place.put(self.place.node)


def expressions(node: ast.AST) -> Iterator[ast.expr]:
    """What could stand in place of an expression."""
    match node:
        case ast.Compare(left, operators, values):
            for at, operator in enumerate(operators):
                other = [COMPARISONS[type(operator)]()]
                yield ast.Compare(
                    left, operators[:at] + other + operators[at + 1 :], values
                )
        case ast.BoolOp(operator, values):
            for at in range(len(values)):
                rest = values[:at] + values[at + 1 :]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(operator, rest)
            other = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield ast.BoolOp(other, values)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
            yield ast.BinOp(left, OPERATORS[type(operator)](), right)
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """What could stand in place of a statement."""
    match node:
        case ast.If(test, body, orelse) | ast.While(test, body, orelse):
            yield type(node)(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Expr(ast.Constant()):  # a docstring
            return
        case ast.Return() | ast.Expr() | ast.AugAssign() | ast.Continue() | ast.Break():
            yield ast.Pass()
        case ast.Assign([ast.Attribute() | ast.Subscript() | ast.Tuple()]):
            yield ast.Pass()


def places(parent: ast.AST, around: Place | None = None) -> Iterator[Place]:
    """Every child that may be changed.  Types, decorators and assertions are not the
    core's doing.
    """
    line, function = (around.line, around.function) if around else (0, "")
    for name, value in ast.iter_fields(parent):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        children = list(enumerate(value)) if isinstance(value, list) else [(-1, value)]
        for at, child in children:
            if isinstance(child, ast.Assert) or not isinstance(child, ast.AST):
                continue
            place = Place(
                child, parent, name, at if at >= 0 else None,
                child.lineno if isinstance(child, ast.stmt) else line,
                within(function, parent, name), shown(child, around),
            )  # fmt: skip
            yield place
            yield from places(child, place)


def within(function: str, parent: ast.AST, name: str) -> str:
    """`function` of a child: a body is the function's, its defaults are not."""
    inside = function and not function.endswith(".")
    if inside or name != "body":
        return function
    if isinstance(parent, ast.ClassDef):
        return f"{function}{parent.name}."
    if isinstance(parent, ast.FunctionDef):
        return f"{function}{parent.name}"
    return function


def shown(node: ast.AST, around: Place | None) -> ast.AST:
    wide = around.around if around else None
    if isinstance(node, ast.stmt) or not isinstance(wide, SHOWN):
        return node
    return wide if len(ast.unparse(wide)) <= TEXT_MAX else node


def text(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node)).split("\n")[0]


def mutants(file: Path) -> Iterator[Mutant]:
    tree = ast.parse(file.read_text())
    seen: Counter[tuple[str, str]] = Counter()
    for place in list(places(tree)):
        node, line = place.node, place.line
        first, last = getattr(node, "lineno", line), getattr(node, "end_lineno", line)
        if isinstance(node, ast.If | ast.While):
            last = node.test.end_lineno
        lines = frozenset({line, *range(first, last + 1)})
        for new in (*expressions(node), *statements(node)):
            old = text(place.around)
            if place.around is node:
                other = text(new)
            else:
                place.put(new)
                other = text(place.around)
                place.put(node)
            what = f"{old}  =>  {other}"
            seen[place.function, what] += 1
            if seen[place.function, what] > 1:
                what += f"  #{seen[place.function, what]}"
            yield Mutant(file.name, first, lines, what, tree, place, new)

"""Finds every message that an error may have, in the source: the text of a raise statement, also
where functions put it together. A place whose text cannot be found is reported, and a test fails.

A text is a set of templates, in which "…" stands for what is known only at run time. Functions are
followed by their names, with the arguments of the call.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

GAP = "…"
_DEPTH = 16
_MOST_TEMPLATES = 24
_MOST_FUNCTIONS = 4  # of one name, which are followed together

Texts = frozenset[str]
Env = Mapping[str, Texts]
Function = ast.FunctionDef | ast.AsyncFunctionDef

_UNKNOWN = frozenset({GAP})
_NOTHING = frozenset({""})
_PARAMETER = re.compile(r"⟦\w+⟧")
# Of the classes of runners, whose base uses them.
_CLASS_CONSTANTS = ("no_icount",)


@dataclass(frozen=True)
class Raised:
    """One place in the source. kind: the class of the error. wraps: it passes on another error's
    text, which has a place of its own or is not byteprop's."""

    where: str
    kind: str
    texts: Texts
    wraps: bool

    @property
    def is_found(self) -> bool:
        return self.wraps or any(has_words(text) for text in self.texts)


class _Def:
    """A function, with what is asked of it again and again."""

    def __init__(self, node: Function, *, is_method: bool) -> None:
        self.name, self.node, self.is_method = node.name, node, is_method
        self.is_property = any(
            _name_of(d) in ("property", "cached_property") for d in node.decorator_list
        )
        arguments = node.args
        positional = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
        self.positional = positional[1:] if positional[:1] in (["self"], ["cls"]) else positional
        self.parameters = [*self.positional, *(a.arg for a in arguments.kwonlyargs)]
        self.defaults = dict(zip(self.positional[::-1], arguments.defaults[::-1], strict=False))
        self._takes_any = arguments.vararg is not None
        inside = list(ast.walk(node))
        self.calls = [n for n in inside if isinstance(n, ast.Call)]
        self.returns = [n.value for n in inside if isinstance(n, ast.Return) and n.value]
        self.assigned: dict[str, list[ast.expr]] = defaultdict(list)
        for n in inside:
            for name, value in _assignments(n):
                self.assigned[name].append(value)
        self.caught = {n.name for n in inside if isinstance(n, ast.ExceptHandler) and n.name}
        self.caught |= {
            a.arg
            for a in (*arguments.args, *arguments.kwonlyargs)
            if a.annotation is not None
            and ast.unparse(a.annotation).endswith(("Error", "Exception"))
        }

    def takes(self, call: ast.Call) -> bool:
        """Whether the number of arguments is right."""
        n = len(call.args)
        if self._takes_any or any(isinstance(a, ast.Starred) for a in call.args):
            return True
        named = {k.arg for k in call.keywords}
        missing = set(self.positional[n:]) - set(self.defaults) - named
        return n <= len(self.positional) and (not missing or None in named)


@dataclass
class _Module:
    path: str
    functions: dict[str, list[_Def]] = field(default_factory=lambda: defaultdict(list))
    constants: dict[str, ast.expr] = field(default_factory=dict)
    calls: list[tuple[_Def | None, ast.Call]] = field(default_factory=list)


class Source:
    """All modules below some folders. kinds: names of the classes of errors. known: templates of
    expressions, or of calls of a function, that are not followed; `used` has those that occur."""

    def __init__(
        self, root: Path, folders: Sequence[str], kinds: Collection[str], known: Mapping[str, str]
    ) -> None:
        self.kinds, self.known, self.used = frozenset(kinds), known, set[str]()
        self.modules: list[_Module] = []
        for folder in folders:
            for path in sorted((root / folder).rglob("*.py")):
                tree = ast.parse(path.read_text(encoding="utf-8"))
                self.modules.append(_indexed(path.relative_to(root).as_posix(), tree))
        self.functions: dict[str, list[tuple[_Module, _Def]]] = defaultdict(list)
        self.constants: dict[str, list[tuple[_Module, ast.expr]]] = defaultdict(list)
        for module in self.modules:
            for name, found in module.functions.items():
                self.functions[name] += [(module, function) for function in found]
            for name, value in module.constants.items():
                self.constants[name].append((module, value))
        self.helpers: set[str] = set()
        self._find_helpers()

    def raised(self) -> list[Raised]:
        """Every place where an error is made, or a function that makes one is called."""
        found = []
        for module in self.modules:
            for function, node in module.calls:
                for kind, texts in self._errors(module, function, node):
                    if function is not None and function.name in self.helpers and _is_open(texts):
                        continue  # found where the function is called
                    where = f"{module.path}:{node.lineno}"
                    tidied = frozenset(map(_tidied, texts))
                    found.append(Raised(where, kind, tidied, _wraps(function, node)))
        return found

    # --- errors ---

    def _find_helpers(self) -> None:
        """Functions whose errors have only what they are called with as words."""
        while True:
            before = len(self.helpers)
            for module in self.modules:
                for function, node in module.calls:
                    if function is None or function.name in self.helpers:
                        continue
                    if _wraps(function, node) and node not in function.returns:
                        continue
                    returned = node in function.returns
                    for _, texts in self._errors(module, function, node):
                        ends = any(re.search(r": ⟦\w+⟧$", text) for text in texts)
                        says = any(map(has_words, texts))
                        if _is_open(texts) and (returned or ends or not says):
                            self.helpers.add(function.name)
            if len(self.helpers) == before:
                return

    def _errors(
        self, module: _Module, function: _Def | None, node: ast.Call, env: Env | None = None
    ) -> list[tuple[str, Texts]]:
        """The class and texts of an error that a call makes."""
        name = _name_of(node.func)
        if name not in self.kinds and name not in self.helpers:
            return []
        if ast.unparse(node.func).startswith("console."):  # prints, and has methods of such names
            return []
        if env is None:
            env = {} if function is None else _env(function, {})
        if name in self.kinds:
            first = self._texts(module, function, node.args[0], env, 0) if node.args else _NOTHING
            return [(name, first)]
        found = []
        for at, called in self._called(module, node):
            if called is function:
                continue
            bound = _env(called, self._arguments(module, function, node, called, env, 0))
            for inner in called.calls:
                passes_on = _wraps(called, inner) and inner not in called.returns
                if _name_of(inner.func) != name and not passes_on:
                    found += self._errors(at, called, inner, bound)
        return found

    # --- texts ---

    def _arguments(
        self,
        module: _Module,
        function: _Def | None,
        node: ast.Call,
        called: _Def,
        env: Env,
        depth: int,
    ) -> dict[str, Texts]:
        def of(value: ast.expr, env: Env) -> Texts:
            return self._texts(module, function, value, env, depth + 1)

        bound = {name: of(value, {}) for name, value in called.defaults.items()}
        given = zip(called.positional, node.args, strict=False)
        bound |= {name: of(value, env) for name, value in given}
        return bound | {k.arg: of(k.value, env) for k in node.keywords if k.arg is not None}

    def _texts(
        self, module: _Module, function: _Def | None, node: ast.expr, env: Env, depth: int
    ) -> Texts:
        """The templates of an expression."""
        if depth > _DEPTH:
            return _UNKNOWN

        def of(part: ast.expr) -> Texts:
            return self._texts(module, function, part, env, depth + 1)

        def any_of(parts: Sequence[ast.expr]) -> Texts:
            return _limited(frozenset().union(*map(of, parts)))

        if isinstance(node, (ast.Attribute, ast.Call)):
            function_name = _name_of(node.func) if isinstance(node, ast.Call) else ""
            for key in (ast.unparse(node), function_name):
                if key in self.known:
                    self.used.add(key)
                    return frozenset({self.known[key]})
        match node:
            case ast.Constant(value=str(text)):
                return frozenset({text})
            case ast.JoinedStr(values=parts):
                return _joined([of(part) for part in parts])
            case ast.FormattedValue(value=part) | ast.Starred(value=part):
                return of(part)
            case (
                ast.GeneratorExp(elt=ast.Name(id=name), generators=[one])
                | ast.ListComp(elt=ast.Name(id=name), generators=[one])
            ) if ast.unparse(one.target) == name:
                return of(one.iter)
            case ast.GeneratorExp(elt=part) | ast.ListComp(elt=part):
                return of(part)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return _joined([of(left), of(right)])
            case ast.IfExp(body=body, orelse=other):
                return any_of([body, other])
            case ast.BoolOp(values=parts):
                return any_of(parts)
            case ast.List(elts=[_, *_] as parts) | ast.Tuple(elts=[_, *_] as parts):
                return any_of(parts)
            case ast.Dict(values=[_, *_] as parts):
                return any_of(parts)
            case ast.Name(id=name):
                return self._of_name(module, function, name, env, depth)
            case ast.Attribute(attr=name):
                return self._of_attribute(module, name, depth)
            case ast.Call():
                return self._of_call(module, function, node, env, depth)
        return _UNKNOWN

    def _of_name(
        self, module: _Module, function: _Def | None, name: str, env: Env, depth: int
    ) -> Texts:
        if name in env:
            return env[name]
        if function is not None and name in function.assigned:
            values = function.assigned[name]
            parts = [self._texts(module, function, value, env, depth + 1) for value in values]
            return _limited(frozenset().union(*parts))
        if name in module.constants:
            return self._texts(module, None, module.constants[name], {}, depth + 1)
        if name.isupper() and len(self.constants[name]) == 1:
            ((at, value),) = self.constants[name]
            return self._texts(at, None, value, {}, depth + 1)
        return _UNKNOWN

    def _of_attribute(self, module: _Module, name: str, depth: int) -> Texts:
        """A property or a constant of a class in this module, or a constant of several runners."""
        properties = [(module, d) for d in module.functions.get(name, ()) if d.is_property]
        if properties:
            return self._returned(properties, [{}] * len(properties), depth)
        values = self.constants[name] if name in _CLASS_CONSTANTS else []
        parts = [self._texts(at, None, value, {}, depth + 1) for at, value in values]
        return _limited(frozenset().union(*parts)) if parts else _UNKNOWN

    def _of_call(
        self, module: _Module, function: _Def | None, node: ast.Call, env: Env, depth: int
    ) -> Texts:
        def of(part: ast.expr) -> Texts:
            return self._texts(module, function, part, env, depth + 1)

        match node.func:
            case ast.Attribute(value=base, attr="format"):
                return frozenset(re.sub(r"\{\w*\}", GAP, text) for text in of(base))
            case ast.Attribute(attr="join") if node.args:
                return of(node.args[0])
            case ast.Attribute(value=base, attr="strip" | "rstrip" | "capitalize"):
                return of(base)
            case ast.Attribute(value=ast.Name(id=name), attr="get") if name in module.constants:
                return of(ast.Name(name))
            case ast.Name(id="str" | "printable" | "cut" | "next") if node.args:
                return of(node.args[0])
        called = self._called(module, node)
        bound = [self._arguments(module, function, node, d, env, depth) for _, d in called]
        return self._returned(called, bound, depth)

    def _returned(
        self,
        called: Sequence[tuple[_Module, _Def]],
        arguments: Sequence[Mapping[str, Texts]],
        depth: int,
    ) -> Texts:
        parts = [
            self._texts(at, found, value, _env(found, bound), depth + 1)
            for (at, found), bound in zip(called, arguments, strict=True)
            for value in found.returns
        ]
        return _limited(frozenset().union(*parts)) if parts else _UNKNOWN

    def _called(self, module: _Module, node: ast.Call) -> list[tuple[_Module, _Def]]:
        """Functions that a call may mean: of the same module if it has one of that name."""
        name, is_method = _name_of(node.func), isinstance(node.func, ast.Attribute)
        own = [(module, d) for d in module.functions.get(name, ()) if d.takes(node)]
        found = own or [(at, d) for at, d in self.functions.get(name, ()) if d.takes(node)]
        # A function of a module may be called by the module's name too.
        alike = [(at, d) for at, d in found if d.is_method == is_method]
        found = alike or (found if is_method else [])
        return found if len(found) <= _MOST_FUNCTIONS else []


def has_words(text: str) -> bool:
    """Whether a template says something by itself."""
    return bool(re.search("[a-z]{2}", _PARAMETER.sub("", text)))


def _is_open(texts: Texts) -> bool:
    """Whether a text has what a function is called with."""
    return any(_PARAMETER.search(text) for text in texts)


def _env(function: _Def, arguments: Mapping[str, Texts]) -> dict[str, Texts]:
    return {n: arguments.get(n, frozenset({f"⟦{n}⟧"})) for n in function.parameters}


def _indexed(name: str, tree: ast.Module) -> _Module:
    module = _Module(name)
    _index(module, tree, None, False)
    return module


def _index(module: _Module, node: ast.AST, function: _Def | None, in_class: bool) -> None:
    for child in ast.iter_child_nodes(node):
        inner, is_class = function, isinstance(child, ast.ClassDef)
        if isinstance(child, Function):
            inner = _Def(child, is_method=in_class)
            module.functions[child.name].append(inner)
        if isinstance(child, ast.Call):
            module.calls.append((function, child))
        if function is None:
            module.constants.update(_assignments(child))
        _index(module, child, inner, is_class)


def _assignments(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign):
        yield from ((t.id, node.value) for t in node.targets if isinstance(t, ast.Name))
    one = isinstance(node, (ast.NamedExpr, ast.AugAssign, ast.AnnAssign))
    if one and node.value is not None and isinstance(node.target, ast.Name):
        yield node.target.id, node.value


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _wraps(function: _Def | None, node: ast.Call) -> bool:
    """Whether an argument is an exception that was caught."""
    if function is None:
        return False
    used = {n.id for arg in node.args for n in ast.walk(arg) if isinstance(n, ast.Name)}
    return not function.caught.isdisjoint(used)


def _joined(parts: Sequence[Texts]) -> Texts:
    total = 1
    for part in parts:
        total *= len(part)
    if total > _MOST_TEMPLATES:
        # Of many alternatives in one text, the longest says the most.
        parts = [frozenset({max(part, key=len)}) for part in parts]
    return frozenset("".join(choice) for choice in itertools.product(*parts))


def _limited(texts: Texts) -> Texts:
    """Of too many alternatives, those that say the most."""
    most = 2 * _MOST_TEMPLATES
    return texts if len(texts) <= most else frozenset(sorted(texts, key=len)[-most:])


def _tidied(text: str) -> str:
    text = _PARAMETER.sub(GAP, text)
    text = re.sub(rf"{GAP}[{GAP} ]*{GAP}", GAP, text)
    return re.sub(r"\s+", " ", text.partition("\n")[0]).strip()

"""Breaks a module of ours in one place at a time, and asks its tests whether they notice.

What is broken: comparisons, boolean logic, conditions, arithmetic, constants, what is returned and passed, entries of tables, cases, statements
that act. What is not: annotations, type aliases, docstrings, members of a plain Enum, imports and `__all__`, decorators,
dataclass fields.
"""

import ast
import importlib.abc
import importlib.machinery
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from itertools import pairwise
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A module with one fault. `line` is where the fault stands in the file; `source` has neither comments nor our line breaks."""

    line: int
    removed: str
    added: str
    source: str

    def diff(self, module: str) -> str:
        """The fault as a diff of the lines without their indent."""
        return "\n".join([f"{path_of(module).relative_to(ROOT).as_posix()}:{self.line}", f"- {self.removed}", f"+ {self.added}"])


class Fate(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    TIMEOUT = "timeout"


def path_of(module: str) -> Path:
    """The file of a module of ours."""
    return ROOT.joinpath(*module.split(".")).with_suffix(".py")


# --- breaking -----------------------------------------------------------------------------------------------------


@cache
def mutants(source: str) -> tuple[Mutant, ...]:
    """Every mutant of a module, in the order of its lines; one for each text, however many ways lead to it."""
    tree = ast.parse(source)
    whole = ast.unparse(tree)
    found: dict[str, Mutant] = {}
    for line in _broken(tree, 1):
        text = ast.unparse(ast.fix_missing_locations(tree))
        if text != whole and text not in found:
            found[text] = Mutant(line=line, source=text, **_difference(whole, text))
    return tuple(sorted(found.values(), key=lambda mutant: mutant.line))


def _difference(whole: str, text: str) -> dict[str, str]:
    before, after = whole.splitlines(), text.splitlines()
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    removed, added = (" / ".join(line.strip() for line in lines[head : len(lines) - tail]) for lines in (before, after))
    same = _common(removed, added)
    same_end = _common(removed[same:][::-1], added[same:][::-1])
    return {"removed": _around(removed, same, same_end), "added": _around(added, same, same_end)}


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines or characters two texts have in common from their beginning."""
    return next((index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


_SHOWN = 60
"""Characters of a line that are shown on either side of the fault: a table is one line here."""


def _around(line: str, same: int, same_end: int) -> str:
    first, last = max(0, same - _SHOWN), len(line) - max(0, same_end - _SHOWN)
    return ("..." if first else "") + line[first:last] + ("..." if last < len(line) else "")


def _broken(node: ast.AST, line: int) -> Iterator[int]:
    """Break what lies below `node`, one place at a time, yielding its line while it is broken."""
    for name, value in ast.iter_fields(node):
        if name in _LEFT_ALONE or (isinstance(node, ast.Assign) and _is_alias(node)) or (isinstance(node, ast.ClassDef) and _is_plain_enum(node)):
            continue
        places = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for index, child in places:
            if not isinstance(child, ast.AST) or _is_docstring(child) or _is_field(child):
                continue
            at = getattr(child, "lineno", line)
            yield from _replaced(node, name, index, child, at)
            yield from _broken(child, at)
    yield from _shortened(node, line)


def _replaced(node: ast.AST, name: str, index: int | None, child: ast.AST, line: int) -> Iterator[int]:
    for other in _instead_of(child, node):
        if index is None:
            setattr(node, name, other)
            yield line
            setattr(node, name, child)
        else:
            getattr(node, name)[index] = other
            yield line
            getattr(node, name)[index] = child


_LEFT_ALONE = ("annotation", "returns", "decorator_list", "ctx", "bases", "targets")


def _is_alias(node: ast.Assign) -> bool:
    """Whether it names a type, `Facts = Mapping[str, Fact]`, or what others may import."""
    if any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
        return True
    return isinstance(node.value, ast.Subscript) and isinstance(node.value.value, ast.Name) and node.value.value.id in ("Callable", "Mapping")


def _is_plain_enum(node: ast.ClassDef) -> bool:
    """Whether its members are told apart by what they are; what they hold is prose."""
    return any(isinstance(base, ast.Name) and base.id == "Enum" for base in node.bases)


def _is_field(node: ast.AST) -> bool:
    """Whether it says, as a decorator does, how a dataclass is made."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "field"


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitOr,
}
_WORDS = [
    ("any", "all"),
    ("min", "max"),
    ("startswith", "endswith"),
    ("lower", "upper"),
    ("removeprefix", "removesuffix"),
    ("partition", "rpartition"),
]
_WORDS_FOR = dict([*_WORDS, *((other, word) for word, other in _WORDS)])
"""Names of functions that are taken for one another."""


def _instead_of(node: ast.AST, parent: ast.AST) -> Iterator[ast.AST]:
    """What could have been written there by mistake."""
    match node:
        case ast.cmpop():
            yield from (other() for other in _COMPARISONS[type(node)])
        case ast.And():
            yield ast.Or()
        case ast.Or():
            yield ast.And()
        case ast.operator():
            if type(node) in _ARITHMETIC:
                yield _ARITHMETIC[type(node)]()
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Constant(value=str(value)):
            yield ast.Constant(f"XX{value}")
        case ast.Name(id=word) if word in _WORDS_FOR:
            yield ast.Name(_WORDS_FOR[word], ast.Load())
        case ast.Attribute(value=owner, attr=word) if word in _WORDS_FOR:
            yield ast.Attribute(owner, _WORDS_FOR[word], ast.Load())
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.If(test=test, body=body, orelse=orelse) if not isinstance(test, ast.Compare):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Lambda(args=args):
            yield ast.Lambda(args, ast.Constant(None))
        case ast.Return(value=value):
            if value is not None and not _is_none(value):
                yield ast.Return(ast.Constant(None))
            if not (isinstance(parent, ast.FunctionDef) and node is parent.body[-1]):  # there it would give None once more
                yield ast.Pass()
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Break() | ast.Continue():
            yield ast.Pass()
        case ast.keyword(arg=arg, value=value) if not _is_none(value) and isinstance(parent, ast.Call):
            yield ast.keyword(arg, ast.Constant(None))
        case ast.expr() if isinstance(parent, ast.Call) and node in parent.args and not isinstance(node, ast.Starred | ast.GeneratorExp):
            yield ast.Constant(None)


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _shortened(node: ast.AST, line: int) -> Iterator[int]:
    """Leave out one part of what has several; give an entry of a table the value of the next."""
    match node:
        case ast.BoolOp(values=parts) | ast.Set(elts=parts) | ast.List(elts=parts, ctx=ast.Load()):
            yield from _without_one(parts, line, fewest=1)
        case ast.Tuple(elts=parts, ctx=ast.Load()):
            yield from _without_one(parts, line, fewest=1)
        case ast.MatchOr(patterns=parts):
            yield from _without_one(parts, line, fewest=2)
        case ast.Match(cases=parts):
            yield from _without_one(parts, line, fewest=1)
        case ast.comprehension(ifs=parts) | ast.Call(keywords=parts):
            yield from _without_one(parts, line, fewest=0)
        case ast.Dict(keys=keys, values=values):
            for index, (key, value) in enumerate(list(zip(keys, values, strict=True))):
                del keys[index], values[index]
                yield value.lineno
                keys.insert(index, key)
                values.insert(index, value)
            for index, (value, other) in enumerate(pairwise(list(values))):
                values[index] = other
                yield value.lineno
                values[index] = value


def _without_one(parts: Sequence[ast.AST], line: int, *, fewest: int) -> Iterator[int]:
    assert isinstance(parts, list)
    for index, part in enumerate(list(parts)):
        if len(parts) > fewest:
            del parts[index]
            yield getattr(part, "lineno", line)
            parts.insert(index, part)


# --- asking the tests ---------------------------------------------------------------------------------------------


class UnfitTestsError(Exception):
    """The tests did not run to an end that says something."""


def fates(
    module: str, sources: Sequence[str], tests: Sequence[str], *, folder: Path, timeout_s: float, benches: int = 2
) -> Iterator[tuple[int, Fate]]:
    """What becomes of `module` with each of `sources` for its text, by index, as they end. `folder` takes what they print.

    Each has a process of its own, forked from one in which pytest is ready and nothing of ours imported: to start pytest takes several times as
    long as to run the tests.

    Raises:
        UnfitTestsError: pytest could not be used as asked, or met a fault of its own.
    """
    context = multiprocessing.get_context("spawn")
    running: list[tuple[BaseProcess, Connection]] = []
    for bench in range(benches):
        mine = dict(list(enumerate(sources))[bench::benches])
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_serve, args=(theirs, module, mine, list(tests), folder, timeout_s))
        process.start()
        theirs.close()
        running.append((process, ours))
    try:
        told = 0
        open_ends = [ours for _, ours in running]
        while open_ends:
            for end in wait(open_ends):
                assert isinstance(end, Connection)
                try:
                    index, code = end.recv()
                except EOFError:
                    open_ends.remove(end)
                    continue
                told += 1
                if code not in _FATES:
                    raise UnfitTestsError(f"the tests ended with {code}:\n{_output(folder, index)[-3000:]}")
                yield index, _FATES[code]
        if told < len(sources):
            raise UnfitTestsError(f"{told} of {len(sources)} were told of")
    finally:
        for process, end in running:
            process.terminate()
            process.join()
            end.close()


_OURS, _TIMED_OUT = 100, 99
_FATES = {_OURS: Fate.SURVIVED, _OURS + 1: Fate.KILLED, _OURS + 2: Fate.KILLED, _TIMED_OUT: Fate.TIMEOUT}
"""By pytest's code and a hundred, since Python's own 1 for a crash of this file would be a kill; 2: the tests could not even be collected."""


def _output(folder: Path, index: int) -> str:
    return (folder / f"{index}.log").read_text(encoding="utf-8", errors="replace")


def _serve(end: Connection, module: str, sources: Mapping[int, str], tests: Sequence[str], folder: Path, timeout_s: float) -> None:
    """Make pytest ready, and tell the code of each of `sources` down `end`."""
    import pytest
    from hypothesis import Phase, settings

    class Bench:
        def pytest_collection(self) -> None:
            """Before anything of ours is imported: the child goes on from here with its own text of the module, the parent to the next."""
            for index, source in sources.items():
                if (pid := os.fork()) == 0:
                    end.close()
                    out = os.open(folder / f"{index}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                    os.dup2(out, 1)
                    os.dup2(out, 2)
                    sys.meta_path.insert(0, _Finder({module: source}))
                    return
                end.send((index, _code(pid, timeout_s)))
            os._exit(0)

    os.chdir(ROOT)
    # What is not broken is compiled once, and beside the checkout.
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(folder / "compiled")
    # An example that fails is enough: it need not be made small, nor remembered. The same examples each time, so that figures can be compared.
    settings.register_profile("mutants", deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
    options = ["-x", "-q", "-s", "--tb=line", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-profile=mutants"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis was imported before pytest could rewrite it
    code = pytest.main([*options, *tests], plugins=[Bench()])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_OURS + code)


def _code(pid: int, timeout_s: float) -> int:
    """How the child ended; one that takes too long is killed."""
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return _TIMED_OUT


class _Finder(importlib.abc.MetaPathFinder):
    """Finds modules whose text was given, before their files are looked for."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = sources

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, _Loader(self.sources[name])) if name in self.sources else None


@dataclass(frozen=True, slots=True)
class _Loader(importlib.abc.Loader):
    source: str

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.source, "<mutant>", "exec"), module.__dict__)

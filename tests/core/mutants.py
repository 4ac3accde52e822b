"""Runs the tests of operators, evaluation and waivers against versions of them that are wrong in one place, and prints those that no test noticed.

    .venv/bin/python tests/core/mutants.py [auditor/core/waiver.py]

A child process is forked for each version: it imports the module from a changed tree, and everything else as it is. POSIX only.
"""

import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType

import pytest

TOP = Path(__file__).resolve().parents[2]
TESTS = {
    "auditor/core/operators.py": ("tests/core/test_operators.py", "tests/core/test_evaluate.py", "tests/core/test_evaluate_properties.py"),
    "auditor/core/evaluate.py": ("tests/core/test_evaluate.py", "tests/core/test_operators.py", "tests/core/test_evaluate_properties.py"),
    "auditor/core/waiver.py": ("tests/waivers/test_waiver.py", "tests/waivers/test_waivers_agree.py"),
}
"""Modules, and the tests that must notice, the fastest first."""

TIMEOUT_S = 120
"""A version that runs longer loops, which is noticed."""

_OPPOSITE: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_PAIRS = (
    *("TRUE FALSE", "ABSENT UNSEEN", "VALUE UNSET"),
    *("PASS FAIL", "NOT_EVALUATED NOT_APPLICABLE"),
    *("EXPIRED IN_FORCE", "EXPIRING PENDING", "UNUSED PASSES"),
)
_MEMBERS = {one: other for pair in _PAIRS for one, other in (pair.split(), pair.split()[::-1])}
"""Members of enumerations, each with the one to be taken for it."""


def mutants(source: str) -> Iterator[tuple[int, str, ast.Module]]:
    """Every version of `source` that is wrong in one place: the line, what stands there now, and the tree."""
    tree = ast.parse(source)
    for number, node in enumerate(_nodes(tree)):
        for way in range(_ways(node)):
            wrong = copy.deepcopy(tree)
            changed = _nodes(wrong)[number]
            _change(changed, way)
            yield getattr(node, "lineno", 0), ast.unparse(changed), ast.fix_missing_locations(wrong)


def _nodes(tree: ast.AST) -> list[ast.AST]:
    """The nodes that decide something, in a fixed order: no annotations, decorators or documentation."""
    found: list[ast.AST] = []
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):
                found += [child, *_nodes(child)]
    return found


def _ways(node: ast.AST) -> int:
    """In how many ways `_change` can make `node` wrong."""
    match node:
        case ast.Compare(ops=[operator]) | ast.BoolOp(op=operator) | ast.BinOp(op=operator):
            return int(type(operator) in _OPPOSITE)
        case ast.Constant(value=bool() | int()) | ast.If() | ast.IfExp() | ast.UnaryOp(op=ast.Not()):
            return 1
        case ast.Call(func=ast.Name(id=name)):
            return int(name in _NAMES)
        case ast.Attribute(attr=member):
            return int(member in _MEMBERS)
        case ast.comprehension(ifs=conditions):
            return len(conditions)
        case _:
            return 0


def _change(node: ast.AST, way: int) -> None:
    match node:
        case ast.Compare():
            node.ops = [_OPPOSITE[type(node.ops[0])]()]  # type: ignore[list-item]
        case ast.BoolOp() | ast.BinOp():
            node.op = _OPPOSITE[type(node.op)]()  # type: ignore[assignment]
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant(value=int(value)):
            node.value = value + 1
        case ast.If() | ast.IfExp():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.UnaryOp():
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        case ast.Call(func=ast.Name() as function):
            function.id = _NAMES[function.id]
        case ast.Attribute():
            node.attr = _MEMBERS[node.attr]
        case ast.comprehension():
            del node.ifs[way]


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads one module from a tree."""

    def __init__(self, name: str, path: str, tree: ast.Module) -> None:
        super().__init__(name, path)
        self.tree = tree

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.tree, self.path, "exec")


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, file: str, tree: ast.Module) -> None:
        self.name, self.file, self.tree = file.removesuffix(".py").replace("/", "."), file, tree

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_loader(fullname, _Loader(fullname, str(TOP / self.file), self.tree))


def is_noticed(file: str, tree: ast.Module) -> bool:
    """Whether a test fails, or cannot run, with `tree` in the place of `file`."""
    return any(_fails(file, tree, test) for test in TESTS[file])


def _fails(file: str, tree: ast.Module, test: str) -> bool:
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] != 0
    signal.alarm(TIMEOUT_S)
    sys.meta_path.insert(0, _Finder(file, tree))
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    quick = ["-x", "-q", "-n", "0", "--no-cov", "-p", "no:randomly", "-p", "no:cacheprovider", "--hypothesis-seed=1"]
    os._exit(int(pytest.main([*quick, test])))


def main(files: list[str]) -> None:
    os.chdir(TOP)
    assert not any(name.partition(".")[0] == "auditor" for name in sys.modules), "the children must import it anew"
    total, survivors = 0, []
    for file in files or TESTS:
        source = (TOP / file).read_text(encoding="utf-8")
        if is_noticed(file, ast.parse(source)):
            raise SystemExit(f"{file}: its tests fail as it is")
        for line, now, tree in mutants(source):
            total += 1
            if not is_noticed(file, tree):
                survivors.append(f"{file}:{line}: {' '.join(now.split())[:120]}")
                print(survivors[-1], flush=True)
    print(f"{len(survivors)} of {total} not noticed")


if __name__ == "__main__":
    main(sys.argv[1:])

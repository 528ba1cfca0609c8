"""Rules about pragmas: which there are, their options, and where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

from flowc.backends.hls.lint.constants import evaluate
from flowc.backends.hls.lint.directives import DIRECTIVES, INTERFACE_OPTIONS, OPERATIONS, STORAGE, Directive, Option
from flowc.backends.hls.lint.finding import Finding
from flowc.backends.hls.lint.structure import Scope, matching, split
from flowc.backends.hls.lint.tokens import Pragma, Token, Unit, tokenize

__all__ = ["MOST_PARTS", "Read", "parse_pragma", "pragma_findings"]

MOST_PARTS = 1024
"""Most parts of a partitioned array."""

_WORD = re.compile(r"(\w+)\s*(?:=\s*((?:[^\s=]|\s*[-+*/]\s*)+))?")
_EXPRESSION = re.compile(r"\(*[\w:]+\)*(?:\s*[-+*/%]\s*\(*[\w:]+\)*)*")
_DECISIONS = ("if", "else", "for", "while", "do", "switch", "return")
_EXCLUSIVE = {"pipeline": ("dataflow",), "dataflow": ("pipeline",)}


@dataclass(frozen=True)
class Read:
    """A pragma taken apart: its directive in lower case, options by name, lone words, the order they came in."""

    pragma: Pragma
    name: str
    options: Mapping[str, str]
    flags: frozenset[str]
    first: str
    scope: Scope

    def finding(self, rule: str, message: str) -> Finding:
        return Finding(self.pragma.file, self.pragma.line, rule, f"{self.name}: {message}")


def pragma_findings(unit: Unit, root: Scope, tops: frozenset[str]) -> Iterator[Finding]:
    """Violations of the pragma rules in a translation unit.

    Args:
        tops: names of the top functions, if they are known.
    """
    known: list[Read] = []
    for pragma in unit.pragmas:
        words = pragma.text.split()
        if words == ["once"]:
            continue
        name = words[1].lower() if len(words) > 1 else ""
        if not words or words[0] != "HLS" or name not in DIRECTIVES:
            yield Finding(pragma.file, pragma.line, "pragma-unknown", f"'#pragma {' '.join(words[:2])}'")
            continue
        scope = root.at(pragma.before)
        read, problems = parse_pragma(pragma, name, scope)
        yield from problems
        known.append(read)
        yield from _options(read)
        yield from _position(read, unit, tops)
        yield from _variable(read, tops)
        yield from _limit(read)
    yield from _together(known, unit)


def parse_pragma(pragma: Pragma, name: str, scope: Scope) -> tuple[Read, list[Finding]]:
    """Takes the options apart; words that the directive does not know are findings."""
    directive = DIRECTIVES[name]
    rest = pragma.text.split(None, 2)[2] if len(pragma.text.split()) > 2 else ""
    options: dict[str, str] = {}
    flags: set[str] = set()
    order: list[str] = []
    wrong: list[str] = []
    for match in _WORD.finditer(rest):
        word, value = match[1].lower(), match[2]
        meant = next((k for k, o in directive.options.items() if o.bare and word in o.words), None)
        if value is not None:
            if word in options:
                wrong.append(f"option '{word}' is given twice")
            elif word not in directive.options:
                wrong.append(f"there is no option '{word}'")
            options[word] = value.strip()
        elif word in directive.flags:
            flags.add(word)
        elif meant is not None:
            if meant in options:
                wrong.append(f"option '{meant}' is given twice")
            options[meant] = word
            word = meant
        else:
            wrong.append(f"'{match[1]}' means nothing here")
        order.append(word)
    if _WORD.sub("", rest).strip():
        wrong.append(f"'{_WORD.sub('', rest).strip()}' can't be read")
    read = Read(pragma, name, options, frozenset(flags), order[0] if order else "", scope)
    return read, [read.finding("pragma-option", message) for message in wrong]


def _options(read: Read) -> Iterator[Finding]:
    directive = DIRECTIVES[read.name]
    for required in directive.required:
        if required not in read.options:
            yield read.finding("pragma-option", f"option '{required}' is missing")
    for name, value in read.options.items():
        if name in directive.options:
            message = _value(name, value, directive.options[name], read)
            if message is not None:
                yield read.finding("pragma-option", message)
    yield from _combinations(read, directive)


def _value(name: str, value: str, option: Option, read: Read) -> str | None:
    """What is wrong with a value, or None."""
    if option.kind == "word" and value.lower() not in option.words:
        return f"{name}={value}: must be one of {', '.join(option.words)}"
    if option.kind in ("name", "port") and not re.fullmatch(r"\w+", value):
        return f"{name}={value}: must be a name"
    if option.kind == "variable" and not re.fullmatch(r"\w+(?:(?:->|\.)\w+|\[\d+\])*", value):
        return f"{name}={value}: must be a variable"
    if option.kind == "integer":
        tokens = tuple(tokenize(value, read.pragma.file, read.pragma.line))
        number = evaluate(tokens, read.scope)
        if number is not None and number < option.least:
            return f"{name}={value}: must be at least {option.least}"
        if number is None and not _EXPRESSION.fullmatch(value):
            return f"{name}={value}: must be an integer"
    return None


def _combinations(read: Read, directive: Directive) -> Iterator[Finding]:
    """Options that exclude or need each other."""
    options = {name: value.lower() for name, value in read.options.items()}
    if read.name in ("array_partition", "array_reshape"):
        kind = options.get("type", "complete")
        if kind == "complete" and "factor" in options:
            yield read.finding("pragma-option", "factor has no meaning for type=complete")
        elif kind in ("cyclic", "block") and "factor" not in options:
            yield read.finding("pragma-option", f"type={kind} needs a factor")
    elif read.name == "bind_storage":
        kind, impl = options.get("type", ""), options.get("impl", "auto")
        if kind in STORAGE and impl not in STORAGE[kind] and impl in directive.options["impl"].words:
            yield read.finding(
                "pragma-option", f"no {kind} can be made of {impl}; possible: {', '.join(STORAGE[kind])}"
            )
    elif read.name == "bind_op":
        operation, impl = options.get("op", ""), options.get("impl", "fabric")
        if operation in OPERATIONS and impl not in OPERATIONS[operation]:
            yield read.finding("pragma-option", f"no {operation} can be made of {impl}")
    elif read.name == "interface":
        mode = options.get("mode", "")
        if mode in INTERFACE_OPTIONS:
            allowed = {"mode", "port", "name", *INTERFACE_OPTIONS[mode]}
            for word in sorted((set(options) | read.flags) & (set(directive.options) | set(directive.flags)) - allowed):
                yield read.finding("pragma-option", f"mode={mode} has no option '{word}'")
            if read.first != "mode":
                yield read.finding("pragma-option", "the mode must come first")
    elif read.name == "dependence":
        if "variable" in options and "class" in options:
            yield read.finding("pragma-option", "variable and class exclude each other")
        if "dependent" not in options:
            yield read.finding("pragma-option", "true or false is missing")
        if "distance" in options and options.get("dependent") != "true":
            yield read.finding("pragma-option", "distance has no meaning without a true dependence")
    elif read.name == "latency" and not options:
        yield read.finding("pragma-option", "min or max is needed")
    elif read.name == "pipeline" and "off" in read.flags and (options or len(read.flags) > 1):
        yield read.finding("pragma-option", "off excludes all else")
    elif read.name == "pipeline" and "rewind" in read.flags and options.get("style") == "frp":
        yield read.finding("pragma-option", "rewind excludes style=frp")


def _position(read: Read, unit: Unit, tops: frozenset[str]) -> Iterator[Finding]:
    scope, function = read.scope, read.scope.function
    if function is None:
        yield read.finding("pragma-position", "stands outside of any function")
        return
    places = DIRECTIVES[read.name].places
    if places != ("any",) and scope.kind not in places:
        where = " or ".join(f"a {place}" for place in places)
        yield read.finding("pragma-position", f"must stand directly in {where}, this is a {scope.kind}")
        return
    before, after = _neighbours(read.pragma, unit)
    if before is not None and before.text not in (";", "{", "}", ":"):
        yield read.finding("pragma-position", f"stands within a statement, behind '{before.text}'")
    elif read.name in ("pipeline", "unroll", "loop_flatten", "loop_tripcount") and after is None:
        yield read.finding("pragma-position", "stands at the end of the file")
    if read.name == "interface":
        if tops and function.name not in tops:
            wanted = ", ".join(sorted(tops))
            yield read.finding(
                "pragma-position", f"interfaces belong to the top function {wanted}, this is {function.name}"
            )
        port = read.options.get("port", "return")
        parameters = {v.name for v in function.variables.values() if v.kind == "parameter"}
        if port != "return" and port not in parameters:
            yield read.finding("pragma-variable", f"port '{port}' is no parameter of {function.name}")
        mode = read.options.get("mode", "").lower()
        if mode.startswith("ap_ctrl") and port != "return":
            yield read.finding("pragma-option", f"mode={mode} belongs to port=return")


def _neighbours(pragma: Pragma, unit: Unit) -> tuple[Token | None, Token | None]:
    before = unit.tokens[pragma.before - 1] if pragma.before else None
    after = unit.tokens[pragma.before] if pragma.before < len(unit.tokens) else None
    return before, after


def _variable(read: Read, tops: frozenset[str]) -> Iterator[Finding]:
    value = read.options.get("variable")
    if value is None or read.scope.function is None:
        return
    name = re.split(r"->|\.|\[", value)[0]
    if name == "this":
        return
    variable = read.scope.find(name, read.pragma.before)
    if variable is None:
        yield read.finding("pragma-variable", f"'{name}' is not declared before the pragma")
    elif read.name == "stream" and variable.kind == "parameter" and read.scope.function.name in tops:
        yield read.finding("pragma-variable", f"'{name}' is an argument of the top function")
    elif read.name in ("array_partition", "array_reshape") and name == value:
        words = variable.words
        if not variable.dims and variable.kind == "variable" and "*" not in words and "stream" not in words:
            yield read.finding("pragma-variable", f"'{name}' is no array")


def _limit(read: Read) -> Iterator[Finding]:
    """The number of parts of an array, as far as it can be known."""
    if read.name != "array_partition":
        return
    factor = read.options.get("factor")
    if factor is not None:
        parts = evaluate(tuple(tokenize(factor)), read.scope)
    else:
        variable = read.scope.find(read.options.get("variable", ""))
        if variable is None or not variable.dims:
            return
        dim = evaluate(tuple(tokenize(read.options.get("dim", "1"))), read.scope)
        if dim is None:
            return
        if dim > len(variable.dims):
            message = f"array '{variable.name}' has {len(variable.dims)} dimensions, not {dim}"
            yield read.finding("pragma-option", message)
            return
        sizes = [evaluate(bound, read.scope) for bound in (variable.dims if dim == 0 else variable.dims[dim - 1 : dim])]
        known = [size for size in sizes if size is not None]
        parts = prod(known) if len(known) == len(sizes) else None
    if parts is not None and parts > MOST_PARTS:
        yield read.finding("partition-limit", f"{parts} parts, at most {MOST_PARTS} are possible")


def _together(known: list[Read], unit: Unit) -> Iterator[Finding]:
    """Pragmas that exclude each other in a scope, and the form of dataflow regions."""
    by_scope: dict[int, list[Read]] = {}
    for read in known:
        by_scope.setdefault(id(read.scope), []).append(read)
    for reads in by_scope.values():
        names = {read.name for read in reads}
        for read in reads:
            for other in _EXCLUSIVE.get(read.name, ()):
                if other in names and read.name < other:
                    yield read.finding("pragma-position", f"excludes {other} in the same scope")
        flow = next((read for read in reads if read.name == "dataflow"), None)
        if flow is not None and flow.scope.kind in ("function", "loop"):
            yield from _dataflow_form(flow, unit)


def _dataflow_form(read: Read, unit: Unit) -> Iterator[Finding]:
    """Statements of a dataflow region other than declarations and calls."""
    scope = read.scope
    region = list(unit.tokens[scope.begin + 1 : scope.end])
    for child in reversed(scope.children):
        if child.kind == "initializer":
            continue
        where = unit.tokens[child.begin]
        yield Finding(where.file, where.line, "dataflow-form", f"a {child.kind} in a dataflow region")
        del region[child.begin - len(child.head) - scope.begin - 1 : child.end - scope.begin]
    for statement in split(region, ";", angles=False):
        if not statement or _is_call(statement) or _is_declaration(statement, scope):
            continue
        text = " ".join(t.text for t in statement[:8])
        yield Finding(statement[0].file, statement[0].line, "dataflow-form", f"'{text}' is no declaration and no call")


def _is_call(statement: tuple[Token, ...]) -> bool:
    """Whether a statement is one call, and nothing decides whether it is made."""
    opening = next((i for i, t in enumerate(statement) if t.text == "("), None)
    if not opening or matching(statement, opening) != len(statement) - 1 or statement[0].text in _DECISIONS:
        return False
    return all(t.kind in ("name", "number") or t.text in ("::", "<", ">", ">>", ",") for t in statement[:opening])


def _is_declaration(statement: tuple[Token, ...], scope: Scope) -> bool:
    positions = {t.text for t in statement if t.kind == "name"}
    return any(
        v.kind == "variable" and v.name in positions and v.type and v.type[0] is statement[0]
        for v in scope.variables.values()
    )

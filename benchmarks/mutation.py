"""Mutation testing: do the fast tests of a module notice when the module is wrong?

    python -m benchmarks.mutation [GROUP ...] [--mutants 30] [--seed 0] [--jobs 1] [--output FILE.json]
    python -m benchmarks.mutation [GROUP ...] --again [--jobs 1] [--output FILE.json]

Groups are ``verify``, ``exact``, ``units``, ``allocate`` (`benchmarks.mutants.GROUPS`); without one, all. Of all single mutations that
cosmic-ray knows for the modules of a group, so many are drawn, alike for the same seed and sources. Each is written into a copy of the
repository, where the fast tests that execute its line run (`benchmarks.noticing`); a mutant is *killed* if one fails or takes too long,
else it *survives*. Groups that are not asked for stay in the record as they are.

Survivors that change nothing anyone could see (a bound that is only wider than needed, an early exit) are *equivalent*; they are
listed with the reason in ``benchmarks/records/mutation_equivalent.json``, keyed as the record prints them. The record (JSON, and the
same as Markdown beside it) lists every survivor.

What was killed at *first*, by the tests that there were when the sample was drawn, is what says how good tests are. ``--again`` runs
the survivors that have no reason against tests that are new or changed since: what these kill is listed apart, and the share at first
stays.

Exit status 1 if in a group fewer than nine in ten of the others were killed. Needs cosmic-ray and coverage.py
(``pip install -e .[mutation]``).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from queue import Queue
from typing import Any

from benchmarks.mutants import GROUPS, ROOT, Mutant, line_of, mutants, text_of
from benchmarks.noticing import Noticed, copied, files_since, measure, passes, preload, test_files, tests_of
from benchmarks.provenance import commit
from benchmarks.tables import markdown

RECORDS = ROOT / "benchmarks" / "records"
EQUIVALENT = RECORDS / "mutation_equivalent.json"
_WANTED = 0.9


def survives(mutant: Mutant, folder: Path, tests: dict[str, Noticed]) -> bool:
    """Whether the tests pass with the mutant in the copy; a line that none executes needs no run."""
    path = folder / "view" / "flowc" / mutant.module
    source = path.read_text(encoding="utf-8")
    text = text_of(mutant, source)
    if text is None:
        print("the line is no more:", mutant.key)
        return True
    names = tests_of(replace(mutant, line=line_of(source, text)), tests)
    if not names:
        return True
    try:
        path.write_text(text, encoding="utf-8")
        files = list(dict.fromkeys(tests[name].file for name in names))
        return passes(folder, files, names, seconds=30 + 3 * sum(tests[name].seconds for name in names))
    finally:
        path.write_text(source, encoding="utf-8")


def run(drawn: Sequence[Mutant], jobs: int, since: Mapping[str, str] | None = None) -> Iterator[tuple[Mutant, bool]]:
    """Every mutant, and whether it survived, as they end; ``since``: group -> the commit whose tests it survived already."""
    preload()
    with tempfile.TemporaryDirectory(prefix="flowc-mutants-") as scratch:
        copies: Queue[Path] = Queue()
        for job in range(jobs):
            copies.put(copied(Path(scratch) / str(job)))
        tests = {}
        for group in dict.fromkeys(m.group for m in drawn):
            folder = copies.get()
            files = test_files(group) if since is None else files_since(group, since[group])
            tests[group] = measure(group, folder, files)
            copies.put(folder)

        def one(mutant: Mutant) -> tuple[Mutant, bool]:
            folder = copies.get()
            try:
                lives = survives(mutant, folder, tests[mutant.group])
            finally:
                copies.put(folder)
            print(
                "survived" if lives else "killed  ", f"{mutant.module}:{mutant.line}", mutant.after.strip(), flush=True
            )
            return mutant, lives

        with ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(one, drawn)


def first(results: Sequence[tuple[Mutant, bool]], seed: int) -> dict[str, Any]:
    """The record of a sample: counts per group, and every survivor."""
    groups = {}
    for group in dict.fromkeys(m.group for m, _ in results):
        killed = sum(not lives for m, lives in results if m.group == group)
        count = sum(m.group == group for m, _ in results)
        groups[group] = {"commit": commit(), "seed": seed, "mutants": count, "killed_at_first": killed}
    return {"groups": groups, "survivors": [asdict(m) for m, lives in results if lives], "killed_later": []}


def again(found: dict[str, Any], results: Sequence[tuple[Mutant, bool]]) -> dict[str, Any]:
    """The record after survivors met the tests of now."""
    later = [m for m, lives in results if not lives]
    survivors = [s for s in found["survivors"] if _mutant(s) not in later]
    groups = {
        g: entry | ({"again": commit()} if any(m.group == g for m, _ in results) else {})
        for g, entry in found["groups"].items()
    }
    return {"groups": groups, "survivors": survivors, "killed_later": [*found["killed_later"], *map(asdict, later)]}


def joined(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The old record with the groups of the new one in place of its own."""
    groups = {g: new["groups"].get(g) or old["groups"].get(g) for g in GROUPS}
    result: dict[str, Any] = {"groups": {g: entry for g, entry in groups.items() if entry}}
    for kind in ("survivors", "killed_later"):
        result[kind] = [*(s for s in old[kind] if s["group"] not in new["groups"]), *new[kind]]
    return result


def counted(found: dict[str, Any], reasons: dict[str, str]) -> dict[str, Any]:
    """The record with each survivor's reason, where there is one, and what follows from them in each group."""
    survivors = [s | {"reason": reasons.get(_mutant(s).key)} for s in found["survivors"]]
    groups = {}
    for group, entry in found["groups"].items():
        mine = [s for s in survivors if s["group"] == group]
        equivalent = sum(s["reason"] is not None for s in mine)
        later = sum(s["group"] == group for s in found["killed_later"])
        killed = entry["killed_at_first"] + later
        groups[group] = entry | {"killed": killed, "equivalent": equivalent, "survived": len(mine) - equivalent}
    return found | {"groups": groups, "survivors": survivors}


def _mutant(entry: dict[str, Any]) -> Mutant:
    return Mutant(**{k: v for k, v in entry.items() if k != "reason"})


def page(found: dict[str, Any]) -> str:
    """The record as Markdown."""
    rows = []
    for group, counts in found["groups"].items():
        real = max(1, counts["mutants"] - counts["equivalent"])
        figures = [counts[k] for k in ("mutants", "equivalent", "killed_at_first", "killed", "survived")]
        shares = [f"{counts[k] / real:.0%}" for k in ("killed_at_first", "killed")]
        rows.append([group, str(counts["seed"]), *map(str, figures[:3]), shares[0], *map(str, figures[3:]), shares[1]])
    commits = "; ".join(
        f"{g} on {c['commit']}" + (f", survivors again on {c['again']}" if "again" in c else "")
        for g, c in found["groups"].items()
    )
    text = "# Mutation testing\n\n"
    text += "Written by `python -m benchmarks.mutation`: single mutations drawn at random, and how many of them the fast tests noticed.\n"
    text += '"At first" is by the tests that there were when the sample was drawn; tests were written for what survived, and the survivors '
    text += "run again. Shares are of the mutants that are not equivalent.\n\n"
    head = [
        "group",
        "seed>",
        "mutants>",
        "equivalent>",
        "killed at first>",
        "share>",
        "killed now>",
        "survived>",
        "share>",
    ]
    text += markdown(head, rows) + f"\nCommits: {commits}.\n"
    for title, kind in (("Survivors", "survivors"), ("Survived at first, killed now", "killed_later")):
        lines = []
        for s in found[kind]:
            reason = [s["reason"] or "a gap in the tests"] if kind == "survivors" else []
            lines.append(
                [f"`{s['module']}:{s['line']}`", f"`{s['before'].strip()}`", f"`{s['after'].strip()}`", *reason]
            )
        head = ["place", "before", "after", *(["reason"] if kind == "survivors" else [])]
        text += f"\n## {title}\n\n" + markdown(head, [[c.replace("|", "\\|") for c in line] for line in lines])
    return text


def write(found: dict[str, Any], path: Path) -> None:
    """Writes the record so far: a run that is stopped leaves what it has."""
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(page(found), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=__doc__.split("\n")[0])
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], default=[])
    parser.add_argument("--mutants", type=int, default=30, help="mutants per group")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--again", action="store_true", help="the record's survivors without a reason, with the tests of now"
    )
    parser.add_argument("--output", type=Path, default=RECORDS / "mutation.json")
    options = parser.parse_args(argv)
    groups = options.groups or list(GROUPS)
    reasons = json.loads(EQUIVALENT.read_text(encoding="utf-8"))
    old = {"groups": {}, "survivors": [], "killed_later": []}
    if options.output.exists():
        old = json.loads(options.output.read_text(encoding="utf-8"))
    results: list[tuple[Mutant, bool]] = []
    update: Callable[[], dict[str, Any]]
    if options.again:
        survivors = [_mutant(s) for s in old["survivors"] if s["group"] in groups]
        drawn = [m for m in survivors if m.key not in reasons]

        def update() -> dict[str, Any]:
            return counted(again(old, results), reasons)
    else:
        drawn = [m for group in groups for m in mutants(group, options.mutants, options.seed)]

        def update() -> dict[str, Any]:
            return counted(joined(old, first(results, options.seed)), reasons)

    since = {g: entry.get("again", entry["commit"]) for g, entry in old["groups"].items()} if options.again else None
    for result in run(drawn, options.jobs, since):
        results.append(result)
        write(update(), options.output)
    found = update()
    write(found, options.output)
    low = False
    for group in groups:
        counts = found["groups"].get(group)
        if counts is not None:
            real = counts["mutants"] - counts["equivalent"]
            print(f"{group}: {counts['killed']} of {real} mutants killed, {counts['killed_at_first']} at first")
            low |= counts["killed"] < _WANTED * real
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())

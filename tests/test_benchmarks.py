"""The tables of the benchmarks stand in the pages, and the second opinion on resources keeps to its formulas."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import attacks, speed
from benchmarks.builds import compare
from benchmarks.finn_model import Estimate, finn_estimate, finn_unit
from benchmarks.metered import Cost, metered
from benchmarks.tables import fill, markdown
from flowc.model.dtypes import BIPOLAR, IntType
from flowc.units import Frame, Mvtu
from tests.dataflow.allocate.nets import cnv

PAGE = Path(__file__).parents[1] / "docs" / "cost-model.md"


def test_tables_are_filled_in(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- x -->\nold\n<!-- /x -->\nb\n")
    table = markdown(["name", "count>"], [["one", "1"], ["two", "2"]])
    fill(page, "x", table)
    fill(page, "x", table)
    assert page.read_text() == (
        "a\n<!-- x -->\n| name | count |\n| --- | ---: |\n| one | 1 |\n| two | 2 |\n<!-- /x -->\nb\n"
    )
    with pytest.raises(SystemExit, match="does not hold"):
        fill(page, "y", table)


@pytest.mark.parametrize(("name", "columns"), [("kernels", 4), ("allocation", 6)])
def test_the_page_holds_the_tables(name: str, columns: int) -> None:
    text = PAGE.read_text(encoding="utf-8").split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]
    rows = [line for line in text.split("\n\n")[0].splitlines() if line.startswith("| ")]
    assert len(rows) > 8
    assert all(row.count(" | ") == columns - 1 for row in rows)
    assert "**no**" not in text


def test_a_matrix_unit_by_the_published_formula() -> None:
    unit = Mvtu(
        name="m",
        frame=Frame(1, 1, 64, BIPOLAR),
        weights=np.ones((64, 64), np.int64),
        weight_type=BIPOLAR,
        acc=IntType.for_range(-64, 64),
        activation=None,
        block=64,
        pe=4,
        simd=16,
        memory="bram",
        multiplier="lut",
    )
    # per PE: 16 products of (2 * 1 - 1) * 2 tables, a tree of 2 * 31, an accumulator of 8 bits; 300 for the unit; factor 1.1; blocks of 512 x 36
    assert finn_unit(unit) == Estimate(300 + int(1.1 * 4 * (16 * 2 + 2 * 31 + unit.acc.bits)), 2, 0)
    assert finn_unit(unit.with_(memory="uram")) == Estimate(finn_unit(unit).lut, 0, 0, 1)
    assert finn_unit(unit.with_(memory="lutram")).lut == finn_unit(unit).lut + 4 * 16 * 1


def test_thresholds_cost_extra_where_they_are_asked_for() -> None:
    graph = cnv(1)
    plain, strict = finn_estimate(graph), finn_estimate(graph, thresholds=True)
    assert strict.lut > plain.lut
    assert (strict.bram18, strict.dsp) == (plain.bram18, plain.dsp)


def _attacked(first: int, cases: int, **status: int) -> dict[str, Any]:
    outcome = {"status": "ok", "seconds": 0.5, "megabytes": 100, "compared": 1, "what": "", "reason": ""}
    outcomes = [outcome | {"status": name} for name, count in status.items() for _ in range(count)]
    return attacks.record(first, outcomes + [outcome] * (cases - len(outcomes)), 1.0, f"commit{first}")


def test_records_of_attacks_join_and_say_their_commits() -> None:
    whole = attacks.joined([_attacked(10, 10, failed=1), _attacked(0, 10)])
    assert [p["commit"] for p in whole["parts"]] == ["commit0", "commit10"]
    assert whole["cases"] == 20 == sum(sum(c.values()) for c in whole["by_kind"].values())
    assert whole["outputs_compared_with_onnxruntime"] == 20
    assert [f["seed"] for f in whole["failures"]] == [10]
    text = attacks.markdown(whole)
    assert "--cases 10 --first 10` on commit10" in text
    assert "20 cases." in text


def test_no_case_counts_twice() -> None:
    with pytest.raises(ValueError, match="case 9 is in two records"):
        attacks.joined([_attacked(0, 10), _attacked(9, 10)])


def test_failures_that_are_run_again_stay_in_the_record() -> None:
    found = _attacked(0, 10, failed=2)
    fates = {0: {"status": "refused", "reason": ""}, 1: {"status": "failed", "reason": "ValueError"}}
    assert attacks.failing(found)
    again = attacks.again(found, "later", lambda _, seed: fates[seed])
    assert [f["seed"] for f in again["failures"]] == [0, 1]
    assert attacks.failing(again)
    text = attacks.markdown(again)
    assert "; on later: refused\n" in text
    assert "; on later: failed ValueError\n" in text
    fates[1]["status"] = "ok"
    assert not attacks.failing(attacks.again(found, "later", lambda _, seed: fates[seed]))


def test_builds_are_measured_in_turn_and_compared_in_pairs() -> None:
    ran: list[str] = []

    def side(name: str, *seconds: float) -> Callable[[], Cost]:
        left = iter(seconds)

        def run() -> Cost:
            ran.append(name)
            return Cost(next(left), 10**6)

        return run

    pairs = compare(side("before", 9.0, 4.0, 2.0, 3.0), side("now", 9.0, 1.0, 1.5, 1.0), 3)
    assert ran == ["before", "now"] * 4
    assert pairs.ratios == (0.25, 1 / 3, 0.75)
    assert pairs.row().split() == ["3.00", "1", "1.00", "1", "0.33", "0.25-0.75"]
    assert compare(None, side("now", 9.0, 1.0), 1).ratios == ()


def test_a_command_that_fails_is_not_a_measurement() -> None:
    assert metered([sys.executable, "-c", "x = bytearray(10**8)"]).peak_bytes > 10**8
    with pytest.raises(RuntimeError, match="no such thing"):
        metered([sys.executable, "-c", "raise SystemExit('no such thing')"])


def _speeds(**native: float) -> dict[str, Any]:
    return {"nets": [{"net": n, "batch": 1, "ratio_to_onnxruntime": {"native": r}} for n, r in native.items()]}


def test_speeds_are_compared_with_a_record_that_the_run_may_overwrite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "speed.json"
    path.write_text(json.dumps(_speeds(a=4.0, b=2.0)))
    stored = speed.options_in(["--json", str(path), "--against", str(path)]).against
    path.write_text(json.dumps(_speeds(a=1.0)))
    assert speed.against(stored, _speeds(a=3.1, b=2.0))
    assert not speed.against(stored, _speeds(a=2.9, b=2.0))
    assert "FELL" in capsys.readouterr().out
    assert not speed.against(stored, _speeds(c=9.0))
    assert "nothing was compared" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--against", "none.json"], "is no record of an earlier run"),
        (["--against", __file__], "is no record of an earlier run"),
        (["--nets", "tfc-2w2a,vgg"], "'vgg': the networks are tfc-2w2a, cnv-1w1a"),
    ],
)
def test_a_measurement_asked_wrongly_ends_before_it_begins(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        speed.options_in(arguments)
    assert told in capsys.readouterr().err

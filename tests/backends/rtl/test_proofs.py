"""No beat lost, doubled, reordered or invented: proven of the modules as they are, and refuted of copies with a fault in them."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from tests.backends.rtl.proofs.prove import PROOFS, Proof, faults

pytestmark = pytest.mark.skipif(importlib.util.find_spec("pyosys") is None, reason="pyosys is not installed")
LIBRARY = Path(__file__).parents[3] / "templates" / "rtl"
BY_NAME = {proof.name: proof for proof in PROOFS}

# proof -> file, what stands there, what stands there instead, an output that must then be set
FAULTS = {
    "emit, no register": ("lib/flowc_emit.sv", "assign enable = !(spare_full && tail_valid)", "assign enable = 1'b1", "wrong"),
    "emit, two registers": ("lib/flowc_emit.sv", "if (!spare_full) spare <= tail;", "spare <= tail;", "wrong"),
    "emit, in a memory": ("lib/flowc_emit.sv", "both <= !load && (both", "both <= load && (both", "wrong"),
    "fifo of registers": ("lib/flowc_fifo.sv", "out_data <= spare_full ? spare : in_data", "out_data <= in_data", "wrong"),
    "fifo in LUTRAM": ("lib/flowc_fifo.sv", "room <= fetch || count", "room <= 1'b1 || count", "crowded"),
    "fifo in block RAM": ("lib/flowc_fifo.sv", "&& !(load_second && !some)", "", "wrong"),
    "converter, wide to narrow": ("units/flowc_width_converter.sv", "first ? in_data[IN-1:OUT]", "first ? '0", "wrong"),
    "converter, narrow to wide": (
        "units/flowc_width_converter.sv", "held <= {in_data, held[OUT-IN-1:IN]}", "held <= {held[OUT-IN-1:IN], in_data}", "wrong",
    ),
    "converter, 2 to 3": ("units/flowc_width_converter.sv", "<< (units * UNIT)", "<< (filled * UNIT)", "wrong"),
    "converter, 3 to 2": (
        "units/flowc_width_converter.sv", "wire take = IN_UNITS < OUT_UNITS ||", "wire take = 1'b1 ||", "wrong",
    ),
    "fork": ("units/flowc_fork.sv", "assign in_ready = &enable;", "assign in_ready = |enable;", "wrong[0]"),
    "join": ("units/flowc_join.sv", "assign in_ready = {2{fire}};", "assign in_ready = {2{enable}} & in_valid;", "unpaired"),
    "input port": ("units/flowc_input.sv", "in_data[WIDTH-1:0]", "in_data[WIDTH:1]", "wrong"),
    "output port": ("units/flowc_output.sv", ".step(enable && in_valid)", ".step(in_valid)", "misplaced"),
    "window, every position": ("units/flowc_window.sv", "!all_given && !ahead[NB-1]", "!all_given", "early"),
    "window, stride 2, blocks": ("units/flowc_window.sv", "(AW + 1)'(around(TO_BLOCK))", "(AW + 1)'(1)", "mistaken"),
    "window, no slack": ("units/flowc_window.sv", "write_at == AW'(SIZE - 1)", "write_at == AW'(SIZE - 2)", "mistaken"),
    "slice, narrow factors": ("lib/flowc_dsp48e2.sv", "18'(b)", "18'($unsigned(b))", "wrong"),
    "slice, chained, an offset": ("lib/flowc_dsp48e2.sv", "CHAINED ? 3'b001", "CHAINED ? 3'b010", "wrong"),
    "slice, chained, two registers": (
        "lib/flowc_dsp48e2.sv", ".AREG(OWN), .ACASCREG(OWN)", ".AREG(1), .ACASCREG(1)", "crossed",
    ),
    "slice, an offset and two registers": ("lib/flowc_dsp48e2.sv", "5'b00100", "5'b00000", "wrong"),
    "slice, product and sum": ("lib/flowc_dsp48e2.sv", ".CEC(ADDS && enable)", ".CEC(1'b1)", "wrong"),
}  # fmt: skip


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_the_library_is_proven(proof: Proof) -> None:
    assert faults(proof, LIBRARY) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, tmp_path: Path) -> None:
    file, sound, faulty, output = FAULTS[name]
    shutil.copytree(LIBRARY, tmp_path / "rtl")
    text = (LIBRARY / file).read_text(encoding="utf-8")
    assert text.count(sound) == 1
    (tmp_path / "rtl" / file).write_text(text.replace(sound, faulty), encoding="utf-8")
    assert output in faults(BY_NAME[name], tmp_path / "rtl")


def test_every_proof_has_a_fault_that_it_finds() -> None:
    assert FAULTS.keys() == BY_NAME.keys()

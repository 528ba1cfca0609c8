"""The shipped boards, their figures, and what a user's own target file is told."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from flowc.errors import TargetError
from flowc.targets import Target, known_targets, load_target
from flowc.targets.loader import KEYS

# name: part, LUT, FF, BRAM36, URAM, DSP, as the vendor's product tables give them
BOARDS = {
    "arty-z7-20": ("xc7z020clg400-1", 53_200, 106_400, 140, 0, 220),
    "aup-zu3": ("xczu3eg-sfvc784-2-e", 70_560, 141_120, 216, 0, 360),
    "kr260": ("xck26-sfvc784-2LV-c", 117_120, 234_240, 144, 64, 1_248),
    "u55c": ("xcu55c-fsvh2892-2L-e", 1_303_680, 2_607_360, 2_016, 960, 9_024),
    "zedboard": ("xc7z020clg484-1", 53_200, 106_400, 140, 0, 220),
    "zybo-z7-20": ("xc7z020clg400-1", 53_200, 106_400, 140, 0, 220),
    "arty-a7-100t": ("xc7a100tcsg324-1", 63_400, 126_800, 135, 0, 240),
    "kv260": ("xck26-sfvc784-2LV-c", 117_120, 234_240, 144, 64, 1_248),
    "pynq-z1": ("xc7z020clg400-1", 53_200, 106_400, 140, 0, 220),
    "pynq-z2": ("xc7z020clg400-1", 53_200, 106_400, 140, 0, 220),
    "u250": ("xcu250-figd2104-2L-e", 1_728_000, 3_456_000, 2_688, 1_280, 12_288),
    "u280": ("xcu280-fsvh2892-2L-e", 1_303_680, 2_607_360, 2_016, 960, 9_024),
    "ultra96": ("xczu3eg-sbva484-1-e", 70_560, 141_120, 216, 0, 360),
    "ultra96-v2": ("xczu3eg-sbva484-1-i", 70_560, 141_120, 216, 0, 360),
    "zcu102": ("xczu9eg-ffvb1156-2-e", 274_080, 548_160, 912, 0, 2_520),
    "zcu104": ("xczu7ev-ffvc1156-2-e", 230_400, 460_800, 312, 96, 1_728),
    "zcu111": ("xczu28dr-ffvg1517-2-e", 425_280, 850_560, 1_080, 80, 4_272),
}

# name: part, LUT4, FF, EBR of 18 kbit (of 4 kbit six count as one), multipliers
LATTICE = {
    "icebreaker": ("iCE40UP5K-SG48", 5_280, 5_280, 30 // 6, 8),
    "ulx3s-25f": ("LFE5U-25F-6BG381C", 24_288, 24_288, 56, 28),
    "ulx3s-85f": ("LFE5U-85F-6BG381C", 83_640, 83_640, 208, 156),
}

OWN = """
name = "mine"
description = "a board of my own"
part = "xc7z020clg400-1"
family = "zynq-7000"
lut = 53200
ff = 106400
bram18 = 280
uram = 0
dsp = 220
clock_mhz = 100
max_clock_mhz = 464.0
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", BOARDS)
def test_shipped_boards_have_the_vendors_figures(name: str) -> None:
    target = load_target(name)
    part, lut, ff, bram36, uram, dsp = BOARDS[name]
    assert target.part == part
    assert target.available == {"lut": lut, "ff": ff, "bram18": 2 * bram36, "uram": uram, "dsp": dsp}
    assert 0 < target.clock_mhz <= target.max_clock_mhz


@pytest.mark.parametrize("name", LATTICE)
def test_shipped_lattice_boards_have_the_vendors_figures(name: str) -> None:
    target = load_target(name)
    part, lut, ff, ebr, dsp = LATTICE[name]
    assert target.part == part
    assert target.available == {"lut": lut, "ff": ff, "bram18": ebr, "uram": 0, "dsp": dsp}
    assert target.is_open
    assert not target.has_processor
    assert {"clock", "rx", "tx"} <= target.pins.keys()


def test_the_list_of_targets_is_the_shipped_files() -> None:
    assert [target.name for target in known_targets()] == sorted(BOARDS | LATTICE)


def test_every_figure_of_a_shipped_board_has_a_source() -> None:
    for target in known_targets():
        sourced = {key for keys in target.sources for key in keys.split(", ")}
        figures = {"lut", "ff", "bram18", "dsp", "clock_mhz", "max_clock_mhz"}
        figures |= {"lutram"} if target.lutram is not None or not target.is_open else set()
        figures |= {"uram"} if target.uram else set()
        figures |= {"pins"} if target.pins else {"board_part"}
        figures |= {
            key
            for key in ("ddr_gbps", "ddr_bytes", "power_w", "made", "crystal_mhz", "baud")
            if getattr(target, key) is not None
        }
        assert figures <= sourced, target.name


def test_names_ignore_case() -> None:
    assert load_target("Ultra96-V2") is load_target("ultra96-v2")


def test_targets_travel_to_worker_processes() -> None:
    target = load_target("zcu104")
    assert pickle.loads(pickle.dumps(target)) == target


def test_an_unknown_name_is_told_the_close_one_and_all_known_ones() -> None:
    with pytest.raises(TargetError) as caught:
        load_target("ultra69")
    assert str(caught.value) == (
        "unknown target 'ultra69': did you mean 'ultra96'? the known ones are arty-a7-100t, arty-z7-20, aup-zu3, icebreaker, kr260, kv260, pynq-z1, pynq-z2, "
        "u250, u280, u55c, ultra96, ultra96-v2, ulx3s-25f, ulx3s-85f, zcu102, zcu104, zcu111, zedboard, zybo-z7-20. A board of your own can be given as a TOML file: "
        "--target ./board.toml (docs/adding-a-target.md)."
    )
    assert caught.value.exit_code == 2


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    target = load_target(written(tmp_path, OWN))
    assert target == Target(
        name="mine",
        description="a board of my own",
        part="xc7z020clg400-1",
        family="zynq-7000",
        lut=53200,
        ff=106400,
        bram18=280,
        uram=0,
        dsp=220,
        clock_mhz=100.0,
        max_clock_mhz=464.0,
    )
    assert target.ddr_gbps is None
    assert target.ddr_bytes is None
    assert target.power_w is None
    assert load_target(str(tmp_path / "mine.toml")) == target


@pytest.mark.parametrize("key", [key.name for key in KEYS if key.required])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    text = "".join(line + "\n" for line in OWN.splitlines() if not line.startswith(f"{key} "))
    with pytest.raises(TargetError, match=f"missing key '{key}' \\("):
        load_target(written(tmp_path, text))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lut = 53200", "lut = 0", "'lut' is 0, must be an integer of at least 1"),
        ("lut = 53200", "lut = 5.5", "'lut' is 5.5, must be an integer of at least 1"),
        ("lut = 53200", "lut = true", "'lut' is True, must be an integer of at least 1"),
        ("lut = 53200", "luts = 53200", "unknown key 'luts' (did you mean 'lut')"),
        ("clock_mhz = 100", "clock_mhz = 500", "'clock_mhz' is 500, above 'max_clock_mhz' (464)"),
        ("clock_mhz = 100", "clock_mhz = nan", "'clock_mhz' is nan, must be a number above 0"),
        ('"zynq-7000"', '"zynq"', "'family' is 'zynq', must be one of 'zynq-7000', 'artix-7'"),
        ('"mine"', '"../mine"', "'name' is '../mine', must be lower-case letters"),
        ('"xc7z020clg400-1"', '"a; exec rm"', "'part' is 'a; exec rm', must be the device"),
        ("lut = 53200", "lut = ", "is not valid TOML"),
    ],
)
def test_wrong_values_are_named_with_what_is_allowed(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(TargetError) as caught:
        load_target(written(tmp_path, OWN.replace(old, new)))
    assert message in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as caught:
        load_target(written(tmp_path, OWN.replace("dsp = 220", "").replace("uram = 0", "uram = -1")))
    assert "'uram' is -1" in str(caught.value)
    assert "missing key 'dsp'" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"cannot read the target file '.*none\.toml': No such file"):
        load_target(tmp_path / "none.toml")
    with pytest.raises(TargetError, match="is a directory"):
        load_target(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TargetError, match="is not valid TOML"):
        load_target(tmp_path / "bytes.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(TargetError, match="larger than 1,000,000 bytes"):
        load_target(tmp_path / "large.toml")


def test_the_documentation_names_every_key() -> None:
    page = Path(__file__).parents[2] / "docs" / "adding-a-target.md"
    text = page.read_text(encoding="utf-8")
    for key in KEYS:
        assert f"| `{key.name}` |" in text

"""Energy per operation: estimates for comparing designs, not measurements of any board.

Figures are those of a 45 nm process in picojoules (Horowitz, "Computing's energy problem", ISSCC 2014): an 8-bit product 0.2, a
32-bit sum 0.1, 64 bits from a memory of 8 kB 10 and of 32 kB 20, 64 bits from external memory 1300 to 2600. Products of other widths
are taken to cost in proportion to the product of their widths, sums and memories in proportion to their bits.
"""

from __future__ import annotations

__all__ = [
    "BUFFER_PJ",
    "EXTERNAL_PJ",
    "LOCAL_PJ",
    "MAC_PJ",
    "ORIGIN",
    "WORD_BYTES",
    "external_pj",
    "local_pj",
    "mac_pj",
]

ORIGIN = "estimate: operations times energies of a 45 nm process (Horowitz, ISSCC 2014)"
_PRODUCT_PJ = 0.2
_SUM_PJ = 0.1
MAC_PJ = _PRODUCT_PJ + _SUM_PJ
"""A product of 8 bits and a sum of 32."""
LOCAL_PJ = 10.0
"""A word of 64 bits from a memory of 8 kB."""
BUFFER_PJ = 20.0
"""A word of 64 bits from a memory of 32 kB."""
EXTERNAL_PJ = 1950.0
"""A word of 64 bits from external memory: the middle of the range given there."""
WORD_BYTES = 8


def mac_pj(weight_bits: int, input_bits: int, accumulator_bits: int) -> float:
    """Picojoules of a multiply-accumulate."""
    return _PRODUCT_PJ * weight_bits * input_bits / 64 + _SUM_PJ * accumulator_bits / 32


def local_pj(bits: float) -> float:
    """Picojoules of so many bits from (or into) a memory of 8 kB on the chip."""
    return bits / 64 * LOCAL_PJ


def external_pj(count: float) -> float:
    """Picojoules of so many bytes from (or into) external memory."""
    return count / WORD_BYTES * EXTERNAL_PJ

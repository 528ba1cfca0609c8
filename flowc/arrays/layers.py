"""The layers of a network as an array meets them: products of two matrices, and what a convolution adds to that.

Names follow Eyeriss (Chen et al., ISCA 2016): a layer has N images, M filters, C channels, kernels of R x S, and output maps of
E rows and F columns. As a product it has T = N*E*F positions, K = R*S*C terms per sum and M results per position, once per group.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from flowc.errors import UsageError, shown

__all__ = ["MOST_MACS", "Layer", "Network"]

MOST_MACS = 2**50
"""Most multiplications of one layer: beyond, counts would leave what float64 holds exactly."""


@dataclass(frozen=True)
class Layer:
    """One matrix product or convolution of a network, at batch size 1. All sizes are per group, and at least 1.

    Attributes:
        name: what a person calls it.
        rows, columns: of the output map (E, F). A plain product has a row per position and one column.
        channels: input channels (C), or the terms of a plain product.
        filters: output channels (M), or the columns of the second matrix.
        kernel_rows, kernel_columns: R and S.
        stride_rows, stride_columns: the vertical and horizontal step.
        dilation_rows, dilation_columns: the distance of kernel elements.
        input_rows, input_columns: of the real input map, padding left out.
        groups: independent products of this shape (channel groups, attention heads).
        planes: maps per image that share the filters (output depths of a 3-D convolution, a batch the model declares).
        runtime: whether both operands are computed at run time (attention), so that a batch shares nothing.
    """

    name: str
    rows: int
    columns: int
    channels: int
    filters: int
    kernel_rows: int = 1
    kernel_columns: int = 1
    stride_rows: int = 1
    stride_columns: int = 1
    dilation_rows: int = 1
    dilation_columns: int = 1
    input_rows: int = 0
    input_columns: int = 0
    groups: int = 1
    planes: int = 1
    runtime: bool = False

    def __post_init__(self) -> None:
        """Fills in the input map that the output map needs without padding, and checks every size.

        Raises:
            UsageError: a size is not at least 1, or the layer is absurdly large.
        """
        if not self.input_rows:
            object.__setattr__(self, "input_rows", (self.rows - 1) * self.stride_rows + self.reach_rows)
        if not self.input_columns:
            object.__setattr__(self, "input_columns", (self.columns - 1) * self.stride_columns + self.reach_columns)
        for size in self._sizes():
            if getattr(self, size) < 1:
                raise UsageError(
                    f"layer '{shown(self.name)}': {size.replace('_', ' ')} must be at least 1, not {getattr(self, size)}",
                    remedy="Give the sizes of a layer, each 1 or more",
                )
        if self.macs > MOST_MACS:
            raise UsageError(
                f"layer '{shown(self.name)}' has {self.macs:,} multiplications; at most 2^50 are counted",
                remedy="Split the layer into several",
            )

    @staticmethod
    def _sizes() -> tuple[str, ...]:
        return (
            "rows", "columns", "channels", "filters", "kernel_rows", "kernel_columns", "stride_rows", "stride_columns",
            "dilation_rows", "dilation_columns", "input_rows", "input_columns", "groups", "planes",
        )  # fmt: skip

    @classmethod
    def product(
        cls, name: str, positions: int, terms: int, results: int, groups: int = 1, *, runtime: bool = False
    ) -> Layer:
        """A plain product of ``positions`` x ``terms`` with ``terms`` x ``results``, ``groups`` times."""
        return cls(name, positions, 1, terms, results, groups=groups, runtime=runtime)

    @property
    def reach_rows(self) -> int:
        """Input rows from the first to the last that a kernel touches."""
        return (self.kernel_rows - 1) * self.dilation_rows + 1

    @property
    def reach_columns(self) -> int:
        """Input columns from the first to the last that a kernel touches."""
        return (self.kernel_columns - 1) * self.dilation_columns + 1

    @property
    def positions(self) -> int:
        """T: outputs per filter and image."""
        return self.planes * self.rows * self.columns

    @property
    def terms(self) -> int:
        """K: products per output."""
        return self.kernel_rows * self.kernel_columns * self.channels

    @property
    def macs(self) -> int:
        """Multiplications of one image."""
        return self.groups * self.positions * self.terms * self.filters

    @property
    def depthwise(self) -> bool:
        """Whether every channel is a group of its own."""
        return self.groups > 1 and self.channels == 1 and not self.runtime

    def batched(self, images: int) -> Layer:
        """The layer for a batch: more planes of the same filters, or, where both operands are computed, more products."""
        if self.runtime:
            return replace(self, groups=self.groups * images)
        return replace(self, planes=self.planes * images)


@dataclass(frozen=True)
class Network:
    """A network as a list of layers.

    Attributes:
        name: what results call it.
        layers: in the order of execution.
        notes: what a reader left out and a user should know.
    """

    name: str
    layers: tuple[Layer, ...]
    notes: tuple[str, ...] = ()

    @property
    def macs(self) -> int:
        """Multiplications of one image."""
        return sum(layer.macs for layer in self.layers)

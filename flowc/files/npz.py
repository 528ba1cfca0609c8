"""Samples in and out of ``.npz`` files, with every check a file from a stranger needs.

A ``.npz`` file is a zip archive of ``.npy`` members. Each member's header (name, shape, dtype) is checked before any
data is read, and nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from flowc.errors import UsageError, shown
from flowc.files.write import write_files

__all__ = ["InputSpec", "check_inputs", "checked_header", "names_of", "read_arrays", "write_outputs"]

Array = NDArray[Any]

_ONLY_NAME = "x"
_ENDING = ".npy"
_MOST = 4 << 30


class InputSpec(NamedTuple):
    """What a model input takes: the shape of one sample (without the batch dimension) and the dtype."""

    shape: tuple[int, ...]
    dtype: DTypeLike


def read_arrays(path: str | os.PathLike[str]) -> dict[str, Array]:
    """All arrays of a file, by name; of any shape and any dtype that is a plain number.

    Raises:
        UsageError: the file can't be read or is no ``.npz``, it holds something else, or more than 4 GiB.
    """
    where = f"'{shown(str(path))}'"
    arrays: dict[str, Array] = {}
    room = _MOST
    with _opened(Path(path), where) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(_ENDING)
            arrays[name] = _read(archive, info, name, where)
            room -= arrays[name].nbytes
            if room < 0:
                raise UsageError(f"{where} holds more than {_MOST:,} bytes", remedy="Split it into several")
    return arrays


@contextlib.contextmanager
def _opened(path: Path, where: str) -> Iterator[zipfile.ZipFile]:
    """The archive of a file. Raises UsageError for all that can be wrong with it while it is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        raise UsageError(f"{where} is not an .npz file: {error}", remedy="numpy.savez writes one") from error
    except (OSError, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UsageError(
            f"cannot read the file {where}: {reason}", remedy="Save the arrays with numpy.save or numpy.savez"
        ) from error


def check_inputs(arrays: Mapping[str, Array], expected: Mapping[str, InputSpec], where: str = "the input") -> None:
    """Check that `arrays` are samples for the inputs in `expected`.

    Raises:
        UsageError: an array is missing, has another shape or dtype, holds NaN, the batches differ, or there is no
            sample; the message starts with `where`.
    """
    for name, spec in expected.items():
        if name not in arrays:
            raise UsageError(
                f"{where} lacks the array '{shown(name)}'", remedy="Save it under that name with numpy.savez"
            )
        _check_kind(name, arrays[name].shape, arrays[name].dtype, spec, where)
    batches = {name: arrays[name].shape[0] for name in expected}
    if len(set(batches.values())) > 1:
        listed = ", ".join(f"'{shown(name)}' has {batch}" for name, batch in batches.items())
        raise UsageError(
            f"the arrays in {where} hold different numbers of samples: {listed}", remedy="Give as many samples of each"
        )
    for name in expected:
        array = arrays[name]
        if array.dtype.kind == "f" and (wrong := np.isnan(array)).any():
            sample = int(np.argmax(wrong.reshape(len(array), -1).any(axis=1)))
            raise UsageError(
                f"'{shown(name)}' in {where} holds NaN, first in sample {sample}",
                remedy="Take these samples out, or replace the values",
            )


def write_outputs(path: str | os.PathLike[str], arrays: Mapping[str, Array]) -> None:
    """Write `arrays` to the file `path`, which appears whole or not at all.

    Raises:
        UsageError: it can't be written.
    """

    def fill(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                with archive.open(name + _ENDING, "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)

    write_files({Path(path): fill})


def names_of(members: Mapping[str, zipfile.ZipInfo], expected: Mapping[str, InputSpec], where: str) -> dict[str, str]:
    """Input name to the name of the array that holds its samples."""
    missing = [name for name in expected if name not in members]
    if not missing:
        return {name: name for name in expected}
    if len(expected) == 1 and _ONLY_NAME in members:
        return {missing[0]: _ONLY_NAME}
    wanted = ", ".join(f"'{shown(name)}'" for name in missing)
    alternative = f" (or '{_ONLY_NAME}')" if len(expected) == 1 and _ONLY_NAME not in expected else ""
    held = ", ".join(f"'{shown(name)}'" for name in members) or "nothing"
    raise UsageError(
        f"{where} lacks the array {wanted}{alternative}; it holds {held}",
        remedy="Save it under that name with numpy.savez",
    )


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, stored: str, where: str) -> Array:
    """The array of one member, in native byte order; only its header is trusted to be small."""
    with archive.open(info) as member:
        shape, _, dtype = checked_header(member, stored, None, info.file_size, where)
    size = int(dtype.itemsize) * int(np.prod(shape, dtype=object))
    if size > _MOST:
        raise UsageError(
            f"'{shown(stored)}' in {where} holds {size:,} bytes, more than {_MOST:,}",
            remedy="Give it in several files",
        )
    with archive.open(info) as member:
        try:
            array: Array = np.lib.format.read_array(member, allow_pickle=False)
        except (ValueError, MemoryError) as error:
            raise UsageError(
                f"cannot read '{shown(stored)}' in {where}: {error}", remedy="Save it again with numpy.savez"
            ) from error
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def checked_header(
    member: IO[bytes], stored: str, spec: InputSpec | None, stored_size: int, where: str
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and dtype of the array whose ``.npy`` form, of ``stored_size`` bytes, begins here.

    Raises:
        UsageError: it is no array of plain numbers, not as ``spec`` wants it, or does not hold what its header says.
    """
    try:
        version = np.lib.format.read_magic(member)
        read_header = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = read_header[version[0]](member)
    except (OSError, zlib.error, zipfile.BadZipFile):
        raise  # of the archive
    except Exception as error:  # numpy evaluates the header as Python text, which fails in many ways
        reason = shown(str(error)) or type(error).__name__
        raise UsageError(
            f"'{shown(stored)}' in {where} is not a numpy array: {reason}", remedy="Save it again with numpy.savez"
        ) from error
    if dtype.hasobject:
        raise UsageError(
            f"'{shown(stored)}' in {where} holds Python objects, which flowc does not unpickle",
            remedy="Save an array of numbers",
        )
    if spec is not None:
        _check_kind(stored, shape, dtype, spec, where)
    elif dtype.kind not in "biuf":
        raise UsageError(
            f"'{shown(stored)}' in {where} holds {dtype}, which are no numbers", remedy="Save an array of numbers"
        )
    size = int(dtype.itemsize) * int(np.prod(shape, dtype=object))
    if size != stored_size - member.tell():
        raise UsageError(
            f"'{shown(stored)}' in {where} does not hold as much data as its header says",
            remedy="Save it again with numpy.savez",
        )
    return tuple(shape), bool(fortran), dtype


def _check_kind(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], spec: InputSpec, where: str) -> None:
    """Check the shape and the dtype of one array, byte order aside."""
    wanted = np.dtype(spec.dtype)
    what = f"'{shown(name)}' in {where}"
    if dtype.newbyteorder("=") != wanted:
        raise UsageError(f"{what} has dtype {dtype}, must be {wanted}", remedy=f"Convert it: x.astype('{wanted}')")
    form = "(" + ", ".join(["N", *map(str, spec.shape)]) + ")"
    if tuple(shape[1:]) != spec.shape or not shape:
        single = tuple(shape) == spec.shape
        remedy = "For a single sample, add the batch dimension: x[None]" if single else None
        raise UsageError(f"{what} has shape {tuple(shape)}, must be {form} for any batch N", remedy=remedy)
    if shape[0] == 0:
        raise UsageError(f"{what} holds no sample: its shape is {tuple(shape)}", remedy="Give at least one")

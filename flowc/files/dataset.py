"""Data sets larger than memory: samples read in chunks from ``.npy`` and ``.npz`` files, results gathered on disk.

Headers are checked before any data is read, as in `flowc.files.npz`; nothing is unpickled, and no array is held whole.
"""

from __future__ import annotations

import contextlib
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from flowc.errors import UsageError, shown
from flowc.files.npz import InputSpec, check_inputs, checked_header, names_of
from flowc.files.write import write_files

__all__ = ["Dataset", "Gathered", "open_dataset", "read_labels", "read_samples"]

Array = NDArray[Any]

_CHUNK_BYTES = 32 << 20
_MOST_CHUNK = 4096
_COPY = 1 << 20
_MOST = 4 << 30
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)
"""What reading a damaged, encrypted or otherwise foreign file raises."""


@dataclass(frozen=True)
class _Column:
    """One array of samples in a stream of bytes that stands behind its header."""

    name: str
    stream: IO[bytes]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def take(self, count: int) -> Array:
        """The next ``count`` samples, in native byte order."""
        wanted = count * int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        data = self.stream.read(wanted)
        if len(data) != wanted:
            raise EOFError(f"'{self.name}' ends early")
        array: Array = np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])
        return array.astype(self.dtype.newbyteorder("="), copy=False)


@dataclass(frozen=True)
class Dataset:
    """An open file of samples.

    Attributes:
        where: the file, for messages.
        count: samples.
        expected: the model's inputs.
        made: bytes of what is made of a sample while its chunk is in memory.
    """

    where: str
    count: int
    expected: Mapping[str, InputSpec]
    columns: tuple[_Column, ...]
    made: int = 0

    @property
    def sample(self) -> int:
        """Bytes of one sample."""
        return sum(int(np.prod(s.shape, dtype=np.int64)) * np.dtype(s.dtype).itemsize for s in self.expected.values())

    @property
    def size(self) -> int:
        """Bytes of all samples."""
        return self.count * self.sample

    @property
    def chunk(self) -> int:
        """Samples that are read at once."""
        sample = self.made + self.sample
        return max(1, min(_MOST_CHUNK, _CHUNK_BYTES // max(1, sample)))

    def chunks(self) -> Iterator[dict[str, Array]]:
        """Samples by input name, `chunk` at a time.

        Raises:
            UsageError: the file is cut off or damaged, or holds NaN.
        """
        done = 0
        while done < self.count:
            size = min(self.chunk, self.count - done)
            try:
                arrays = {column.name: column.take(size) for column in self.columns}
            except _DAMAGE as error:
                raise UsageError(
                    f"cannot read {self.where} behind sample {done}: {error}",
                    remedy="Save the file again, as numpy.save or numpy.savez write it",
                ) from error
            check_inputs(arrays, self.expected, f"{self.where}, from sample {done} on,")
            yield arrays
            done += size


@contextlib.contextmanager
def open_dataset(path: Path, expected: Mapping[str, InputSpec], *, made: int = 0) -> Iterator[Dataset]:
    """The samples of a file: a ``.npz`` with an array per input (or ``x``), or a ``.npy`` for a model with one input.

    Args:
        made: bytes that are made of each sample and kept as long as its chunk, so that chunks of them fit memory, too.

    Raises:
        UsageError: the file can't be read, an array is missing, has another shape or dtype, or the batches differ.
    """
    where = f"'{shown(str(path))}'"
    with contextlib.ExitStack() as stack:
        try:
            columns = _columns(path, expected, where, stack)
        except zipfile.BadZipFile as error:
            raise UsageError(
                f"{where} is not an .npz or .npy file: {error}", remedy="Save the arrays with numpy.save or numpy.savez"
            ) from error
        except _DAMAGE as error:
            raise UsageError(
                f"cannot read the file {where}: {getattr(error, 'strerror', None) or error}",
                remedy="Check the path and its permissions",
            ) from error
        counts = {column.name: column.shape[0] for column in columns}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"'{shown(name)}' has {count}" for name, count in counts.items())
            raise UsageError(
                f"the arrays in {where} hold different numbers of samples: {listed}",
                remedy="Give as many samples of each",
            )
        yield Dataset(where, columns[0].shape[0], expected, tuple(columns), made)


def read_samples(path: Path, expected: Mapping[str, InputSpec]) -> dict[str, Array]:
    """All samples of a file as of `open_dataset`, by input name.

    Raises:
        UsageError: as of `open_dataset` and `Dataset.chunks`; or they are more than 4 GiB.
    """
    with open_dataset(path, expected) as data:
        if data.size > _MOST:
            raise UsageError(
                f"{data.where} holds {data.size:,} bytes, more than {_MOST:,}", remedy="Give it in several files"
            )
        chunks = list(data.chunks())
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in expected}


def _columns(path: Path, expected: Mapping[str, InputSpec], where: str, stack: contextlib.ExitStack) -> list[_Column]:
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UsageError(
            f"{where} is no regular file, and can't be read in any order", remedy="Write the samples to a file first"
        )
    if _is_plain(path):
        if len(expected) != 1:
            raise UsageError(
                f"{where} holds one array, and the model has the inputs {', '.join(map(shown, expected))}",
                remedy="Give an .npz with an array per input",
            )
        ((name, spec),) = expected.items()
        return [_column(name, name, stack.enter_context(path.open("rb")), spec, path.stat().st_size, where)]
    archive = stack.enter_context(zipfile.ZipFile(path))
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    return [
        _column(name, stored, stack.enter_context(archive.open(members[stored])), expected[name], members[stored].file_size, where)
        for name, stored in names_of(members, expected, where).items()
    ]  # fmt: skip


def _is_plain(path: Path) -> bool:
    """Whether a file is a ``.npy``: one array, which has no name."""
    with path.open("rb") as probe:
        return probe.read(6) == b"\x93NUMPY"


def _column(name: str, stored: str, stream: IO[bytes], spec: InputSpec, size: int, where: str) -> _Column:
    shape, fortran, dtype = checked_header(stream, stored, spec, size, where)
    if fortran and len(shape) > 1:
        raise UsageError(
            f"'{shown(stored)}' in {where} lies in Fortran order, which can't be read sample by sample",
            remedy="Save it with numpy.ascontiguousarray(x)",
        )
    return _Column(name, stream, shape, dtype)


class Gathered:
    """Results that arrive in chunks; kept on disk until `write` puts them into a file."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._parts: dict[str, tuple[IO[bytes], tuple[int, ...], np.dtype[Any]]] = {}
        self._count: dict[str, int] = {}

    def __enter__(self) -> Gathered:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, arrays: Mapping[str, Array]) -> None:
        """Appends results, by name; their shapes behind the first axis stay the same.

        Raises:
            UsageError: they don't; or there is no room for them.
        """
        try:
            for name, array in arrays.items():
                self._append(name, array)
        except OSError as error:
            raise UsageError(
                f"the results can't be kept in '{shown(tempfile.gettempdir())}' until all are there: {error.strerror or error}",
                remedy="Make room, or name another folder in TMPDIR",
            ) from error

    def _append(self, name: str, array: Array) -> None:
        if name not in self._parts:
            # Unbuffered: what can't be written is noticed here.
            file: IO[bytes] = tempfile.TemporaryFile(prefix="flowc-run-", buffering=0)  # noqa: SIM115 - closed by the stack
            self._parts[name] = (self._stack.enter_context(file), array.shape[1:], array.dtype)
        spool, shape, dtype = self._parts[name]
        if array.shape[1:] != shape:
            raise UsageError(
                f"output '{shown(name)}' has another shape in every sample, and can't be stacked",
                remedy="Run the samples one file at a time",
            )
        left = memoryview(np.ascontiguousarray(array, dtype).tobytes())
        while left:
            left = left[spool.write(left) :]
        self._count[name] = self._count.get(name, 0) + len(array)

    def write(self, path: Path) -> None:
        """Writes everything as an ``.npz`` that appears whole or not at all.

        Raises:
            UsageError: it can't be written.
        """

        def fill(file: BinaryIO) -> None:
            with zipfile.ZipFile(file, "w") as archive:
                for name, (spool, shape, dtype) in self._parts.items():
                    header = {
                        "descr": np.lib.format.dtype_to_descr(dtype),
                        "fortran_order": False,
                        "shape": (self._count[name], *shape),
                    }
                    spool.seek(0)
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array_header_2_0(member, header)
                        shutil.copyfileobj(spool, member, _COPY)

        write_files({path: fill})


def read_labels(source: str, data: Path, count: int) -> Array:
    """One class per sample: the name of an array in the file of samples, or a ``.npy`` file.

    Raises:
        UsageError: there is no such array, or it is not an integer for each sample.
    """
    where = f"labels '{shown(source)}'"
    try:
        labels = np.load(source, allow_pickle=False) if source.endswith(".npy") else _named(source, data, where)
    except _DAMAGE as error:
        raise UsageError(
            f"{where} can't be read: {getattr(error, 'strerror', None) or error}",
            remedy="Save the labels with numpy.save",
        ) from error
    if not isinstance(labels, np.ndarray):
        raise UsageError(f"{where} are several arrays", remedy="Save them with numpy.save")
    if labels.dtype.kind not in "iu" or labels.shape not in ((count,), (count, 1)):
        raise UsageError(
            f"{where} are {labels.dtype} of shape {labels.shape}, must be {count} integers",
            remedy="Give one integer per sample",
        )
    return labels.reshape(-1)


def _named(name: str, data: Path, where: str) -> Array:
    """An array of the file of samples."""
    if _is_plain(data):
        raise UsageError(
            f"{where}: '{shown(str(data))}' holds the samples alone",
            remedy="Name a .npy file of labels, or save samples and labels with numpy.savez",
        )
    with np.load(data, allow_pickle=False) as stored:
        if name not in stored.files:
            raise UsageError(
                f"{where}: '{shown(str(data))}' holds no array of that name", remedy="Name an array that it holds"
            )
        found: Array = stored[name]
    return found

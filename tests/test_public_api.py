"""`import flowc` is cheap, and everything it promises is there."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import flowc


def test_everything_in_all_is_there_and_documented() -> None:
    for name in flowc.__all__:
        value = getattr(flowc, name)
        assert name in dir(flowc)
        if name != "__version__":
            assert inspect.getdoc(value), name


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'flowc' has no attribute 'compile'"):
        _ = flowc.compile


def test_import_loads_nothing_heavy() -> None:
    program = "import sys, flowc; assert not {'numpy', 'onnx', 'click'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)

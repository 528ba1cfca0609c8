"""What the command's process does not load."""

from __future__ import annotations

import subprocess
import sys


def check(program: str) -> str:
    """What a program prints that ends without a fault."""
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout


def test_nothing_is_looked_for_when_the_process_ends() -> None:
    circle = (
        "class Node:\n"
        "    def __del__(self): print('found')\n"
        "node = Node()\n"
        "node.itself = node\n"
        "del node\n"
        "print('end')\n"
    )
    assert check(circle) == "end\nfound\n"
    assert check("from flowc.cli.startup import collect_seldom; collect_seldom()\n" + circle) == "end\n"


def test_what_is_put_off_loads_when_something_is_taken_from_it() -> None:
    check(
        "import sys; from flowc.cli.startup import defer_unused; defer_unused()\n"
        "import onnx_ir\n"
        "assert str(onnx_ir.SymbolicDim('n') + 1) == 'n + 1'\n"
        "from sympy.abc import x\n"
        "import sympy\n"
        "assert sympy.expand((x + 1) ** 2) == x**2 + 2 * x + 1\n"
    )


def test_the_text_forms_of_protobuf_load_when_they_are_asked_for() -> None:
    check(
        "from flowc.cli.startup import defer_unused; defer_unused()\n"
        "import onnx, onnx.serialization\n"
        "kept = onnx.serialization.registry.get('textproto').serialize_proto(onnx.ModelProto(ir_version=7))\n"
        "assert kept == b'ir_version: 7\\n'\n"
    )


def test_what_onnx_offers_loads_when_it_is_asked_for() -> None:
    check(
        "from flowc.cli.startup import defer_unused; defer_unused()\n"
        "import onnx\n"
        "from onnx import version_converter\n"
        "text = '<ir_version: 10, opset_import: [\"\" : 18]> g (float[1] x) => (float[1] y) { y = Relu(x) }'\n"
        "model = version_converter.convert_version(onnx.parser.parse_model(text), 20)\n"
        "assert [o.version for o in model.opset_import] == [20]\n"
        "assert 'Relu' in onnx.printer.to_text(onnx.compose.add_prefix(model, 'a/'))\n"
    )


def test_packages_have_the_versions_that_their_metadata_say() -> None:
    check(
        "from flowc.cli.startup import defer_unused; defer_unused()\n"
        "import sys, importlib.metadata as metadata, onnx, onnx_ir\n"
        "from importlib.metadata import version\n"
        "assert 'email.message' not in sys.modules\n"
        "versions = [onnx.__version__, version('click')]\n"
        "try:\n"
        "    version('no-such-package')\n"
        "    raise SystemExit('found')\n"
        "except metadata.PackageNotFoundError:\n"
        "    pass\n"
        "assert versions == [metadata.distribution(name).version for name in ('onnx', 'click')] == [version('onnx'), version('click')]\n"
    )


def test_a_build_does_not_load_what_it_does_not_need() -> None:
    unneeded = ["sympy.core", "networkx", "flowc.loopback", "matplotlib", "onnxruntime", "flowc.backends.rtl.generate"]
    unneeded += ["email.message", "google.protobuf.internal.decoder", "packaging._structures", "difflib", "tarfile"]
    unneeded += ["flowc.design.verify", "flowc.report.compare", "flowc.backends.rtl.simulate"]
    check(
        "import sys; from flowc.cli.startup import defer_unused; defer_unused()\n"
        "import flowc.api, flowc.cli.show, flowc.design.dataflow_plan\n"
        f"loaded = [name for name in {unneeded} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )


def test_a_package_that_is_there_stays_as_it_is() -> None:
    check(
        "import sympy; from flowc.cli.startup import defer_unused; defer_unused(); import sys; assert sys.modules['sympy'] is sympy"
    )

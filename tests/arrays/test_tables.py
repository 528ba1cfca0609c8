"""Shape tables: the shipped ones against published counts, and whatever a stranger may put into a CSV file."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowc.arrays import Layer, Network, known_networks, load_network
from flowc.arrays.tables import COLUMNS, read_table
from flowc.errors import ModelError, UsageError

PUBLISHED = {
    # multiplications (in millions) and weights without biases and normalization
    "alexnet": (714.2, 61_090_496),  # torchvision: 0.71 G, 61,100,840 parameters with 10,344 biases
    "alexnet-grouped": (724.4, 60_954_656),  # Eyeriss (ISSCC 2016): 666 M in the convolutions; 58.6 M behind them
    "vgg16": (15_470, 138_344_128),  # torchvision: 15.47 G, 138,357,544 parameters with 13,416 biases
    "resnet18": (1_814, 11_678_912),  # torchvision: 1.81 G, 11,689,512 with 1,000 biases and 9,600 of normalization
    "resnet50": (4_089, 25_502_912),  # torchvision: 4.09 G, 25,557,032 with 1,000 biases and 53,120 of normalization
    "mobilenet-v1": (569, 4_209_088),  # arXiv:1704.04861, table 4: 569 M, 4.2 M
    "mobilenet-v2": (301, 3_469_760),  # arXiv:1801.04381, table 4: 300 M; 3,504,872 with 35,112 of the rest
    "mobilenet-v3-large": (217, 5_451_272),  # torchvision: 0.22 G; arXiv:1905.02244, table 3: 219 M
    "efficientnet-b0": (386, 5_236_192),  # torchvision: 0.39 G; arXiv:1905.11946, table 2: 0.39 B
    "bert-base": (11_174, 84_934_656),  # MobileBERT (arXiv:2004.02984), table 4: 22.5 B operations at length 128
}


def test_every_table_is_checked() -> None:
    assert known_networks() == sorted(PUBLISHED)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_counts(name: str) -> None:
    network = load_network(name)
    millions, weights = PUBLISHED[name]
    assert network.macs / 1e6 == pytest.approx(millions, rel=0.002)
    assert sum(n.groups * n.terms * n.filters for n in network.layers if not n.runtime) == weights


def test_convolutions_of_grouped_alexnet() -> None:
    layers = load_network("alexnet-grouped").layers
    assert sum(layer.macs for layer in layers[:5]) == pytest.approx(666e6, rel=0.001)
    assert [(layer.rows, layer.terms, layer.filters, layer.groups) for layer in layers[:5]] == [
        (55, 363, 96, 1), (27, 1200, 128, 2), (13, 2304, 384, 1), (13, 1728, 192, 2), (13, 1728, 128, 2),
    ]  # fmt: skip


def test_attention_products_are_groups_of_two_computed_operands() -> None:
    bert = load_network("bert-base")
    scores = next(layer for layer in bert.layers if layer.name == "scores")
    assert (scores.positions, scores.terms, scores.filters, scores.groups, scores.runtime) == (128, 64, 128, 12, True)
    context = next(layer for layer in bert.layers if layer.name == "context")
    assert (context.positions, context.terms, context.filters, context.groups) == (128, 128, 64, 12)
    assert scores.batched(4).groups == 48  # a batch shares nothing
    assert scores.batched(4).positions == 128


@pytest.mark.parametrize("name", ["resnet50", "ResNet-50", "RESNET_50"])
def test_names_are_compared_by_letters_and_digits(name: str) -> None:
    assert load_network(name).name == "resnet50"


def write(folder: Path, text: str | bytes, name: str = "net.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "layer, height, width, channels, filters, kernel, stride, padding, groups, dilation, count, runtime\n"
        "# a remark\n"
        "a, 32, 30, 3, 16, 5x3, 2x1, 2x1\n"
        "\n"
        "b, 16, 16, 16, 16, 3, 2, same, 16, , 2\n"
        "c, 16, 16, 16, 8, 3, 1, 2, 1, 2\n"
        "d, 7, 1, 8, 9, , , , 1, , , 1\n",
    )
    found = read_table(path)
    assert found.name == "net"
    a, b, _, c, d = found.layers
    assert a == Layer("a", 16, 30, 3, 16, 5, 3, 2, 1, 1, 1, 32, 30)
    assert b == Layer("b", 8, 8, 1, 1, 3, 3, 2, 2, 1, 1, 16, 16, groups=16)
    assert c == Layer("c", 16, 16, 16, 8, 3, 3, 1, 1, 2, 2, 16, 16)
    assert d == Layer("d", 7, 1, 8, 9, input_rows=7, input_columns=1, runtime=True)


def test_a_topology_of_scale_sim(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
        "Conv1, 224, 224, 7, 5, 3, 64, 2,\n",
    )
    (layer,) = read_table(path).layers
    assert (layer.rows, layer.columns, layer.terms, layer.filters) == (109, 110, 105, 64)


HEADER = "layer,height,width,channels,filters,kernel,stride,padding,groups,count,runtime\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("# nothing\n\n", "is empty"),
        (HEADER, "has a header and no layers"),
        ("height,width,channels,filters\n1,1,1,1\n", "lacks the column 'layer'"),
        ("layer,height,width,channels,filters,colour\n", "a column 'colour' that is not known"),
        ("layer,height,width,channels,filters,height\n", "has the column 'height' twice"),
        (HEADER + "a,x,1,1,1\n", "line 2: 'height' is a whole number, not 'x'"),
        (HEADER + "a,8,8,3,4\nb,8,8,-3,4\n", "line 3: 'channels' must be 1 to 2,147,483,648, not -3"),
        (HEADER + "a,8,8,0,4\n", "'channels' must be 1"),
        (HEADER + "a,8,8,1e3,4\n", "'channels' is a whole number, not '1e3'"),
        (HEADER + "a,8,8,,4\n", "'channels' is empty"),
        (HEADER + "a,8,8\n", "'channels' is empty"),
        (HEADER + "a,8,8,3,4,1,1,0,1,1,0,7\n", "12 cells for 11 columns"),
        (HEADER + "a,8,8,3,4,9\n", "a kernel of 9 does not fit into 8 with a padding of 0"),
        (HEADER + "a,8,8,3,4,3x3x3\n", "'kernel' is a number or two as 3x1, not '3x3x3'"),
        (HEADER + "a,8,8,3,4,3,0\n", "'stride' must be 1"),
        (HEADER + "a,8,8,3,4,3,1,-1\n", "'padding' must be 0"),
        (HEADER + "a,8,8,3,4,3,1,valid\n", "'padding' is a whole number, not 'valid'"),
        (HEADER + "a,8,8,3,4,3,1,1,2\n", "3 channels and 4 filters can't be divided into 2 groups"),
        (HEADER + "a,8,8,3,4,3,1,1,1,1000000\n", "a count of 1,000,000 is more than 100,000"),
        (HEADER + "a,8,8,3,4,3,1,1,1,99999\n" * 2, "has more than 100,000 layers"),
        (HEADER + "a,8,8,3,4,3,1,1,1,1,yes\n", "'runtime' is 0 or 1, not 'yes'"),
        (HEADER + "a,2147483648,2147483648,2147483648,1\n", "at most 2^50 are counted"),
        (HEADER + "a,99999999999999999999,8,8,1\n", "must be 1 to 2,147,483,648"),
        (b"\xff\xfe\x00\x01binary", "it is not text"),
        (HEADER + 'a,"8\n', "'width' is empty"),
        (b"layer,height\x00,width\n", "not a table of shapes|not known"),
    ],
)
def test_bad_tables_are_refused_by_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("^", r"\^").replace("(", r"\(")):
        read_table(write(tmp_path, text))


def test_the_help_names_every_column(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        read_table(write(tmp_path, "a,b\n1,2\n"))
    assert all(column in str(error.value) for column in COLUMNS)


def test_what_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no network 'resnet51'. Known are alexnet"):
        load_network("resnet51")
    with pytest.raises(UsageError, match="there is no file"):
        load_network(tmp_path / "none.csv")
    with pytest.raises(ModelError, match="there is no file"):
        load_network(tmp_path / "none.onnx")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="is a directory"):
        load_network(tmp_path / "folder.csv")
    with pytest.raises(UsageError, match="shapes of inputs are for ONNX models"):
        load_network("resnet50", {"x": [1]})
    with pytest.raises(ModelError, match="not an ONNX model"):
        load_network(write(tmp_path, b"\x07" * 100, "junk.onnx"))


def test_layers_are_checked() -> None:
    with pytest.raises(UsageError, match="layer 'x': kernel rows must be at least 1, not 0"):
        Layer("x", 4, 4, 1, 1, 0)
    assert load_network(Network("own", (Layer("x", 4, 4, 2, 3),))).macs == 96

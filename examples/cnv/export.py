"""The CNV of Brevitas' bnn_pynq examples as QONNX, with the weights that it starts training from. Needs flowc[brevitas].

Trained weights would have to be downloaded; rate, resources and the comparison with onnxruntime ask for shapes and bits alone. The batch
normalizations see some noise first, so that activations take all their levels.
"""

from __future__ import annotations

from pathlib import Path

import torch
from brevitas.export import export_qonnx
from brevitas_examples.bnn_pynq.models import model_with_cfg

__all__ = ["export"]

BATCHES = 8


def export(name: str, path: Path) -> torch.nn.Module:
    """Writes ``name`` (cnv_1w1a, cnv_1w2a, cnv_2w2a) and returns the network."""
    torch.manual_seed(0)
    net, _ = model_with_cfg(name, pretrained=False)
    net.train()
    with torch.no_grad():
        for _ in range(BATCHES):
            net(torch.randint(0, 256, (8, 3, 32, 32)) / 255)
    net.eval()
    export_qonnx(
        net,
        args=torch.zeros(1, 3, 32, 32),
        export_path=str(path),
        dynamo=False,
        keep_initializers_as_inputs=False,
        input_names=["x"],
        output_names=["y"],
    )
    return net

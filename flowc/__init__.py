"""flowc compiles quantized ONNX networks into bit-exact FPGA dataflow accelerators."""

__version__ = "0.1.0"

"""The model graph: ONNX with its quantizers in one spelling, the reference made of it, and what runs it on the host."""

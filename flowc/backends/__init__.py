"""Backends: each writes a dataflow graph down in one hardware language."""

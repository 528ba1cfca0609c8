"""The object that users hold, and what they do with it: run, verify, simulate, save, load."""

from flowc.design.design import DESIGN_SCHEMA, Design, load

__all__ = ["DESIGN_SCHEMA", "Design", "load"]

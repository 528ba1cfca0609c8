"""The boards flowc knows, one TOML file each, and the loader that also reads a user's own file."""

from flowc.targets.loader import known_targets, load_target
from flowc.targets.target import Target

__all__ = ["Target", "known_targets", "load_target"]

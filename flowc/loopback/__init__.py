"""Loopback execution: one array of multipliers that computes a network layer after layer from a list of descriptors.

An `Engine` says how large the array and its buffers are. Layers (`flowc.loopback.layers`) are cut into tiles
(`flowc.loopback.search`), scheduled into descriptors (`flowc.loopback.schedule`) and executed by the emulator
(`flowc.loopback.execute`), which is the readable definition of the hardware. See docs/loopback.md.
"""

from __future__ import annotations

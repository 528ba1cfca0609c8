"""The table of units, and the folding that can be copied from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

__all__ = ["folding_text", "unit_rows"]

MOST_ROWS = 2000


def unit_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The layers with what synthesis measured of each (``measured``: an entry of report.json's ``synthesis``, or None)."""
    synthesis = report.get("synthesis") or {}
    measured = {entry["name"]: entry for entry in synthesis.get("units") or []}
    return [{**layer, "measured": measured.get(layer["name"])} for layer in report["layers"][:MOST_ROWS]]


def folding_text(report: Mapping[str, Any]) -> Markup | None:
    """The content of folding.json, characters beyond ASCII escaped; None where the design has no folding."""
    folding = report.get("folding")
    return None if folding is None else Markup(escape(json.dumps(folding, indent=1)))  # noqa: S704 - escaped

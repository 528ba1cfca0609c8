"""XML of vendor tools, parsed without entities: a report has none, and a hostile file could grow by them."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from flowc.report.vendor.source import Source

__all__ = ["parse_xml", "required"]


def parse_xml(source: Source, root: str) -> Element:
    """The root element.

    Raises:
        UsageError: it is no well-formed XML, declares a document type, or its root has another name.
    """
    if "<!DOCTYPE" in source.text or "<!ENTITY" in source.text:
        source.wrong("declares a document type, which no report does")
    try:
        found = ElementTree.fromstring(source.text)  # noqa: S314 - no entities: see above
    except (ElementTree.ParseError, ValueError) as error:
        source.wrong(f"is damaged or cut off: {error}")
    if found.tag != root:
        source.wrong(f"is none: its outermost element is '{found.tag}', not '{root}'")
    return found


def required(source: Source, parent: Element, path: str) -> Element:
    """The element at ``path``; an error where there is none."""
    found = parent.find(path)
    if found is None:
        source.wrong(f"has no {path} in its {parent.tag}: it is cut off, or of another tool")
    return found

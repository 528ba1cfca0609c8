"""The package list, which pyproject.toml cannot express: passes/ and templates/ become sub-packages of flowc."""

from setuptools import find_packages, setup


def _packages(folder: str, name: str) -> list[str]:
    """`folder` and every package below it, under the dotted name `name`."""
    return [name, *(f"{name}.{package}" for package in find_packages(folder))]


setup(
    packages=_packages("flowc", "flowc")
    + _packages("passes", "flowc.passes")
    + _packages("templates", "flowc.templates")
)

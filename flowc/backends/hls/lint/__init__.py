"""Whether generated C++ can become hardware, as far as it can be told without the vendor's tool.

``python -m flowc.backends.hls.lint DIR`` checks a generated ``hls/`` folder.
"""

from flowc.backends.hls.lint.check import lint
from flowc.backends.hls.lint.finding import INSTANCE_RULES, RULES, Finding
from flowc.backends.hls.lint.instances import lint_instances

__all__ = ["INSTANCE_RULES", "RULES", "Finding", "lint", "lint_instances"]

"""Whether generated C++ can become hardware, as far as it can be told without the vendor's tool.

``python -m flowc.hls_lint DIR`` checks a generated ``hls/`` folder.
"""

from flowc.hls_lint.check import lint
from flowc.hls_lint.finding import RULES, Finding

__all__ = ["RULES", "Finding", "lint"]

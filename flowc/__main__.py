"""``python -m flowc`` is the command line."""

import sys

from flowc.cli import main

if __name__ == "__main__":
    sys.exit(main())

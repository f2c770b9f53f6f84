"""`python -I -S <folder>/kube_magics_runner/__main__.py <folder>` runs the bundle unpacked in <folder>."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from kube_magics_runner.run import main  # type: ignore[import-not-found]  # the name it is shipped under

    sys.exit(main(sys.argv[1]))

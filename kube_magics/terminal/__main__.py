"""`python -m kube_magics.terminal` is `kube-magics`."""

from __future__ import annotations

import sys

from kube_magics.terminal.main import main

sys.exit(main())

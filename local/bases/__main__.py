"""`python -m local.bases FOLDER`: make the stand-ins there; harmless when they are there already."""

from __future__ import annotations

import sys
from pathlib import Path

from local.bases import make_bases

if __name__ == "__main__":
    make_bases(Path(__file__).parents[2] / "images", Path(sys.argv[1]))

"""Ends with 2 and one line where there is no GPU: what `make bench-gpu` begins with.

python benchmarks/setting/need_gpu.py
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from setting.scale import need_gpu

if __name__ == "__main__":
    need_gpu("`make bench-gpu`")

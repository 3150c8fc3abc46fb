"""How long a whole paper session of 730 synthetic bars takes, against importing pandas and matplotlib.

Run: python tests/benchmarks/session.py [ROUNDS]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from start_up import MAIN, best

WORDS = (
    "--ticker",
    "ETH-USD",
    "--start",
    "2022-01-01",
    "--end",
    "2024-01-01",
    "--prices",
    "synthetic",
    "--paper",
)
FLOOR = ("-c", "import pandas, matplotlib")


def main() -> None:
    """Print the best of some rounds; the first session of a root also makes its ledger."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as folder:
        first, _ = best(Path(folder), (MAIN, *WORDS), FLOOR, 1)
        taken, floor = best(Path(folder), (MAIN, *WORDS), FLOOR, rounds)
    print(f"first session of a root   {first:.2f} s")
    print(f"later session             {taken:.2f} s")
    print(f"import pandas, matplotlib {floor:.2f} s")
    print(f"ratio                     {taken / floor:.2f}")


if __name__ == "__main__":
    main()

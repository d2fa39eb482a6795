"""The C sources of the compiled kernels, their digest, and where their build lies; the build reads this file too.

The build lies outside ``engine/``, whose files are sealed by one hash: it is no source, and its bytes depend on the
compiler.  The seal covers the sources, and the library carries their digest, so that another's build is not taken.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent / "csrc"
BUILT: Final = FOLDER.parents[2] / "build" / "kernels" / "kernels.so"
"""Of a checkout; a folder that git ignores."""

VARIABLE: Final = "CME_KERNELS"
"""The variable that chooses the path: `NUMPY`, or nothing for the compiled kernels where they can be had."""
NUMPY: Final = "numpy"

FLAGS: Final = ("-std=c11", "-O2", "-ffp-contract=off", "-fno-fast-math", "-fvisibility=hidden")
"""No flag that lets the compiler round otherwise than the source says, none that asks for one processor's own steps."""


def digest() -> str:
    """Return the SHA-256, hex, of the sources and flags: one line ``<sha256> <name>`` a file, sorted by name."""
    lines = [f"{sha256(path.read_bytes()).hexdigest()} {path.name}\n" for path in sorted(FOLDER.glob("*.[ch]"))]
    return sha256("".join([*lines, " ".join(FLAGS)]).encode()).hexdigest()

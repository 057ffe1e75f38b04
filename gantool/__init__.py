"""Train, sample and measure generative adversarial networks from one command line."""

import os

__version__ = "0.1.0"

# OpenMP's threads wait for each other by spinning. On a machine that is doing something else too, that made training
# ten times slower; a short spin, then sleep, costs nothing on a quiet one. Read when torch is first imported.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

"""Random numbers that depend on where they are asked for, and on nothing else: the ground of synthetic prices."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def seed_of(ticker: str) -> int:
    """Return a ticker's seed, whatever the case it is spelled in."""
    return int.from_bytes(hashlib.sha256(ticker.upper().encode()).digest()[:8], "big")


def mix(seed: int, number: int) -> int:
    """Return another seed, one for each number."""
    digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def uniform(counter: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Hash counters to [-1, 1) (the finaliser of SplitMix64: Steele, Lea and Flood, OOPSLA 2014)."""
    bits = counter.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0


def smooth_noise(moments: NDArray[np.int64], scale: int, seed: int) -> NDArray[np.float64]:
    """Interpolate smoothly between random values in [-1, 1), one for each multiple of `scale`."""
    cell = moments // scale
    place = (moments - cell * scale) / scale
    weight = place * place * (3.0 - 2.0 * place)
    low, high = uniform(cell, seed), uniform(cell + 1, seed)
    noise: NDArray[np.float64] = low + (high - low) * weight
    return noise

"""What rounding may make of numbers that are equal, written once.

A price of 2.97 is no float: sums, differences and products of such numbers are off in their last digits, and by how
much depends on the unit of the prices and on the order of the operations. A difference as small as that is none.
"""

from __future__ import annotations

ROUNDING = 1e-12
"""Fraction of two numbers by which rounding alone may part them: some thousand units in a float's last place."""

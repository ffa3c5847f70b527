"""Numbers as text for tables and sentences: a true minus sign, a dash for what cannot be computed.

Nothing here computes or rounds anything but for showing it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

DASH, MINUS = "–", "−"


def number(value: float, decimals: int = 3) -> str:
    """A number with fixed decimals, a dash for NaN.

    >>> number(0.84), number(-0.25, 2), number(float("nan"))
    ('0.840', '−0.25', '–')
    """
    return DASH if pd.isna(value) else f"{value:.{decimals}f}".replace("-", MINUS)


def interval(low: float, high: float, decimals: int = 3) -> str:
    """The ends of an interval, or a dash; "to" between them below zero, where a dash is no range.

    >>> interval(0.806, 0.869), interval(-0.25, 0.5, 2)
    ('0.806–0.869', '−0.25 to 0.50')
    """
    if pd.isna(low):
        return DASH
    between = " to " if low < 0 else DASH
    return f"{number(low, decimals)}{between}{number(high, decimals)}"


def with_interval(estimate: float, low: float, high: float, decimals: int = 3) -> str:
    """A number with its interval behind it.

    >>> with_interval(0.84, 0.806, 0.869)
    '0.840 (0.806–0.869)'
    """
    return f"{number(estimate, decimals)} ({interval(low, high, decimals)})"


def _change(value: float, decimals: int) -> str:
    text = f"{value:+.{decimals}f}"
    if value and not float(text):  # small is not zero
        text = np.format_float_positional(value, 1, fractional=False, sign=True)
    return text.replace("-", MINUS)


def signed(*values: float, decimals: int = 3) -> str:
    """A change with its sign; two values are an interval, three a change with its interval.

    A dash stands for what is NaN. A change too small for the decimals keeps one digit.

    >>> signed(0.0154), signed(float("nan")), signed(0.00004)
    ('+0.015', '–', '+0.00004')
    """
    if np.isnan(values[-1]):
        return DASH if len(values) < 3 else f"{signed(values[0], decimals=decimals)} ({DASH})"
    texts = [_change(value, decimals) for value in values]
    if len(texts) == 1:
        return texts[0]
    ends = "\N{NO-BREAK SPACE}to ".join(texts[-2:])
    return ends if len(texts) == 2 else f"{texts[0]} ({ends})"

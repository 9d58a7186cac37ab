"""How long images take: a histogram that merges, its quantiles, and the time limit that follows from it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LEAST_IMAGES", "LEAST_LIMIT_S", "Times", "time_limit"]

#: Buckets for each doubling. A bucket is 9 % wide, so its geometric middle is at most 4.4 % off.
PER_OCTAVE = 8
SHORTEST_S = 0.001

#: Below so many finished images nothing is known of how they spread.
LEAST_IMAGES = 8
LEAST_LIMIT_S = 60.0
#: How many times the 90 % quantile, and the longest time that was seen, an image may take at its first try. The cost of
#: an image spreads little in a recipe: over 96 of `hardware` and 48 of `bin` at 160×120 the standard deviation was 16
#: and 18 % of the mean, the longest 1.5 times it. A machine that does other things decides: the same images took 5.5
#: times as long beside fourteen other processes on two cores.
OVER_P90, OVER_LONGEST = 10.0, 4.0
#: How much more it gets at its second try.
AGAIN = 4.0


class Times(BaseModel):
    """Seconds of many images in log-spaced buckets: bucket k counts those from 2^(k/8) to 2^((k+1)/8) ms.

    Two of them add up, in any order. Count, sum and longest are exact; a quantile is within 4.4 % of a time between
    its neighbours in the sorted list, or exact where it is the longest.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    buckets: dict[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]] = {}
    total_s: Annotated[float, Field(ge=0)] = 0.0
    longest_s: Annotated[float, Field(ge=0)] = 0.0

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Times:
        """The histogram of these times; what is shorter than a millisecond counts as one."""
        times = list(seconds)
        buckets = Counter(math.floor(PER_OCTAVE * math.log2(max(s, SHORTEST_S) / SHORTEST_S)) for s in times)
        return cls(buckets=dict(sorted(buckets.items())), total_s=sum(times), longest_s=max(times, default=0.0))

    @property
    def count(self) -> int:
        """How many times there are."""
        return sum(self.buckets.values())

    @property
    def mean_s(self) -> float:
        """Their mean, 0 where there are none."""
        return self.total_s / self.count if self.buckets else 0.0

    def quantile(self, share: float) -> float:
        """The time in seconds that `share` of the images (0 … 1) do not exceed; 0 where there are none."""
        if not self.buckets:
            return 0.0
        places = sorted(self.buckets)
        reached = np.cumsum([self.buckets[k] for k in places])
        at = min(int(np.searchsorted(reached, share * reached[-1])), len(places) - 1)
        middle = SHORTEST_S * 2 ** ((places[at] + 0.5) / PER_OCTAVE)
        return min(float(middle), self.longest_s)

    @property
    def deviation_s(self) -> float:
        """Standard deviation of one time, from the buckets' middles; 0 where there are fewer than two."""
        if self.count < 2:
            return 0.0
        counts = np.array(list(self.buckets.values()), dtype=float)
        middles = SHORTEST_S * 2 ** ((np.array(list(self.buckets)) + 0.5) / PER_OCTAVE)
        mean = (counts * middles).sum() / counts.sum()
        return float(np.sqrt((counts * (middles - mean) ** 2).sum() / (counts.sum() - 1)))

    def __sub__(self, part: Times) -> Times:
        """The times that are not in `part`, all of whose times must be in this one; the longest may be of either."""
        buckets = Counter(self.buckets) - Counter(part.buckets)
        total_s = max(0.0, self.total_s - part.total_s) if buckets else 0.0
        return Times(
            buckets=dict(sorted(buckets.items())), total_s=total_s, longest_s=self.longest_s if buckets else 0.0
        )

    def __add__(self, other: Times) -> Times:
        buckets = Counter(self.buckets) + Counter(other.buckets)
        return Times(
            buckets=dict(sorted(buckets.items())),
            total_s=self.total_s + other.total_s,
            longest_s=max(self.longest_s, other.longest_s),
        )


def time_limit(known: Times, ceiling_s: float, tries: int = 0) -> float:
    """After how many seconds an image counts as hung that was tried `tries` times before.

    `known` are the times of finished images of the same settings on the same kind of device; `ceiling_s` is what the
    user allows. What was learnt may cost a try, but never an image: the second try gets four times as long, and from
    the third on only the ceiling counts.
    """
    if known.count < LEAST_IMAGES or tries >= 2:
        return ceiling_s
    learnt = max(LEAST_LIMIT_S, OVER_P90 * known.quantile(0.9), OVER_LONGEST * known.longest_s)
    return min(ceiling_s, learnt * AGAIN**tries)

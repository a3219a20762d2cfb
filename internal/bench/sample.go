package main

import (
	"math"
	"slices"
	"time"
)

// sample is how long something took, several times.
type sample []time.Duration

// at returns a quantile by the nearest rank: a value that was measured, with at least that share of the sample at or
// below it.
func (s sample) at(quantile float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	rank := int(math.Ceil(quantile * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// P50 and P95 are exported for the templates, as are all such methods here.
func (s sample) P50() time.Duration { return s.at(0.50) }
func (s sample) P95() time.Duration { return s.at(0.95) }
func (s sample) N() int             { return len(s) }

// median is that of any numbers.
func median[T ~int64 | ~float64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}

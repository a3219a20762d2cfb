package main

import "time"

// plan says how much is measured.
type plan struct {
	rounds  int           // of one call per variant, one at a time
	settle  time.Duration // after each of those, and longer after load: what a call leaves behind is not to slow the next
	callers []int         // numbers of callers that call without a pause
	blocks  int           // of each number of callers, for each variant
	rampUp  time.Duration // of a block, not counted: what was started ahead is used up in it
	window  time.Duration // of a block, counted
	rates   []float64     // arrivals in a second, on average
	arrive  []int         // how many arrive at each rate
	calls   int           // for the parts of a call, and for skillet's own time
	starts  int           // of a server, with each number of skills
	repeats int           // of the measurement of memory
}

// The full plan takes nine minutes on two processors.
var full = plan{
	rounds: 50, settle: 250 * time.Millisecond,
	callers: []int{1, 2, 4, 8, 16}, blocks: 2, rampUp: 750 * time.Millisecond, window: 2 * time.Second,
	rates: []float64{1, 2, 4}, arrive: []int{16, 30, 50},
	calls: 20, starts: 15, repeats: 3,
}

var short = plan{
	rounds: 8, settle: 200 * time.Millisecond,
	callers: []int{1, 8}, blocks: 1, rampUp: 500 * time.Millisecond, window: 1500 * time.Millisecond,
	rates: []float64{4}, arrive: []int{12},
	calls: 5, starts: 5, repeats: 1,
}

// seed makes the arrivals the same in each run and for each variant.
const seed = 20_10

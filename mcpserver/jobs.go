package mcpserver

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"skillet/skills"
)

// What is kept of jobs that have ended, and for how long. What exceeds a bound goes first where it is oldest; the newest result
// of a client has no bound but that of all clients.
const (
	keepFor         = time.Hour // after the job's end
	keepResults     = 100       // of one client
	keepClientBytes = 64 << 20  // of one client
	keepBytes       = 256 << 20 // of all clients
)

// defaultJobs is how many jobs of one client may be under way, those that wait for their turn included. Its requests are bounded
// by the transports, and jobs are what outlives them.
const defaultJobs = 100

// jobs are those of one server. A handle has the server's instance in it, so that one of another server, which was there before
// this one, is told from one that is no more.
type jobs struct {
	instance string
	most     int    // of one client under way
	none     func() // called when no job is known any more

	mu       sync.Mutex
	byHandle map[string]*job // that were given away
	underWay map[*job]bool   // all that run or wait, given away or not
	idle     chan struct{}   // closed when none is under way; nil when that is so
	kept     []*job          // those that have ended, in the order of their ends
}

// newJobs bounds the jobs of one client; 0 stands for the default.
func newJobs(most int, none func()) *jobs {
	if most <= 0 {
		most = defaultJobs
	}
	return &jobs{instance: strings.ToLower(rand.Text()[:8]), most: most, none: none, byHandle: map[string]*job{}, underWay: map[*job]bool{}}
}

// newJob makes a call into what may become a job.
func (js *jobs) newJob(client string, skill *skills.Skill) *job {
	return &job{
		handle: fmt.Sprintf("job-%s-%s", js.instance, rand.Text()), client: client, skill: skill,
		begun: time.Now(), ended: make(chan struct{}),
	}
}

// begin notes that it is under way.
func (js *jobs) begin(j *job) {
	js.mu.Lock()
	defer js.mu.Unlock()
	if js.idle == nil {
		js.idle = make(chan struct{})
	}
	js.underWay[j] = true
}

// give makes the handle good; false when the client has too many jobs under way.
func (js *jobs) give(j *job) bool {
	js.mu.Lock()
	defer js.mu.Unlock()
	given := 0
	for _, other := range js.byHandle {
		if other.client == j.client && !other.over() {
			given++
		}
	}
	if given >= js.most {
		return false
	}
	js.byHandle[j.handle] = j
	if j.over() && !js.underWay[j] { // just now
		js.keep(j)
	}
	return true
}

// take takes the handle back, which nobody will ask for.
func (js *jobs) take(j *job) {
	js.mu.Lock()
	defer js.mu.Unlock()
	delete(js.byHandle, j.handle)
	js.kept = slices.DeleteFunc(js.kept, func(other *job) bool { return other == j })
}

// over notes that a job has ended, and lets go of what is too much then.
func (js *jobs) over(j *job) {
	js.mu.Lock()
	defer js.mu.Unlock()
	delete(js.underWay, j)
	if len(js.underWay) == 0 {
		close(js.idle)
		js.idle = nil
	}
	if js.byHandle[j.handle] != nil {
		js.keep(j)
	}
	js.tellNone()
}

// keep keeps the result of a job. js.mu is held.
func (js *jobs) keep(j *job) {
	js.kept = append(js.kept, j)
	js.trim(time.Now())
	time.AfterFunc(keepFor, func() {
		js.mu.Lock()
		defer js.mu.Unlock()
		js.trim(time.Now())
		js.tellNone()
	})
}

// tellNone tells that no job is known, when that is so. js.mu is held.
func (js *jobs) tellNone() {
	if len(js.byHandle) == 0 && len(js.underWay) == 0 {
		go js.none()
	}
}

// trim lets go of what exceeds the bounds. js.mu is held.
func (js *jobs) trim(now time.Time) {
	var keep []*job
	results, bytes, all := map[string]int{}, map[string]int64{}, int64(0)
	for _, j := range slices.Backward(js.kept) {
		results[j.client]++
		bytes[j.client] += j.end.size
		all += j.end.size
		switch newest := results[j.client] == 1; {
		case now.Sub(j.end.at) >= keepFor, results[j.client] > keepResults,
			bytes[j.client] > keepClientBytes && !newest, all > keepBytes && len(keep) > 0:
			delete(js.byHandle, j.handle)
		default:
			keep = append(keep, j)
		}
	}
	slices.Reverse(keep)
	js.kept = keep
}

// find returns the job of a handle that this client has got.
func (js *jobs) find(client, handle string) (*job, *noJobError) {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.trim(time.Now())
	if j := js.byHandle[handle]; j != nil && j.client == client {
		return j, nil
	}
	return nil, &noJobError{Lost: js.foreign(handle)}
}

// foreign tells handles of other servers.
func (js *jobs) foreign(handle string) bool {
	parts := strings.Split(handle, "-")
	return len(parts) == 3 && parts[0] == "job" && len(parts[1]) == len(js.instance) && parts[1] != js.instance && len(parts[2]) == len(rand.Text())
}

// any tells whether a handle is good, or may become so.
func (js *jobs) any() bool {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.trim(time.Now())
	return len(js.byHandle)+len(js.underWay) > 0
}

// count is how many jobs are under way.
func (js *jobs) count() int {
	js.mu.Lock()
	defer js.mu.Unlock()
	return len(js.underWay)
}

// drain returns when no job is under way. Those that still are when ctx ends are cancelled. No call may begin any more.
func (js *jobs) drain(ctx context.Context) {
	js.mu.Lock()
	idle := js.idle
	js.mu.Unlock()
	if idle == nil {
		return
	}
	select {
	case <-idle:
		return
	case <-ctx.Done():
	}
	js.mu.Lock()
	for j := range js.underWay {
		j.cancel()
	}
	js.mu.Unlock()
	select {
	case <-idle:
	case <-time.After(lastWords):
	}
}

// lastWords is how long cancelled jobs may take to end: their containers are killed in that time.
const lastWords = 15 * time.Second

// noJobError says that a handle is good for nothing.
type noJobError struct {
	Lost bool // it was another skillet's
}

func (e *noJobError) Error() string {
	if e.Lost {
		return "This job was made by another run of skillet. When that ended, as at a restart, its program was ended with it, and its result is lost. " +
			"Make the call again if it can be repeated."
	}
	return fmt.Sprintf("This is not the handle of a job of yours, or not any more: a result is kept for %d minutes after the end, and only the last %d are.",
		int(keepFor.Minutes()), keepResults)
}

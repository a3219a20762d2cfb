package skills

import (
	"fmt"
	"math/big"
	"regexp"
	"time"

	"github.com/docker/go-units"

	"skillet/skills/tomldoc"
)

// What a skill has when neither it nor [defaults] says otherwise.
const (
	defaultTimeout   = 60 * time.Second
	defaultMaxOutput = 1 << 20
	defaultPidsLimit = 256
)

// Bounds that keep a typing error from becoming a resource problem.
const (
	maxTimeout   = 24 * time.Hour
	maxMaxOutput = 8 << 20 // each stream is held in memory until the result is sent, several times over when it is encoded
	minMemory    = 6 << 20 // the engine's own bound
	maxPidsLimit = 4 << 20 // PID_MAX_LIMIT of Linux
	maxWarm      = 1000
)

// readLimits reads what [defaults], a skill, a tool and an instance have in common.
func readLimits(t tomldoc.Table, d *draft) {
	if timeout, ok := t.Duration("timeout"); ok {
		if timeout <= 0 || timeout > maxTimeout {
			t.Fail("timeout", fmt.Sprintf("is %s, expected more than 0 and at most 24h", timeout), "")
		}
		d.invocation.Timeout = timeout
	}
	if size, ok := readSize(t, "max_output"); ok {
		if size <= 0 || size > maxMaxOutput {
			t.Fail("max_output", fmt.Sprintf("is %s, expected more than 0 and at most %s", units.BytesSize(float64(size)), units.BytesSize(maxMaxOutput)), "")
		}
		d.invocation.MaxOutput = size
	}
	if limit, ok := t.Int("pids_limit"); ok {
		if limit <= 0 || limit > maxPidsLimit {
			t.Fail("pids_limit", fmt.Sprintf("is %d, expected 1 to %d: every container has a limit", limit, maxPidsLimit), "")
		}
		d.invocation.PidsLimit = limit
	}
	if value, ok := t.Any("warm"); ok {
		switch count, isInt := value.(int64); {
		case value == "auto":
			d.invocation.Warm = Warm{Auto: true}
		case isInt && count >= 0 && count <= maxWarm:
			d.invocation.Warm = Warm{Count: int(count)}
		default:
			t.Fail("warm", fmt.Sprintf(`expected "auto" or a number of idle containers, 0 to %d`, maxWarm), "")
		}
	}
}

func readMemory(t tomldoc.Table, inv *Invocation) {
	size, ok := readSize(t, "memory")
	if !ok {
		return
	}
	if size < minMemory {
		t.Fail("memory", fmt.Sprintf("is %s, expected at least %s", units.BytesSize(float64(size)), units.BytesSize(minMemory)), sizeHint)
		return
	}
	inv.Memory = size
}

func readCPUs(t tomldoc.Table, inv *Invocation) {
	text, ok := plain(t, "cpus", `write it like "0.5" or "2"`)
	if !ok {
		return
	}
	nano, err := ParseCPUs(text)
	if err != nil {
		t.Fail("cpus", err.Error(), "")
		return
	}
	inv.NanoCPUs = nano
}

const sizeHint = `write it like "512m", "2g" or "1MiB"`

// A size as go-units reads it, without what strconv.ParseFloat would let in besides: "0x1p3", "1e9", "inf".
var sizeForm = regexp.MustCompile(`^[0-9]+(\.[0-9]+)? ?[A-Za-z]*$`)

// readSize reads a size such as "512m" or "1MiB".
func readSize(t tomldoc.Table, key string) (int64, bool) {
	text, ok := plain(t, key, sizeHint)
	if !ok {
		return 0, false
	}
	size, err := ParseSize(text)
	if err != nil {
		t.Fail(key, err.Error(), sizeHint)
		return 0, false
	}
	return size, true
}

// ParseSize reads a size such as "512m" or "1MiB", in bytes; both are powers of 1024, as for the engine.
func ParseSize(text string) (int64, error) {
	size, err := units.RAMInBytes(text)
	switch {
	case err != nil || !sizeForm.MatchString(text):
		return 0, fmt.Errorf("%q is no size", text)
	case size < 0 || size > 1<<60: // beyond it, a float64 that becomes an int64 has no defined value
		return 0, fmt.Errorf("%q is more than any machine has", text)
	}
	return size, nil
}

var cpusForm = regexp.MustCompile(`^([0-9]{1,6}(\.[0-9]{0,9})?|\.[0-9]{1,9})$`)

// ParseCPUs reads a number of CPUs as `docker run --cpus` does, such as "0.5" or "2", in billionths of a CPU.
func ParseCPUs(text string) (int64, error) {
	cpus := new(big.Rat)
	if cpusForm.MatchString(text) {
		cpus.SetString(text)
	}
	if cpus.Sign() == 0 {
		return 0, fmt.Errorf("%q is no number of CPUs, expected more than 0 and at most 9 decimals, like \"0.5\" or \"2\"", text)
	}
	return cpus.Mul(cpus, big.NewRat(1e9, 1)).Num().Int64(), nil
}

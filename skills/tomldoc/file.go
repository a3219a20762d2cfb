package tomldoc

import (
	"fmt"
	"io"
	"os"
)

// maxFile is far more than a configuration needs, and keeps a device from being read for ever.
const maxFile = 16 << 20

// ReadFile reads a configuration. A pipe or a device is none: reading it could wait for ever, or take what is meant for
// somebody else, such as a client's messages on standard input.
func ReadFile(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is no regular file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d MiB, which no configuration needs to be", file, maxFile>>20)
	}
	return data, nil
}

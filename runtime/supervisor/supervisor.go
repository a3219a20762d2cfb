// Package supervisor holds the program that runs as the first process of skillet's containers, ready to be put on an engine.
//
// Its source is in the directory program, and what it says to skillet in package wire. The binaries are part of the repository,
// so that a plain `go build` or `go install` has them on every system; `go generate` makes them anew, and a test checks that
// they are what the source gives, byte for byte.
package supervisor

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"slices"
	"sync"
)

//go:generate ./generate.sh

//go:embed supervisor_linux_amd64
var amd64 []byte

//go:embed supervisor_linux_arm64
var arm64 []byte

// Binary is the supervisor for one architecture: a static ELF file.
type Binary struct {
	Bytes  []byte // not to be changed
	Digest string // of the bytes: the first 16 hexadecimal digits of SHA-256
}

// binaries are made into values when they are asked for: most runs of skillet need one of them or none.
var binaries = map[string]func() Binary{
	"amd64": sync.OnceValue(func() Binary { return newBinary(amd64) }),
	"arm64": sync.OnceValue(func() Binary { return newBinary(arm64) }),
}

func newBinary(b []byte) Binary {
	sum := sha256.Sum256(b)
	return Binary{Bytes: b, Digest: hex.EncodeToString(sum[:])[:16]}
}

// For returns the supervisor for an engine's architecture, in the words of Go or of uname(1). There is none for others.
func For(architecture string) (Binary, bool) {
	names := map[string]string{"x86_64": "amd64", "aarch64": "arm64"}
	if name, ok := names[architecture]; ok {
		architecture = name
	}
	binary, ok := binaries[architecture]
	if !ok {
		return Binary{}, false
	}
	return binary(), true
}

// Architectures lists those that there is a supervisor for, in the words of Go.
func Architectures() []string {
	all := make([]string, 0, len(binaries))
	for name := range binaries {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

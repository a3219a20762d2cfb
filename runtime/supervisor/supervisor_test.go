package supervisor

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

func TestTheBinariesAreWhatTheSourceGives(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("./generate.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, arch := range Architectures() {
		built, err := os.ReadFile(filepath.Join(dir, "supervisor_linux_"+arch))
		if err != nil {
			t.Fatal(err)
		}
		if binary, _ := For(arch); !bytes.Equal(built, binary.Bytes) {
			t.Errorf("the binary for %s is not that of the source: run `go generate ./runtime/supervisor` and commit what it makes", arch)
		}
	}
}

func TestTheBinariesNeedNothingOfAnImage(t *testing.T) {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	if got := Architectures(); !slices.Equal(got, []string{"amd64", "arm64"}) {
		t.Fatal(got)
	}
	for arch, machine := range machines {
		binary, _ := For(arch)
		file, err := elf.NewFile(bytes.NewReader(binary.Bytes))
		if err != nil {
			t.Fatal(err)
		}
		libraries, err := file.ImportedLibraries()
		if err != nil || len(libraries) > 0 || file.Section(".interp") != nil || file.Machine != machine {
			t.Errorf("%s: a binary for %s that needs %q, %v", arch, file.Machine, libraries, err)
		}
	}
}

func TestAnEnginesArchitectureIsKnownByBothOfItsNames(t *testing.T) {
	for name, arch := range map[string]string{"x86_64": "amd64", "aarch64": "arm64"} {
		one, ok := For(name)
		other, _ := For(arch)
		if !ok || one.Digest != other.Digest || len(one.Digest) != 16 {
			t.Errorf("%s is not %s", name, arch)
		}
	}
	if _, ok := For("riscv64"); ok {
		t.Error("riscv64 has a supervisor")
	}
}

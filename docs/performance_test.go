package docs

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// BenchmarkColdCall makes the figures of the README: the time of a call over MCP, and that of `docker run` with the same
// image, program and network, by turns.
//
//	go test -run '^$' -bench ColdCall -benchtime 50x ./docs
func BenchmarkColdCall(b *testing.B) {
	dir := checkout(b, nil)
	server := command(dir, skillet, "serve", "--log-level", "error")
	in, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	answers := bufio.NewReader(out)
	call := func(id int) {
		fmt.Fprintf(in, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"jq","arguments":{"filter":"1","null_input":true}}}`+"\n", id)
		line, err := answers.ReadBytes('\n')
		if err != nil {
			b.Fatal(err)
		}
		var answer struct {
			Result struct {
				StructuredContent struct {
					Stdout string `json:"stdout"`
				} `json:"structuredContent"`
			} `json:"result"`
		}
		if err := json.Unmarshal(line, &answer); err != nil || answer.Result.StructuredContent.Stdout != "1\n" {
			b.Fatalf("answered with %s", line)
		}
	}
	dockerRun := func() {
		out, err := exec.Command("docker", "run", "--rm", "--network", "none", "skillet/jq", "jq", "--null-input", "1").Output()
		if err != nil || string(out) != "1\n" {
			b.Fatalf("docker run: %v, %s", err, out)
		}
	}
	fmt.Fprintln(in, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"docs","version":"1"}}}`)
	if _, err := answers.ReadBytes('\n'); err != nil {
		b.Fatal(err)
	}
	fmt.Fprintln(in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	call(1) // whatever is done once
	dockerRun()
	calls, runs := make([]time.Duration, 0, b.N), make([]time.Duration, 0, b.N)
	timed := func(into *[]time.Duration, do func()) {
		begun := time.Now()
		do()
		*into = append(*into, time.Since(begun))
	}
	for i := range b.N {
		timed(&calls, func() { call(i + 2) })
		timed(&runs, dockerRun)
	}
	in.Close()
	if err := server.Wait(); err != nil {
		b.Fatal(err)
	}
	callTime, runTime := median(calls), median(runs)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(callTime.Seconds()*1000, "ms/call")
	b.ReportMetric(runTime.Seconds()*1000, "ms/docker-run")
	b.ReportMetric(callTime.Seconds()/runTime.Seconds(), "ratio")
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

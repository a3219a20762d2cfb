package runtime

import "fmt"

// signals are Linux's, by number: containers are Linux wherever skillet itself runs. MIPS has others.
var signals = [...]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
	9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
	16: "SIGSTKFLT", 17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP", 21: "SIGTTIN", 22: "SIGTTOU",
	23: "SIGURG", 24: "SIGXCPU", 25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF", 28: "SIGWINCH", 29: "SIGIO",
	30: "SIGPWR", 31: "SIGSYS",
}

// signalName names the signal that an exit code stands for by the convention of shells, 128+n for signal n; "" for codes
// that stand for none.
func signalName(exitCode int) string {
	const base, last = 128, 64
	number := exitCode - base
	switch {
	case number < 1 || number > last:
		return ""
	case number < len(signals):
		return signals[number]
	default:
		return fmt.Sprintf("signal %d", number)
	}
}

// Package runtime turns an approved [policy.Plan] into one container, and that container into a [Result].
//
// It is the only package that talks to a Docker engine, and it takes nothing but a Plan: what a policy has approved is
// translated field by field, by one pure function, into one engine request. Start at [New] and [Runtime.Run].
//
// # One call
//
// [Runtime.Run] hands the call to a container that waits for one like it, or creates a container, attaches to it, subscribes to
// its removal, gives it its order and starts it, in this order, so that neither the first byte of output nor the end can be
// missed. The container's first process is a supervisor of skillet's own (package supervisor and docs/supervisor.md), which runs
// the program, reports its exit and ends; the engine then removes the container. A container is new and is used once, but for those of sessions. Its
// removal goes on behind the caller's back; [Runtime.Close] waits for it and reports what could not be removed.
//
// An image that is not there is found out before that. Then it is built from the Plan's build directory, or else pulled, once for
// all the calls that wait for it. The time for that does not count against the Plan's timeout, which is the program's.
// [Runtime.EnsureImage] does it ahead.
//
// When the Plan's timeout ends, or the caller's context does, the program is killed: by SIGKILL at once or, when the
// Plan has a StopTimeout, by SIGTERM and then by SIGKILL. When Run returns, nothing of the program runs; if that could not be
// made sure of, the error says so ([UnkilledError]). No request to the engine is waited for without a limit.
//
// # Containers that wait
//
// [Runtime.Warm] keeps containers started for calls of the plans it is given, as many as each plan's Warm says. A call whose plan
// asks the engine for the very same container gets one, which takes a few milliseconds; the others have one made.
//
// # Sessions
//
// [Runtime.Open] begins a [Session], a container that is kept between calls. Its supervisor takes one order after the other, and
// leaves alone what an order's program has left running. Each call has an approved plan of its own, which has to ask for the
// very same container.
//
// # Results and errors
//
// A program that ran to its end gives a Result and no error, whatever its exit code is. The errors are types with facts:
//
//   - [EngineError]: no engine answers, or it was lost on the way
//   - [ImageError] and [BuildError]: there is no image, and it could not be built or pulled
//   - [StartError]: the engine has not started the program; its exit code is what `docker run` would have given
//   - [LostError]: the container was killed, stopped or removed by others in the midst of the call
//   - [TimeoutError] and [CancelledError]: the program was killed before its end; what it had written is in the Result
//   - [SessionError] and [SessionGoneError]: the call could not be one of its session's, and has not run
//   - [ErrNotApproved], [ErrClosed]: the caller's mistakes
//
// They tell what happened and what to do about it, and never repeat the value of a variable, an argument or the input.
//
// [Result.Signal] is the signal that has killed the program, whose exit code then is 128+n as in shells. A container without
// a supervisor gives only the code, and there each code of that form is taken for a signal, by the convention of shells.
//
// [Result.OOMKilled] is the kernel's count for the container. Without a supervisor it is what the engine has noticed, which
// misses a kill now and then (one in thirty, on a loaded engine 20.10) when that comes right after the start or is the end.
//
// # What a program sees
//
// Output and input are pipes, never a terminal. Without input in the Plan, standard input is /dev/null.
//
// All capabilities are dropped but those the Plan gives back, no new privileges can be gained, and namespaces are the
// container's own unless the Plan says otherwise.
//
// Without a network ("none") the engine makes no network sandbox, which halves the time of a start. The program has a
// loopback device with 127.0.0.1 and ::1 up and can use it; nothing else. The engine then also writes no /etc/hosts
// and no /etc/resolv.conf: they are the image's own, or empty. So 127.0.0.1 works, but the name localhost is not found,
// except where the image's /etc/hosts or the C library knows it. A Plan with ExtraHosts or DNS, such as the extra host
// "localhost:127.0.0.1", wants those files, and gets them with a sandbox of network none, at its price.
//
// Memory file systems (tmpfs) are nosuid and nodev, and noexec unless the Plan says Exec.
//
// # What is left behind
//
// A container with a supervisor ends with its connection, or at the end of its call's time, and the engine removes it: also
// when this process is killed. Every container says in labels which process of which host made it, and how long its call
// could take. [Runtime.Reap] removes those of processes that are gone, as what was created and not started before a SIGKILL, and
// those of other hosts whose time is up. It never touches a container whose owner lives or may live.
//
// The supervisor's volume stays on the engine.
//
// # Engines
//
// API version 1.41 (Docker 20.10) to the newest. The version is negotiated when it is first needed and again after
// the engine was lost, so that skillet may start before its engine, and an engine may be restarted or replaced. Images
// are built by the engine's classic builder: a Dockerfile that needs BuildKit (RUN --mount, heredocs) has to be built
// beforehand. Registries are used without credentials.
//
// # Where to look
//
//   - run.go: one call; vessel.go, create.go, remove.go: its container's birth and end
//   - supervised.go, standby.go: with a supervisor; plain.go, output.go: without one
//   - harness.go: what a supervisor changes of a container; install.go: how it gets there
//   - pool.go, shelf.go, handover.go: containers that wait; resolve.go, watch.go: what images' names stand for
//   - session.go: containers that are kept between calls
//   - request.go: what the engine is asked for; testdata has it for a container of each kind
//   - image.go, build.go, progress.go, flight.go: images
//   - client.go: the engine's address and version
//   - errors.go, starterror.go, signal.go: what went wrong
package runtime

package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"skillet/policy"
	"skillet/runtime/supervisor/wire"

	cerrdefs "github.com/containerd/errdefs"
)

// orderPlan is a container for a fake engine's supervisor.
var orderPlan = policy.Container{Skill: "tool", Image: "image", Command: []string{"program"}, MaxOutput: 1 << 10, Timeout: 3 * time.Second}

// The tests of this file let a supervisor, its connection and its engine fail in all ways that a real one does not on demand.

func TestASupervisedCallMakesNoRequestThatItDoesNotNeed(t *testing.T) {
	r, fake := newSupervisedEngine(t, honest)
	result, err := r.run(t.Context(), orderPlan, IO{})
	if err != nil || result.ExitCode != 0 || string(result.Stdout.Data) != "out" {
		t.Fatalf("%s, %v", brief(result), err)
	}
	closeAndCheck(t, r, fake)
	for _, method := range []string{"create", "attach", "wait", "start"} {
		if fake.called(method) != 1 {
			t.Errorf("%s was asked for %d times: %v", method, fake.called(method), fake.calls)
		}
	}
	if fake.called("remove") != 0 || fake.called("kill SIGKILL") != 0 {
		t.Errorf("requests %v", fake.calls)
	}
}

// What no supervisor says ends the call at once, and its container, whether that ends with its connection or not.
func TestASupervisorThatBreaksTheProtocolLosesItsCallAndItsContainer(t *testing.T) {
	for name, violation := range map[string]func(*supervisorSide){
		"something else than a frame": func(s *supervisorSide) { s.write([]byte("hello, this is no frame")) },
		"a frame that is too long":    func(s *supervisorSide) { s.write([]byte{'1', 0, 0, 0x80, 1}) },
		"a frame of skillet's":        func(s *supervisorSide) { s.say(wire.Go, nil) },
		"the head of a large order":   func(s *supervisorSide) { s.write([]byte{'O', 0, 0xff, 0, 0}) },
		"ready twice":                 func(s *supervisorSide) { s.say(wire.Ready, nil) },
		"accepted twice":              func(s *supervisorSide) { s.say(wire.Accepted, nil) },
		"credit for nothing":          func(s *supervisorSide) { s.say(wire.Credit, wire.EncodeCredit(1)) },
		"credit without a number":     func(s *supervisorSide) { s.say(wire.Credit, nil) },
		"an exit without content":     func(s *supervisorSide) { s.say(wire.Exit, nil) },
		"an exit of no known kind":    func(s *supervisorSide) { s.say(wire.Exit, wire.ExitFrame{How: '?'}.Encode()) },
	} {
		for _, stays := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stays %t", name, stays), func(t *testing.T) {
				r, fake := newSupervisedEngine(t, func(s *supervisorSide) int64 {
					if s.takeOrder() {
						violation(s)
						s.untilGone()
					}
					if stays {
						select {}
					}
					return 137
				})
				within(t, time.Second, func() {
					_, err := r.run(t.Context(), orderPlan, IO{})
					if !errors.As(err, new(*LostError)) {
						t.Errorf("error %v", err)
					}
					if names := fake.names(); len(names) > 0 {
						t.Errorf("Run has returned, and %v runs", names)
					}
				})
				if fake.called("create") != 1 {
					t.Errorf("requests %v", fake.calls)
				}
				closeAndCheck(t, r, fake)
			})
		}
	}
}

func TestWhatComesAfterTheExitChangesNothing(t *testing.T) {
	r, fake := newSupervisedEngine(t, func(s *supervisorSide) int64 {
		if s.takeOrder() {
			s.exit(3)
			s.say(wire.Output, []byte("more"))
			s.exit(0)
		}
		return 0
	})
	result, err := r.run(t.Context(), orderPlan, IO{})
	if err != nil || result.ExitCode != 3 || len(result.Stdout.Data) != 0 {
		t.Errorf("%s, %v", brief(result), err)
	}
	closeAndCheck(t, r, fake)
}

// A call may have run as soon as its container was started: its order and the word to carry it out were there already.
func TestACallWhoseContainerWasStartedIsNeverMadeAgain(t *testing.T) {
	for name, what := range map[string]func(s *supervisorSide, ran *atomic.Int64) int64{
		"the connection is lost before the first word arrives": func(s *supervisorSide, ran *atomic.Int64) int64 {
			if s.hear() == wire.Order && s.hear() == wire.Go {
				ran.Add(1)
			}
			return 0
		},
		"ready and gone": func(s *supervisorSide, ran *atomic.Int64) int64 {
			s.say(wire.Ready, nil)
			if s.hear() == wire.Order && s.hear() == wire.Go {
				ran.Add(1)
			}
			return 1
		},
		"accepted and gone": func(s *supervisorSide, ran *atomic.Int64) int64 {
			if s.takeOrder() {
				ran.Add(1)
			}
			return 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			var ran atomic.Int64
			r, fake := newSupervisedEngine(t, func(s *supervisorSide) int64 { return what(s, &ran) })
			_, err := r.run(t.Context(), orderPlan, IO{})
			if !errors.As(err, new(*LostError)) {
				t.Errorf("error %v", err)
			}
			if ran.Load() != 1 {
				t.Errorf("it ran %d times", ran.Load())
			}
			closeAndCheck(t, r, fake)
		})
	}
}

// That the supervisor does not begin its work is the volume's fault where that is damaged, and then nothing has run.
func TestACallIsMadeAgainOnceTheVolumeIsMended(t *testing.T) {
	var mended atomic.Bool
	r, fake := newSupervisedEngine(t, func(s *supervisorSide) int64 {
		if !mended.Load() {
			return 139
		}
		return honest(s)
	})
	fake.before["copy from"] = func(context.Context) error { return fmt.Errorf("no such file: %w", cerrdefs.ErrNotFound) }
	fake.before["copy to"] = func(context.Context) error { mended.Store(true); return nil }
	if result, err := r.run(t.Context(), orderPlan, IO{}); err != nil || string(result.Stdout.Data) != "out" {
		t.Errorf("%s, %v", brief(result), err)
	}
	closeAndCheck(t, r, fake)
	if fake.called("copy to") != 1 {
		t.Errorf("requests %v", fake.calls)
	}
}

// The volume is filled once for all who wait, also when who has asked first does not wait any longer.
func TestACallThatIsCancelledWhileTheSupervisorIsPutOnTheEngineLeavesNothing(t *testing.T) {
	r, fake := newSupervisedEngine(t, func(*supervisorSide) int64 { return 139 })
	ctx, cancel := context.WithCancel(t.Context())
	r.limits.create = time.Second
	fake.before["create"] = func(request context.Context) error {
		if fake.called("create") == 2 { // the one for the volume
			cancel()
			time.Sleep(100 * time.Millisecond)
		}
		return nil // the engine makes it, whatever becomes of who has asked
	}
	if _, err := r.run(ctx, orderPlan, IO{}); !errors.As(err, new(*CancelledError)) {
		t.Errorf("error %v", err)
	}
	closeAndCheck(t, r, fake)
}

func TestAnImageThatIsReplacedBetweenTheLookAndTheCreationIsLookedAtAgain(t *testing.T) {
	r, fake := newSupervisedEngine(t, honest)
	r.resolved.watch(true)
	if _, err := r.run(t.Context(), orderPlan, IO{}); err != nil {
		t.Fatal(err)
	}
	fake.mu.Lock()
	fake.imageID = "sha256:new"
	fake.mu.Unlock()
	if result, err := r.run(t.Context(), orderPlan, IO{}); err != nil || string(result.Stdout.Data) != "out" {
		t.Errorf("%s, %v", brief(result), err)
	}
	closeAndCheck(t, r, fake)
}

func TestEachRequestOfASupervisedCallThatFailsEndsItAndLeavesNoContainer(t *testing.T) {
	for _, method := range []string{"version", "image inspect", "create", "attach", "start"} {
		for name, fault := range map[string]func(context.Context) error{
			"breaks":  func(context.Context) error { return errBroken },
			"refused": func(context.Context) error { return fmt.Errorf("no: %w", cerrdefs.ErrInvalidArgument) },
			"hangs":   hang,
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				r, fake := newSupervisedEngine(t, honest)
				fake.before[method] = fault
				within(t, time.Second, func() {
					result, err := r.run(t.Context(), orderPlan, IO{})
					var engine *EngineError
					var start *StartError
					switch {
					case name == "refused" && !errors.As(err, &start):
						t.Errorf("error %v", err)
					case name != "refused" && (!errors.As(err, &engine) || engine.Started != (method == "start")):
						t.Errorf("error %#v", err)
					}
					if result.ExitCode != -1 {
						t.Errorf("exit code %d", result.ExitCode)
					}
				})
				closeAndCheck(t, r, fake)
			})
		}
	}
}

// The question for the removal is asked beside the call, which does not need its answer: only who makes sure of the end does.
func TestACallDoesNotNeedTheWordOnItsContainersRemoval(t *testing.T) {
	for name, fault := range map[string]func(context.Context) error{
		"breaks": func(context.Context) error { return errBroken },
		"hangs":  hang,
	} {
		t.Run(name, func(t *testing.T) {
			r, fake := newSupervisedEngine(t, honest)
			fake.before["wait"] = fault
			within(t, time.Second, func() {
				if result, err := r.run(t.Context(), orderPlan, IO{}); err != nil || string(result.Stdout.Data) != "out" {
					t.Errorf("%s, %v", brief(result), err)
				}
			})
			closeAndCheck(t, r, fake)
		})
	}
}

func TestACancelAtEachStageEndsTheCallAndItsContainer(t *testing.T) {
	for _, stage := range []string{"version", "image inspect", "create", "attach", "start"} {
		for _, how := range []string{"hangs", "is late"} {
			t.Run(stage+" "+how, func(t *testing.T) {
				r, fake := newSupervisedEngine(t, patient)
				ctx, cancel := context.WithCancel(t.Context())
				fake.before[stage] = func(request context.Context) error {
					cancel()
					if how == "hangs" {
						return hang(request)
					}
					time.Sleep(30 * time.Millisecond)
					return nil
				}
				within(t, time.Second, func() {
					if _, err := r.run(ctx, orderPlan, IO{}); !errors.As(err, new(*CancelledError)) {
						t.Errorf("error %v", err)
					}
				})
				closeAndCheck(t, r, fake)
			})
		}
	}
}

// The order of a call with long arguments does not fit into what lies between skillet and a container that is not started yet.
func TestACancelDoesNotWaitForAnOrderThatNobodyTakes(t *testing.T) {
	r, fake := newSupervisedEngine(t, patient)
	r.limits.request = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	fake.before["start"] = func(request context.Context) error {
		cancel()
		return hang(request)
	}
	within(t, time.Second, func() {
		if _, err := r.run(ctx, orderPlan, IO{}); !errors.As(err, new(*CancelledError)) {
			t.Errorf("error %v", err)
		}
	})
	closeAndCheck(t, r, fake)
}

func TestAProgramThatIsCancelledIsDeadWhenTheCallReturns(t *testing.T) {
	for name, what := range map[string]fakeSupervisor{
		"by its supervisor": patient,
		"by the engine, where the supervisor does not hear": func(s *supervisorSide) int64 {
			if s.takeOrder() {
				s.say(wire.Output, []byte("out"))
			}
			select {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, fake := newSupervisedEngine(t, what)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			within(t, time.Second, func() {
				result, err := r.run(ctx, orderPlan, IO{Stdout: writerFunc(func([]byte) { cancel() })})
				if !errors.As(err, new(*CancelledError)) || string(result.Stdout.Data) != "out" {
					t.Errorf("%s, %v", brief(result), err)
				}
				if names := fake.names(); len(names) > 0 {
					t.Errorf("%v runs", names)
				}
			})
			closeAndCheck(t, r, fake)
		})
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

// A supervisor that says that all is over has ended. One that has not, as an image's own in its place could do, is ended.
func TestAContainerIsDeadSoonAfterItsCallWhateverRunsInIt(t *testing.T) {
	r, fake := newSupervisedEngine(t, func(s *supervisorSide) int64 {
		honest(s)
		select {}
	})
	r.limits.vanish = time.Minute
	if _, err := r.run(t.Context(), orderPlan, IO{}); err != nil {
		t.Error(err)
	}
	within(t, time.Second, func() { closeAndCheck(t, r, fake) })
}

// An order is bounded by what Linux takes; one beyond that must not use up what waits, and says what is wrong.
func TestAnOrderThatIsTooLargeIsRefusedBeforeItIsGiven(t *testing.T) {
	r, fake := newSupervisedEngine(t, honest)
	c := warmFake(t, r, 2)
	c.Command = []string{strings.Repeat("x", wire.MaxOrder)}
	var start *StartError
	if _, err := r.run(t.Context(), c, IO{}); !errors.As(err, &start) || start.ExitCode != 126 {
		t.Errorf("error %v", err)
	}
	if idle := r.pool.idle(); idle != 2 {
		t.Errorf("%d containers wait", idle)
	}
	closeAndCheck(t, r, fake)
}

import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { StopWatch } from "../../src/os/child-state.ts";
import { until } from "../lab/wait.ts";

const children: Bun.Subprocess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
});

function started(): Bun.Subprocess {
  const child = Bun.spawn(["sleep", "60"], { stdio: ["ignore", "ignore", "ignore"] });
  children.push(child);
  return child;
}

function signalled(child: Bun.Subprocess, signal: "SIGSTOP" | "SIGCONT"): Promise<unknown> {
  child.kill(signal);
  const isStopped = (): boolean => readFileSync(`/proc/${child.pid}/stat`, "latin1").includes(") T ");
  return until(() => isStopped() === (signal === "SIGSTOP"), { what: signal });
}

test("a stopped process is seen by the second look, and as long as it is", async () => {
  const child = started();
  const watch = new StopWatch(child.pid);
  expect(watch.stoppedSinceLastLook()).toBe(false);
  await signalled(child, "SIGSTOP");
  expect([1, 2, 3].map(() => watch.stoppedSinceLastLook())).toEqual([false, true, true]);
  await signalled(child, "SIGCONT");
  expect([1, 2].map(() => watch.stoppedSinceLastLook())).toEqual([false, false]);
});

test("one that goes on in between, as under cpulimit, is not", async () => {
  const child = started();
  const watch = new StopWatch(child.pid);
  for (let at = 0; at < 5; at++) {
    await signalled(child, "SIGSTOP");
    expect(watch.stoppedSinceLastLook()).toBe(false);
    await signalled(child, "SIGCONT");
  }
});

test("one that has ended is not stopped, and its end is still told", async () => {
  const child = started();
  const watch = new StopWatch(child.pid);
  child.kill("SIGKILL");
  expect(watch.stoppedSinceLastLook()).toBe(false);
  await child.exited;
  expect([watch.stoppedSinceLastLook(), child.signalCode]).toEqual([false, "SIGKILL"]);
  expect(new StopWatch(2 ** 22 + 1).stoppedSinceLastLook()).toBe(false);
});

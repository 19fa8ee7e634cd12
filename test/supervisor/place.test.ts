import { expect, test } from "bun:test";
import { Place } from "../../src/supervisor/place.ts";
import type { RoleEvents, RoleProcess } from "../../src/supervisor/role-process.ts";
import { until } from "../lab/wait.ts";

/** A place with a start function in the test's hands. */
function makePlace() {
  const told: string[] = [];
  const starts: { promise: PromiseWithResolvers<RoleProcess>; events: RoleEvents }[] = [];
  const killed: number[] = [];
  const place = new Place(
    "child",
    {
      start: (events) => {
        const promise = Promise.withResolvers<RoleProcess>();
        starts.push({ promise, events });
        return promise.promise;
      },
      onStarted: (role) => told.push(`started ${role.pid}`),
      onReady: (role) => told.push(`ready ${role.pid}`),
      onGone: () => told.push("gone"),
      onFirstFailed: (why) => told.push(`first failed: ${why}`),
    },
    (level, text) => told.push(`${level}: ${text}`),
  );
  const role = (pid: number): RoleProcess => ({
    pid,
    answering: true,
    send: () => {},
    pass: () => 1,
    kill: () => killed.push(pid),
  });
  const turn = (): Promise<void> => Bun.sleep(0);
  /** The start that was asked for last comes about. */
  const begin = async (pid: number): Promise<{ role: RoleProcess; events: RoleEvents }> => {
    const last = starts.at(-1);
    if (last === undefined) throw new Error("nothing was started");
    const made = role(pid);
    last.promise.resolve(made);
    await turn();
    return { role: made, events: last.events };
  };
  return { place, told, starts, killed, begin, turn };
}

test("a process is there when it is started, and counts when it is ready", async () => {
  const { place, told, begin } = makePlace();
  expect(place.begun).toBe(false);
  place.fill();
  expect([place.begun, place.anyRole]).toEqual([true, null]);
  const { role, events } = await begin(7);
  expect([place.anyRole, place.role]).toEqual([role, null]);
  events.onReady(role);
  events.onReady(role);
  expect(place.role).toBe(role);
  expect(told).toEqual(["started 7", "verbose: child 7 is ready", "ready 7"]);
});

test("one that dies after it was ready is replaced", async () => {
  const { place, told, starts, begin } = makePlace();
  place.fill();
  const { role, events } = await begin(7);
  events.onReady(role);
  events.onExit(role, "was killed by SIGSEGV");
  expect([place.role, place.anyRole]).toEqual([null, null]);
  await until(() => starts.length === 2, { what: "a second start" });
  expect(told.slice(3)).toEqual(["gone", "error: child 7 was killed by SIGSEGV; replaced in 0.1 s"]);
  const next = await begin(8);
  next.events.onReady(next.role);
  expect(place.role?.pid).toBe(8);
  await Promise.race([place.close(), Bun.sleep(0)]);
});

test("a later start that cannot be made is tried again", async () => {
  const { place, told, starts, begin, turn } = makePlace();
  place.fill();
  const { role, events } = await begin(7);
  events.onReady(role);
  events.onExit(role, "ended with status 1");
  await until(() => starts.length === 2, { what: "a second start" });
  starts[1]?.promise.reject(new Error("EAGAIN"));
  await turn();
  await until(() => starts.length === 3, { what: "a third start" });
  expect(told.at(-1)).toBe("error: child cannot be started: EAGAIN; replaced in 0.2 s");
  await begin(9);
  expect(place.anyRole?.pid).toBe(9);
});

test("the first one that ends before it is ready is told of, and not replaced", async () => {
  const { place, told, starts, begin } = makePlace();
  place.fill();
  const { role, events } = await begin(7);
  events.onExit(role, "ended with status 70: no jail");
  await Bun.sleep(250);
  expect(told.at(-1)).toBe("first failed: child 7 ended with status 70: no jail");
  expect(starts.length).toBe(1);
});

test("the first one that cannot be started is told of", async () => {
  const { place, told, starts, turn } = makePlace();
  place.fill();
  starts[0]?.promise.reject(new Error("ENOMEM"));
  await turn();
  expect(told).toEqual(["first failed: child cannot be started: ENOMEM"]);
});

test("closed while it is being started: what comes is killed, and awaited", async () => {
  const { place, told, killed, begin, turn } = makePlace();
  place.fill();
  let closed = false;
  const closing = place.close().then(() => {
    closed = true;
  });
  const { role, events } = await begin(7);
  expect([killed, told, closed]).toEqual([[7], [], false]);
  events.onExit(role, "was killed by SIGKILL");
  await turn();
  expect(closed).toBe(true);
  await closing;
  expect(told).toEqual([]);
});

test("closed while a start fails, or while it waits for the next, it is closed at once", async () => {
  const failing = makePlace();
  failing.place.fill();
  const closing = failing.place.close();
  failing.starts[0]?.promise.reject(new Error("ENOMEM"));
  await closing;
  expect(failing.told).toEqual([]);

  const waiting = makePlace();
  waiting.place.fill();
  const { role, events } = await waiting.begin(7);
  events.onReady(role);
  events.onExit(role, "ended with status 1");
  await waiting.place.close();
  await Bun.sleep(250);
  expect(waiting.starts.length).toBe(1);
});

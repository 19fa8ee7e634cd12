import { afterEach, expect, test } from "bun:test";
import { ClamdError } from "../../src/clamd/clamd-error.ts";
import { newRecord, type ServerRecord } from "../../src/clamd/server-state.ts";
import { ServerWatch } from "../../src/keeper/server-watch.ts";
import { type StandIn, type WatchLab, watchLab } from "./watch-lab.ts";

const REFUSED = new ClamdError("CLAMD_CONNECT", "connection refused");
const FULL = new ClamdError("CLAMD_BUSY", "connect: EAGAIN");
const watches: ServerWatch[] = [];

afterEach(() => {
  for (const watch of watches.splice(0)) watch.stop();
});

interface Watched {
  readonly lab: WatchLab;
  readonly clamd: StandIn;
  readonly watch: ServerWatch;
  readonly told: string[];
  record(): ServerRecord;
  /** Test messages sent so far, by either way. */
  tests(): string[];
}

async function watched(
  kind: "unix" | "tcp",
  canary: number,
  known: Partial<ServerRecord> = {},
  change: (clamd: StandIn) => void = () => {},
): Promise<Watched> {
  const lab = watchLab();
  const clamd = lab.server("a", kind);
  change(clamd);
  let record: ServerRecord = { ...newRecord("a", lab.edge.now()), ...known };
  const told: string[] = [];
  const watch = new ServerWatch(clamd.address, record, canary, lab.edge, (next, events) => {
    record = next;
    for (const event of events)
      told.push(event.kind === "changed" ? `${event.from}-${event.to}` : event.kind);
  });
  watches.push(watch);
  await lab.pass(0);
  const tests = (): string[] => clamd.commands.filter((each) => each === "INSTREAM" || each === "FILDES");
  return { lab, clamd, watch, told, record: () => record, tests };
}

test("at start it is tested, then looked at every few seconds and tested once in a period", async () => {
  const { lab, clamd, tests, record, told } = await watched("tcp", 3600);
  expect(tests()).toEqual(["INSTREAM"]);
  expect(record()).toMatchObject({ state: "up", proven: true, passing: false });
  await lab.pass(60_000);
  expect(tests().length).toBe(1);
  expect(clamd.commands.filter((each) => each === "PING").length).toBe(13);
  await lab.pass(3_540_000);
  expect(tests().length).toBe(2);
  expect(told).toEqual([]);
});

test("a unix server is tested by the descriptor that it is passed, and none stays open", async () => {
  const { lab, tests, record } = await watched("unix", 10);
  expect(tests()).toEqual(["FILDES"]);
  expect(record()).toMatchObject({ passing: true, proven: true });
  await lab.pass(20_000);
  expect(tests()).toEqual(["FILDES", "FILDES", "FILDES"]);
  expect(lab.openDescriptors.size).toBe(0);
});

test("one that takes no descriptor is streamed to", async () => {
  const { tests, record } = await watched("unix", 3600, {}, ({ is }) => {
    is.fildes = "No file descriptor received. ERROR";
  });
  expect(tests()).toEqual(["FILDES", "INSTREAM"]);
  expect(record()).toMatchObject({ passing: false, proven: true });
});

test("from the start, clean by descriptor is believed only if the stream agrees", async () => {
  const clean = "fd[9]: OK";
  const found = await watched("unix", 3600, {}, ({ is }) => {
    is.fildes = clean;
  });
  expect(found.record()).toMatchObject({ state: "up", passing: false, proven: true });
  const both = await watched("unix", 3600, {}, ({ is }) => {
    is.fildes = clean;
    is.stream = "stream: OK";
  });
  expect(both.record()).toMatchObject({ state: "up", passing: true, proven: false });
  expect(both.told).toEqual(["unproven"]);
  const failing = await watched("unix", 3600, {}, ({ is }) => {
    is.fildes = clean;
    is.stream = "Can't create temporary file ERROR";
  });
  expect(failing.record()).toMatchObject({ state: "up", passing: false, proven: false });
  expect(failing.told).toEqual(["untested"]);
});

test("without test messages a harmless one shows whether descriptors are taken", async () => {
  const { lab, tests, record } = await watched("unix", 0, {}, ({ is }) => {
    is.fildes = "fd[9]: OK";
  });
  expect(record()).toMatchObject({ state: "up", passing: true, proven: false });
  await lab.pass(7_200_000);
  expect(tests()).toEqual(["FILDES"]);
});

test.each(["unix", "tcp"] as const)(
  "one of %s that no longer finds is blind until it does, tested more and more seldom",
  async (kind) => {
    const { lab, clamd, tests, record, told } = await watched(kind, 600);
    clamd.is.fildes = "fd[9]: OK";
    clamd.is.stream = "stream: OK";
    await lab.pass(600_000);
    expect(record().state).toBe("blind");
    await lab.pass(14_000);
    // After 2, 4 and 8 seconds.
    expect(tests().length).toBe(5);
    clamd.is.fildes = "fd[9]: Eicar FOUND";
    clamd.is.stream = "stream: Eicar FOUND";
    await lab.pass(16_000);
    expect(record()).toMatchObject({ state: "up", passing: kind === "unix" });
    expect(told).toEqual(["up-blind", "blind-up"]);
  },
);

test("a blind one that is started anew is tested at once, and stays blind while it is away", async () => {
  const { lab, clamd, record, told } = await watched(
    "tcp",
    600,
    { state: "blind", proven: true, failures: 9 },
    ({ is }) => {
      is.stream = "stream: OK";
    },
  );
  expect(record().state).toBe("blind");
  await lab.pass(30_000);
  clamd.is.refuses = REFUSED;
  clamd.drop();
  await lab.pass(10_000);
  expect(record().state).toBe("blind");
  clamd.is.refuses = null;
  clamd.is.stream = "stream: Eicar FOUND";
  await lab.pass(1000);
  expect(record().state).toBe("up");
  expect(told).toEqual(["blind-up"]);
});

test("one that goes is seen at once, looked at ever more seldom, and tested before mail goes to it again", async () => {
  const { lab, clamd, tests, record, told } = await watched("tcp", 3600);
  await lab.pass(2000);
  clamd.is.refuses = REFUSED;
  clamd.drop();
  await lab.pass(0);
  expect(record().state).toBe("down");
  await lab.pass(60_000);
  expect(record().failures).toBeGreaterThan(55);
  expect(record().failures).toBeLessThan(70);
  clamd.is.refuses = null;
  clamd.is.stream = "stream: OK";
  await lab.pass(1000);
  expect(tests().length).toBe(2);
  expect(told).toEqual(["up-down", "down-blind"]);
});

test("a return is not held up by a test that is not answered", async () => {
  const { lab, clamd, told, record } = await watched("tcp", 3600, { state: "down" }, ({ is }) => {
    is.stream = null;
  });
  expect(record().state).toBe("down");
  await lab.pass(1000);
  expect([record().state, told]).toEqual(["up", ["down-up"]]);
  clamd.is.stream = "stream: Eicar FOUND";
  await lab.pass(5000);
  expect(record().proven).toBe(true);
});

test.each([
  ["says nothing", { silent: true }],
  ["takes no more connexions", { refuses: FULL }],
])("one that %s is busy", async (_what, change) => {
  const { lab, clamd, told, record } = await watched("tcp", 3600);
  Object.assign(clamd.is, change);
  await lab.pass(3000);
  clamd.drop();
  await lab.pass(5000);
  expect(record().state).toBe("busy");
  clamd.is.silent = false;
  clamd.is.refuses = null;
  await lab.pass(3000);
  expect(told).toEqual(["up-busy", "busy-up"]);
});

test("a session that the server ends is followed by another, and nothing is told", async () => {
  const { lab, clamd, told } = await watched("tcp", 3600);
  for (let round = 0; round < 5; round++) {
    clamd.drop();
    await lab.pass(3000);
  }
  expect(told).toEqual([]);
});

test("a test that is answered with an error shows nothing: told once", async () => {
  const { lab, clamd, told, record } = await watched("tcp", 30);
  clamd.is.stream = "Can't allocate memory ERROR";
  await lab.pass(120_000);
  expect(told).toEqual(["untested"]);
  expect(record()).toMatchObject({ state: "up", proven: true });
  clamd.is.stream = "stream: Eicar FOUND";
  await lab.pass(60_000);
  clamd.is.stream = "Can't allocate memory ERROR";
  await lab.pass(60_000);
  expect(told).toEqual(["untested", "untested"]);
});

test("another version is another database: it is tested", async () => {
  const { lab, clamd, tests } = await watched("tcp", 3600);
  clamd.is.version = "ClamAV 1.4.6/2/x";
  await lab.pass(10_000);
  expect(tests().length).toBe(2);
});

test("one that keeps its version to itself is watched all the same", async () => {
  const { lab, told, record } = await watched("tcp", 3600, {}, ({ is }) => {
    is.version = "COMMAND UNAVAILABLE";
  });
  await lab.pass(60_000);
  expect([told, record().state]).toEqual([[], "up"]);
});

test("somebody's trouble brings a look at once, but not a thousand", async () => {
  const { lab, clamd, watch } = await watched("tcp", 3600);
  await lab.pass(3000);
  const before = clamd.commands.length;
  for (let at = 0; at < 1000; at++) {
    watch.hurry();
    await lab.pass(1);
  }
  const looks = clamd.commands.slice(before).filter((each) => each === "PING").length;
  expect(looks).toBeGreaterThanOrEqual(2);
  expect(looks).toBeLessThanOrEqual(3);
});

test("one that is not watched any more is not heard of", async () => {
  const { lab, clamd, watch, told } = await watched("tcp", 3600);
  watch.stop();
  clamd.is.refuses = REFUSED;
  clamd.drop();
  const { length } = clamd.commands;
  await lab.pass(60_000);
  expect([told, clamd.commands.length]).toEqual([[], length]);
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type FakeClamd, startFakeClamd } from "../fakes/clamd.ts";
import { plainFolder } from "../lab/folder.ts";
import { type TracedCall, traceCalls } from "../lab/trace.ts";
import { until } from "../lab/wait.ts";
import { handOver, keptIn, noticePlace, roleOf, today, toldBy } from "./notices-place.ts";

/** What the system sees of the way of an infected message: the built program under strace. */
const folder = plainFolder();
const clamdSocket = join(folder.path, "clamd.sock");
let clamd: FakeClamd;

beforeAll(() => {
  clamd = startFakeClamd(clamdSocket, () => ({ say: "stream: Eicar-Test FOUND" }));
});

afterAll(() => {
  clamd.stop();
  folder.remove();
});

/** Calls that change the disk, and those that answer an MTA. */
const CHANGES = ["fsync", "fdatasync", "link", "linkat", "rename", "renameat", "renameat2"];
const ANSWERS = ["write", "writev", "sendto", "sendmsg"];

test("copy, notice and their folders are synced before the answer leaves", async () => {
  const { socket, start, home, sendmail, instance } = noticePlace(folder.path, clamdSocket);
  const kept = join(home, "kept");
  mkdirSync(kept, { mode: 0o700 });
  const filter = await start(["-U", kept, "-p", "virus@lab.example"]);
  const pids = [...roleOf(filter, "keeper"), ...roleOf(filter, "child")];
  expect(pids.length).toBeGreaterThanOrEqual(3);
  const trace = await traceCalls({ pids, calls: [...CHANGES, ...ANSWERS], slow: { call: "fsync", by: 100 } });
  try {
    expect(await handOver(socket, { queueId: "4AMsynced" })).toStartWith("554 ");
    const answerOf = (calls: TracedCall[]): TracedCall | undefined =>
      calls.find(({ text }) => text.includes("554 5.7.1 virus"));
    await until(() => answerOf(trace.calls()), { what: "the answer in the trace", detail: trace.output });
    const calls = trace.calls();
    const order: TracedCall[] = [];
    // Each begins when the one before it has ended, and the answer when the last has.
    const next = (what: string, pattern: RegExp): void => {
      const since = order.at(-1)?.ended ?? -1;
      const found = calls.find(({ text, begun }) => begun > since && pattern.test(text));
      if (found === undefined) throw new Error(`${what} is missing, after ${since}, in\n${trace.output()}`);
      order.push(found);
    };
    const day = join(kept, today());
    const outbox = join(instance(), "outbox");
    next("the day's folder", new RegExp(`^fsync\\(\\d+<${kept}>\\) += 0`));
    next("the description", new RegExp(`^fsync\\(\\d+<${day}/\\.unfinished-[^>]*\\.json>\\) += 0`));
    next("its name", new RegExp(`^link.*${day}/4AMsynced\\.Eicar-Test\\.json".* = 0`));
    next("the copy", new RegExp(`^fsync\\(\\d+<${day}/\\.unfinished-[^>]*Eicar-Test>\\) += 0`));
    next("its name", new RegExp(`^link.*${day}/4AMsynced\\.Eicar-Test".* = 0`));
    next("their folder", new RegExp(`^fsync\\(\\d+<${day}>\\) += 0`));
    next("the notice", new RegExp(`^fsync\\(\\d+<${outbox}/\\.unfinished-[^>]*>\\) += 0`));
    next("its name", new RegExp(`^rename.*${outbox}/[^."]*".* = 0`));
    next("the outbox", new RegExp(`^fsync\\(\\d+<${outbox}>\\) += 0`));
    next("the answer", /^(write|writev|sendto|sendmsg)\(.*554 5\.7\.1 virus/);
    expect(order.at(-1)).toEqual(answerOf(calls) as TracedCall);
    await until(() => sendmail.mails().length === 1, { what: "the notice", detail: filter.log });
  } finally {
    await trace.stop();
    await filter.stop();
  }
}, 60_000);

/** Calls on the way of a copy and of a notice, and the one by which the keeper says that all is kept. */
const KILL_POINTS = [
  ["openat"],
  ["write"],
  ["fsync"],
  ["link", "linkat"],
  ["rename", "renameat", "renameat2"],
  ["unlink", "unlinkat"],
  ["sendto", "sendmsg"],
];
/** Which of these calls of one thread the keeper does not live to see; at the last one all are killed. */
const KILLED_AT = [1, 2, 3];
/** More than it takes until a thread has had so many calls, and less than notices are sent of in an hour. */
const MOST_MAILS = 150;

test.each(KILL_POINTS.map((calls) => [calls] as const))(
  "keeper killed at %j, then all: what was answered is told and kept whole",
  async (calls) => {
    const { socket, start, home, sendmail } = noticePlace(folder.path, clamdSocket);
    const kept = join(home, "kept");
    mkdirSync(kept, { mode: 0o700 });
    const options = ["-U", kept, "-p", "virus@lab.example"];
    let filter = await start(options);
    const answered: number[] = [];
    let sent = 0;
    try {
      for (const killAt of KILLED_AT) {
        const keeper = await until(() => roleOf(filter, "keeper")[0], { what: "a keeper" });
        const trace = await traceCalls({ pids: [keeper], calls, killAt });
        const sending = (async () => {
          while (!trace.over() && sent < MOST_MAILS) {
            const at = sent++;
            const mail = { queueId: `Q${at}`, recipients: [`<u${at}@lab.example>`] };
            if ((await handOver(socket, mail))?.startsWith("554") === true) answered.push(at);
          }
        })();
        await until(() => trace.over(), { what: `a death at ${calls}`, detail: trace.output });
        if (killAt === KILLED_AT.at(-1)) filter.signal("SIGKILL");
        await sending;
        await trace.stop();
      }
      await filter.exited;
      filter = await start(options);
      const missing = (): number[] => {
        const told = toldBy(sendmail);
        return answered.filter((at) => !told.has(`u${at}@lab.example`));
      };
      await until(() => missing().length === 0, {
        what: "every notice",
        detail: () => `of ${missing()}\n${filter.log()}`,
      });
      // The first two deaths cost nobody an answer: another keeper has done what was asked of the dead one.
      expect(answered.length).toBeGreaterThanOrEqual(KILLED_AT.length - 1);
      const paths = keptIn(kept);
      for (const at of answered) {
        expect(paths.some((path) => basename(path).startsWith(`Q${at}.`))).toBe(true);
      }
      for (const path of paths) {
        expect(readFileSync(path, "latin1")).toBe("\r\nx\r\n");
        expect(JSON.parse(readFileSync(`${path}.json`, "utf8")).names).toEqual(["Eicar-Test"]);
      }
    } finally {
      await filter.stop();
    }
  },
  60_000,
);

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FakeClamd, startFakeClamd } from "../fakes/clamd.ts";
import type { Filter } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { until } from "../lab/wait.ts";
import { handOver, noticePlace, today } from "./notices-place.ts";

/** The built program with a file system of its own for quarantine or outbox, which is really full. */
const folder = plainFolder();
const clamdSocket = join(folder.path, "clamd.sock");
let says = "stream: Eicar-Test FOUND";
let clamd: FakeClamd;

beforeAll(() => {
  clamd = startFakeClamd(clamdSocket, () => ({ say: says }));
});

afterAll(() => {
  clamd.stop();
  folder.remove();
});

const KILOBYTES = 512;

/** What the filter is run by, to have a small file system at that path. */
function smallDisk(path: string): string[] {
  mkdirSync(path, { mode: 0o700 });
  const setup = `mount -t tmpfs -o size=${KILOBYTES}k,mode=0700 none "$1" && shift && exec "$@"`;
  return ["unshare", "--mount", "--", "sh", "-c", setup, "sh", path];
}

/** The path as the filter sees it: the shell has become the filter. */
function inside(filter: Filter, path: string): string {
  return join(`/proc/${filter.pid}/root`, path);
}

/** Fills it up to the last block. */
function fill(directory: string): void {
  const piece = Buffer.alloc(4096, "x");
  const path = join(directory, "fill");
  for (let left = KILOBYTES / 4 + 1; left > 0; left--) {
    try {
      writeFileSync(path, piece, { flag: "a" });
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOSPC" });
      return;
    }
  }
  throw new Error(`${directory} is not full with ${statSync(path).size} bytes`);
}

test("a full quarantine: infected mail waits, whatever else is to become of it; clean mail does not", async () => {
  const { home, socket, start, sendmail } = noticePlace(folder.path, clamdSocket);
  const kept = join(home, "kept");
  const options = ["-N", "-U", kept, "-Q", "quarantine@lab.example", "-P", "-p", "virus@lab.example"];
  const filter = await start(options, smallDisk(kept));
  const directory = inside(filter, kept);
  const names = (): string[] => readdirSync(join(directory, today())).toSorted();
  try {
    fill(directory);
    for (const queueId of ["Q1", "Q1", "Q2"]) expect(await handOver(socket, { queueId })).toBe("tempfail");
    expect(await filter.logLine(/Q1: deferred, for what must be kept of it cannot be kept/)).toContain(
      "ENOSPC",
    );
    expect(names()).toEqual([]);
    says = "stream: OK";
    expect(await handOver(socket, { queueId: "Q3" })).toBe("accept");
    says = "stream: Eicar-Test FOUND";

    rmSync(join(directory, "fill"));
    // Half of it would fit.
    const large = { queueId: "Q4", body: Buffer.alloc(2 * KILOBYTES * 1024, "x\r\n") };
    expect(await handOver(socket, large)).toBe("tempfail");
    expect(names()).toEqual([]);
    expect(sendmail.mails()).toEqual([]);

    expect(await handOver(socket, { queueId: "Q1" })).toBe("accept");
    expect(names()).toEqual(["Q1.Eicar-Test", "Q1.Eicar-Test.json"]);
    expect(readFileSync(join(directory, today(), "Q1.Eicar-Test"), "latin1")).toBe("\r\nx\r\n");
    await until(() => sendmail.mails().length === 1, { what: "its notice", detail: filter.log });
  } finally {
    says = "stream: Eicar-Test FOUND";
    await filter.stop();
  }
}, 60_000);

test("a full outbox: the verdict stands, one line tells of it, and the digest of what was left out", async () => {
  const { socket, spool, start, sendmail } = noticePlace(folder.path, clamdSocket);
  const filter = await start(["-P", "-p", "virus@lab.example"], smallDisk(spool));
  try {
    const [instance = ""] = readdirSync(inside(filter, spool));
    const directory = inside(filter, join(spool, instance));
    fill(inside(filter, spool));
    for (const queueId of ["Q1", "Q2", "Q3"]) {
      expect(await handOver(socket, { queueId })).toStartWith("554 5.7.1 virus Eicar-Test");
    }
    await filter.logLine(/ERROR: outbox: the notice about Q1 cannot be kept: ENOSPC/);
    expect(readdirSync(join(directory, "outbox"))).toEqual([]);
    rmSync(inside(filter, join(spool, "fill")));
    expect(await handOver(socket, { queueId: "Q4" })).toStartWith("554 5.7.1 virus Eicar-Test");
    await filter.logLine(/the outbox takes mail again/);
    await until(() => sendmail.mails().length === 1, { what: "a notice", detail: filter.log });
    expect(filter.log().match(/ cannot be kept: /g)).toHaveLength(1);
    // What could not be written at first is, a little later.
    const omitted = await until(() => readFileSync(join(directory, "left-out.json"), "utf8"), {
      ...{ what: "what was left out on the disk", detail: filter.log },
    });
    expect(JSON.parse(omitted)).toMatchObject({
      mails: 3,
      names: [["Eicar-Test", 3]],
      queueIds: ["Q1", "Q2", "Q3"],
    });
  } finally {
    await filter.stop();
  }
}, 60_000);

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeeperLink } from "../../src/child/keeper-link.ts";
import { type Channel, openChannel } from "../../src/ipc/channel.ts";
import { type ChildRequest, checkChildRequest } from "../../src/ipc/messages.ts";
import { descriptorSocketPair, receiveUnder, sendDescriptors } from "../../src/os/descriptor-passing.ts";
import { closeDescriptor, socketPair } from "../../src/os/libc.ts";
import { until } from "../lab/wait.ts";

/** A keeper in the test's hands, on a real socket pair. */
interface FakeKeeper {
  readonly channel: Channel;
  readonly requests: ChildRequest[];
  /** Passes a descriptor of `path` under a number. */
  pass(number: number, path: string): void;
  /** Its end of the way for descriptors. */
  readonly passing: number;
  /** Closes that end only. */
  stopPassing(): void;
  end(): void;
  /** Whether the link was closed at the other end. */
  ended(): boolean;
}

let folder: string;
let keepers: FakeKeeper[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "keeper-link-"));
  keepers = [];
});

afterEach(() => {
  for (const keeper of keepers) keeper.end();
  rmSync(folder, { recursive: true, force: true });
});

async function attachTo(link: KeeperLink): Promise<FakeKeeper> {
  const [ours, theirs] = socketPair();
  const [passing, theirPassing] = descriptorSocketPair();
  const requests: ChildRequest[] = [];
  let over = false;
  const channel = await openChannel(ours, {
    onMessage: (message) => {
      const request = checkChildRequest(message);
      if (request !== null) requests.push(request);
    },
    onEnd: () => {
      over = true;
    },
  });
  let open = true;
  const keeper: FakeKeeper = {
    channel,
    requests,
    ended: () => over,
    pass(number, path) {
      const fd = openSync(path, "w+");
      sendDescriptors(passing, number, [fd]);
      closeSync(fd);
    },
    passing,
    stopPassing() {
      if (open) closeDescriptor(passing);
      open = false;
    },
    end() {
      keeper.stopPassing();
      channel.close();
    },
  };
  keepers.push(keeper);
  await link.attach(theirs, theirPassing);
  return keeper;
}

/** Waits for the request for a connexion and gives its number. */
function connectId(keeper: FakeKeeper): Promise<number> {
  return until(
    () => {
      const found = keeper.requests.find(({ type }) => type === "connect");
      return found?.type === "connect" ? found.id : undefined;
    },
    { what: "a request for a connexion" },
  );
}

function spoolIds(keeper: FakeKeeper): number[] {
  return keeper.requests.flatMap((request) => (request.type === "spool" ? [request.id] : []));
}

function linesOf(keeper: FakeKeeper): string[] {
  return keeper.requests.flatMap((request) =>
    request.type === "log" ? request.lines.map(({ text }) => text) : [],
  );
}

/** Descriptors of this process that lead below the test's folder. */
function openHere(): number {
  const inodes = new Set(readdirSync(folder).map((name) => statSync(join(folder, name)).ino));
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return inodes.has(fstatSync(Number(fd)).ino);
    } catch {
      return false;
    }
  }).length;
}

describe("a connexion", () => {
  test("comes as the descriptor that was passed under the request's number", async () => {
    const link = new KeeperLink();
    const keeper = await attachTo(link);
    const wanted = link.connect("clamd", 1000);
    const id = await connectId(keeper);
    keeper.pass(id, join(folder, "a"));
    keeper.channel.send({ type: "done", id });
    const fd = await wanted;
    expect(fstatSync(fd).ino).toBe(statSync(join(folder, "a")).ino);
    closeSync(fd);
    expect(openHere()).toBe(0);
  });

  test("is asked for with a whole number of milliseconds, at least as long as there is time", async () => {
    const link = new KeeperLink();
    const keeper = await attachTo(link);
    link.connect("clamd", 12.3).catch(() => {});
    await connectId(keeper);
    expect(keeper.requests.find(({ type }) => type === "connect")).toMatchObject({ deadline: 13 });
  });

  test("is refused with the keeper's reason", async () => {
    const link = new KeeperLink();
    const keeper = await attachTo(link);
    const failure = link.connect("clamd", 1000).catch((error: unknown) => error);
    keeper.channel.send({ type: "failed", id: await connectId(keeper), reason: "refused" });
    expect(await failure).toMatchObject({ code: "CLAMD_CONNECT", message: "clamd: refused" });
  });

  test("is not made from a descriptor of another number, and the next one is right again", async () => {
    const link = new KeeperLink();
    const keeper = await attachTo(link);
    const wanted = link.connect("clamd", 1000);
    const id = await connectId(keeper);
    keeper.pass(id + 1000, join(folder, "stray"));
    keeper.pass(id, join(folder, "right"));
    keeper.channel.send({ type: "done", id });
    const fd = await wanted;
    expect(fstatSync(fd).ino).toBe(statSync(join(folder, "right")).ino);
    closeSync(fd);
    expect(openHere()).toBe(0);
  });

  test("whose descriptor does not arrive fails", async () => {
    const link = new KeeperLink();
    const keeper = await attachTo(link);
    const failure = link.connect("clamd", 1000).catch((error: unknown) => error);
    keeper.channel.send({ type: "done", id: await connectId(keeper) });
    expect(await failure).toMatchObject({ code: "CLAMD_CONNECT" });
  });
});

test("an answer to what nobody asked, and one that is no answer, do no harm", async () => {
  const link = new KeeperLink();
  const keeper = await attachTo(link);
  keeper.pass(999, join(folder, "unasked"));
  keeper.channel.send({ type: "done", id: 999 });
  keeper.channel.send({ type: "failed", id: 998, reason: "x" });
  keeper.channel.send({ type: "done" });
  keeper.channel.send([1]);
  const wanted = link.connect("clamd", 1000);
  const id = await connectId(keeper);
  keeper.pass(id, join(folder, "a"));
  keeper.channel.send({ type: "done", id });
  closeSync(await wanted);
  expect(openHere()).toBe(0);
});

test("what the keeper would close the link for is not sent to it: a sender's address may have any length", async () => {
  const link = new KeeperLink();
  const keeper = await attachTo(link);
  await expect(link.leadsToNull(`${"x".repeat(400)}@example.org`)).rejects.toThrow("too long");
  await expect(link.askWord({ type: "spf", address: "x".repeat(2000) }, 5000)).rejects.toThrow("too long");
  const answer = link.leadsToNull("x@example.org");
  const id = await until(
    () => keeper.requests.flatMap((each) => (each.type === "blackHole" ? [each.id] : []))[0],
    {
      what: "the request",
    },
  );
  keeper.channel.send({ type: "blackHole", id, discards: true });
  expect(await answer).toBe(true);
  expect(keeper.requests.filter(({ type }) => type !== "spool")).toHaveLength(1);
});

test("spool files are kept at hand, used again, and ordered anew", async () => {
  const link = new KeeperLink();
  expect(link.takeFile()).toBeNull();
  const keeper = await attachTo(link);
  await until(() => spoolIds(keeper).length === 4, { what: "four orders" });
  for (const id of spoolIds(keeper)) {
    keeper.pass(id, join(folder, `s${id}`));
    keeper.channel.send({ type: "done", id });
  }
  const file = await until(() => link.takeFile() ?? undefined, { what: "a file" });
  await until(() => spoolIds(keeper).length === 5, { what: "another order" });
  file.append(Buffer.from("mail"));
  file.close();
  for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).size).toBe(0);
});

test("lines that are said while there is no keeper reach the next one, in order; too many are counted", async () => {
  const link = new KeeperLink();
  for (let at = 0; at < 1003; at++) link.log("info", `line ${at}`);
  const first = await attachTo(link);
  await until(() => linesOf(first).length === 1001, { what: "the lines" });
  expect(linesOf(first).slice(0, 2)).toEqual(["line 0", "line 1"]);
  expect(linesOf(first).at(-1)).toBe("3 log lines were lost");
  first.end();
  const second = await attachTo(link);
  link.log("info", "after");
  await until(() => linesOf(second).includes("after"), { what: "the line" });
  expect(link.unserved).toBeLessThan(1000);
});

test("two links that come at once leave one, and the other is closed", async () => {
  const link = new KeeperLink();
  const both = await Promise.all([attachTo(link), attachTo(link)]);
  link.log("info", "hello");
  await until(() => both.some((keeper) => linesOf(keeper).includes("hello")), { what: "the line" });
  expect(both.filter((keeper) => keeper.ended()).length).toBe(1);
});

describe("a message that goes with an order", () => {
  const order = { type: "own", code: "1", messageId: "<a@b>", recipients: [] };
  const written = (name: string): number => {
    const path = join(folder, name);
    writeFileSync(path, name);
    return openSync(path, "r");
  };
  const contentUnder = (keeper: FakeKeeper, id: number): string | null => {
    const fd = receiveUnder(keeper.passing, id);
    if (fd === null) return null;
    const text = readFileSync(fd, "latin1");
    closeSync(fd);
    return text;
  };
  const idsOf = (keeper: FakeKeeper, least: number): Promise<number[]> =>
    until(
      () => {
        const ids = keeper.requests.flatMap((request) => (request.type === "own" ? [request.id] : []));
        return ids.length >= least ? ids : undefined;
      },
      { what: "the orders" },
    );

  test("waits for the next keeper when this one is just gone, and is that message then", async () => {
    const link = new KeeperLink();
    const first = await attachTo(link);
    // It was killed, and only the way for descriptors says so yet.
    first.stopPassing();
    const fd = written("first");
    const word = link.askWord(order, 5000, fd);
    closeSync(fd);
    const others = ["second", "third", "fourth"].map(written);
    const next = await attachTo(link);
    const [id = 0] = await idsOf(next, 1);
    expect(contentUnder(next, id)).toBe("first");
    next.channel.send({ type: "told", id, text: "yes" });
    expect(await word).toBe("yes");
    for (const other of others) closeSync(other);
  });

  test("and cannot be passed is not asked of the next keeper: its descriptor is another message's by then", async () => {
    const link = new KeeperLink();
    const first = await attachTo(link);
    const fd = written("first");
    const words: Promise<string>[] = [];
    let failed = 0;
    // Nobody takes them: the way is full at some time.
    while (failed === 0 && words.length < 2000) {
      words.push(link.askWord(order, 5000, fd));
      words.at(-1)?.catch(() => failed++);
      await Promise.resolve();
      await Promise.resolve();
    }
    await expect(words.pop()).rejects.toThrow("EAGAIN");
    // The first keeper has done all but one, so that the next one's way has room.
    const ids = await idsOf(first, words.length);
    for (const id of ids.slice(1)) first.channel.send({ type: "told", id, text: "yes" });
    expect(await Promise.all(words.slice(1))).toEqual(ids.slice(1).map(() => "yes"));
    // The number of the one that failed is another file's now.
    const others = Array.from({ length: ids.length + 4 }, (_, at) => written(`other-${at}`));
    const next = await attachTo(link);
    next.channel.send({ type: "told", id: (await idsOf(next, 1))[0], text: "yes" });
    expect(await words[0]).toBe("yes");
    expect(await idsOf(next, 1)).toEqual(ids.slice(0, 1));
    for (const file of [fd, ...others]) closeSync(file);
  });
});

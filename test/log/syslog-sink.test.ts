import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MAX_WAITING, SyslogSink } from "../../src/log/syslog-sink.ts";
import { systemLogEdge } from "../../src/log/system-edge.ts";
import { until } from "../lab/wait.ts";
import { type Syslogd, startSyslogd } from "./syslogd.ts";

let folder = "";
let path = "";
const open: { close(): void }[] = [];
const daemons: Syslogd[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "syslog-"));
  path = join(folder, "log");
});

afterEach(() => {
  for (const sink of open.splice(0)) sink.close();
  for (const daemon of daemons.splice(0)) daemon.stop();
  rmSync(folder, { recursive: true, force: true });
});

function daemon(): Syslogd {
  const started = startSyslogd(path);
  daemons.push(started);
  return started;
}

function sink(): { say(text: string): void; close(): void; readonly reachable: boolean } {
  const made = new SyslogSink(systemLogEdge(false, path), ({ text }) => text);
  open.push(made);
  return {
    say: (text) => made.write({ level: "info", text }, new Date()),
    close: () => made.close(),
    get reachable() {
      return made.reachable;
    },
  };
}

/** Reads until the last message is the one waited for. */
function readTo(syslogd: Syslogd, last: string): Promise<string[]> {
  const all: string[] = [];
  // A socket holds few messages: one that is read seldom takes long.
  const arrived = async (): Promise<string[] | false> => {
    for (let turn = 0; turn < 50 && all.at(-1) !== last; turn++) {
      all.push(...syslogd.read());
      await Bun.sleep(1);
    }
    return all.at(-1) === last && all;
  };
  return until(arrived, { what: `the message ${last}`, detail: () => all.slice(-5).join("\n") });
}

describe("syslog by datagrams", () => {
  test("a message is there at once", () => {
    const syslogd = daemon();
    const { say, reachable } = sink();
    expect(reachable).toBe(true);
    say("one");
    say("two ü");
    expect(syslogd.read()).toEqual(["one", "two ü"]);
  });

  test("a syslogd that was restarted gets the next message", () => {
    const first = daemon();
    const { say } = sink();
    say("one");
    expect(first.read()).toEqual(["one"]);
    first.stop();
    const second = daemon();
    say("two");
    expect(second.read()).toEqual(["two"]);
  });

  test("a syslogd that is away, or starts later, gets what was said meanwhile", async () => {
    const log = sink();
    expect(log.reachable).toBe(false);
    log.say("one");
    log.say("two");
    const first = daemon();
    expect(await readTo(first, "two")).toEqual(["one", "two"]);
    first.stop();
    log.say("three");
    expect(log.reachable).toBe(false);
    expect(await readTo(daemon(), "three")).toEqual(["three"]);
  }, 30_000);

  test("a syslogd that is behind delays nobody, and gets everything in order", async () => {
    const syslogd = daemon();
    const { say } = sink();
    const texts = Array.from({ length: MAX_WAITING }, (_, at) => `message ${at}`);
    const started = performance.now();
    for (const text of texts) say(text);
    expect(performance.now() - started).toBeLessThan(1000);
    expect(await readTo(syslogd, texts.at(-1) ?? "")).toEqual(texts);
  }, 30_000);

  test("what is too much is lost and counted, and then it goes on", async () => {
    const { say } = sink();
    for (let at = 0; at < MAX_WAITING + 25; at++) say(`message ${at}`);
    const syslogd = daemon();
    const note = "25 lines were lost here";
    const all = await readTo(syslogd, note);
    expect(all).toHaveLength(MAX_WAITING + 1);
    expect(all.at(-2)).toBe(`message ${MAX_WAITING - 1}`);
    say("after");
    expect(syslogd.read()).toEqual(["after"]);
  }, 30_000);

  test("one more line than there is room for", async () => {
    const { say } = sink();
    for (let at = 0; at <= MAX_WAITING; at++) say("x");
    await readTo(daemon(), "1 line was lost here");
  }, 30_000);

  test("after the end nothing is tried any more", () => {
    const syslogd = daemon();
    const log = sink();
    log.say("one");
    log.close();
    expect(syslogd.read()).toEqual(["one"]);
  });
});

describe("syslog by a stream", () => {
  test("messages end with a NUL, also after a restart", async () => {
    let text = "";
    const sockets = new Set<Socket>();
    const listen = async () => {
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.on("data", (data) => {
          text += data.toString("utf8");
        });
      });
      await new Promise<void>((resolve) => server.listen(path, resolve));
      return server;
    };
    const stop = async (server: Awaited<ReturnType<typeof listen>>) => {
      for (const socket of sockets) socket.destroy();
      sockets.clear();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    };
    const first = await listen();
    const { say } = sink();
    say("one");
    say("two");
    await until(() => text === "one\0two\0", { what: "both messages", detail: () => text });
    await stop(first);
    const second = await listen();
    try {
      say("three");
      await until(() => text === "one\0two\0three\0", { what: "the third message", detail: () => text });
    } finally {
      await stop(second);
    }
  }, 30_000);
});

import { describe, expect, test } from "bun:test";
import { Conversation, type ScanOrder } from "../../src/engine/conversation.ts";

/** A conversation whose world writes down what it is asked for. */
function lab(streamMaxLength = 0, full = false) {
  const said: string[] = [];
  const orders: ScanOrder[] = [];
  const closedFiles: number[] = [];
  const streams = new Map<number, string>();
  let closed = 0;
  const conversation = new Conversation({
    version: "ClamAV 1.4.6",
    streamMaxLength,
    threads: 2,
    send: (text) => said.push(text),
    scan: (order) => orders.push(order),
    openStream: () => {
      if (full) throw new Error("ENOSPC");
      const file = 100 + streams.size;
      streams.set(file, "");
      return file;
    },
    writeStream: (file, bytes) =>
      streams.set(file, streams.get(file) + Buffer.from(bytes).toString("latin1")),
    closeFile: (file) => closedFiles.push(file),
    close: () => closed++,
  });
  const say = (text: string, ...descriptors: number[]): void =>
    conversation.receive(Buffer.from(text, "latin1"), descriptors);
  return { conversation, say, said, orders, closedFiles, streams, closed: () => closed };
}

function chunk(text: string): string {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return length.toString("latin1") + text;
}

describe("a session", () => {
  test("numbers its answers and goes on", () => {
    const { say, said, closed } = lab();
    say("zIDSESSION\0zPING\0nVERSION\n");
    say("zSTATS\0");
    expect(said.slice(0, 2)).toEqual(["1: PONG\0", "2: ClamAV 1.4.6\n"]);
    expect(said[2]).toMatch(/^3: POOLS: 1\n.*THREADS: live 2 {2}idle 0 max 2.*\nEND\0$/s);
    expect(closed()).toBe(0);
    say("zEND\0");
    expect(closed()).toBe(1);
  });

  test("a descriptor and its command, together or byte by byte", () => {
    const { say, orders } = lab();
    say("zIDSESSION\0zFILDES\0\0", 7);
    for (const byte of "zFILDES\0") say(byte);
    say("\0", 8);
    expect(orders).toEqual([
      { number: 1, lineFeed: false, file: 7, byDescriptor: true },
      { number: 2, lineFeed: false, file: 8, byDescriptor: true },
    ]);
  });

  test("a stream, however it is cut", () => {
    const { say, orders, streams } = lab();
    const text = `zIDSESSION\0zINSTREAM\0${chunk("hello ")}${chunk("world")}${chunk("")}zINSTREAM\0${chunk("2")}${chunk("")}`;
    for (const byte of text) say(byte);
    expect([...streams.values()]).toEqual(["hello world", "2"]);
    expect(orders.map(({ number, file }) => [number, file])).toEqual([
      [1, 100],
      [2, 101],
    ]);
  });

  test("a stream over the limit ends it", () => {
    const { say, said, closed, closedFiles, orders } = lab(8);
    say(`zIDSESSION\0zINSTREAM\0${chunk("12345")}${chunk("6789")}zPING\0`);
    expect(said).toEqual(["1: INSTREAM size limit exceeded. ERROR\0"]);
    expect([closed(), closedFiles, orders]).toEqual([1, [100], []]);
  });

  test("no place for a stream is no verdict", () => {
    const { say, said, orders } = lab(0, true);
    say(`zIDSESSION\0zINSTREAM\0${chunk("1")}`);
    expect(said[0]).toEndWith(" ERROR\0");
    expect(orders).toEqual([]);
  });
});

test("outside of a session one command is answered, then it is over", () => {
  const { say, said, closed } = lab();
  say("zPING\0zPING\0");
  expect(said).toEqual(["PONG\0"]);
  expect(closed()).toBe(1);
});

describe("whoever breaks the rules is left", () => {
  test.each([
    ["PING\n"],
    ["zSCAN /etc/passwd\0"],
    [`z${"x".repeat(100)}`],
    ["\xff\xff"],
    ["zIDSESSION\0zSHUTDOWN\0"],
  ])("%j", (text) => {
    const { say, said, closed, orders } = lab();
    say(text);
    expect(said.at(-1)).toMatch(/UNKNOWN COMMAND[\0\n]$/);
    expect([closed(), orders]).toEqual([1, []]);
  });

  test("no descriptor", () => {
    const { say, said, closed } = lab();
    say("zIDSESSION\0zFILDES\0\0");
    expect(said).toEqual(["1: No file descriptor received. ERROR\0"]);
    expect(closed()).toBe(1);
  });

  test("descriptors without end are closed", () => {
    const { say, closedFiles, closed } = lab();
    say("zIDSESSION\0", ...Array.from({ length: 17 }, (_, at) => at));
    expect(closedFiles.length).toBe(17);
    expect(closed()).toBe(1);
  });
});

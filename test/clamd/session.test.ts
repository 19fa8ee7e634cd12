import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ClamdError } from "../../src/clamd/clamd-error.ts";
import type { ScanReply } from "../../src/clamd/reply.ts";
import { FakeClamd, outcome, settled, sourceOf } from "./fake-clamd.ts";

const closed = (): ClamdError => new ClamdError("CLAMD_CLOSED", "the connexion was closed");
const HALF_SENT = 40;

/** A clamd whose socket has taken only the beginning of a message. */
function halfSent(): { clamd: FakeClamd; scan: Promise<ScanReply> } {
  const clamd = new FakeClamd();
  clamd.room = HALF_SENT;
  const scan = clamd.session.scan(sourceOf("x".repeat(1000)));
  clamd.room = 0;
  return { clamd, scan };
}

describe("a scan", () => {
  test("is one command with the whole message, and its reply", async () => {
    const clamd = new FakeClamd();
    const scan = clamd.session.scan(sourceOf("one,", "", "two"));
    expect(clamd.commands).toEqual(["IDSESSION", "INSTREAM one,two"]);
    expect(await outcome(scan)).toBe("pending");
    clamd.say("1: stream: OK");
    expect(await outcome(scan)).toEqual({ kind: "clean" });
    expect(clamd.closed).toBe(0);
  });

  test("of an empty message is an empty stream", () => {
    const clamd = new FakeClamd();
    void clamd.session.scan(sourceOf());
    expect(clamd.commands).toEqual(["IDSESSION", "INSTREAM "]);
  });

  test.each([1, 2, 3, 5, 64])("gets through a socket that takes %d bytes at a time", async (room) => {
    const clamd = new FakeClamd();
    clamd.room = room;
    const text = "0123456789".repeat(30);
    const version = clamd.session.version();
    const scan = clamd.session.scan(sourceOf(text.slice(0, 7), text.slice(7, 250), text.slice(250)));
    clamd.drain();
    expect(clamd.commands).toEqual(["IDSESSION", "VERSION", `INSTREAM ${text}`]);
    clamd.say("2: stream: OK", "1: ClamAV 1.4");
    expect([await outcome(version), await outcome(scan)]).toEqual(["ClamAV 1.4", { kind: "clean" }]);
  });

  test("is not read faster than the socket takes it", () => {
    const clamd = new FakeClamd();
    clamd.room = 0;
    let read = 0;
    const pieces = function* (): Generator<Uint8Array> {
      for (; read < 1000; read++) yield Buffer.alloc(65_536);
    };
    void clamd.session.scan({ size: 65_536_000, pieces, descriptor: () => -1 });
    for (let at = 0; at < 50; at++) clamd.session.writable();
    expect(read).toBeLessThan(4);
  });

  test("of more bytes than a stream can have is none: nothing of it is sent", async () => {
    const clamd = new FakeClamd();
    const source = { ...sourceOf(), size: 2 ** 32 };
    expect(await outcome(clamd.session.scan(source))).toEqual({ kind: "tooLarge" });
    expect(clamd.commands).toEqual([]);
  });

  test("can follow another in the same session", async () => {
    const clamd = new FakeClamd();
    const names: unknown[] = [];
    for (const number of [1, 2, 3]) {
      const scan = clamd.session.scan(sourceOf(`mail ${number}`));
      clamd.say(`${number}: stream: V${number} FOUND`);
      names.push(await outcome(scan));
    }
    expect(names).toEqual([1, 2, 3].map((number) => ({ kind: "infected", name: `V${number}` })));
    expect(clamd.commands).toEqual(["IDSESSION", "INSTREAM mail 1", "INSTREAM mail 2", "INSTREAM mail 3"]);
  });
});

describe("replies", () => {
  test("may come in any order, and in pieces", async () => {
    const clamd = new FakeClamd();
    const first = clamd.session.version();
    const scan = clamd.session.scan(sourceOf("mail"));
    const second = clamd.session.version();
    for (const byte of Buffer.from("3: v3\x002: stream: X FOUND\x001: v1\0")) {
      clamd.session.receive(Uint8Array.of(byte));
    }
    expect([await outcome(first), await outcome(scan), await outcome(second)]).toEqual([
      "v1",
      { kind: "infected", name: "X" },
      "v3",
    ]);
  });

  test.each([
    ["a number never given", "7: stream: OK", "CLAMD_PROTOCOL"],
    ["the number nought", "0: stream: OK", "CLAMD_PROTOCOL"],
    ["no number", "stream: OK", "CLAMD_CLOSED"],
    ["clamd's farewell", "COMMAND READ TIMED OUT", "CLAMD_CLOSED"],
    ["an unknown command", "UNKNOWN COMMAND", "CLAMD_CLOSED"],
  ])("with %s end the session, and nothing is clean", async (_name, reply, code) => {
    const clamd = new FakeClamd();
    const scan = clamd.session.scan(sourceOf("mail"));
    clamd.say(reply);
    expect(await outcome(scan)).toBe(code);
    expect([clamd.closed, clamd.ends.length, clamd.session.ended]).toEqual([1, 1, true]);
  });

  test("to the same number do not come twice", async () => {
    const clamd = new FakeClamd();
    const first = clamd.session.scan(sourceOf("mail"));
    clamd.say("1: stream: OK");
    expect(await outcome(first)).toEqual({ kind: "clean" });
    const second = clamd.session.scan(sourceOf("another"));
    clamd.say("1: stream: OK");
    expect(await outcome(second)).toBe("CLAMD_PROTOCOL");
  });

  test("of one are not those of the other kind", async () => {
    const clamd = new FakeClamd();
    const version = clamd.session.version();
    const scan = clamd.session.scan(sourceOf("mail"));
    clamd.say("2: ClamAV 1.4.6", "1: stream: OK");
    expect(await outcome(version)).toBe("stream: OK");
    expect(await outcome(scan)).toEqual({ kind: "failed", text: "not understood: ClamAV 1.4.6" });
  });
});

describe("a reply before the message is through", () => {
  test.each<[string, ScanReply]>([
    ["stream: OK", { kind: "failed", text: "answered OK before the message was through" }],
    ["stream: Eicar FOUND", { kind: "infected", name: "Eicar" }],
    ["INSTREAM size limit exceeded. ERROR", { kind: "tooLarge" }],
    ["Error writing to temporary file ERROR", { kind: "failed", text: "Error writing to temporary file" }],
  ])("'%s' ends the session", async (text, reply) => {
    const { clamd, scan } = halfSent();
    clamd.say(`1: ${text}`);
    expect(await outcome(scan)).toEqual(reply);
    expect([clamd.closed, clamd.ends.length]).toEqual([1, 1]);
  });

  test("is not clean even when only the end of the stream is missing", async () => {
    const clamd = new FakeClamd();
    clamd.room = "zIDSESSION\0zINSTREAM\0".length + 8 + 3;
    const scan = clamd.session.scan(sourceOf("mail"));
    clamd.say("1: stream: OK");
    expect(await outcome(scan)).toMatchObject({ kind: "failed" });
  });
});

describe("the end of a session", () => {
  test.each<[string, () => { clamd: FakeClamd; scan: Promise<unknown> }]>([
    ["while a message is being sent", halfSent],
    [
      "while a verdict is awaited",
      () => {
        const clamd = new FakeClamd();
        return { clamd, scan: clamd.session.scan(sourceOf("mail")) };
      },
    ],
    [
      "in the middle of a reply",
      () => {
        const clamd = new FakeClamd();
        const scan = clamd.session.scan(sourceOf("mail"));
        clamd.session.receive(Buffer.from("1: stream: OK"));
        return { clamd, scan };
      },
    ],
  ])("%s fails the scan", async (_name, make) => {
    const { clamd, scan } = make();
    clamd.session.fail(closed());
    expect(await outcome(scan)).toBe("CLAMD_CLOSED");
    clamd.session.fail(closed());
    clamd.say("1: stream: OK");
    clamd.session.writable();
    clamd.session.quit();
    expect([clamd.closed, clamd.ends.length]).toEqual([1, 1]);
  });

  test("before the first command is told once", async () => {
    const clamd = new FakeClamd();
    clamd.session.fail(closed());
    expect(clamd.ends).toHaveLength(1);
    expect(await outcome(clamd.session.scan(sourceOf("mail")))).toBe("CLAMD_CLOSED");
    expect(await outcome(clamd.session.version())).toBe("CLAMD_CLOSED");
    expect(clamd.commands).toEqual([]);
  });

  test("fails everything in flight", async () => {
    const clamd = new FakeClamd();
    const all = [clamd.session.version(), clamd.session.version(), clamd.session.scan(sourceOf("mail"))];
    clamd.session.fail(closed());
    expect(await Promise.all(all.map(outcome))).toEqual(["CLAMD_CLOSED", "CLAMD_CLOSED", "CLAMD_CLOSED"]);
  });

  test("quit says END, but not into the middle of a message", async () => {
    const clamd = new FakeClamd();
    const version = clamd.session.version();
    clamd.say("1: v");
    await version;
    clamd.session.quit();
    expect(clamd.commands).toEqual(["IDSESSION", "VERSION", "END"]);
    expect(clamd.closed).toBe(1);
    const half = halfSent();
    half.clamd.room = 1000;
    half.clamd.session.quit();
    expect(half.clamd.commands).toEqual(["IDSESSION"]);
    expect(await outcome(half.scan)).toBe("CLAMD_CLOSED");
  });

  test("a source that cannot be read ends it: half a message gets no verdict", async () => {
    const pieces = function* (): Generator<Uint8Array> {
      yield Buffer.from("half");
      throw new Error("the disk is gone");
    };
    const clamd = new FakeClamd();
    const scan = clamd.session.scan({ size: 8, pieces, descriptor: () => -1 });
    scan.catch((error: unknown) => expect(String(error)).toContain("the disk is gone"));
    expect(await outcome(scan)).toBe("CLAMD_CANCELLED");
    expect(clamd.closed).toBe(1);
    expect(clamd.commands).not.toContain("INSTREAM half");
  });

  test("a version is not asked for between the chunks of a message", async () => {
    const clamd = new FakeClamd();
    clamd.room = HALF_SENT;
    const piece = Buffer.alloc(65_536, "x");
    const scan = clamd.session.scan(sourceOf(piece, piece, piece));
    expect(await outcome(clamd.session.version())).toBe("CLAMD_BUSY");
    clamd.room = 5000;
    clamd.drain();
    expect(clamd.commands).toEqual(["IDSESSION", `INSTREAM ${"x".repeat(3 * 65_536)}`]);
    clamd.say("1: stream: OK");
    expect(await outcome(scan)).toEqual({ kind: "clean" });
  });

  test("a version that is asked for behind a message stays behind it", () => {
    const { clamd } = halfSent();
    void clamd.session.version();
    clamd.room = 7;
    clamd.drain();
    expect(clamd.commands).toEqual(["IDSESSION", `INSTREAM ${"x".repeat(1000)}`, "VERSION"]);
  });
});

describe("whatever clamd says", () => {
  const chunk = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc
      .constantFrom("1: stream: OK\0", "2: stream: OK\0", "3: v\0", "1: ", "stream: OK", "\0", "\n")
      .map((text) => Buffer.from(text)),
    fc.integer({ min: 1, max: 70_000 }).map((size) => Buffer.alloc(size, 0x31)),
  );

  test("nothing is thrown, and a scan is clean by the very words to its number only", async () => {
    const run = async (chunks: Uint8Array[]): Promise<void> => {
      const clamd = new FakeClamd();
      const version = clamd.session.version().then(String, (error: unknown) => error);
      const scan = clamd.session.scan(sourceOf("mail")).then(
        (reply) => reply,
        (error: unknown) => error,
      );
      for (const bytes of chunks) clamd.session.receive(bytes);
      const ended = clamd.session.ended;
      expect(clamd.ends.length).toBe(ended ? 1 : 0);
      expect(clamd.closed).toBe(ended ? 1 : 0);
      clamd.session.fail(closed());
      const results = await Promise.all([version, scan]);
      const said = Buffer.concat(chunks)
        .toString("latin1")
        .split(/[\0\n]/);
      for (const result of results) {
        if (result instanceof Error) expect(result).toBeInstanceOf(ClamdError);
      }
      if ((results[1] as ScanReply).kind === "clean") expect(said).toContain("2: stream: OK");
    };
    await fc.assert(fc.asyncProperty(fc.array(chunk, { maxLength: 8 }), run), { numRuns: 800 });
    await settled();
  });
});

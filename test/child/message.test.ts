import { describe, expect, test } from "bun:test";
import { Message } from "../../src/child/message.ts";
import { noise, type SpoolLab, spoolLab } from "../scan/spool-lab.ts";

const FRONT = "Received: by clamav-milter\r\n";
const OVERSIZE = { kind: "oversize", reason: "StreamMaxLength exceeded", server: null };

function messageOf(limit = 0, lab: SpoolLab = spoolLab()): Message {
  return new Message(lab.edge, limit, "<a@b>");
}

function contentOf(message: Message): string {
  return Buffer.concat([...message.spool.pieces()]).toString("latin1");
}

test("of Received: lines the last is remembered that tells of a program on the machine it sends from", () => {
  const message = messageOf();
  message.addHeader("Received", " from mx.example.net by here");
  expect(message.origin).toBe("");
  message.addHeader("Received", " from localhost (later) by mx");
  message.addHeader("received", "\n\tFROM pc (LocalHost [10.0.0.1])\n\tby mx");
  message.addHeader("Received", " by localhost");
  expect(message.origin).toBe("FROM pc (LocalHost [10.0.0.1])\n\tby mx");
  message.addHeader("Received", ` from localhost ${"x".repeat(5000)}`);
  expect(message.origin.length).toBe(1024);
});

describe("what the scanner is given", () => {
  test("our line, the headers, a blank line, the body", () => {
    const message = messageOf();
    message.addHeader("From", " a@b");
    message.addHeader("Subject", "no blank");
    message.endHeaders();
    message.addBody(Buffer.from("line 1\r\n"));
    message.addBody(Buffer.from("line 2\r\n"));
    expect(message.complete()).toBeNull();
    const rest = "From: a@b\r\nSubject:no blank\r\n\r\nline 1\r\nline 2\r\n";
    expect(contentOf(message)).toBe(FRONT + rest);
    expect([message.size, message.spool.size]).toEqual([rest.length, FRONT.length + rest.length]);
  });

  test.each(["%PDF-1.4", "MZ", "Rar!", "GIF89a", "PK\x03\x04", "\x7fELF", "Content-Type"])(
    "a first header named %j does not come first",
    (name) => {
      const message = messageOf();
      message.addHeader(name, " x");
      message.complete();
      expect(contentOf(message)).toBe(`${FRONT}${name}: x\r\n\r\n`);
    },
  );

  test.each([
    ["a,\n\tb", "a,\r\n\tb"],
    ["a,\r\n b", "a,\r\n b"],
    ["\n\n", "\r\n\r\n"],
    ["a\rb", "a\rb"],
    ["a\r\r\nb", "a\r\r\nb"],
  ])("a folded value %j has whole line ends", (value, expected) => {
    const message = messageOf();
    message.addHeader("X", value);
    message.complete();
    expect(contentOf(message)).toBe(`${FRONT}X:${expected}\r\n\r\n`);
  });

  test("the blank line comes once, with or without the end of the headers being told", () => {
    for (const steps of ["N", "NB", "B", "NN", ""]) {
      const message = messageOf();
      message.addHeader("X", " y");
      for (const step of steps) {
        if (step === "N") message.endHeaders();
        else message.addBody(Buffer.from("body"));
      }
      message.complete();
      expect(contentOf(message)).toBe(`${FRONT}X: y\r\n\r\n${steps.includes("B") ? "body" : ""}`);
    }
  });

  test("every byte of it", () => {
    const body = noise(700_000);
    const message = messageOf();
    message.addHeader("X\xff", " \xe9\x00");
    message.endHeaders();
    for (let at = 0; at < body.length; at += 65_535) message.addBody(body.subarray(at, at + 65_535));
    message.complete();
    expect(contentOf(message)).toBe(`${FRONT}X\xff: \xe9\x00\r\n\r\n${body.toString("latin1")}`);
  });
});

describe("what is noted on the way", () => {
  test("status headers of the sender's, in any spelling", () => {
    const message = messageOf();
    for (const name of [
      "X-Virus-Status",
      "x-virus-status",
      "X-VIRUS-STATUS",
      "X-Virus-Statu",
      "X-Virus-Scanned",
    ]) {
      message.addHeader(name, " Clean");
    }
    expect(message.statusHeaders).toBe(3);
  });

  test.each([
    ["Message-ID", " <MDAEMON-F2@x>", true],
    ["message-id", "<MDAEMON1@x>", true],
    ["Message-Id", "\n <MDAEMON>", true],
    ["Message-ID", " <mdaemon@x>", false],
    ["Message-ID", " x <MDAEMON@x>", false],
    ["Message-IDs", " <MDAEMON@x>", false],
    ["In-Reply-To", " <MDAEMON@x>", false],
  ])("%s:%j is MDaemon's: %p", (name, value, is) => {
    const message = messageOf();
    message.addHeader(name, value);
    expect(message.fromMdaemon).toBe(is);
  });

  test("recipients: the first thousand by name, the rest in number", () => {
    const message = messageOf();
    for (let at = 0; at < 1500; at++) message.addRecipient(`<r${at}>`);
    expect([message.recipients.length, message.recipientCount]).toEqual([1000, 1500]);
  });
});

describe("limits", () => {
  const whole = `${FRONT}X: y\r\n\r\nbody`.length;

  function filled(limit: number, lab: SpoolLab = spoolLab()): Message {
    const message = messageOf(limit, lab);
    message.addHeader("X", " y");
    message.endHeaders();
    message.addBody(Buffer.from("body"));
    return message;
  }

  test("what the scanner gets may be as long as the limit, and no byte longer", () => {
    expect(filled(whole).complete()).toBeNull();
    expect(filled(whole + 1).complete()).toBeNull();
    expect(filled(0).complete()).toBeNull();
    expect(filled(whole - 1).complete() as object).toEqual(OVERSIZE);
    expect(filled(1).complete() as object).toEqual(OVERSIZE);
  });

  test("from then on nothing is kept, and no more is asked for", () => {
    const lab = spoolLab();
    const message = filled(whole, lab);
    expect(message.addBody(new Uint8Array(0))).toBe("continue");
    expect(message.addBody(Buffer.from("!"))).toBe("skip");
    expect([lab.budget.taken, message.spool.size]).toEqual([0, 0]);
    expect(message.addBody(new Uint8Array(100_000))).toBe("skip");
    expect([lab.budget.taken, message.size]).toEqual([0, whole - FRONT.length + 1 + 100_000]);
    expect(message.complete() as object).toEqual(OVERSIZE);
  });

  test("status headers are counted behind the limit too", () => {
    const message = messageOf(40);
    for (let at = 0; at < 5; at++) message.addHeader("X-Virus-Status", " Clean");
    expect(message.complete() as object).toEqual(OVERSIZE);
    expect(message.statusHeaders).toBe(5);
  });

  test("a thousand status headers are a mail, one more is not", () => {
    const message = messageOf();
    for (let at = 0; at < 1000; at++) message.addHeader("X-Virus-Status", " x");
    expect(message.complete()).toBeNull();
    message.addHeader("X-Virus-Status", " x");
    expect(message.complete()).toMatchObject({ kind: "failed", header: null });
  });

  test("too many of them is a failure even of an oversized message: it must not be let through", () => {
    const message = messageOf(40);
    for (let at = 0; at < 1001; at++) message.addHeader("X-Virus-Status", " x");
    expect(message.complete()).toMatchObject({ kind: "failed" });
  });

  test.each([0, 100_000])("a disk with room for %d bytes: a failure, nothing kept", (disk) => {
    const lab = spoolLab(4096);
    lab.disk = disk;
    const message = messageOf(0, lab);
    expect(message.addBody(noise(300_000))).toBe("skip");
    expect(message.complete()).toMatchObject({ kind: "failed", header: null, server: null });
    expect(lab.budget.taken).toBe(0);
    expect(lab.files.every((file) => file.closed === 1)).toBe(true);
  });

  test("a failure of the disk stays one, whatever the length", () => {
    const lab = spoolLab(0);
    lab.disk = 0;
    const message = messageOf(500_000, lab);
    message.addBody(noise(100_000));
    for (let round = 0; round < 6; round++) message.addBody(noise(100_000));
    expect(message.complete()).toMatchObject({ kind: "failed" });
  });

  test("close gives everything back", () => {
    const lab = spoolLab();
    const message = messageOf(0, lab);
    message.addBody(noise(500_000));
    message.close();
    message.close();
    expect([lab.budget.taken, lab.grown.map((file) => file.closed)]).toEqual([0, [1]]);
  });
});

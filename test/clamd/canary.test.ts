import { expect, test } from "bun:test";
import { CANARY_RANDOMNESS, canaryMail, sourceOf } from "../../src/clamd/canary.ts";
import { eicar } from "../lab/eicar.ts";

function random(seed: number): Uint8Array {
  return Uint8Array.from({ length: CANARY_RANDOMNESS }, (_, at) => (seed * 37 + at * 11) & 0xff);
}

/** What is in the attachments. */
function contents(mail: Uint8Array): string[] {
  const [, ...parts] = Buffer.from(mail)
    .toString("latin1")
    .split(/^--=-.*\r\n/m);
  return parts.map((part) => {
    const [, encoded = ""] = part.split("\r\n\r\n");
    return Buffer.from(encoded.replaceAll(/\s/g, ""), "base64").toString("latin1");
  });
}

test("the test virus is in encoded attachments: as it is, and with blanks behind it", () => {
  const mail = canaryMail(random(1), true);
  const [first, second = "", ...rest] = contents(mail);
  expect(first).toBe(eicar());
  expect(second).toStartWith(eicar());
  expect(second.slice(eicar().length)).toMatch(/^[ \t]{48}$/);
  // Its definition allows 128 characters in all.
  expect(second.length).toBeLessThanOrEqual(128);
  expect(rest).toEqual([""]);
  expect(Buffer.from(mail).toString("latin1")).not.toContain("EICAR");
});

test("it begins as scanned mail does, and says what it is wherever a name is logged", () => {
  const text = Buffer.from(canaryMail(random(1), true)).toString("latin1");
  expect(text).toStartWith("Received: by clamav-milter\r\n");
  expect(text.match(/filename="clamav-milter-canary-[^"]+"/g)?.length).toBe(2);
  expect(text).toMatch(/^Subject: clamav-milter-canary/m);
  expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
});

test("no two are equal in any part but the plain test file", () => {
  const [one, other] = [canaryMail(random(1), true), canaryMail(random(2), true)];
  expect(Buffer.from(one).equals(Buffer.from(other))).toBe(false);
  expect(contents(one)[1]).not.toBe(contents(other)[1]);
});

test("the harmless one is the same without anything to be found", () => {
  const mail = Buffer.from(canaryMail(random(3), false)).toString("latin1");
  expect(contents(Buffer.from(mail, "latin1")).join("")).not.toContain("EICAR");
  expect(mail).toMatch(/filename="clamav-milter-canary-/);
});

test("as a message for a session it is one piece, and can be read again", () => {
  const source = sourceOf(random(4), () => 7);
  for (let reading = 0; reading < 2; reading++) {
    const pieces = source.pieces();
    expect([pieces.next().value, pieces.next().done]).toEqual([random(4), true]);
  }
  expect([source.size, source.descriptor()]).toEqual([CANARY_RANDOMNESS, 7]);
});

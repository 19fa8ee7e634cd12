import { expect, test } from "bun:test";
import { decodeEntry, encodeEntry } from "../../src/keeper/outbox-entry.ts";

const MAIL = {
  recipients: ["a@b.example"],
  messageId: "1@h",
  title: "notice",
  bytes: Buffer.from("A: b\n\nc\n"),
};

test("what was put in comes out", () => {
  expect(decodeEntry(Buffer.concat(encodeEntry(MAIL, 7)))).toEqual({ ...MAIL, created: 7 });
});

test("a mail that would never be too old is none of ours", () => {
  const entry = Buffer.concat(encodeEntry(MAIL, 7)).toString();
  expect(decodeEntry(Buffer.from(entry.replace('"created":7', '"created":1e999')))).toBeNull();
  expect(decodeEntry(Buffer.from(entry.replace('"created":7', '"created":"7"')))).toBeNull();
});

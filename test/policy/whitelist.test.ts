import { describe, expect, test } from "bun:test";
import { isListed, parseWhitelist } from "../../src/policy/whitelist.ts";

describe("a whitelist file", () => {
  test("has senders, recipients and comments", () => {
    const text = [
      "# comment",
      ": comment",
      "! comment",
      "",
      "<Plain@Example.org>",
      "To: <to@example.org>  ",
      "from:<From@example.org>\r",
      "FROM : <spaced@example.org>",
      "bare@example.org",
      "To:bare-to@example.org",
      "<user@[IPv6:2001:db8::1]>",
      "<postmaster>",
    ].join("\n");
    expect(parseWhitelist(text)).toEqual({
      from: ["from@example.org", "spaced@example.org"],
      to: [
        "plain@example.org",
        "to@example.org",
        "bare@example.org",
        "bare-to@example.org",
        "user@[ipv6:2001:db8::1]",
        "postmaster",
      ],
      faults: [],
    });
  });

  test.each([
    ["<>", "an address is missing"],
    ["From:", "an address is missing"],
    ["<a@b> <c@d>", "expected one address"],
    ["Cc: <a@b>", "expected one address"],
    ["a b@c", "expected one address"],
    [`<${"a".repeat(400)}@b>`, "longer than 320 characters"],
  ])("%j is no line of it", (line, reason) => {
    const { from, to, faults } = parseWhitelist(`<good@example.org>\n${line}\nFrom: <fine@example.org>`);
    expect([from, to]).toEqual([["fine@example.org"], ["good@example.org"]]);
    expect(faults).toEqual([{ line: 2, reason: expect.stringContaining(reason) as string }]);
  });
});

test("an address is listed by any of its names, in any case, with and without brackets", () => {
  const { to } = parseWhitelist("<Bob@Example.org>\n<postmaster>");
  const list = new Set(to);
  expect(isListed(list, ["<bob@example.ORG>"])).toBe(true);
  expect(isListed(list, ["<x@y>", "postmaster"])).toBe(true);
  expect(isListed(list, ["<bob@example.org.evil>"])).toBe(false);
  expect(isListed(list, ["<>"])).toBe(false);
});

test("bytes beyond ASCII are compared as they are: case is for ASCII letters", () => {
  // One character a byte: U+00C9 and U+00E9 in UTF-8, and U+00E0, whose second byte is a blank in Latin-1.
  const wire = (text: string): string => Buffer.from(text).toString("latin1");
  const list = new Set(parseWhitelist(wire("\u00c9ric@b.example\nx@voil\u00e0\n\u00e3@b.example")).to);
  expect(isListed(list, [wire("<\u00c9RIC@B.example>")])).toBe(true);
  expect(isListed(list, [wire("<X@voil\u00e0>")])).toBe(true);
  for (const other of ["\u00e9ric@b.example", "x@voil\u00c3", "\u00c3@b.example"])
    expect(isListed(list, [wire(`<${other}>`)])).toBe(false);
  expect(isListed(list, ["<x@voil\xc3>"])).toBe(false);
});

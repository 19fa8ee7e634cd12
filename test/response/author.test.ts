import { expect, test } from "bun:test";
import { authorOf } from "../../src/response/author.ts";

const ROWS: readonly (readonly [values: readonly string[], author: string | null])[] = [
  [[" a@b.example"], "a@b.example"],
  [[" Alice <a@b.example>"], "a@b.example"],
  [[' "Bank, <x@bank.example>" <a@b.example>'], "a@b.example"],
  [[" Alice (x@bank.example) <a@b.example>"], "a@b.example"],
  [[" Alice\r\n\t<a@b.example>"], "a@b.example"],
  [[], null],
  [[" a@b.example", " c@d.example"], null],
  [[" a@b.example, c@d.example"], null],
  [[" x@bank.example <a@b.example> <c@d.example>"], null],
  [[" <a@b.example> x@bank.example"], null],
  [[" Friends: a@b.example;"], null],
  [[" <@route:a@b.example>"], null],
  [[" <>"], null],
  [[' "a b"@c.example'], null],
  [[" a@[192.0.2.1]"], null],
  [[' a@b.example""'], null],
  [[' <a@b.example"">'], null],
  [[' "x"a@b.example'], null],
  [[" a@b.example (Alice)"], "a@b.example"],
  [[` ${"x".repeat(5000)}@b.example`], null],
];

test.each(ROWS.map(([values, author]) => [JSON.stringify(values).slice(0, 60), values, author] as const))(
  "%s",
  (_title, values, author) => {
    expect(authorOf(values)).toBe(author);
  },
);

test("a comment or quoted text that is not closed makes the line doubtful", () => {
  for (const value of [
    '"<a@b.example>',
    "x (<a@b.example>",
    "x) <a@b.example>",
    "\\<a@b.example>",
    "(a@b.example",
    "a)@b.example",
    "x[y]@b.example",
    "a\\@b.example",
  ]) {
    expect(authorOf([value])).toBeNull();
  }
});

import { describe, expect, test } from "bun:test";
import { bareAddress, domainOf, headerDomains } from "../../src/policy/mail-address.ts";

test.each([
  ["<User@Example.ORG>", "user@example.org", "example.org"],
  [" <a@b> ", "a@b", "b"],
  ["a@b.", "a@b.", "b"],
  ["<>", "", null],
  ["local", "local", null],
  ['<"x@y"@z>', '"x@y"@z', "z"],
])("%j", (text, bare, domain) => {
  expect([bareAddress(text), domainOf(text)]).toEqual([bare, domain]);
});

describe("domains of a From: or Sender: field", () => {
  test.each([
    ["a@b.example", ["b.example"]],
    [" A <a@B.Example>", ["b.example"]],
    ['"boss@ours.example" <x@evil.example>', ["evil.example"]],
    ["boss@ours.example <x@evil.example>", ["evil.example"]],
    ["(boss@ours.example) x@evil.example", ["evil.example"]],
    ["x@evil.example (a (nested) boss@ours.example)", ["evil.example"]],
    ["a@one.example, B <b@two.example>, c@three.example", ["two.example"]],
    ["a@one.example, c@three.example", ["one.example", "three.example"]],
    ["<a@one.example>, <b@two.example>", ["one.example", "two.example"]],
    ["group: a@one.example, b@two.example;", ["one.example", "two.example"]],
    ["<@relay.example:a@one.example>", ["relay.example", "one.example"]],
    ["a @ one . example", ["one.example"]],
    ["a@\r\n one.example", ["one.example"]],
    ["<a@one.example", ["one.example"]],
    ["a@one.example.", ["one.example"]],
    ['"unclosed <a@one.example>', []],
    ['a@one.example""', ["one.example"]],
    ['"a b"@one.example', ["one.example"]],
    ["a@one.example(comment)", ["one.example"]],
    ["a@one(comment).example", ["one.example"]],
    ['"a\\"b" <a@one.example>', ["one.example"]],
    ["", []],
    ["nobody", []],
  ])("%j", (value, domains) => {
    expect(headerDomains(value)).toEqual(domains);
  });

  test("a long hostile value takes no time", () => {
    const started = performance.now();
    for (const piece of ["(", "<", "@", '"', " . ", "@ ", ",", "\\"]) headerDomains(piece.repeat(60_000));
    for (const blank of [" ", "\t", "\r\n "]) headerDomains(`a${blank.repeat(60_000)}b`);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test("blanks of any length beside @ and dots are none", () => {
    expect(headerDomains(`a${" ".repeat(9)}@${" \t".repeat(9)}b \r\n .  . c d`)).toEqual(["b..c"]);
  });
});

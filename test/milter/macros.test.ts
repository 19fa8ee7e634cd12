import { describe, expect, test } from "bun:test";
import type { MacroStageName } from "../../src/milter/codes.ts";
import { MacroTable } from "../../src/milter/macros.ts";

/** The order in which the stages of an SMTP connexion come. */
const ORDER: readonly MacroStageName[] = [
  "connect",
  "helo",
  "mail",
  "rcpt",
  "data",
  "endOfHeaders",
  "endOfMessage",
];

function full(): MacroTable {
  const table = new MacroTable();
  for (const stage of ORDER) table.set(stage, [[`of-${stage}`, stage]]);
  return table;
}

function known(table: MacroTable): string[] {
  return ORDER.filter((stage) => table.get(`of-${stage}`) !== undefined);
}

describe("names", () => {
  test("with and without braces are one", () => {
    const table = new MacroTable();
    table.set("connect", [
      ["{client_addr}", "192.0.2.1"],
      ["j", "mx.example"],
      ["{i}", "Q1"],
    ]);
    expect([table.get("client_addr"), table.get("{client_addr}")]).toEqual(["192.0.2.1", "192.0.2.1"]);
    expect([table.get("j"), table.get("{j}"), table.get("i")]).toEqual(["mx.example", "mx.example", "Q1"]);
    expect(table.get("client")).toBeUndefined();
  });

  test("a half brace is a part of the name", () => {
    const table = new MacroTable();
    table.set("connect", [["{a", "1"]]);
    expect([table.get("a"), table.get("{a")]).toEqual([undefined, "1"]);
  });

  test("names of the language's own objects are not there", () => {
    const table = full();
    for (const name of ["__proto__", "constructor", "toString"]) expect(table.get(name)).toBeUndefined();
    table.set("connect", [["__proto__", "x"]]);
    expect(table.get("__proto__")).toBe("x");
  });

  test("the newest value counts, an empty one too", () => {
    const table = new MacroTable();
    table.set("connect", [["i", "old"]]);
    table.set("mail", [["i", "new"]]);
    expect(table.get("i")).toBe("new");
    table.set("mail", [["i", ""]]);
    expect(table.get("i")).toBe("");
    table.set("mail", [["x", "y"]]);
    expect(table.get("i")).toBe("old");
  });
});

describe("stages", () => {
  test("all at once", () => {
    expect(known(full())).toEqual([...ORDER]);
  });

  test.each(ORDER.map((stage, at) => [stage, at] as const))(
    "a new list of %s forgets later ones",
    (stage, at) => {
      const table = full();
      table.set(stage, [["new", stage]]);
      expect(known(table)).toEqual(ORDER.slice(0, at));
      expect(table.get("new")).toBe(stage);
    },
  );

  test.each(ORDER.map((stage, at) => [stage, at] as const))(
    "an empty list of %s does so too",
    (stage, at) => {
      const table = full();
      table.set(stage, []);
      expect(known(table)).toEqual(ORDER.slice(0, at));
    },
  );

  test("stages may be left out", () => {
    const table = new MacroTable();
    table.set("endOfMessage", [["i", "Q"]]);
    expect(table.get("i")).toBe("Q");
    table.set("data", []);
    expect(table.get("i")).toBeUndefined();
  });

  test("the end of a message leaves what was said of the connexion", () => {
    const table = full();
    table.endMessage();
    expect(known(table)).toEqual(["connect", "helo"]);
    table.clear();
    expect(known(table)).toEqual([]);
  });
});

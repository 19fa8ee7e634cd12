import { expect, test } from "bun:test";
import { expandTemplate, macrosOf, wantsHeaders } from "../../src/notify/template.ts";
import { parseTemplateHeaders, TemplateHeadersError, takesUtf8 } from "../../src/notify/template-headers.ts";

/** A macro as templates name it. */
const braced = (name: string): string => ["$", "{", name, "}$"].join("");

const expand = (text: string) =>
  expandTemplate(text, {
    virus: "NAME",
    headers: "A: b\nC: d",
    macro: (name) => (name === "j" || name === "if_addr" ? `<${name}>` : null),
  });

const ROWS: readonly (readonly [template: string, text: string, complaints: number])[] = [
  ["%v was found", "NAME was found", 0],
  ["%h", "A: b\nC: d", 0],
  ["100%%", "100%", 0],
  ["\\%v", "%v", 0],
  ["\\\\%v", "\\NAME", 0],
  ["\\$j\\$", "$j$", 0],
  ["%%v", "%v", 0],
  ["at the end %", "at the end %", 0],
  ["at the end \\", "at the end ", 0],
  ["%x?", "?", 1],
  ["$j$", "<j>", 0],
  [braced("if_addr"), "<if_addr>", 0],
  ["$if_addr$", "<if_addr>", 0],
  [braced("nothing"), "nothing", 1],
  ["$$", "", 1],
  ["costs 5 $ or so", "costs 5 $ or so", 1],
  ["5 $\n$j$", "5 $\n<j>", 1],
];

for (const [template, text, complaints] of ROWS) {
  test(JSON.stringify(template), () => {
    const seen = expand(template);
    expect(seen.text).toBe(text);
    expect(seen.complaints.length).toBe(complaints);
  });
}

test("the macros a template asks for", () => {
  expect(macrosOf(`$j$ ${braced("if_addr")} $j$ \\$x $a b$ %%$_$`)).toEqual(["j", "if_addr", "_"]);
  expect(wantsHeaders("%%h \\%h")).toBe(false);
  expect(wantsHeaders("%v%h")).toBe(true);
});

test("header lines are taken as they are, folded ones too", () => {
  expect(parseTemplateHeaders("Content-Type: text/plain;\r\n\tcharset=koi8-r\r\nX-A:b\n\n")).toEqual([
    ["Content-Type", "text/plain;\n\tcharset=koi8-r"],
    ["X-A", "b"],
  ]);
  expect(parseTemplateHeaders("")).toEqual([]);
});

for (const [text, reason] of [
  ["To: a@b", 'line 1: "To:" is not allowed here'],
  ["X: y\ncc: a@b", 'line 2: "cc:" is not allowed here'],
  ["Bcc: a@b", 'line 1: "Bcc:" is not allowed here'],
  ["FROM: a@b", 'line 1: "FROM:" is not allowed here'],
  ["Resent-To: a@b", 'line 1: "Resent-To:" is not allowed here'],
  ["X: y\n\nbody", 'line 2: is no header line; expected "Name: value"'],
  [" folded: first", 'line 1: is no header line; expected "Name: value"'],
  ["no colon", 'line 1: is no header line; expected "Name: value"'],
  ["X: a\0b", "line 1: has a control character"],
] as const) {
  test(`refused: ${JSON.stringify(text)}`, () => {
    expect(() => parseTemplateHeaders(text)).toThrow(new TemplateHeadersError(reason));
  });
}

test("which character set takes UTF-8", () => {
  expect(takesUtf8([])).toBe(true);
  expect(takesUtf8([["content-type", 'text/plain; charset="UTF-8"']])).toBe(true);
  expect(takesUtf8([["Content-Type", "text/plain; charset=koi8-r"]])).toBe(false);
});

test("many empty lines within a header take no time, those at its end do not count", () => {
  const started = performance.now();
  expect(() => parseTemplateHeaders(`A: b${"\n".repeat(250_000)}C: d`)).toThrow(TemplateHeadersError);
  expect(parseTemplateHeaders(`A: b${"\r\n".repeat(100_000)}`)).toEqual([["A", "b"]]);
  expect(performance.now() - started).toBeLessThan(1000);
});

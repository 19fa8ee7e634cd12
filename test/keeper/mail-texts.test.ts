import { expect, test } from "bun:test";
import { WatchedTexts } from "../../src/keeper/mail-texts.ts";

test("files are read anew when they change; one that is gone or broken leaves what was", () => {
  const files = new Map([
    ["/t", "Virus %v via $j$ and %h"],
    ["/h", "X-A: b\n"],
    ["/s", "-- \nSite\n"],
  ]);
  const log: string[] = [];
  const edge = {
    read: (path: string): string => {
      const text = files.get(path);
      if (text === undefined) throw new Error("there is no such file");
      return text;
    },
    stamp: (path: string): string => files.get(path) ?? "",
  };
  const texts = new WatchedTexts(
    { template: "/t", templateHeaders: "/h", signature: { file: "/s" } },
    edge,
    (level, text) => void log.push(`${level}: ${text}`),
  );
  expect(texts.texts).toEqual({ signature: "-- \nSite\n", macros: ["j"], wantsHeaders: true });
  expect(texts.template?.fields).toEqual([["X-A", "b"]]);
  expect(texts.look()).toBe(false);
  files.set("/s", "-- \nOther\n");
  files.set("/t", "Virus %v");
  expect(texts.look()).toBe(true);
  expect(texts.texts).toEqual({ signature: "-- \nOther\n", macros: [], wantsHeaders: false });
  files.delete("/s");
  files.set("/h", "Bcc: x@y\n");
  expect(texts.look()).toBe(true);
  expect(texts.texts.signature).toBe("-- \nOther\n");
  expect(texts.template?.fields).toEqual([["X-A", "b"]]);
  expect(log).toEqual([
    'error: /h cannot be used: line 1: "Bcc:" is not allowed here',
    "error: /s cannot be used: there is no such file",
  ]);
  texts.renew({ template: null, templateHeaders: null, signature: { file: null } });
  expect(texts.texts.signature).toStartWith("-- \n");
  expect(texts.template).toBeNull();
});

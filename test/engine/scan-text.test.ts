import { expect, test } from "bun:test";
import { scanText } from "../../src/engine/scan-text.ts";

test("only libclamav's plain word is OK", () => {
  expect(scanText({ status: 0, name: null, words: "" })).toBe("OK");
  for (let status = 1; status < 40; status++) {
    expect(scanText({ status, name: null, words: "No viruses detected" })).toEndWith(" ERROR");
  }
  expect(scanText({ status: -1, name: null, words: "" })).toEndWith(" ERROR");
});

test("a name is a virus, whatever the status says of it", () => {
  expect(scanText({ status: 1, name: "A.B", words: "" })).toBe("A.B FOUND");
  expect(scanText({ status: 0, name: "A.B", words: "" })).toBe("A.B FOUND");
  expect(scanText({ status: 1, name: "A\0B\nC", words: "" })).toBe("A?B?C FOUND");
});

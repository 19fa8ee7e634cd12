import { expect, test } from "bun:test";
import { composeDigest, nothingOmitted, omitting } from "../../src/notify/digest.ts";
import { fromField } from "../../src/notify/header-field.ts";
import { composeScannerMail } from "../../src/notify/scanner-mail.ts";
import { parsed, RULES, STAMP } from "./incidents.ts";

test("a digest counts what was left out, within bounds", () => {
  let omitted = nothingOmitted(STAMP.time);
  for (let at = 0; at < 500; at++) omitted = omitting(omitted, [`Virus-${at % 70}\n`], `Q${at}`, at % 2);
  expect(omitted.names.length).toBe(50);
  expect(omitted.queueIds.length).toBe(50);
  const { fields, body } = parsed(composeDigest(omitted, RULES, STAMP).bytes);
  expect(fields.find(([name]) => name === "subject")?.[1]).toBe("Infected mail: 500 notices were left out");
  expect(body).toContain(
    "    250 notices or reports that nobody got\n    250 recipients of notices that others got",
  );
  expect(body).toContain("    8 x Virus-0\n");
  expect(body).toContain("Since 2026-11-22T19:06:20.000Z");
});

test("no name is one of an object's own", () => {
  const omitted = omitting(nothingOmitted(0), ["constructor", "__proto__"], "Q", 0);
  expect(omitted.names).toEqual([
    ["constructor", 1],
    ["__proto__", 1],
  ]);
});

test("no scanner is left, and one is back", () => {
  const down = composeScannerMail(
    { back: false, details: ["unix:/clamd: ECONNREFUSED\nx"], unscanned: false },
    "virus@lab.example",
    STAMP,
  );
  const { fields, body } = parsed(down.bytes);
  expect(Object.fromEntries(fields)).toMatchObject({
    from: "virus@lab.example",
    to: "virus@lab.example",
    subject: "ClamAV Down",
    priority: "urgent",
  });
  expect(body).toContain("senders are told to try again later");
  expect(body).toContain("    unix:/clamd: ECONNREFUSED x\n");
  const open = composeScannerMail({ back: false, details: [], unscanned: true }, "p", STAMP);
  expect(parsed(open.bytes).body).toContain("WITHOUT being scanned");
  const up = composeScannerMail({ back: true, details: [], unscanned: false }, "p", STAMP);
  expect(Object.fromEntries(parsed(up.bytes).fields)).toMatchObject({
    to: "p@filter.example",
    subject: "ClamAV is back",
  });
});

test("a long name in From: makes no line that is too long", () => {
  for (const character of ["\\", '"', "x", "\u00fc"]) {
    const [, value] = fromField(`${character.repeat(480)} <a@b.example>`, "h.example");
    for (const line of value.split("\n")) expect(line.length).toBeLessThan(990);
  }
});

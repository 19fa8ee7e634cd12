import { afterEach, describe, expect, test } from "bun:test";
import { MAX_MESSAGE } from "../../src/ipc/channel.ts";
import { portionsOf, type WhitelistPortion, WhitelistWatch } from "../../src/keeper/whitelist-watch.ts";
import { until } from "../lab/wait.ts";

let watch: WhitelistWatch | null = null;

afterEach(() => watch?.stop());

/** A file in memory. */
function watched(first: string | Error | null) {
  const file = { content: first, stamp: 1 };
  const log: string[] = [];
  const told: (readonly WhitelistPortion[])[] = [];
  watch = new WhitelistWatch(
    "/list",
    {
      read: () => {
        if (file.content instanceof Error) throw file.content;
        return file.content;
      },
      stamp: () => String(file.stamp),
    },
    (level, text) => void log.push(`${level}: ${text}`),
    (portions) => void told.push(portions),
  );
  const change = (content: string | Error | null): void => {
    file.content = content;
    file.stamp++;
  };
  return { watch, change, log, told };
}

const ONE = [{ type: "whitelist", from: [], to: ["a@b"], first: true, last: true }];

describe("a whitelist", () => {
  test("is read at once, and again when the file changes", async () => {
    const { watch, change, log, told } = watched("<a@b>\n");
    expect([watch.portions, told]).toEqual([ONE, [ONE]] as unknown as (typeof told)[]);
    change("From: <c@d>\n<e@f>");
    await until(() => told.length === 2, { what: "the new list" });
    expect(told[1]).toEqual([{ type: "whitelist", from: ["c@d"], to: ["e@f"], first: true, last: true }]);
    expect(log).toEqual(["info: /list: whitelist read again: 1 senders, 1 recipients"]);
  });

  test("that cannot be read stays as it was, and says so once for each change", () => {
    const { watch, change, log, told } = watched("<a@b>");
    change(new Error("EACCES: permission denied"));
    watch.reload();
    expect(log).toEqual(["error: /list: the whitelist stays as it was: EACCES: permission denied"]);
    change(null);
    watch.reload();
    expect(log[1]).toBe("error: /list: the whitelist stays as it was: there is no such file");
    expect([watch.portions, told.length]).toEqual([ONE, 1] as unknown as [(typeof told)[0], number]);
  });

  test("that is not there at first is empty, but is handed over", () => {
    const { watch } = watched(null);
    expect(watch.portions).toEqual([{ type: "whitelist", from: [], to: [], first: true, last: true }]);
  });

  test("faulty lines are told with their number, up to a bound; the others count", () => {
    const { watch, log } = watched(`<a@b>\nx y\n${"<>\n".repeat(30)}`);
    expect(log[0]).toStartWith("error: /list:2: expected one address, <user@example.org>");
    expect(log[1]).toBe("error: /list:3: an address is missing: the line is left out");
    expect([log.length, log.at(-1)]).toEqual([21, "error: /list: 11 more lines are left out"]);
    expect(watch.portions).toEqual(ONE as unknown as typeof watch.portions);
  });
});

test("a long list goes in portions that the channel takes, and nothing is lost", () => {
  const from = Array.from({ length: 9000 }, (_, at) => `user${at}@example.org`);
  const to = Array.from({ length: 3000 }, (_, at) =>
    `\u00e9${at}${'"'.repeat(300)}@example.org`.slice(0, 320),
  );
  const portions = portionsOf(from, to);
  expect(portions.length).toBeGreaterThan(10);
  for (const portion of portions)
    expect(Buffer.byteLength(JSON.stringify(portion))).toBeLessThan(MAX_MESSAGE);
  expect(portions.flatMap((portion) => portion.from)).toEqual(from);
  expect(portions.flatMap((portion) => portion.to)).toEqual(to);
  expect(portions.map(({ first, last }) => [first, last]).filter(([first, last]) => first || last)).toEqual([
    [true, false],
    [false, true],
  ]);
});

import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DurableFiles } from "../../src/keeper/durable-files.ts";
import { Outbox } from "../../src/keeper/outbox.ts";
import type { OutboxMail } from "../../src/keeper/outbox-entry.ts";
import type { SendResult } from "../../src/keeper/sendmail.ts";
import { until } from "../lab/wait.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function mail(text = "mail\n"): OutboxMail {
  return { recipients: ["p@x"], messageId: "m@x", title: "notice about 4AM", bytes: Buffer.from(text) };
}

async function lab(answers: (SendResult["kind"] | "throw")[] = [], bounds = { files: 5, bytes: 2000 }) {
  const folder = mkdtempSync(join(tmpdir(), "outbox-"));
  folders.push(folder);
  const world = { now: 1_000_000, sent: [] as string[], sentAt: [] as number[], log: [] as string[] };
  const edge = {
    files: new DurableFiles(),
    bounds,
    now: () => world.now,
    send: async ({ bytes, recipients }: OutboxMail): Promise<SendResult> => {
      world.sentAt.push(world.now);
      world.sent.push(`${recipients}: ${Buffer.from(bytes)}`);
      const kind = answers.shift() ?? "sent";
      if (kind === "throw") throw new Error("broken");
      return kind === "sent" ? { kind } : { kind, reason: "no room" };
    },
    log: (level: string, text: string) => void world.log.push(`${level}: ${text}`),
  };
  const open = () => Outbox.open(folder, edge);
  return { folder, world, open, outbox: await open(), files: () => readdirSync(join(folder, "outbox")) };
}

test("a mail is sent and gone; its file is ours alone", async () => {
  const { outbox, world, files, folder } = await lab(["later"]);
  await outbox.add(mail());
  const [name = ""] = files();
  expect(statSync(join(folder, "outbox", name)).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, "outbox")).mode & 0o777).toBe(0o700);
  await until(() => world.log.length === 1, { what: "the first attempt" });
  expect(world.log[0]).toBe("warning: notice about 4AM waits to be sent again: no room");
  outbox.tick();
  expect(world.sent.length).toBe(1);
  world.now += 60_001;
  outbox.tick();
  await until(() => files().length === 0, { what: "an empty outbox" });
  expect(world.sent).toEqual(["p@x: mail\n", "p@x: mail\n"]);
});

test("pauses grow, up to an hour; after a day it is given up into failed, with one error line", async () => {
  const { outbox, world, folder } = await lab(Array.from({ length: 100 }, () => "later" as const));
  await outbox.add(mail());
  const begun = world.now;
  while (readdirSync(join(folder, "failed")).length === 0) {
    world.now += 60_000;
    outbox.tick();
    await Bun.sleep(1);
  }
  const errors = () => world.log.filter((line) => line.startsWith("error"));
  await until(() => errors().length > 0, { what: "the line that tells it" });
  const times = world.sentAt.map((time) => Math.round((time - begun) / 60_000));
  // Minutes of this clock may pass while an attempt ends.
  const pauses = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  for (const [at, pause] of [1, 2, 4, 8, 16, 32, 60, 60].entries()) {
    expect(pauses[at]).toBeGreaterThanOrEqual(pause);
    expect(pauses[at]).toBeLessThan(pause + 30);
  }
  expect(world.sent.length).toBeLessThan(40);
  expect(errors()).toEqual([
    expect.stringMatching(/^error: notice about 4AM was not sent and is now \S+\/failed\/\S+: no room$/),
  ]);
  const [name = ""] = readdirSync(join(folder, "failed"));
  expect(readFileSync(join(folder, "failed", name), "utf8")).toEndWith("\nmail\n");
}, 20_000);

test("what never can be sent is given up at once", async () => {
  const { outbox, folder } = await lab(["never"]);
  await outbox.add(mail());
  await until(() => readdirSync(join(folder, "failed")).length === 1, { what: "a failed mail" });
  expect(outbox.length).toBe(0);
});

describe("bounds", () => {
  test("files", async () => {
    const { outbox } = await lab(Array.from({ length: 20 }, () => "later" as const));
    const added = await Promise.allSettled(Array.from({ length: 9 }, () => outbox.add(mail())));
    expect(added.filter(({ status }) => status === "fulfilled").length).toBe(5);
    expect(added.find(({ status }) => status === "rejected")).toMatchObject({
      reason: { code: "OUTBOX_FULL" },
    });
  });

  test("bytes", async () => {
    const { outbox, files } = await lab(["later"]);
    await outbox.add(mail("x".repeat(1500)));
    expect(outbox.add(mail("x".repeat(1500)))).rejects.toMatchObject({ code: "OUTBOX_FULL" });
    expect(files().length).toBe(1);
  });
});

test("what an earlier process has left is sent; what is none of ours goes to failed, unfinished files away", async () => {
  const { outbox, world, open, folder, files } = await lab(["later"]);
  await outbox.add(mail("first\n"));
  await until(() => world.log.length > 0, { what: "a failure" });
  await outbox.stop(1000);
  writeFileSync(join(folder, "outbox", "stranger"), "no envelope");
  writeFileSync(join(folder, "outbox", ".unfinished-1"), "half");
  const next = await open();
  expect(next.length).toBe(2);
  next.tick();
  await until(() => files().length === 0, { what: "an empty outbox" });
  expect(world.sent.at(-1)).toBe("p@x: first\n");
  expect(readdirSync(join(folder, "failed"))).toEqual(["stranger"]);
});

test("a fault in sending costs an attempt, not the mail", async () => {
  const { outbox, world, files } = await lab(["throw"]);
  await outbox.add(mail());
  await until(() => world.log.length > 0, { what: "an error line" });
  expect(files().length).toBe(1);
  world.now += 60_001;
  outbox.tick();
  await until(() => files().length === 0, { what: "an empty outbox" });
});

test("a clock that was set back by a year does not stop the mail", async () => {
  const { outbox, world, files } = await lab(["later"]);
  await outbox.add(mail());
  await until(() => world.log.length > 0, { what: "a failure" });
  world.now -= 365 * 86_400_000;
  outbox.tick();
  await until(() => files().length === 0, { what: "an empty outbox" });
});

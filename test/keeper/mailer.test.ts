import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HourlyLimit } from "../../src/keeper/hourly-limit.ts";
import { Mailer, NOTICE_BOUNDS } from "../../src/keeper/mailer.ts";
import type { OutboxMail } from "../../src/keeper/outbox-entry.ts";
import { parsed, RULES, STAMP } from "../notify/incidents.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function lab() {
  const folder = mkdtempSync(join(tmpdir(), "mailer-"));
  folders.push(folder);
  const world = { now: STAMP.time, full: false, added: [] as OutboxMail[], log: [] as string[] };
  const open = () =>
    new Mailer({
      folder,
      rules: () => RULES,
      stamp: () => ({ ...STAMP, time: world.now }),
      add: async (mail) => {
        if (world.full) throw new Error("it holds 5 mails with 9 bytes");
        world.added.push(mail);
      },
      log: (level, text) => void world.log.push(`${level}: ${text}`),
    });
  const announce = (mailer: Mailer, at: number, recipients: readonly string[]) =>
    mailer.announce({
      kind: "notice",
      queueId: `Q${at}`,
      names: [`V${at % 3}`],
      recipients,
      compose: () => ({ messageId: `${at}@x`, bytes: Buffer.from("x") }),
    });
  return { world, folder, open, announce };
}

test("10,000 infected mails to 10,000 recipients: no more than the bound, and one digest", async () => {
  const { world, open, announce } = lab();
  const mailer = open();
  for (let at = 0; at < 10_000; at++) {
    world.now += 1;
    await announce(mailer, at, [`p${at}`, `u${at}@lab.example`]);
    mailer.tick();
  }
  expect(world.added.length).toBe(NOTICE_BOUNDS.total);
  world.now += 3_600_000;
  mailer.tick();
  mailer.tick();
  expect(world.added.length).toBe(NOTICE_BOUNDS.total + 1);
  const digest = world.added.at(-1);
  expect(digest?.recipients).toEqual(["postmaster"]);
  const { fields } = parsed(Buffer.from(digest?.bytes ?? []));
  expect(Object.fromEntries(fields).subject).toBe("Infected mail: 9800 notices were left out");
  expect(world.log).toEqual([]);
});

test("a recipient over the bound is left out while others are told", async () => {
  const { world, open, announce } = lab();
  const mailer = open();
  for (let at = 0; at < 100; at++) await announce(mailer, at, ["postmaster", `u${at}@x`]);
  expect(world.added.length).toBe(100);
  expect(world.added.filter(({ recipients }) => recipients.includes("postmaster")).length).toBe(60);
  world.now += 3_600_001;
  await announce(mailer, 1, ["postmaster"]);
  expect(world.added.at(-1)?.recipients).toEqual(["postmaster"]);
});

test("a full outbox: one error line, then a digest; what was left out outlives the process", async () => {
  const { world, open, announce } = lab();
  const mailer = open();
  world.full = true;
  for (let at = 0; at < 5; at++) {
    world.now += 2000;
    await announce(mailer, at, ["postmaster"]);
  }
  expect(world.log).toEqual([
    "error: outbox: the notice about Q0 cannot be kept: it holds 5 mails with 9 bytes",
  ]);
  world.full = false;
  await announce(mailer, 6, ["postmaster"]);
  expect(world.log.at(-1)).toBe("info: the outbox takes mail again");
  const next = open();
  world.now += 3_600_001;
  next.tick();
  const { fields } = parsed(Buffer.from(world.added.at(-1)?.bytes ?? []));
  expect(Object.fromEntries(fields).subject).toBe("Infected mail: 5 notices were left out");
});

test("who follows a process that was killed counts on, for each kind and recipient", async () => {
  const { world, open, announce } = lab();
  // Nobody says stop: each is as good as killed.
  for (let at = 0; at < 100; at++) await announce(open(), at, ["postmaster"]);
  expect(world.added.length).toBe(NOTICE_BOUNDS.perRecipient);
  for (let at = 0; at < 300; at++) await announce(open(), at, [`u${at}@x`]);
  expect(world.added.length).toBe(NOTICE_BOUNDS.total);
  world.now += 3_600_001;
  await announce(open(), 1, ["postmaster"]);
  expect(world.added.length).toBe(NOTICE_BOUNDS.total + 1);
});

test("counts that cannot be written are written later; a file that is none of ours is no harm", async () => {
  const { world, folder, open, announce } = lab();
  mkdirSync(join(folder, "hour.json.new"));
  mkdirSync(join(folder, "left-out.json.new"));
  const mailer = open();
  for (let at = 0; at < 61; at++) await announce(mailer, at, ["postmaster"]);
  for (const name of ["hour.json.new", "left-out.json.new"]) rmSync(join(folder, name), { recursive: true });
  world.now += 2000;
  mailer.tick();
  await announce(open(), 1, ["postmaster"]);
  expect(world.added.length).toBe(60);
  expect(JSON.parse(readFileSync(join(folder, "left-out.json"), "utf8")).mails).toBe(2);
  for (const text of ["", "null", "[]", '{"notice":{"begun":1,"total":"x","counts":[]}}', '{"notice":3}']) {
    writeFileSync(join(folder, "hour.json"), text);
    await announce(open(), 1, ["postmaster"]);
  }
  expect(world.added.length).toBe(65);
});

test("a clock that was set back: what is left out is written down within a second all the same", async () => {
  const { world, open, announce } = lab();
  const mailer = open();
  world.full = true;
  await announce(mailer, 1, ["postmaster"]);
  world.now -= 1_800_000;
  await announce(mailer, 2, ["postmaster"]);
  mailer.tick();
  world.full = false;
  const next = open();
  world.now += 3_600_000 + 1_800_001;
  next.tick();
  const { fields } = parsed(Buffer.from(world.added.at(-1)?.bytes ?? []));
  expect(Object.fromEntries(fields).subject).toBe("Infected mail: 2 notices were left out");
});

test("a count that could not be written down is, as soon as that can be done", async () => {
  const { world, open, announce, folder } = lab();
  const mailer = open();
  world.full = true;
  const inTheWay = join(folder, "left-out.json.new");
  mkdirSync(inTheWay);
  await announce(mailer, 1, ["postmaster"]);
  rmdirSync(inTheWay);
  world.now += 1_001;
  mailer.tick();
  expect(JSON.parse(readFileSync(join(folder, "left-out.json"), "utf8"))).toMatchObject({ mails: 1 });
});

test("an hour begins with the first mail after the last", () => {
  const limit = new HourlyLimit({ total: 3, perRecipient: 2 });
  expect([...limit.admit(["a", "b"], 0)]).toEqual(["a", "b"]);
  expect([...limit.admit(["A"], 1)]).toEqual(["A"]);
  expect([...limit.admit(["a", "c"], 2)]).toEqual(["c"]);
  expect([...limit.admit(["d"], 3)]).toEqual([]);
  expect([...limit.admit(["d"], 3_600_000)]).toEqual(["d"]);
});

import { expect, test } from "bun:test";
import { parseClamdConf } from "../../src/config/clamd-conf.ts";
import { resolveSettings, type Settings } from "../../src/config/settings.ts";
import type { RoleEvents } from "../../src/supervisor/role-process.ts";
import { SlotDesk } from "../../src/supervisor/slot-desk.ts";
import { command } from "../config/command.ts";
import { type LabRole, labRole } from "./lab-role.ts";

function settings(text: string): Settings {
  const conf = parseClamdConf("LocalSocket /run/clamd.ctl\n", "/etc/clamd.conf");
  return resolveSettings(command(text), conf, { uid: 1000, tmpdir: undefined });
}

function lab(text: string) {
  const told: string[] = [];
  const desk = new SlotDesk(settings(text));
  const events: RoleEvents = {
    onReady: (role) => void told.push(`${role.pid} ready`),
    onExit: (role, how) => void told.push(`${role.pid} ${how}`),
    onOffence: (role, what) => void told.push(`${role.pid} offends: ${what}`),
  };
  const watched = desk.watch(events);
  const start = (pid: number): LabRole => {
    const role = labRole(pid);
    desk.join(role);
    return role;
  };
  return { desk, watched, told, start };
}

test("a child is told of its first slots; what a dead one held goes to who waits", () => {
  const { watched, told, start } = lab("-e -m1 /s");
  const first = start(1);
  const second = start(2);
  expect(first.sent).toEqual([{ type: "slots", heard: 0, grant: 1, keep: null, rest: null, full: false }]);
  watched.onSlots?.(second, { type: "slots", turn: 1, back: 0, need: 1 });
  expect(first.sent.at(-1)).toMatchObject({ grant: 0, keep: 0, rest: 0 });
  watched.onExit(first, "was killed by SIGKILL");
  expect(second.sent.at(-1)).toMatchObject({ heard: 1, grant: 1, rest: null });
  expect(told).toEqual(["1 was killed by SIGKILL"]);
});

test("a child that gives back what it does not hold is killed", () => {
  const { watched, told, start } = lab("-e -m2 /s");
  const child = start(1);
  watched.onSlots?.(child, { type: "slots", turn: 1, back: 3, need: 0 });
  expect([child.kills, told]).toEqual([1, ["1 offends: gave back 3 slots and holds 1"]]);
});

test("new settings count at once", () => {
  const { desk, watched, start } = lab("-e -m1 /s");
  const child = start(1);
  watched.onSlots?.(child, { type: "slots", turn: 1, back: 0, need: 5 });
  desk.renew(settings("-e -m3 /s"));
  expect(child.sent.at(-1)).toMatchObject({ grant: 2, keep: 3 });
  expect(desk.reports).toBe(1);
  desk.renew(settings("-e /s"));
  expect(child.sent.at(-1)).toMatchObject({ keep: null, rest: null });
});

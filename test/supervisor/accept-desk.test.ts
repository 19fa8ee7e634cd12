import { expect, test } from "bun:test";
import { AcceptDesk } from "../../src/supervisor/accept-desk.ts";
import type { RoleEvents } from "../../src/supervisor/role-process.ts";
import { labRole } from "./lab-role.ts";

function lab(): { watched: RoleEvents; told: string[] } {
  const told: string[] = [];
  const watched = new AcceptDesk().watch({
    onReady: (role) => void told.push(`${role.pid} ready`),
    onExit: (role, how) => void told.push(`${role.pid} ${how}`),
    onOffence: (role, what) => void told.push(`${role.pid} offends: ${what}`),
  });
  return { watched, told };
}

const ACCEPT = { type: "accept", on: true };
const REST = { type: "accept", on: false };

test("a child rests while another accepts, helps when that one is crowded, and takes over when it is gone", () => {
  const { watched, told } = lab();
  const [first, second] = [labRole(1), labRole(2)];
  for (const role of [first, second]) watched.onReady(role);
  expect([first.sent, second.sent]).toEqual([[], [REST]]);
  watched.onCrowded?.(first, true);
  watched.onCrowded?.(first, false);
  expect(second.sent).toEqual([REST, ACCEPT, REST]);
  watched.onExit(first, "was killed by SIGKILL");
  expect(second.sent.at(-1)).toEqual(ACCEPT);
  expect(told).toEqual(["1 ready", "2 ready", "1 was killed by SIGKILL"]);
});

test("a child that changes its mind all the time is killed, one that does so twice in five seconds is not", () => {
  const { watched, told } = lab();
  const child = labRole(1);
  watched.onReady(child);
  for (let count = 0; count < 60; count++) watched.onCrowded?.(child, count % 2 === 0);
  expect(child.kills).toBe(0);
  watched.onCrowded?.(child, true);
  expect([child.kills, told.at(-1)]).toEqual([
    1,
    "1 offends: changes its mind too often about its connexions",
  ]);
});

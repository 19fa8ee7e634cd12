import { expect, test } from "bun:test";
import { JobTable, jobMemory } from "../../src/engine/jobs.ts";

const JOB = { file: 7, connexion: 8, number: 3, lineFeed: true, byDescriptor: false };

test("a job is put in, worked on, answered and taken out", () => {
  const memory = jobMemory();
  const door = new JobTable(memory);
  const thread = new JobTable(memory);
  const place = door.put(JOB) ?? -1;
  expect(thread.job(place)).toEqual(JOB);
  expect(door.workedFor(place, 1000)).toBe(0);
  expect(thread.begin(place, 1000)).toBe(true);
  expect(door.workedFor(place, 1500)).toBe(500);
  expect(thread.claimAnswer(place)).toBe(true);
  expect(door.abandon(place)).toBe(false);
  expect(door.reclaim(place)).toBe(false);
  thread.finish(place);
  expect([door.reclaim(place), door.reclaim(place)]).toEqual([true, false]);
});

test("what nobody waits for is not answered, and not begun", () => {
  const table = new JobTable(jobMemory());
  const first = table.put({ ...JOB, number: null }) ?? -1;
  const second = table.put(JOB) ?? -1;
  expect(table.job(first).number).toBeNull();
  expect(table.begin(first, 5)).toBe(true);
  expect([table.abandon(first), table.abandon(second)]).toEqual([true, true]);
  expect([table.workedFor(first, 1005), table.workedFor(second, 1005)]).toEqual([1000, 0]);
  expect(table.claimAnswer(first)).toBe(false);
  expect(table.begin(second, 5)).toBe(false);
  table.finish(first);
  expect(table.reclaim(first)).toBe(true);
});

test("what waits for a thread can be withdrawn, what one has taken on cannot", () => {
  const table = new JobTable(jobMemory());
  const [waiting, begun] = [table.put(JOB) ?? -1, table.put(JOB) ?? -1];
  expect(table.begin(begun, 5)).toBe(true);
  expect([table.withdraw(waiting), table.withdraw(begun)]).toEqual([true, false]);
  expect([table.begin(waiting, 5), table.claimAnswer(begun)]).toEqual([false, true]);
});

test("a full table takes no more", () => {
  const table = new JobTable(jobMemory());
  let count = 0;
  while (table.put(JOB) !== null) count++;
  expect(count).toBe(1024);
});

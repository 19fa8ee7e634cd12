import { expect, test } from "bun:test";
import { Crowd } from "../../src/child/crowd.ts";

function lab(): { crowd: Crowd; told: boolean[] } {
  const told: boolean[] = [];
  return { crowd: new Crowd((crowded) => told.push(crowded)), told };
}

test("three connexions at once are a crowd, and that is told once", () => {
  const { crowd, told } = lab();
  crowd.opened(1);
  crowd.opened(2);
  expect(told).toEqual([]);
  crowd.opened(3);
  crowd.opened(4);
  expect(told).toEqual([true]);
});

test("it is over when there were fewer for five seconds", () => {
  const { crowd, told } = lab();
  crowd.opened(3);
  for (const connexions of [2, 2, 2, 2, 3, 2, 2, 0, 1]) crowd.tick(connexions);
  expect(told).toEqual([true]);
  crowd.tick(2);
  expect(told).toEqual([true, false]);
  for (let tick = 0; tick < 10; tick++) crowd.tick(0);
  expect(told).toEqual([true, false]);
});

test("a crowd between two ticks counts", () => {
  const { crowd, told } = lab();
  crowd.opened(3);
  for (let tick = 0; tick < 20; tick++) {
    crowd.tick(0);
    if (tick % 4 === 3) crowd.opened(3);
  }
  expect(told).toEqual([true]);
});

test("others are to accept when somebody says so, whatever the number", () => {
  const { crowd, told } = lab();
  crowd.declare();
  expect(told).toEqual([true]);
  for (let tick = 0; tick < 5; tick++) crowd.tick(0);
  expect(told).toEqual([true, false]);
});

import { expect, test } from "bun:test";
import { BlockStock } from "../../src/scan/block-stock.ts";
import { MemoryBudget } from "../../src/scan/memory-budget.ts";

const SIZE = 4096;

function filled(stock: BlockStock, count: number): Buffer[] {
  const blocks = Array.from({ length: count }, () => stock.take(SIZE));
  for (const block of blocks) stock.give(block);
  return blocks;
}

test("a block that was given back serves again, for the same size only", () => {
  const stock = new BlockStock(new MemoryBudget(1 << 20));
  const block = stock.take(SIZE);
  stock.give(block);
  expect(stock.take(2 * SIZE)).not.toBe(block);
  expect(stock.take(SIZE)).toBe(block);
  expect(stock.bytes).toBe(0);
});

test("no more are kept than the budget has left", () => {
  const budget = new MemoryBudget(5 * SIZE);
  budget.take(2 * SIZE);
  const stock = new BlockStock(budget);
  filled(stock, 5);
  expect(stock.bytes).toBe(3 * SIZE);
});

test("what nobody needs is gone within seconds", () => {
  const stock = new BlockStock(new MemoryBudget(1 << 20));
  filled(stock, 100);
  for (let second = 0; second < 9; second++) stock.tick();
  expect(stock.bytes).toBe(0);
});

test("what is needed now and then stays", () => {
  const stock = new BlockStock(new MemoryBudget(1 << 20));
  filled(stock, 100);
  for (let second = 0; second < 60; second++) {
    filled(stock, 40);
    stock.tick();
  }
  expect(stock.bytes).toBe(40 * SIZE);
});

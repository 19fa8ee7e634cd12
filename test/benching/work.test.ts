import { expect, test } from "bun:test";
import { corpus } from "../../scripts/benching/corpus.ts";
import { Work } from "../../scripts/benching/work.ts";

const PLAN = { mails: corpus("2k"), messages: 3, seconds: 60, verdict: null, first: 100 } as const;

test("messages are numbered, and there are no more than asked for", () => {
  const work = new Work(PLAN);
  const numbers = [work.take(), work.take(), work.take(), work.take()].map((job) => job?.number);
  expect(numbers).toEqual([100, 101, 102, undefined]);
  expect([work.open, work.over]).toEqual([3, false]);
});

test("another verdict, an objection, a lost message and one without an answer are all wrong", () => {
  const work = new Work({ ...PLAN, messages: 5 });
  const jobs = Array.from({ length: 5 }, () => work.take()).filter((job) => job !== null);
  const [right, other, marked, lost] = jobs;
  if (right) work.settle(right, "accept", "");
  if (other) work.settle(other, "reject", "554 no");
  if (marked) work.settle(marked, "accept", "", "a mail was accepted unmarked");
  if (lost) work.settle(lost, "lost", "closed");
  expect(work.figures()).toMatchObject({
    messages: 3,
    wrong: 4,
    firstWrong: "2k-1: reject (554 no) where accept was due",
  });
});

import { expect, test } from "bun:test";
import { type BenchMail, corpus } from "../../scripts/benching/corpus.ts";
import { madeUpSignatures } from "../../scripts/benching/database.ts";
import { eicar } from "../../test/lab/eicar.ts";

const bytesOf = ({ headers, body }: BenchMail): number =>
  headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 2) + body.length;

test("mails are of the size that they are named after", () => {
  for (const [size, bytes] of [
    ["10k", 10_240],
    ["100k", 102_400],
    ["1m", 1_048_576],
  ] as const) {
    const lengths = corpus(size).map(bytesOf);
    expect(lengths.every((length) => length > bytes * 0.8 && length < bytes * 1.3)).toBe(true);
  }
});

test("one mail of a hundred in the mix is infected, and no other", () => {
  const mix = corpus("mix");
  expect(mix).toHaveLength(100);
  expect(mix.filter(({ infected }) => infected)).toHaveLength(1);
  const encoded = Buffer.from(eicar()).toString("base64").slice(0, 40);
  for (const mail of mix) expect(mail.body.includes(encoded)).toBe(mail.infected);
}, 20_000);

test("every run has the same mails", () => {
  expect(corpus("2k").map(({ body }) => body.toString())).toEqual(
    corpus("2k").map(({ body }) => body.toString()),
  );
});

test("the database has as many signatures as asked for, in the forms that clamd knows", () => {
  const files = madeUpSignatures(1_000);
  const lines = Object.values(files).flatMap((text) => text.trimEnd().split("\n"));
  expect(lines).toHaveLength(1_000);
  expect(files["made-up.hdb"]).toMatch(/^[0-9a-f]{32}:\d+:Made\.Hash-0\n/);
  expect(files["made-up.ndb"]).toMatch(/^Made\.Body-0:[0-7]:\*:[0-9a-f?*{}-]+\n/);
  expect(files["made-up.ldb"]).toMatch(/^Made\.Logical-0;Engine:51-255,Target:\d;\(0&1\)\|2;/);
});

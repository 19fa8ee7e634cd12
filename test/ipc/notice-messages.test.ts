import { expect, test } from "bun:test";
import { MAX_MESSAGE } from "../../src/ipc/channel.ts";
import { checkChildRequest, checkKeeperAnswer } from "../../src/ipc/messages.ts";
import { boundedMacros, type KeepOrder, withinBounds } from "../../src/ipc/notice-messages.ts";

const ORDER: KeepOrder = {
  queueId: "Q1",
  sender: "<a@b>",
  recipients: ["<c@d>"],
  recipientCount: 1,
  names: ["V"],
  clientHost: "h",
  clientAddress: "192.0.2.1",
  clientWords: "",
  origin: "",
  mtaHost: "m",
  macros: { j: "m" },
  notice: "refused",
  reports: ["phish"],
  store: true,
  broadcast: false,
  size: 10,
  skip: 3,
  added: [],
};

test("an order is taken as it is", () => {
  const request = { type: "keep", id: 1, order: ORDER, message: true };
  expect(checkChildRequest(request)).toEqual(request as ReturnType<typeof checkChildRequest>);
});

const BROKEN: readonly (readonly [string, unknown])[] = [
  ["id", -1],
  ["message", "yes"],
  ["order", null],
  ...Object.keys(ORDER).map((name): [string, unknown] => ["order", { ...ORDER, [name]: { no: 1 } }]),
  ["order", { ...ORDER, recipients: ["x".repeat(2000)] }],
  ["order", { ...ORDER, recipients: Array.from({ length: 1001 }, () => "x") }],
  ["order", { ...ORDER, names: Array.from({ length: 100 }, () => "x".repeat(1000)) }],
  ["order", { ...ORDER, notice: "told" }],
  ["order", { ...ORDER, reports: ["other"] }],
  ["order", { ...ORDER, skip: 1.5 }],
  ["order", { ...ORDER, macros: { j: 1 } }],
];

test.each(BROKEN.map(([name, value], at) => [at, name, value] as const))(
  "%i: %s is looked at",
  (_at, name, value) => {
    expect(checkChildRequest({ type: "keep", id: 1, order: ORDER, message: true, [name]: value })).toBeNull();
  },
);

test("what else a child may ask", () => {
  for (const request of [
    { type: "spf", id: 1, address: "192.0.2.1", sender: "a@b", helo: "h" },
    { type: "own", id: 1, code: "1 x y", messageId: "<m@x>", recipients: ["<a@b>"] },
    { type: "texts" },
  ]) {
    expect(checkChildRequest(request)).toEqual(request as ReturnType<typeof checkChildRequest>);
  }
  expect(checkChildRequest({ type: "spf", id: 1, address: 1, sender: "a@b", helo: "h" })).toBeNull();
  expect(
    checkChildRequest({ type: "own", id: 1, code: "x".repeat(20_000), messageId: "", recipients: [] }),
  ).toBeNull();
});

test("answers", () => {
  const texts = { type: "texts", signature: null, macros: ["j"], wantsHeaders: true };
  expect(checkKeeperAnswer(texts)).toEqual(texts as ReturnType<typeof checkKeeperAnswer>);
  expect(checkKeeperAnswer({ type: "told", id: 1, text: "yes" })).toEqual({
    type: "told",
    id: 1,
    text: "yes",
  });
  expect(checkKeeperAnswer({ type: "told", id: 1, text: 1 })).toBeNull();
});

test("the largest order fits into the channel, and is taken", () => {
  const hostile = Array.from({ length: 5000 }, () => "\0".repeat(5000));
  const order = {
    ...ORDER,
    recipients: withinBounds(hostile),
    names: withinBounds(hostile.slice(0, 3)),
    macros: boundedMacros(Object.fromEntries(hostile.map((value, at) => [`m${at}`, value]))),
  };
  expect(order.recipients.length).toBeGreaterThan(5);
  const text = JSON.stringify({ type: "keep", id: 1, order, message: true });
  expect(text.length).toBeLessThan(MAX_MESSAGE);
  expect(checkChildRequest(JSON.parse(text))).not.toBeNull();
});

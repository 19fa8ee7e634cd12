import { afterEach, expect, test } from "bun:test";
import { resolveTxt } from "../../src/keeper/txt-resolver.ts";
import { freePort } from "../lab/port.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const ANSWERED = 0x8180;
const TRUNCATED = 0x8380;
const NO_NAME = 0x8183;
const FAILED = 0x8182;

function answer(question: Buffer, flags: number, pieces: readonly string[] = []): Buffer {
  const head = Buffer.from(question);
  head.writeUInt16BE(flags, 2);
  head.writeUInt16BE(pieces.length === 0 ? 0 : 1, 6);
  const data = Buffer.concat(
    pieces.map((each) => Buffer.concat([Buffer.of(each.length), Buffer.from(each)])),
  );
  const fixed = [0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length & 0xff];
  return pieces.length === 0 ? head : Buffer.concat([head, Buffer.from(fixed), data]);
}

/** A name server that answers with these datagrams, and with those pieces over TCP. */
async function server(datagrams: (question: Buffer) => Buffer[], stream: readonly string[] = []) {
  const port = await freePort();
  let asked = 0;
  const udp = await Bun.udpSocket({
    port,
    hostname: "127.0.0.1",
    socket: {
      data: (socket, question, peer, address) => {
        asked++;
        for (const each of datagrams(Buffer.from(question))) socket.send(each, peer, address);
      },
    },
  });
  const tcp = Bun.listen({
    port,
    hostname: "127.0.0.1",
    socket: {
      data: (socket, bytes) => {
        const message = answer(Buffer.from(bytes.subarray(2)), ANSWERED, stream);
        const length = Buffer.alloc(2);
        length.writeUInt16BE(message.length);
        socket.write(Buffer.concat([length, message.subarray(0, 20)]));
        socket.flush();
        setImmediate(() => socket.write(message.subarray(20)));
      },
    },
  });
  closers.push(() => {
    udp.close();
    tcp.stop(true);
  });
  return { address: `127.0.0.1:${port}`, asked: () => asked };
}

test("the pieces of a record stay together", async () => {
  const { address } = await server((question) => [answer(question, ANSWERED, ["v=spf1 ", "-all"])]);
  expect(await resolveTxt("lab.example", [address])).toEqual([["v=spf1 ", "-all"]]);
});

test("nonsense and a stranger's guess are passed over", async () => {
  const { address } = await server((question) => {
    const guess = answer(question, ANSWERED, ["v=spf1 +all"]);
    guess.writeUInt16BE((guess.readUInt16BE(0) + 1) & 0xffff, 0);
    return [Buffer.from("nonsense"), Buffer.alloc(0), guess, answer(question, ANSWERED, ["v=spf1 -all"])];
  });
  expect(await resolveTxt("lab.example", [address])).toEqual([["v=spf1 -all"]]);
});

test("what is too much for a datagram comes by TCP", async () => {
  const pieces = Array.from({ length: 10 }, () => "x".repeat(255));
  const { address } = await server((question) => [answer(question, TRUNCATED)], pieces);
  expect(await resolveTxt("lab.example", [address])).toEqual([pieces]);
});

test("where nobody listens, and where it fails, the next is asked; what it says counts", async () => {
  const failing = await server((question) => [answer(question, FAILED)]);
  const knowing = await server((question) => [answer(question, NO_NAME)]);
  const servers = [`127.0.0.1:${await freePort()}`, failing.address, knowing.address];
  await expect(resolveTxt("lab.example", servers)).rejects.toMatchObject({ code: "ENOTFOUND" });
  await expect(resolveTxt("lab.example", [failing.address])).rejects.toMatchObject({ code: "ESERVFAIL" });
  await expect(resolveTxt("lab.example", [])).rejects.toMatchObject({ code: "ETIMEOUT" });
  await expect(resolveTxt("a..b", servers)).rejects.toMatchObject({ code: "EBADNAME" });
  await resolveTxt("lab.example", [failing.address]).catch(() => {});
  expect(failing.asked()).toBeGreaterThanOrEqual(2);
});

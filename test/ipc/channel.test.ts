import { describe, expect, test } from "bun:test";
import { writeSync } from "node:fs";
import { type Channel, ChannelError, MAX_MESSAGE, openChannel } from "../../src/ipc/channel.ts";
import { closeDescriptor, socketPair } from "../../src/os/libc.ts";
import { until } from "../lab/wait.ts";

interface End {
  readonly channel: Channel;
  readonly heard: unknown[];
  readonly ends: (ChannelError | null)[];
}

async function endOf(fd: number): Promise<End> {
  const heard: unknown[] = [];
  const ends: (ChannelError | null)[] = [];
  const channel = await openChannel(fd, {
    onMessage: (message) => void heard.push(message),
    onEnd: (error) => void ends.push(error),
  });
  return { channel, heard, ends };
}

async function pair(): Promise<[End, End]> {
  const [one, other] = socketPair();
  return [await endOf(one), await endOf(other)];
}

describe("a channel", () => {
  test("carries messages both ways, in order, long ones too", async () => {
    const [one, other] = await pair();
    const long = { text: "é".repeat(100_000) };
    for (let number = 0; number < 100; number++) one.channel.send({ number });
    one.channel.send(long);
    other.channel.send({ back: true });
    await until(() => other.heard.length === 101 && one.heard.length === 1, { what: "all messages" });
    expect(other.heard.at(-1)).toEqual(long);
    expect(other.heard.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, number) => ({ number })));
    expect(one.heard).toEqual([{ back: true }]);
    one.channel.close();
    await until(() => other.ends.length > 0, { what: "the other end to notice" });
    expect([one.ends, other.ends]).toEqual([[null], [null]]);
  });

  test("is over once, and silent then", async () => {
    const [one, other] = await pair();
    one.channel.close();
    one.channel.close();
    one.channel.send({ late: true });
    await until(() => other.ends.length > 0, { what: "the other end to notice" });
    expect([one.ends, other.heard]).toEqual([[null], []]);
  });

  test.each([
    ["what is no JSON", '{"type":"ready"}\nnonsense\n{"type":"ready"}\n'],
    ["what never ends", "x".repeat(MAX_MESSAGE + 1)],
  ])("is ended by %s", async (_name, text) => {
    const [one, other] = await pair();
    other.channel.close();
    const [fd, theirs] = socketPair();
    const victim = await endOf(fd);
    const bytes = Buffer.from(text);
    const write = async (): Promise<void> => {
      for (let at = 0; at < bytes.length; ) {
        try {
          at += writeSync(theirs, bytes, at);
        } catch {
          await Bun.sleep(1);
          if (victim.ends.length > 0) return;
        }
      }
    };
    await write();
    await until(() => victim.ends.length > 0, { what: "the channel to end" });
    expect(victim.ends).toHaveLength(1);
    expect(victim.ends[0]).toBeInstanceOf(ChannelError);
    expect(victim.heard.length).toBeLessThanOrEqual(1);
    closeDescriptor(theirs);
    one.channel.close();
  });

  test("to a process that does not read is given up, not kept growing", async () => {
    const [fd, theirs] = socketPair();
    const one = await endOf(fd);
    const text = "x".repeat(200_000);
    for (let number = 0; number < 40 && one.ends.length === 0; number++) one.channel.send({ text });
    expect(one.ends).toHaveLength(1);
    expect(one.ends[0]).toBeInstanceOf(ChannelError);
    closeDescriptor(theirs);
  });
});

import { expect, test } from "bun:test";
import { type NameService, PeerNames } from "../../src/keeper/peer-names.ts";

interface NamesLab {
  readonly names: PeerNames;
  readonly asked: string[];
  now: number;
}

function namesLab(service: Partial<NameService> = {}, patience = 5000): NamesLab {
  const asked: string[] = [];
  const all: NameService = {
    reverse: (address) => {
      asked.push(address);
      return address === "192.0.2.9" ? Promise.reject(new Error("none")) : Promise.resolve("mx.example.org");
    },
    forward: () => Promise.resolve(["192.0.2.7"]),
    now: () => lab.now,
    ...service,
  };
  const lab: NamesLab = { names: new PeerNames(all, patience), asked, now: 0 };
  return lab;
}

test("a name counts when it leads back", async () => {
  const { names } = namesLab();
  expect(await names.nameOf("192.0.2.7")).toBe("mx.example.org");
  expect(await names.nameOf("192.0.2.8")).toBe("paranoid");
  expect(await names.nameOf("192.0.2.9")).toBe("unknown");
});

test("a name service that is late makes it unknown", async () => {
  const never = () => Promise.withResolvers<never>().promise;
  expect(await namesLab({ reverse: never }, 10).names.nameOf("192.0.2.7")).toBe("unknown");
  expect(await namesLab({ forward: never }, 10).names.nameOf("192.0.2.7")).toBe("unknown");
});

test("an answer is kept for a minute, and asked for once", async () => {
  const lab = namesLab();
  await Promise.all([lab.names.nameOf("192.0.2.7"), lab.names.nameOf("192.0.2.7")]);
  lab.now = 59_000;
  await lab.names.nameOf("192.0.2.7");
  expect(lab.asked).toHaveLength(1);
  lab.now = 61_000;
  await lab.names.nameOf("192.0.2.7");
  expect(lab.asked).toHaveLength(2);
});

test("no more look-ups at a time than there is room for, and no more answers kept", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { names } = namesLab({ reverse: () => promise });
  const asked = Array.from({ length: 256 }, (_, at) => names.nameOf(`192.0.2.${at}`));
  expect(names.nameOf("198.51.100.1")).rejects.toThrow("too many names");
  resolve("mx.example.org");
  await Promise.all(asked);
  expect(await names.nameOf("198.51.100.1")).toBe("paranoid");
});

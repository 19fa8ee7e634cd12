import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerAddress } from "../../src/clamd/address.ts";
import { connectDescriptor } from "../../src/keeper/connector.ts";
import { ServerNames } from "../../src/keeper/server-names.ts";
import { beginConnecting } from "../../src/os/connecting.ts";
import {
  AF_INET,
  AF_UNIX,
  bindSocket,
  closeDescriptor,
  listenSocket,
  streamSocket,
} from "../../src/os/libc.ts";
import { inetAddress, unixAddress } from "../../src/os/sockaddr.ts";
import { freePort } from "../lab/port.ts";

const nameless = new ServerNames({ addresses: () => Promise.reject(new Error("asked")), now: () => 0 });

test("of a name all addresses are tried, and the one that worked comes first next time", async () => {
  const port = await freePort("127.0.0.2");
  const listener = streamSocket(AF_INET, true);
  bindSocket(listener, inetAddress("127.0.0.2", port).bytes);
  listenSocket(listener, 5);
  const names = new ServerNames({
    addresses: async () => ["::1", "127.0.0.1", "127.0.0.2"],
    now: () => performance.now(),
  });
  const server: ServerAddress = { kind: "tcp", host: "localhost", port, name: "localhost" };
  closeDescriptor(await connectDescriptor(server, 5000, names));
  expect((await names.addressesOf("localhost", 0))[0]).toBe("127.0.0.2");
  closeDescriptor(await connectDescriptor({ ...server, host: "127.0.0.2" }, 5000, nameless));
  closeDescriptor(listener);
  expect(connectDescriptor(server, 5000, names)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("a full backlog is waited for, up to the deadline", async () => {
  const folder = mkdtempSync(join(tmpdir(), "connector-"));
  const path = join(folder, "s");
  const listener = streamSocket(AF_UNIX, true);
  bindSocket(listener, unixAddress(path));
  listenSocket(listener, 0);
  const first = beginConnecting(AF_UNIX, unixAddress(path)).fd;
  const started = performance.now();
  const failure = connectDescriptor({ kind: "unix", path, name: path }, 200, nameless).catch(
    (error: unknown) => error,
  );
  expect(await failure).toMatchObject({ code: "EAGAIN" });
  expect(performance.now() - started).toBeGreaterThanOrEqual(200);
  const wanted = connectDescriptor({ kind: "unix", path, name: path }, 5000, nameless);
  listenSocket(listener, 5);
  closeDescriptor(await wanted);
  closeDescriptor(first);
  closeDescriptor(listener);
  rmSync(folder, { recursive: true });
});

/** Listens in the abstract namespace as that user, until it is killed. */
const SQUATTER = `
  import { AF_UNIX, bindSocket, listenSocket, streamSocket } from ${JSON.stringify(join(import.meta.dir, "../../src/os/libc.ts"))};
  import { unixAddress } from ${JSON.stringify(join(import.meta.dir, "../../src/os/sockaddr.ts"))};
  const [name, user] = process.argv.slice(-2);
  process.setuid(Number(user));
  const listener = streamSocket(AF_UNIX, true);
  bindSocket(listener, unixAddress("\\0" + name));
  listenSocket(listener, 5);
  console.log("listens");
  setInterval(() => {}, 1000);
`;

test.each([
  ["our own", process.getuid?.() ?? 0, true],
  ["another user's", 1, false],
] as const)("in the abstract namespace %s process is told from others", async (_whose, user, ours) => {
  const name = `lab-connector-${crypto.randomUUID()}`;
  const squatter = Bun.spawn([process.execPath, "-e", SQUATTER, name, String(user)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    expect(Buffer.from((await squatter.stdout.getReader().read()).value ?? []).toString()).toBe("listens\n");
    const path = `\0${name}`;
    const wanted = connectDescriptor({ kind: "unix", path, name: "engine" }, 5000, nameless);
    if (ours) closeDescriptor(await wanted);
    else await expect(wanted).rejects.toThrow(/another user has taken the engine's socket/);
  } finally {
    squatter.kill("SIGKILL");
    await squatter.exited;
  }
});

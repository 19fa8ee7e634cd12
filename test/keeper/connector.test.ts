import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectDescriptor } from "../../src/keeper/connector.ts";
import { beginConnecting } from "../../src/os/connecting.ts";
import { AF_UNIX, bindSocket, closeDescriptor, listenSocket, streamSocket } from "../../src/os/libc.ts";
import { unixAddress } from "../../src/os/sockaddr.ts";

test("a full backlog is waited for, up to the deadline", async () => {
  const folder = mkdtempSync(join(tmpdir(), "connector-"));
  const path = join(folder, "s");
  const listener = streamSocket(AF_UNIX, true);
  bindSocket(listener, unixAddress(path));
  listenSocket(listener, 0);
  const first = beginConnecting(AF_UNIX, unixAddress(path)).fd;
  const started = performance.now();
  const failure = connectDescriptor({ kind: "unix", path, name: path }, 200).catch((error: unknown) => error);
  expect(await failure).toMatchObject({ code: "EAGAIN" });
  expect(performance.now() - started).toBeGreaterThanOrEqual(200);
  const wanted = connectDescriptor({ kind: "unix", path, name: path }, 5000);
  listenSocket(listener, 5);
  closeDescriptor(await wanted);
  closeDescriptor(first);
  closeDescriptor(listener);
  rmSync(folder, { recursive: true });
});

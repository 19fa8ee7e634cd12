import { expect, test } from "bun:test";
import { startClamd } from "../lab/clamd.ts";
import { startDebianMilter } from "../lab/debian-milter.ts";
import { plainFolder } from "../lab/folder.ts";
import { runMiltertest } from "../lab/miltertest.ts";

test("a script talks to a running filter", async () => {
  const folder = plainFolder();
  const clamd = await startClamd({ folder: folder.path, localSocket: false, tcp: true });
  const milter = await startDebianMilter({
    folder: folder.path,
    clamdSocket: `tcp:127.0.0.1:${clamd.tcpPort}`,
  });
  try {
    const script = `
      conn = mt.connect(socket)
      if conn == nil then error("no connexion") end
      if mt.conninfo(conn, "client.example", "192.0.2.1") ~= nil then error("conninfo") end
      if mt.getreply(conn) ~= SMFIR_CONTINUE then error("no continue") end
      mt.echo("the filter went on")
      mt.disconnect(conn)`;
    const result = await runMiltertest({ script, variables: { socket: milter.spec } });
    expect(result).toEqual({ exitCode: 0, output: "the filter went on\n" });
  } finally {
    await milter.stop();
    await clamd.stop();
    folder.remove();
  }
});

test("a script that fails tells where", async () => {
  const { exitCode, output } = await runMiltertest({ script: 'error("this is wrong")' });
  expect(exitCode).not.toBe(0);
  expect(output).toContain("this is wrong");
});

import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachedPart, partCommand, REPOSITORY } from "../../scripts/debian/parts.ts";
import { BINARY } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { type Finished, run } from "../lab/process.ts";

const folder = plainFolder();
afterAll(() => folder.remove());

const SCRIPTS = join(REPOSITORY, "scripts");

function service(name: string): string {
  return readFileSync(join(SCRIPTS, "service", name), "utf8");
}

/** Directives of a unit that are in force: no comments. */
function directives(name: string): string[] {
  return service(name)
    .split("\n")
    .filter((line) => /^[A-Za-z]+=/.test(line));
}

test("shellcheck has nothing to say about any shell script", async () => {
  const shell = readdirSync(SCRIPTS).filter((name) => !name.includes(".") && isShell(join(SCRIPTS, name)));
  expect(shell).toEqual(expect.arrayContaining(["build", "install", "test"]));
  const files = [...shell, "service/clamav-milter.init"].map((name) => join(SCRIPTS, name));
  const argv = partCommand(cachedPart("shellcheck"), "usr/bin/shellcheck", ["--shell=sh", ...files]);
  expect(await run({ argv })).toEqual({ exitCode: 0, stdout: "", stderr: "" });
}, 60_000);

function isShell(path: string): boolean {
  try {
    return readFileSync(path, "utf8").startsWith("#!/bin/sh\n");
  } catch {
    return false;
  }
}

describe("systemd's units", () => {
  /** What systemd itself says about a unit, with the built program in its place. */
  function verify(text: (name: string) => string): Promise<Finished> {
    const part = cachedPart("systemd");
    const units = join(folder.path, "units");
    // The one or the other, by the release of Debian.
    const own = ["lib/systemd/system", "usr/lib/systemd/system"];
    mkdirSync(units, { recursive: true });
    const names = ["clamav-milter.service", "clamav-milter.socket"];
    for (const name of names) writeFileSync(join(units, name), text(name));
    const options = ["--man=no", "--generators=no", "--recursive-errors=no"];
    return run({
      argv: partCommand(part, "usr/bin/systemd-analyze", [
        "verify",
        ...options,
        ...names.map((name) => join(units, name)),
      ]),
      env: { SYSTEMD_UNIT_PATH: [units, ...own.map((path) => join(part.root, path))].join(":") },
    });
  }
  const shipped = (name: string): string => service(name).replaceAll("/usr/local/sbin/clamav-milter", BINARY);

  test("have no fault", async () => {
    expect(await verify(shipped)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  test("with a fault would not pass", async () => {
    const { exitCode, stderr } = await verify((name) =>
      shipped(name).replace("KillMode=mixed", "KillMod=mixed"),
    );
    expect(stderr).toContain("KillMod");
    expect(exitCode).not.toBe(0);
  });

  test("set nothing that keeps set-group-ID programs or the program itself from running, and say why", () => {
    // What systemd.exec(5) names as implying NoNewPrivileges for a unit with User=, and what the runtime cannot bear.
    const forbidden = [
      ...["NoNewPrivileges", "SystemCallFilter", "SystemCallArchitectures", "RestrictAddressFamilies"],
      ...["RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality", "PrivateDevices"],
      ...["ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectClock"],
      ...["ProtectHostname", "DynamicUser", "MemoryDenyWriteExecute", "SystemCallLog", "SecureBits"],
    ];
    const set = directives("clamav-milter.service").map((line) => line.slice(0, line.indexOf("=")));
    expect(set.filter((name) => forbidden.includes(name))).toEqual([]);
    const comments = service("clamav-milter.service")
      .split("\n")
      .filter((line) => line.startsWith("#"));
    for (const name of ["NoNewPrivileges=", "MemoryDenyWriteExecute=", "RestrictSUIDSGID=", "set-group-ID"]) {
      expect(comments.join("\n")).toContain(name);
    }
  });

  test("know the service's protocol and its runtime directory", () => {
    expect(directives("clamav-milter.service")).toEqual(
      expect.arrayContaining([
        ...["Type=notify", "RuntimeDirectory=clamav-milter", "User=clamav", "WatchdogSec=30"],
        "ExecReload=/bin/kill -HUP $MAINPID",
      ]),
    );
    expect(service("clamav-milter.service")).toMatch(/^After=.*\bclamav-daemon\.service$/m);
  });
});

test("unit, socket unit, init script and defaults mean the same socket and the same options", () => {
  const address = "unix:/run/clamav-milter/clamav-milter.sock";
  expect(service("clamav-milter.default")).toContain(`\nCLAMAV_MILTER_SOCKETS="${address}"\n`);
  expect(service("clamav-milter.default")).toContain('\nCLAMAV_MILTER_OPTIONS="--external"\n');
  expect(service("clamav-milter.service")).toContain(`\nEnvironment=CLAMAV_MILTER_SOCKETS=${address}\n`);
  expect(service("clamav-milter.service")).toContain("\nEnvironment=CLAMAV_MILTER_OPTIONS=--external\n");
  expect(service("clamav-milter.socket")).toContain(`\nListenStream=${address.slice("unix:".length)}\n`);
  expect(service("clamav-milter.init")).toContain(`\nRUN_DIRECTORY=/run/clamav-milter\n`);
  expect(service("clamav-milter.init")).toContain('\nCLAMAV_MILTER_OPTIONS="--external"\n');
  for (const name of ["clamav-milter.service", "clamav-milter.init"])
    expect(service(name)).toMatch(/^[^#]*--wait-for-clamd=120\b/m);
});

test("logrotate takes its file as it is", async () => {
  const file = join(folder.path, "logrotate");
  // As root of this host, whose user clamav need not exist.
  writeFileSync(file, service("clamav-milter.logrotate").replace("su clamav clamav", "su root root"));
  chmodSync(file, 0o644);
  const options = ["--debug", "--state", join(folder.path, "state"), file];
  const { exitCode, stderr } = await run({
    argv: partCommand(cachedPart("logrotate"), "usr/sbin/logrotate", options),
  });
  expect(exitCode).toBe(0);
  expect(stderr).not.toMatch(/^error|unknown option/m);
  expect(stderr).toContain("rotating pattern: /var/log/clamav/clamav-milter.log");
});

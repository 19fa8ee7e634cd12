import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decideAccess } from "../../src/access/decide.ts";
import type { AccessState } from "../../src/ipc/messages.ts";
import { type AccessEdge, AccessWatch } from "../../src/keeper/access-tables.ts";
import { hostsOfNetgroup, netgroupHosts, readLatin1, stampOf } from "../../src/keeper/system-access.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { until } from "../lab/wait.ts";

let folder: LabFolder;
let watch: AccessWatch | null;
let log: string[];
let states: AccessState[];

beforeEach(() => {
  folder = plainFolder();
  watch = null;
  log = [];
  states = [];
});

afterEach(() => {
  watch?.stop();
  folder.remove();
});

function path(name: string): string {
  return join(folder.path, name);
}

function write(name: string, text: string): void {
  writeFileSync(path(name), text, "latin1");
}

async function start(netgroup: AccessEdge["netgroup"] = noNetgroup): Promise<AccessState> {
  const edge = {
    allow: path("hosts.allow"),
    deny: path("hosts.deny"),
    read: readLatin1,
    stamp: stampOf,
    netgroup,
  };
  watch = new AccessWatch(
    edge,
    (level, text) => void log.push(`${level}: ${text}`),
    (state) => states.push(state),
  );
  return next(1);
}

function noNetgroup(): Promise<never> {
  return Promise.reject(new Error("there is no such netgroup"));
}

function next(count: number): Promise<AccessState> {
  return until(() => states[count - 1], { what: `reading ${count}`, deadline: 4500 });
}

function admits({ tables, files, netgroups }: AccessState, address: string, name = "unknown"): boolean {
  return decideAccess(tables, { address, name }, { files, netgroups }).granted;
}

test("files that do not exist deny nobody", async () => {
  const state = await start();
  expect(admits(state, "192.0.2.7")).toBe(true);
  expect(log).toEqual([]);
});

test("a file that cannot be read denies, and is named", async () => {
  mkdirSync(path("hosts.deny"));
  const state = await start();
  expect(admits(state, "192.0.2.7")).toBe(false);
  expect(log).toEqual([expect.stringMatching(/^warning: \S+hosts\.deny: cannot be read: .+/)]);
});

test("a change is seen, a file that appears too; the same again is not handed over", async () => {
  await start();
  write("hosts.deny", "clamav-milter: 192.0.2.7\n");
  const changed = await next(2);
  expect(admits(changed, "192.0.2.7")).toBe(false);
  expect(admits(changed, "192.0.2.8")).toBe(true);
  watch?.reload();
  watch?.reload();
  write("hosts.deny", "clamav-milter: 192.0.2.8\n");
  watch?.reload();
  expect(admits(await next(3), "192.0.2.7")).toBe(true);
  expect(states).toHaveLength(3);
}, 10_000);

test("files that rules name are read, and watched, with those that they name", async () => {
  write("hosts.deny", `clamav-milter: ${path("outer")}\n`);
  write("outer", `192.0.2.7 ${path("inner")}\n`);
  const state = await start();
  expect(admits(state, "192.0.2.7")).toBe(false);
  expect(admits(state, "192.0.2.8")).toBe(true);
  expect(state.files[path("inner")]).toBeNull();
  write("inner", "192.0.2.8\n");
  expect(admits(await next(2), "192.0.2.8")).toBe(false);
}, 10_000);

test("one that cannot be read denies whoever depends on it", async () => {
  mkdirSync(path("outer"));
  write("hosts.deny", `clamav-milter: ${path("outer")}\n`);
  expect(admits(await start(), "192.0.2.7")).toBe(false);
  expect(log).toEqual([
    expect.stringMatching(/^error: \S+outer: cannot be read: .*rules that name it deny$/),
  ]);
});

test("netgroups are asked for; one that is not to be had denies", async () => {
  write("hosts.deny", "clamav-milter: @bad\n");
  const known = await start(() => Promise.resolve(["mx.example.org"]));
  expect(admits(known, "192.0.2.7", "mx.example.org")).toBe(false);
  expect(admits(known, "192.0.2.7", "other.example.org")).toBe(true);
  watch?.stop();
  states = [];
  expect(admits(await start(), "192.0.2.7", "other.example.org")).toBe(false);
  expect(log.join("\n")).toContain('error: netgroup "@bad": there is no such netgroup');
});

test("warnings of ours are said once for each reading; those of other daemons are not", async () => {
  write("hosts.allow", "clamav-milter: 192.0.2.7: spawn (x)\nsshd: ALL: spawn (x)\nnonsense\n");
  write("hosts.deny", "ALL: ALL: twist x\n");
  await start();
  watch?.reload();
  const allow = path("hosts.allow");
  expect(log).toEqual([
    `warning: ${allow}:3: no ":" between daemons and clients: the line is ignored`,
    `warning: ${allow}:1: "spawn" is ignored: clamav-milter runs no commands of access rules`,
    `warning: ${path("hosts.deny")}:1: "twist" denies: clamav-milter runs no commands of access rules`,
  ]);
});

test("rules that are too many for a message deny everybody, with one error", async () => {
  write("hosts.allow", "clamav-milter: 192.0.2.7\n".repeat(8000));
  const state = await start();
  expect(admits(state, "192.0.2.7")).toBe(false);
  expect(log).toEqual([expect.stringMatching(/^error: \S+hosts\.allow: .*too large/)]);
});

test("a file longer than a message is not read to its end", () => {
  write("long", "x".repeat(300_000));
  expect(() => readLatin1(path("long"))).toThrow("longer than");
  expect(readLatin1("/dev/null")).toBe("");
  expect(() => readLatin1("/dev/zero")).toThrow("longer than");
});

test("hosts out of getent's answer", () => {
  expect(hostsOfNetgroup("g  (mx.example.org,-,) ( ,bob,dom) (b,,)\n")).toEqual(["mx.example.org", "", "b"]);
});

test("a netgroup that the system does not know is an error, whatever its name", async () => {
  for (const name of ["no-such-netgroup", "--help", "a b;c"]) {
    expect(await netgroupHosts(name).catch((error: Error) => error.message)).toBe(
      "there is no such netgroup",
    );
  }
});

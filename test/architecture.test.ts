import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { Glob } from "bun";

/** What each module may import besides itself: arrows go down only (README, "How it is built"). */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  log: ["cli", "os"],
  os: [],
  policy: [],
  access: [],
  spf: [],
  signature: [],
  notify: ["log"],
  cli: [],
  milter: ["wire"],
  clamd: ["wire"],
  scan: ["clamd"],
  response: ["log", "milter", "notify", "scan"],
  config: ["clamd", "cli", "scan", "log"],
  ipc: ["access", "clamd", "config", "log", "notify"],
  engine: ["clamd", "config", "ipc", "os", "scan"],
  child: [
    "access",
    "clamd",
    "config",
    "ipc",
    "log",
    "milter",
    "os",
    "policy",
    "response",
    "scan",
    "signature",
  ],
  keeper: ["access", "clamd", "config", "ipc", "log", "notify", "os", "policy", "scan", "spf"],
  // Of the engine it has the watch over the database directory, which cannot be seen from the jail.
  supervisor: ["clamd", "cli", "config", "engine", "ipc", "log", "notify", "os", "policy", "scan"],
  // The only file at the top that is more than a value.
  "main.ts": ["child", "engine", "ipc", "keeper", "supervisor"],
  "version.ts": [],
};

/** The files that have to do with sockets, and those that call the C library. */
const SOCKETS = [
  "src/child/listeners.ts",
  "src/clamd/connect.ts",
  "src/ipc/channel.ts",
  "src/keeper/txt-resolver.ts",
];
const FOREIGN = [
  "src/engine/database-watch.ts",
  "src/engine/database.ts",
  "src/engine/library.ts",
  "src/engine/scan-thread.ts",
  "src/engine/scanner.ts",
  "src/os/accounts.ts",
  "src/os/broadcast-socket.ts",
  "src/os/child-state.ts",
  "src/os/connecting.ts",
  "src/os/credential-calls.ts",
  "src/os/descriptor-passing.ts",
  "src/os/epoll.ts",
  "src/os/libc.ts",
  "src/os/log-calls.ts",
  "src/os/memory-file.ts",
  "src/os/memory-stream.ts",
  "src/os/pipes.ts",
  "src/os/program-replacement.ts",
  "src/os/socket-state.ts",
  "src/os/stream-calls.ts",
  "src/os/thread-capabilities.ts",
];

const ROOT = join(import.meta.dir, "..");
const sources = [...new Glob("src/**/*.ts").scanSync(ROOT)].sort().map((path) => ({
  path,
  text: readFileSync(join(ROOT, path), "utf8"),
}));

function moduleOf(path: string): string {
  return path.split("/")[1] ?? "";
}

test("modules import only what is below them", () => {
  const wrong = sources.flatMap(({ path, text }) => {
    const own = moduleOf(path);
    return [...text.matchAll(/from "(\.[^"]+)"/g)].flatMap((match) => {
      const target = moduleOf(normalize(join(dirname(path), match[1] ?? "")));
      const allowed = target === own || target === "version.ts" || MAY_IMPORT[own]?.includes(target) === true;
      return allowed ? [] : [`${path} imports ${target}`];
    });
  });
  expect(wrong).toEqual([]);
});

test("sockets and the C library are touched in few named places", () => {
  const using = (pattern: RegExp): string[] =>
    sources.filter(({ text }) => pattern.test(text)).map(({ path }) => path);
  expect(using(/Bun\.(listen|connect)\b/)).toEqual(SOCKETS);
  expect(using(/from "bun:ffi"/)).toEqual(FOREIGN);
  expect(using(/from "node:(net|dgram|child_process|http)"/)).toEqual([]);
});

test("an address is kept of memory that stays where it is only", () => {
  const kept = sources.flatMap(({ path, text }) =>
    [...text.matchAll(/: Pointer = ptr\(this\.(#\w+)\)/g)].map((match) => ({
      path,
      text,
      name: match[1] ?? "",
    })),
  );
  expect(kept.length).toBeGreaterThan(4);
  const wrong = kept.filter(({ text, name }) => !text.includes(`readonly ${name} = fixedMemory(`));
  expect(wrong.map(({ path, name }) => `${path} ${name}`)).toEqual([]);
});

test("no source grows past 300 lines", () => {
  const long = sources.filter(({ text }) => text.split("\n").length > 301).map(({ path }) => path);
  expect(long).toEqual([]);
});

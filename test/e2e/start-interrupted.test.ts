import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeDirectives } from "../lab/clamd.ts";
import { BINARY } from "../lab/filter.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { type LabProcess, startProcess } from "../lab/process.ts";
import { until } from "../lab/wait.ts";

let folder: LabFolder;
let silent: Bun.UnixSocketListener<undefined>;
let files: string;

beforeAll(() => {
  folder = plainFolder();
  files = join(folder.path, "run");
  mkdirSync(files);
  // A clamd that never answers: the start waits for it, for seconds.
  silent = Bun.listen<undefined>({
    unix: join(folder.path, "silent.sock"),
    socket: { data: () => {} },
  });
  writeDirectives(join(folder.path, "milter.conf"), {
    LocalSocket: join(folder.path, "silent.sock"),
    LogFile: join(folder.path, "milter.log"),
  });
});

afterAll(() => {
  silent.stop(true);
  folder.remove();
});

/** Starts the program, and waits until it is in the middle of its start. */
async function begin(options: readonly string[]): Promise<{ started: LabProcess; pid: number }> {
  const conf = join(folder.path, "milter.conf");
  const argv = [BINARY, "-e", "-q", "--no-check-cf", "-c", conf, "-i", join(files, "pid"), ...options];
  const started = startProcess({ name: "clamav-milter", argv: [...argv, `unix:${join(files, "sock")}`] });
  const text = await until(
    () => {
      const found = existsSync(join(files, "pid")) ? readFileSync(join(files, "pid"), "latin1") : "";
      return found.endsWith("\n") ? found : undefined;
    },
    { what: "the pidfile", detail: started.output },
  );
  return { started, pid: Number(text) };
}

function isAlive(pid: number): boolean {
  try {
    return !/ Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

test("TERM in the middle of the start ends it, and nothing is left", async () => {
  const { started, pid } = await begin(["--foreground"]);
  process.kill(pid, "SIGTERM");
  await until(() => !isAlive(pid), { what: "its end", deadline: 3000 });
  expect(await started.exited).toBe(0);
  expect(readdirSync(files)).toEqual([]);
}, 20_000);

test("HUP in the middle of the start does not end it", async () => {
  const { started, pid } = await begin(["--foreground"]);
  process.kill(pid, "SIGHUP");
  expect(await started.exited).toBe(69);
  expect(started.output()).toContain("clamd does not answer");
  expect(readdirSync(files)).toEqual([]);
}, 20_000);

test("when the command that starts it is killed, the start ends, and nothing is left", async () => {
  const { started, pid } = await begin([]);
  expect(pid).not.toBe(started.pid);
  process.kill(started.pid, "SIGKILL");
  await until(() => !isAlive(pid), { what: "the supervisor's end", deadline: 3000 });
  expect(readdirSync(files)).toEqual([]);
}, 20_000);

test("when the supervisor is told to stop, the command does not say that it has started", async () => {
  const { started, pid } = await begin([]);
  process.kill(pid, "SIGTERM");
  expect(await started.exited).toBe(70);
  expect(started.output()).toContain("before it accepted mail");
  expect(readdirSync(files)).toEqual([]);
}, 20_000);

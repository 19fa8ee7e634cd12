import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type LabFolder, trustedFolder } from "../lab/folder.ts";
import { run, startProcess } from "../lab/process.ts";
import { until } from "../lab/wait.ts";
import { processesNaming } from "./processes.ts";

const folders: LabFolder[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove();
});

function newFolder(): string {
  const folder = trustedFolder();
  folders.push(folder);
  return folder.path;
}

test("a command that does not end is killed at its deadline, with its output in the message", async () => {
  const running = run({ argv: ["sh", "-c", "echo so far; sleep 1000 & wait"], deadline: 200 });
  await expect(running).rejects.toThrow(/not done after 200 ms\nso far/);
});

test("a command gets its input and a clean environment", async () => {
  const { stdout, exitCode } = await run({ argv: ["sh", "-c", "cat; env | sort; exit 3"], input: "hello\n" });
  expect(exitCode).toBe(3);
  expect(stdout).toStartWith("hello\nHOME=/\nLC_ALL=C\n");
});

test("a program that is not there is named", async () => {
  await expect(run({ argv: ["/no/such/program"] })).rejects.toThrow("cannot start /no/such/program");
});

test("stopping ends a program that ignores TERM, and its children", async () => {
  const sign = `lab-sign-${crypto.randomUUID()}`;
  const script = `trap '' TERM; echo up; : ${sign}; while :; do sleep 0.1; done`;
  const started = startProcess({ name: "stubborn", argv: ["sh", "-c", script] });
  await until(() => started.output().includes("up"), { what: "the shell to start" });
  expect(processesNaming(sign).length).toBeGreaterThan(0);
  await Promise.all([started.stop(100), started.stop(100)]);
  await started.stop(100);
  expect(started.running()).toBe(false);
  expect(processesNaming(sign)).toEqual([]);
});

test("stopping a program that has died ends the children it left", async () => {
  const sign = `lab-sign-${crypto.randomUUID()}`;
  const started = startProcess({
    name: "dies",
    argv: ["sh", "-c", `sh -c 'sleep 1000; : ${sign}' & exit 1`],
  });
  expect(await started.exited).toBe(1);
  expect(processesNaming(sign)).not.toEqual([]);
  await started.stop();
  await until(() => processesNaming(sign).length === 0, { what: "the child to be gone" });
});

test("when the test process is killed, clamd, sendmail and Postfix and their mounts go with it", async () => {
  const folder = newFolder();
  const script = join(import.meta.dir, "start-and-wait.ts");
  const child = startProcess({ name: "labs", argv: [process.execPath, script, folder] });
  const ready = (): boolean => {
    child.demandRunning();
    return child.stdout().includes("ready");
  };
  await until(ready, { what: "the labs to start", detail: child.output });
  const before = processesNaming(folder).join("\n");
  for (const program of ["usr/sbin/clamd", "sendmail/sendmail", "sbin/master"])
    expect(before).toContain(program);
  child.signal("SIGKILL");
  await child.exited;
  await until(() => processesNaming(folder).length === 0, {
    what: "everything to be gone",
    detail: () => processesNaming(folder).join("\n"),
  });
  expect(readFileSync("/proc/mounts", "utf8")).not.toContain(folder);
});

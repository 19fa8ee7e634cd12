import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../lab/wait.ts";

const PROGRAM = join(import.meta.dir, "libc-process.ts");

function output(...command: readonly string[]): string {
  const done = Bun.spawnSync([...command], { timeout: 20_000 });
  if (done.exitCode !== 0) throw new Error(`${command.join(" ")}: ${done.stderr.toString()}`);
  return done.stdout.toString().trim();
}

function isAlive(pid: number): boolean {
  // A zombie that nobody has fetched yet is dead.
  return existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
}

describe("what a process does to itself", () => {
  test.each([
    ["clamav-milter", "clamav-milter"],
    ["a-name-of-more-than-fifteen", "a-name-of-more-"],
  ])("its name %s shows as %s", (name, shown) => {
    expect(output(process.execPath, PROGRAM, "name", name)).toBe(shown);
  });

  test.each([
    ["150:400", "400 400 400"],
    ["400:400", "400 400 400"],
  ])("its limit of open files %s is raised to the hard one", (limits, shown) => {
    expect(output("prlimit", `--nofile=${limits}`, process.execPath, PROGRAM, "limit")).toBe(shown);
  });

  test("another program takes its place, with these arguments, this environment and these descriptors", () => {
    const [before, after, ...open] = output(process.execPath, PROGRAM, "replaced").split("\n");
    const [pid = "", kept = ""] = before?.split(" ") ?? [];
    expect(after).toBe(`${pid} $(id) a b ünter`);
    // And the folder that is being listed.
    expect(open.toSorted()).toEqual(["0", "1", "2", "3", kept].toSorted());
  });

  test("it goes on when the other program cannot be run", () => {
    expect(output(process.execPath, PROGRAM, "not-replaced")).toBe("OsError: execve: EACCES");
  });

  test("it dies with its parent, whatever it does about signals", async () => {
    const parent = Bun.spawn([process.execPath, PROGRAM, "parent"], { stdout: "pipe", stderr: "inherit" });
    const reader = parent.stdout.getReader();
    const { value } = await reader.read();
    const child = Number(Buffer.from(value ?? []).toString());
    expect(isAlive(child)).toBe(true);
    parent.kill("SIGKILL");
    await parent.exited;
    await until(() => !isAlive(child), { what: "the child to die", deadline: 10_000 });
    await reader.cancel();
  });
});

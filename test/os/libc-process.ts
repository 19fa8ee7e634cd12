/** A process that does to itself what a test asks for, and tells how it went. Not a test: started by one. */
import { readFileSync } from "node:fs";
import { AF_UNIX, dieWithParent, nameProcess, raiseFileLimit, streamSocket } from "../../src/os/libc.ts";
import { replaceProgram } from "../../src/os/program-replacement.ts";

const SIGKILL = 9;
const role = process.argv[2];

if (role === "name") {
  nameProcess(process.argv[3] ?? "");
  process.stdout.write(readFileSync("/proc/self/comm"));
} else if (role === "limit") {
  const limit = raiseFileLimit();
  const line = /^Max open files\s+(\d+)\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"));
  process.stdout.write(`${limit} ${line?.[1]} ${line?.[2]}\n`);
} else if (role === "replaced") {
  const argv = ["a name", "-c", 'echo $$ "$0" "$@" "$WORD"; ls /proc/self/fd', "$(id)", "a b"];
  const [, kept] = [streamSocket(AF_UNIX, false), streamSocket(AF_UNIX, false)];
  process.stdout.write(`${process.pid} ${kept}\n`);
  replaceProgram("/bin/sh", { argv, env: { WORD: "ünter", PATH: "/usr/bin:/bin" }, descriptors: [kept] });
} else if (role === "not-replaced") {
  try {
    replaceProgram("/dev/null", { argv: ["null"], env: {}, descriptors: [] });
  } catch (error) {
    process.stdout.write(`${error}\n`);
  }
} else if (role === "parent") {
  Bun.spawn([process.execPath, import.meta.path, "child"], { stdout: "inherit", stderr: "inherit" });
  setInterval(() => {}, 1000);
} else {
  dieWithParent(SIGKILL);
  process.on("SIGTERM", () => {});
  process.stdout.write(`${process.pid}\n`);
  setInterval(() => {}, 1000);
}

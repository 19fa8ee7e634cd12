import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeDescriptor, setUmask, socketPair } from "../../src/os/libc.ts";
import { isWritable, lockHolder } from "../../src/os/log-calls.ts";
import { connectSyslog, openAppended, outputOn } from "../../src/os/log-output.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "output-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function codeOf(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
}

const LINE = Buffer.from(`${"x".repeat(999)}\n`);

/** Writes until nothing is taken any more; how many bytes went, and why it ended. */
function fill(output: { write(bytes: Uint8Array): number }): { taken: number; end: unknown } {
  let taken = 0;
  for (let at = 0; at < 10_000; at++) {
    let more = 0;
    const end = codeOf(() => {
      more = output.write(LINE);
    });
    taken += more;
    if (end !== undefined || more === 0) return { taken, end };
  }
  throw new Error("no end");
}

describe("a file for lines", () => {
  test("is made with mode 0640, whatever the umask", () => {
    for (const mask of [0o000, 0o022, 0o077, 0o777]) {
      const path = join(folder, `log${mask}`);
      const before = setUmask(mask);
      try {
        openAppended(path).close();
      } finally {
        setUmask(before);
      }
      expect(lstatSync(path).mode & 0o7777).toBe(0o640);
    }
  });

  test("that exists keeps its mode and contents, and grows at its end only", () => {
    const path = join(folder, "log");
    writeFileSync(path, "old\n");
    chmodSync(path, 0o604);
    const file = openAppended(path);
    file.write(Buffer.from("one\n"));
    writeFileSync(path, "other\n", { flag: "a" });
    file.write(Buffer.from("two\n"));
    expect(readFileSync(path, "utf8")).toBe("old\none\nother\ntwo\n");
    expect(lstatSync(path).mode & 0o7777).toBe(0o604);
    expect(file.size()).toBe(18);
    file.close();
  });

  test("may be a link, and may be moved while it is open", () => {
    symlinkSync(join(folder, "real"), join(folder, "link"));
    writeFileSync(join(folder, "real"), "");
    const file = openAppended(join(folder, "link"));
    renameSync(join(folder, "real"), join(folder, "moved"));
    file.write(Buffer.from("x\n"));
    expect(readFileSync(join(folder, "moved"), "utf8")).toBe("x\n");
    file.close();
  });

  test("what is no file for it is an error, and keeps nobody waiting", () => {
    Bun.spawnSync(["mkfifo", join(folder, "fifo")]);
    expect(codeOf(() => openAppended(join(folder, "none/log")))).toBe("ENOENT");
    expect(codeOf(() => openAppended(folder))).toBe("EISDIR");
    expect(codeOf(() => openAppended(join(folder, "fifo")))).toBe("ENXIO");
  });
});

describe("a lock", () => {
  test("of another process is seen, with its number; one's own is none", async () => {
    const path = join(folder, "locked");
    writeFileSync(path, "x");
    const file = openAppended(path);
    expect(file.lockHolder()).toBeNull();
    const script = join(import.meta.dir, "lock-process.ts");
    const other = Bun.spawn([process.execPath, script, path], { stdin: "pipe", stdout: "pipe" });
    try {
      await other.stdout.getReader().read();
      expect(file.lockHolder()).toBe(other.pid);
      const reading = openSync(path, constants.O_RDONLY);
      expect(lockHolder(reading)).toBe(other.pid);
      closeSync(reading);
    } finally {
      other.kill();
      await other.exited;
    }
    expect(file.lockHolder()).toBeNull();
    file.close();
  }, 20_000);
});

describe("an inherited descriptor", () => {
  /** A pipe as a FIFO of ours: both ends as descriptors, the writing one a blocking one. */
  function pipe(): { reading: number; writing: number } {
    const path = join(folder, "pipe");
    Bun.spawnSync(["mkfifo", path]);
    const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return { reading, writing: openSync(path, constants.O_WRONLY) };
  }

  test("a pipe that nobody reads costs lines, not time; it stays a blocking one for others", () => {
    const { reading, writing } = pipe();
    const output = outputOn(writing);
    const { taken, end } = fill(output);
    expect(end).toBe("EAGAIN");
    expect(taken).toBeGreaterThan(4096);
    expect(isWritable(writing)).toBe(false);
    const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${writing}`, "utf8"))?.[1] ?? "";
    expect(Number.parseInt(flags, 8) & constants.O_NONBLOCK).toBe(0);
    const room = Buffer.alloc(taken + 10);
    expect(readSync(reading, room)).toBe(taken);
    expect(output.write(LINE)).toBe(LINE.length);
    output.close();
    closeSync(reading);
    closeSync(writing);
  });

  test("a pipe whose reader is gone is an error", () => {
    const { reading, writing } = pipe();
    const output = outputOn(writing);
    closeSync(reading);
    expect(codeOf(() => output.write(LINE))).toBe("EPIPE");
    output.close();
    closeSync(writing);
  });

  test("a socket that nobody reads costs lines, too", () => {
    const [ours, theirs] = socketPair();
    const output = outputOn(ours);
    expect(fill(output)).toMatchObject({ end: "EAGAIN" });
    closeDescriptor(theirs);
    expect(codeOf(() => output.write(LINE))).toBe("EPIPE");
    output.close();
    closeDescriptor(ours);
  });

  test("a file is written where its owner has come to", () => {
    const path = join(folder, "file");
    const fd = openSync(path, "w");
    const output = outputOn(fd);
    output.write(Buffer.from("one\n"));
    writeFileSync(fd, "two\n");
    output.write(Buffer.from("three\n"));
    expect(readFileSync(path, "utf8")).toBe("one\ntwo\nthree\n");
    closeSync(fd);
  });

  test("one that is closed is an error", () => {
    const fd = openSync("/dev/null", "w");
    closeSync(fd);
    expect(codeOf(() => outputOn(fd).write(LINE))).toBe("EBADF");
  });
});

describe("syslogd's socket", () => {
  test("that is not there, or no socket, is an error", () => {
    expect(codeOf(() => connectSyslog(join(folder, "none")))).toBe("ENOENT");
    writeFileSync(join(folder, "file"), "");
    expect(codeOf(() => connectSyslog(join(folder, "file")))).toBe("ECONNREFUSED");
  });
});

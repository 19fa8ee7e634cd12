import { afterAll, describe, expect, test } from "bun:test";
import {
  lstatSync,
  mkdtempSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  bindSocket,
  closeDescriptor,
  connectSocket,
  duplicate,
  listenSocket,
  OsError,
  onlyIpv6,
  reuseAddress,
  setUmask,
  socketPair,
  streamSocket,
} from "../../src/os/libc.ts";
import { inetAddress, unixAddress } from "../../src/os/sockaddr.ts";
import { freePort } from "../lab/port.ts";

const folder = mkdtempSync(join(tmpdir(), "libc-"));
afterAll(() => rmSync(folder, { recursive: true }));

const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

/** The flags of an open descriptor, as the kernel tells them. */
function flagsOf(fd: number): number {
  const text = readFileSync(`/proc/self/fdinfo/${fd}`, "latin1");
  return Number.parseInt(/flags:\s*(\d+)/.exec(text)?.[1] ?? "0", 8);
}

function codeOf(work: () => void): string {
  try {
    work();
  } catch (error) {
    if (error instanceof OsError) return error.code;
    throw error;
  }
  return "none";
}

describe("sockets", () => {
  test("are closed on exec, and block only if they shall", () => {
    const quick = streamSocket(AF_UNIX, true);
    const slow = streamSocket(AF_UNIX, false);
    expect([flagsOf(quick) & O_NONBLOCK, flagsOf(slow) & O_NONBLOCK]).toEqual([O_NONBLOCK, 0]);
    expect([flagsOf(quick) & O_CLOEXEC, flagsOf(slow) & O_CLOEXEC]).toEqual([O_CLOEXEC, O_CLOEXEC]);
    closeDescriptor(quick);
    closeDescriptor(slow);
  });

  test("a pair is connected, both ways", () => {
    const [one, other] = socketPair();
    for (const fd of [one, other])
      expect(flagsOf(fd) & (O_CLOEXEC | O_NONBLOCK)).toBe(O_CLOEXEC | O_NONBLOCK);
    const into = Buffer.alloc(10);
    writeSync(one, "hello");
    expect(into.toString("latin1", 0, readSync(other, into))).toBe("hello");
    writeSync(other, "back");
    expect(into.toString("latin1", 0, readSync(one, into))).toBe("back");
    closeDescriptor(one);
    expect(readSync(other, into)).toBe(0);
    closeDescriptor(other);
  });

  test("a duplicate is the same file and outlives the first", () => {
    const [one, other] = socketPair();
    const copy = duplicate(one);
    expect(copy).not.toBe(one);
    closeDescriptor(one);
    writeSync(copy, "x");
    expect(readSync(other, Buffer.alloc(4))).toBe(1);
    closeDescriptor(copy);
    closeDescriptor(other);
  });

  test("a unix socket: bind, listen, connect", () => {
    const path = join(folder, "s");
    const listener = streamSocket(AF_UNIX, true);
    bindSocket(listener, unixAddress(path));
    expect(lstatSync(path).isSocket()).toBe(true);
    const client = streamSocket(AF_UNIX, true);
    expect(codeOf(() => connectSocket(client, unixAddress(path)))).toBe("ECONNREFUSED");
    listenSocket(listener, 4);
    connectSocket(client, unixAddress(path));
    const second = streamSocket(AF_UNIX, true);
    expect(codeOf(() => bindSocket(second, unixAddress(path)))).toBe("EADDRINUSE");
    expect(codeOf(() => connectSocket(second, unixAddress(join(folder, "none"))))).toBe("ENOENT");
    for (const fd of [listener, client, second]) closeDescriptor(fd);
  });

  test("IPv4 and IPv6 can have the same port, twice nobody", async () => {
    const port = await freePort();
    const four = inetAddress("0.0.0.0", port);
    const six = inetAddress("::", port);
    const listen = ({ family, bytes }: { family: number; bytes: Uint8Array }): number => {
      const fd = streamSocket(family, true);
      reuseAddress(fd);
      if (family === AF_INET6) onlyIpv6(fd);
      try {
        bindSocket(fd, bytes);
        listenSocket(fd, 4);
      } catch (error) {
        closeDescriptor(fd);
        throw error;
      }
      return fd;
    };
    const open = [listen(four), listen(six)];
    expect(codeOf(() => listen(four))).toBe("EADDRINUSE");
    expect(codeOf(() => listen(six))).toBe("EADDRINUSE");
    for (const fd of open) closeDescriptor(fd);
    closeDescriptor(listen(four));
  });
});

describe("errors", () => {
  test("name the call and the reason", () => {
    expect(() => closeDescriptor(987_654)).toThrow("close: EBADF");
    expect(codeOf(() => duplicate(-1))).toBe("EBADF");
    expect(codeOf(() => streamSocket(999, true))).toBe("EAFNOSUPPORT");
    expect(codeOf(() => listenSocket(987_654, 1))).toBe("EBADF");
    const file = join(folder, "file");
    writeFileSync(file, "");
    const fd = streamSocket(AF_UNIX, true);
    expect(codeOf(() => bindSocket(fd, unixAddress(join(file, "s"))))).toBe("ENOTDIR");
    expect(codeOf(() => onlyIpv6(fd))).not.toBe("none");
    closeDescriptor(fd);
  });

  test("are the right ones however busy the program is", () => {
    const wrong = new Set<string>();
    for (let round = 0; round < 20_000; round++) {
      if (round % 2000 === 0) Bun.gc(true);
      const code =
        round % 2 === 0 ? codeOf(() => closeDescriptor(987_654)) : codeOf(() => streamSocket(999, true));
      if (code !== (round % 2 === 0 ? "EBADF" : "EAFNOSUPPORT")) wrong.add(code);
    }
    expect([...wrong]).toEqual([]);
  });
});

test("the umask is set, and the old one told", () => {
  const before = setUmask(0o117);
  const path = join(folder, "umask");
  const fd = streamSocket(AF_UNIX, true);
  bindSocket(fd, unixAddress(path));
  closeDescriptor(fd);
  expect(setUmask(before)).toBe(0o117);
  expect(statSync(path).mode & 0o777).toBe(0o660);
  expect(setUmask(before)).toBe(before);
});

describe("socket addresses", () => {
  test("unix: family, path, NUL", () => {
    expect([...unixAddress("/a")]).toEqual([1, 0, 0x2f, 0x61, 0]);
    expect(unixAddress(`/${"x".repeat(106)}`)).toHaveLength(110);
    expect(() => unixAddress(`/${"x".repeat(107)}`)).toThrow(RangeError);
    expect(() => unixAddress(`/${"é".repeat(54)}`)).toThrow(RangeError);
  });

  test("inet: family, port and address in network order", () => {
    expect(inetAddress("192.0.2.1", 8080)).toMatchObject({ family: AF_INET });
    expect([...inetAddress("192.0.2.1", 8080).bytes]).toEqual([
      2, 0, 0x1f, 0x90, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
    const six = inetAddress("2001:db8::ff", 65_535);
    expect(six.family).toBe(AF_INET6);
    expect([...six.bytes]).toEqual([
      10, 0, 255, 255, 0, 0, 0, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0,
    ]);
  });
});

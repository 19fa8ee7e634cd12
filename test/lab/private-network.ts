import { dlopen, FFIType, ptr } from "bun:ffi";
import { join } from "node:path";
import { failure } from "../../scripts/debian/failure.ts";
import { REPOSITORY } from "../../scripts/debian/parts.ts";
import { run } from "./process.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SIOCSIFADDR = 0x8916;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP_RUNNING = 0x41;
/** struct ifreq: 16 bytes of name, then a union. */
const IFREQ = 40;
const UNION = 16;
/** Characters of what a script that failed wrote to standard error. */
const LAST_WORDS = 4000;

/**
 * Runs a script of ours in a network of its own, in which it may give the loopback interface any address with
 * `addLoopbackAddresses`, and gives what it printed last, as JSON. Needs root.
 * @param script below the repository
 * @throws code `CHILD_FAILED` with its output
 */
export async function runInPrivateNetwork(script: string, deadline: number): Promise<unknown> {
  const argv = ["unshare", "--net", "--", process.execPath, join(REPOSITORY, script)];
  const { exitCode, stdout, stderr } = await run({ argv, deadline });
  if (exitCode !== 0)
    throw failure("CHILD_FAILED", `${script} ended with ${exitCode}\n${stderr.slice(-LAST_WORDS)}`);
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
}

/** Brings the loopback interface up and gives it these IPv4 addresses, besides 127.0.0.1. */
export function addLoopbackAddresses(addresses: readonly string[]): void {
  const { symbols } = dlopen("libc.so.6", {
    socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    ioctl: { args: [FFIType.i32, FFIType.u64, FFIType.ptr], returns: FFIType.i32 },
  });
  const fd = symbols.socket(AF_INET, SOCK_DGRAM, 0);
  const ask = (name: string, request: number, fill: (ifreq: Buffer) => void): void => {
    const ifreq = Buffer.alloc(IFREQ);
    ifreq.write(name, "latin1");
    fill(ifreq);
    if (symbols.ioctl(fd, request, ptr(ifreq)) !== 0) throw failure("NO_ADDRESS", `${name} cannot be set up`);
  };
  ask("lo", SIOCSIFFLAGS, (ifreq) => ifreq.writeInt16LE(IFF_UP_RUNNING, UNION));
  for (const [at, address] of addresses.entries()) {
    ask(`lo:${at + 1}`, SIOCSIFADDR, (ifreq) => {
      ifreq.writeInt16LE(AF_INET, UNION);
      Buffer.from(address.split(".").map(Number)).copy(ifreq, UNION + 4);
    });
  }
}

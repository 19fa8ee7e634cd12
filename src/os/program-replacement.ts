/** Another program in the place of this process. */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { check } from "./libc.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // int execve(const char *pathname, char *const argv[], char *const envp[]);
  execve: { args: [FFIType.ptr, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
  // int fcntl(int fd, int cmd, int arg);
  fcntl: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
});

const F_SETFD = 2;
const NO_FLAGS = 0;

/** What the program in place of this one is to know and to have. */
export interface Heritage {
  /** With the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Descriptors besides the first three: the runtime has all others closed on exec, also those that it was given. */
  readonly descriptors: readonly number[];
}

/**
 * Runs another program in this process, which keeps its number and its directory. Does not return.
 * @throws OsError when the process goes on as it is
 */
export function replaceProgram(path: string, { argv, env, descriptors }: Heritage): never {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const file = terminated(path);
  // Held until the call: the arrays have addresses only.
  const held = [...argv, ...variables].map(terminated);
  const addresses = held.map((text) => BigInt(ptr(text)));
  const words = new BigUint64Array([...addresses.slice(0, argv.length), 0n]);
  const environment = new BigUint64Array([...addresses.slice(argv.length), 0n]);
  for (const fd of descriptors) check("fcntl", libc.fcntl(fd, F_SETFD, NO_FLAGS));
  check("execve", libc.execve(ptr(file), ptr(words), ptr(environment)));
  throw new Error(`execve answered, with ${held.length} strings`);
}

function terminated(text: string): Uint8Array {
  return Buffer.from(`${text}\0`);
}

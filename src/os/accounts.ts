/** Users and groups as the C library knows them: from every source that the host's nsswitch.conf names. */
import { CString, dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { OsError } from "./libc.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // int getpwnam_r(const char *name, struct passwd *pwd, char *buf, size_t buflen, struct passwd **result);
  getpwnam_r: {
    args: [FFIType.ptr, FFIType.ptr, FFIType.ptr, FFIType.u64, FFIType.ptr],
    returns: FFIType.i32,
  },
  // int getgrnam_r(const char *name, struct group *grp, char *buf, size_t buflen, struct group **result);
  getgrnam_r: {
    args: [FFIType.ptr, FFIType.ptr, FFIType.ptr, FFIType.u64, FFIType.ptr],
    returns: FFIType.i32,
  },
});

/** A user of the host. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  /** The primary group. */
  readonly gid: number;
}

/** A group of the host. */
export interface Group {
  readonly name: string;
  readonly gid: number;
}

type Call = (name: Pointer, record: Pointer, buffer: Pointer, size: number, result: Pointer) => number;

// struct passwd, 64 bit: char *pw_name (0), char *pw_passwd (8), uid_t pw_uid (16), gid_t pw_gid (20),
// char *pw_gecos (24), char *pw_dir (32), char *pw_shell (40).
const PASSWD = { size: 48, name: 0, uid: 16, gid: 20 } as const;
// struct group, 64 bit: char *gr_name (0), char *gr_passwd (8), gid_t gr_gid (16), char **gr_mem (24).
const GROUP = { size: 32, name: 0, gid: 16 } as const;

const FIRST_BUFFER = 4096;
// A group with 100,000 members fits.
const LARGEST_BUFFER = 16 * 1024 * 1024;
const ENOENT = 2;
const ESRCH = 3;
const EINTR = 4;
const ERANGE = 34;
const NOT_FOUND: readonly number[] = [0, ENOENT, ESRCH];

/**
 * Looks a user up by name. May wait for a directory service: for start-up only.
 * @returns null when the host has no such user
 * @throws OsError when a source of users could not be asked
 */
export function lookUpUser(name: string): Account | null {
  return find("getpwnam_r", libc.getpwnam_r, PASSWD, name, (record, found) => ({
    name: found,
    uid: record.getUint32(PASSWD.uid, true),
    gid: record.getUint32(PASSWD.gid, true),
  }));
}

/**
 * Looks a group up by name. May wait for a directory service: for start-up only.
 * @returns null when the host has no such group
 * @throws OsError when a source of groups could not be asked
 */
export function lookUpGroup(name: string): Group | null {
  return find("getgrnam_r", libc.getgrnam_r, GROUP, name, (record, found) => ({
    name: found,
    gid: record.getUint32(GROUP.gid, true),
  }));
}

function find<T>(
  what: string,
  call: Call,
  layout: { readonly size: number; readonly name: number },
  name: string,
  decode: (record: DataView, name: string) => T,
): T | null {
  // The C library would see another name, the one that ends there.
  if (name.includes("\0")) return null;
  const wanted = Buffer.from(`${name}\0`);
  const record = new Uint8Array(layout.size);
  const result = new BigUint64Array(1);
  for (let size = FIRST_BUFFER; ; ) {
    const buffer = new Uint8Array(size);
    const errno = call(ptr(wanted), ptr(record), ptr(buffer), size, ptr(result));
    if (result[0] !== 0n) {
      const view = new DataView(record.buffer);
      // The record's strings lie in `buffer`, which is still alive here.
      const at = Number(view.getBigUint64(layout.name, true)) - ptr(buffer);
      return decode(view, new CString(ptr(buffer, at)).toString());
    }
    if (errno === EINTR) continue;
    if (errno !== ERANGE || size >= LARGEST_BUFFER) {
      if (NOT_FOUND.includes(errno)) return null;
      throw new OsError(what, errno);
    }
    size *= 4;
  }
}

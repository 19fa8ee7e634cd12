import ipaddr from "ipaddr.js";
import { AF_INET, AF_INET6, AF_UNIX } from "./libc.ts";

/** The longest path a unix socket can have, without its NUL (sun_path of unix(7)). */
export const MAX_UNIX_PATH = 107;

/**
 * struct sockaddr_un { sa_family_t sun_family; char sun_path[108]; }
 * @param path a name that begins with NUL is in the abstract namespace, where no NUL ends it (unix(7))
 * @throws RangeError when the path is too long
 */
export function unixAddress(path: string): Uint8Array {
  const bytes = Buffer.from(path);
  if (bytes.length > MAX_UNIX_PATH)
    throw new RangeError(`${path}: a socket path has ${MAX_UNIX_PATH} bytes at most`);
  const address = Buffer.alloc(2 + bytes.length + (path.startsWith("\0") ? 0 : 1));
  address.writeUInt16LE(AF_UNIX, 0);
  bytes.copy(address, 2);
  return address;
}

/**
 * struct sockaddr_in { sa_family_t; in_port_t; struct in_addr; char zero[8]; } or
 * struct sockaddr_in6 { sa_family_t; in_port_t; uint32_t flowinfo; struct in6_addr; uint32_t scope; }.
 * @param address a numeric IPv4 or IPv6 address
 */
export function inetAddress(address: string, port: number): { family: number; bytes: Uint8Array } {
  const parsed = ipaddr.parse(address);
  const raw = parsed.toByteArray();
  const six = parsed.kind() === "ipv6";
  const bytes = Buffer.alloc(six ? 28 : 16);
  bytes.writeUInt16LE(six ? AF_INET6 : AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(raw, six ? 8 : 4);
  return { family: six ? AF_INET6 : AF_INET, bytes };
}

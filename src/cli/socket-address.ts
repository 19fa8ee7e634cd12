import { isHostName, parseAddress } from "./network.ts";
import { EXIT, StartError } from "./start-error.ts";

/** Where the MTA reaches us. `text` is the canonical form for logs; `host` null means every address. */
export type SocketAddress =
  | { readonly kind: "unix"; readonly path: string; readonly text: string }
  | {
      readonly kind: "inet";
      readonly family: 4 | 6;
      readonly host: string | null;
      readonly port: number;
      readonly text: string;
    };

/** `sun_path` has 108 bytes, the last of which ends the name. */
const MAX_UNIX_PATH_BYTES = 107;

/**
 * Reads a socket address as the man page's SYNOPSIS and decisions 1 have it: `unix:/path`, `local:/path`,
 * `/path`, `inet:port`, `inet:port@host`, `inet6:port`, `inet6:port@host`.
 *
 * @throws StartError `SOCKET_ADDRESS` (64)
 */
export function parseSocketAddress(text: string): SocketAddress {
  if (text.startsWith("/")) return unixAddress(text, text);
  const parts = /^([A-Za-z0-9]+):(.*)$/s.exec(text);
  const scheme = parts?.[1]?.toLowerCase();
  const rest = parts?.[2] ?? "";
  if (scheme === "unix" || scheme === "local") return unixAddress(rest, text);
  if (scheme === "inet") return inetAddress(rest, 4, text);
  if (scheme === "inet6") return inetAddress(rest, 6, text);
  throw bad(text, "expected unix:/path, local:/path, /path, inet:port[@host] or inet6:port[@host]");
}

function unixAddress(path: string, text: string): SocketAddress {
  if (!path.startsWith("/") || path.includes("\0")) {
    throw bad(text, "the path of the socket must be a full one that begins with /");
  }
  if (path.endsWith("/")) throw bad(text, "the path of the socket must name a file, not a directory");
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_UNIX_PATH_BYTES) {
    throw bad(text, `the path has ${bytes} bytes; a socket's path can have ${MAX_UNIX_PATH_BYTES} at most`);
  }
  return { kind: "unix", path, text: `unix:${path}` };
}

function inetAddress(rest: string, family: 4 | 6, text: string): SocketAddress {
  const at = rest.indexOf("@");
  const portText = at < 0 ? rest : rest.slice(0, at);
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (port < 1 || port > 65535) throw bad(text, `expected a port from 1 to 65535, not "${portText}"`);
  const scheme = family === 4 ? "inet" : "inet6";
  if (at < 0) return { kind: "inet", family, host: null, port, text: `${scheme}:${port}` };
  const host = hostOf(rest.slice(at + 1), family, text);
  const shown = host.includes(":") ? `[${host}]` : host;
  return { kind: "inet", family, host, port, text: `${scheme}:${port}@${shown}` };
}

function hostOf(given: string, family: 4 | 6, text: string): string {
  const bracketed = given.startsWith("[") && given.endsWith("]");
  const host = bracketed ? given.slice(1, -1) : given;
  const address = parseAddress(host);
  if (bracketed && !host.includes(":")) throw bad(text, "only an IPv6 address stands in square brackets");
  if (address !== null) {
    const wanted = family === 4 ? "ipv4" : "ipv6";
    if (address.kind() === wanted) return host;
    throw bad(
      text,
      `"${host}" is not an IPv${family} address; use ${family === 4 ? "inet6:" : "inet:"} for it`,
    );
  }
  // Digits, dots and colons alone are meant as an address, so a mistyped one is not looked up as a name.
  if (/^[\d.]+$/.test(host) || !isHostName(host)) {
    throw bad(text, `"${given}" is neither a host name nor an IP address`);
  }
  return host;
}

function bad(text: string, why: string): StartError {
  return new StartError("SOCKET_ADDRESS", EXIT.USAGE, `socket address "${text}": ${why}`);
}

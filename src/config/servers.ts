import type { ServerAddress } from "../clamd/address.ts";
import type { GivenOptions } from "../cli/command-line.ts";
import { parseServerList } from "../cli/server-list.ts";
import { EXIT, StartError } from "../cli/start-error.ts";
import { type ClamdConf, numberOf, textOf } from "./clamd-conf.ts";

/** clamd's customary port, for `--server` without a TCPSocket line. */
const CUSTOMARY_PORT = 3310;

const DEFAULT_HOST = "127.0.0.1";

/** `sun_path` has 108 bytes, the last of which ends the name. */
const MAX_UNIX_PATH_BYTES = 107;

export interface Scanners {
  readonly servers: readonly ServerAddress[];
  readonly warnings: readonly string[];
}

/**
 * The clamd servers of `--external`: with LocalSocket and TCPSocket both set the `--server` list goes to
 * TCP, and without one the local socket is used and a warning says so (decisions 3).
 *
 * @throws StartError `NO_SCANNER` (78) when clamd.conf names neither, or LocalSocket is no full path
 */
export function externalScanners(options: GivenOptions, conf: ClamdConf): Scanners {
  const path = textOf(conf, "LocalSocket");
  const port = numberOf(conf, "TCPSocket");
  const list = options.values.server;
  if (path === null && port === null) {
    throw noScanner(`--external: needs LocalSocket or TCPSocket in ${conf.file}; neither is set there`);
  }
  if (typeof list === "string") return listedServers(list, port, conf);
  if (path === null) return { servers: [tcpServer(DEFAULT_HOST, port ?? CUSTOMARY_PORT)], warnings: [] };
  const both = `${conf.file} sets LocalSocket and TCPSocket: LocalSocket is used (--server would choose TCP)`;
  return { servers: [unixServer(path, conf)], warnings: port === null ? [] : [both] };
}

/** The only server without `--external`. @param socket its address in the abstract namespace */
export function engineScanner(socket: string): Scanners {
  return { servers: [{ kind: "unix", path: socket, name: "built-in-engine" }], warnings: [] };
}

function listedServers(list: string, port: number | null, conf: ClamdConf): Scanners {
  const hosts = parseServerList(list);
  if (typeof hosts === "string") throw noScanner(`--server: expected ${hosts}`);
  const guess = `TCPSocket is not set in ${conf.file}: the servers of --server are reached on port ${CUSTOMARY_PORT}`;
  return {
    servers: hosts.map((host) => tcpServer(host, port ?? CUSTOMARY_PORT)),
    warnings: port === null ? [guess] : [],
  };
}

function unixServer(path: string, conf: ClamdConf): ServerAddress {
  if (!path.startsWith("/") || Buffer.byteLength(path) > MAX_UNIX_PATH_BYTES) {
    const limit = `a full path name of ${MAX_UNIX_PATH_BYTES} bytes at most`;
    throw noScanner(`${conf.file}: LocalSocket: expected ${limit}; given: ${JSON.stringify(path)}`);
  }
  return { kind: "unix", path, name: `unix:${path}` };
}

function tcpServer(host: string, port: number): ServerAddress {
  return { kind: "tcp", host, port, name: `${host.includes(":") ? `[${host}]` : host}:${port}` };
}

/** Whether the server is this machine, as far as its address tells. */
export function isLocalServer(server: ServerAddress): boolean {
  return server.kind === "unix" || /^(127\.[\d.]+|::1|localhost\.?)$/i.test(server.host);
}

function noScanner(message: string): StartError {
  return new StartError("NO_SCANNER", EXIT.CONFIG, message);
}

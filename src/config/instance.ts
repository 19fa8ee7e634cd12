import { createHash } from "node:crypto";
import type { SocketAddress } from "../cli/socket-address.ts";

/** Characters of a socket address that an instance's name shows. */
const SHOWN = 60;

/**
 * The name of an instance's folder below --spool-dir: readable, and another one for another first socket
 * (decisions 6), so that two programs never share what they keep.
 */
export function instanceName(socket: SocketAddress | undefined): string {
  if (socket === undefined) return "default";
  const place = socket.kind === "unix" ? socket.path : `port ${socket.port} ${socket.host ?? ""}`;
  const digest = createHash("sha256").update(`${socket.kind} ${place}`).digest("hex").slice(0, 8);
  const shown = place.replaceAll(/[^A-Za-z0-9.-]+/g, "_").replaceAll(/^[_.]+|_+$/g, "");
  return `${shown.slice(-SHOWN)}-${digest}`;
}

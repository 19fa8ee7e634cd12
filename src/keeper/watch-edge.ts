import { randomBytes } from "node:crypto";
import type { ServerAddress } from "../clamd/address.ts";
import { ClamdError } from "../clamd/clamd-error.ts";
import { adoptClamd, connectReason } from "../clamd/connect.ts";
import type { ClamdSession } from "../clamd/session.ts";
import { sendWithDescriptor } from "../os/descriptor-passing.ts";
import { closeDescriptor, monotonicMicroseconds, OsError } from "../os/libc.ts";
import { sealedFile } from "../os/memory-file.ts";
import { connectDescriptor } from "./connector.ts";
import type { ServerNames } from "./server-names.ts";
import type { WatchEdge } from "./server-watch.ts";

/** The real world for watching the servers. */
export function systemWatchEdge(names: ServerNames): WatchEdge {
  return {
    now: () => Number(monotonicMicroseconds()) / 1000,
    after: (milliseconds, work) => {
      // Longer ones are cut by the runtime; whoever is woken too early looks at the clock.
      const timer = setTimeout(work, Math.min(milliseconds, 2 ** 31 - 1));
      return () => clearTimeout(timer);
    },
    random: Math.random,
    randomBytes: (count) => randomBytes(count),
    connect: (address, deadline, onEnd) => connect(address, deadline, onEnd, names),
    sealed: (bytes) => sealedFile([bytes]),
    close: closeDescriptor,
  };
}

async function connect(
  address: ServerAddress,
  deadline: number,
  onEnd: () => void,
  names: ServerNames,
): Promise<ClamdSession> {
  let fd: number;
  try {
    fd = await connectDescriptor(address, deadline, names);
  } catch (error) {
    const full = error instanceof OsError && error.code === "EAGAIN";
    throw new ClamdError(full ? "CLAMD_BUSY" : "CLAMD_CONNECT", connectReason(error));
  }
  return adoptClamd(fd, address.name, onEnd, address.kind === "unix" ? sendWithDescriptor : null);
}

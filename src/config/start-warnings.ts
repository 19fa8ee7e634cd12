import type { ServerAddress } from "../clamd/address.ts";
import type { GivenOptions } from "../cli/command-line.ts";
import type { SocketAddress } from "../cli/socket-address.ts";
import { booleanOf, type ClamdConf, textOf } from "./clamd-conf.ts";
import { isLocalServer } from "./servers.ts";

interface Started {
  readonly options: GivenOptions;
  readonly sockets: readonly SocketAddress[];
}

/** What an administrator should read once at every start, though it does not keep the program from running. */
export function startWarnings(
  line: Started,
  conf: ClamdConf,
  servers: readonly ServerAddress[],
  uid: number,
): readonly string[] {
  const { values } = line.options;
  const warnings: string[] = [];
  if (values.bounce === true && values.quiet !== true) {
    warnings.push("--bounce: most infected mail has a forged sender, who gets a notice for nothing");
  }
  if (uid === 0 && runsAsRoot(textOf(conf, "User"))) {
    warnings.push(`running as root: set User in ${conf.file}, or start the program as another user`);
  }
  const byNetwork = line.sockets.find((socket) => socket.kind === "inet");
  if (byNetwork !== undefined && values.local !== true && values["force-scan"] !== true) {
    warnings.push(
      `${byNetwork.text} without --local: mail that the MTA passes on from the local network is not scanned`,
    );
  }
  if (values["dont-blacklist"] !== undefined && Number(values["blacklist-time"] ?? "0") === 0) {
    warnings.push("--dont-blacklist without --blacklist-time has no effect");
  }
  if (values.external === true && servers.some(isLocalServer) && !booleanOf(conf, "AlertExceedsMax")) {
    const remedy = `AlertExceedsMax yes in ${conf.file} would report them`;
    warnings.push(`archives that go over clamd's limits are answered OK by clamd; ${remedy}`);
  }
  return warnings;
}

function runsAsRoot(user: string | null): boolean {
  return user === null || user === "root";
}

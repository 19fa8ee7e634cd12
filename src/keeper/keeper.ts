import type { Settings } from "../config/settings.ts";
import type { Channel } from "../ipc/channel.ts";
import { checkToKeeper, type ToKeeper } from "../ipc/messages.ts";
import { PASSING_FD } from "../ipc/role.ts";
import { joinSupervisor, type RoleEnd } from "../ipc/role-end.ts";
import { type OpenedLog, openLog } from "../log/open-log.ts";
import { systemLogEdge } from "../log/system-edge.ts";
import { receiveDescriptors } from "../os/descriptor-passing.ts";
import { dieWithParent, nameProcess } from "../os/libc.ts";
import { dropAllRights } from "../os/privileges.ts";
import { openDesk } from "./child-desk.ts";

const SIGKILL = 9;

/** The role that is the children's hands outside the jail: connexions, files, the log. */
export async function runKeeper(): Promise<void> {
  dieWithParent(SIGKILL);
  nameProcess("clamav-milter");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const)
    process.on(signal, () => {});
  const desks = new Set<Channel>();
  let keeper: Keeper | null = null;
  const serve = async (message: ToKeeper): Promise<void> => {
    if (message.type === "start") {
      // As in a child; but a keeper stays outside of the jail.
      if (process.getuid?.() !== 0) dropAllRights();
      const { settings } = message;
      keeper = { settings, opened: openLog(settings.log, systemLogEdge(settings.foreground)) };
      end.ready();
    } else if (keeper === null) return;
    else if (message.type === "settings") keeper.settings = message.settings;
    else if (message.type === "child") await addDesk(message.number, keeper, desks);
    else if (message.type === "reopenLogs") keeper.opened.reopen();
    else if (message.type === "end") {
      keeper.opened.close();
      process.exit(0);
    }
  };
  const end: RoleEnd = await joinSupervisor((message) => {
    const known = checkToKeeper(message);
    if (known !== null) void serve(known);
  });
}

/** A keeper at work. */
interface Keeper {
  settings: Settings;
  readonly opened: OpenedLog;
}

async function addDesk(number: number, keeper: Keeper, desks: Set<Channel>): Promise<void> {
  const { descriptors, number: got } = receiveDescriptors(PASSING_FD);
  const [channelFd, passingFd] = descriptors;
  if (got !== number || channelFd === undefined || passingFd === undefined) {
    keeper.opened.log("error", "a child's link did not arrive");
    return;
  }
  const desk = await openDesk(
    channelFd,
    passingFd,
    { settings: () => keeper.settings, log: keeper.opened.log },
    () => desks.delete(desk),
  );
  desks.add(desk);
}

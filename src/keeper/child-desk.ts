import { connectReason } from "../clamd/connect.ts";
import type { Settings } from "../config/settings.ts";
import { type Channel, openChannel } from "../ipc/channel.ts";
import { type ChildRequest, checkChildRequest, type KeeperAnswer } from "../ipc/messages.ts";
import type { NoticeRequest } from "../ipc/notice-messages.ts";
import type { Log } from "../log/log.ts";
import { receiveUnder, sendDescriptors } from "../os/descriptor-passing.ts";
import { closeDescriptor } from "../os/libc.ts";
import { openNameless } from "../scan/spool-file.ts";

/** Connexions that one child may have in the making: more than it can have sessions. */
const MOST_PENDING = 256;
/** No child needs to wait longer for a connexion. Milliseconds. */
const LONGEST_DEADLINE = 60_000;
/** Log entries of one child in a second; more are counted. */
const MOST_LINES = 2000;

/** What the keeper's desks share. */
export interface DeskWorld {
  readonly settings: () => Settings;
  readonly log: Log;
  readonly nameOf: (address: string) => Promise<string>;
  /** A connexion to the server of that name, as a descriptor. Milliseconds. Rejects when there is no such server. */
  readonly connect: (server: string, deadline: number) => Promise<number>;
  /** Whether mail to an address goes to /dev/null. Never rejects. */
  readonly leadsToNull: (address: string) => Promise<boolean>;
  /** A child needs the access tables. */
  readonly onAccessWanted: () => void;
  /** Answers in a word; the message, if one was passed, is closed afterwards. Rejects when it cannot be done. */
  readonly notice: (request: AnsweredNotice, message: number | null) => Promise<string>;
  /** A child needs the texts of files. */
  readonly onTextsWanted: () => void;
  /** A scan of a child's failed at the server of that name, it says. */
  readonly onTrouble: (server: string) => void;
}

/**
 * The keeper's end of a link to one child: does for it what cannot be done from inside a jail. What comes from a
 * child may come from whoever has taken it over, so nothing is taken on trust: a server is named by its place in
 * the settings, a file is always a new one.
 */
export async function openDesk(
  channelFd: number,
  passingFd: number,
  world: DeskWorld,
  onEnd: () => void,
): Promise<Channel> {
  let pending = 0;
  let ended = false;
  const answer = (message: KeeperAnswer): void => channel.send(message);
  const give = (id: number, descriptor: number): void => {
    try {
      // The number of a closed way may be another child's by now.
      if (!ended) sendDescriptors(passingFd, id, [descriptor]);
      answer({ type: "done", id });
    } catch (error) {
      answer({ type: "failed", id, reason: connectReason(error) });
    } finally {
      closeDescriptor(descriptor);
    }
  };
  const work = async (request: DescriptorRequest): Promise<void> => {
    if (pending >= MOST_PENDING)
      return answer({ type: "failed", id: request.id, reason: "too many requests" });
    pending++;
    try {
      give(request.id, await descriptorFor(request, world));
    } catch (error) {
      answer({ type: "failed", id: request.id, reason: connectReason(error) });
    } finally {
      pending--;
    }
  };
  const tellName = ({ id, address }: Extract<ChildRequest, { type: "name" }>): void => {
    world.nameOf(address).then(
      (name) => answer({ type: "name", id, name }),
      (error: unknown) => answer({ type: "failed", id, reason: connectReason(error) }),
    );
  };
  const tellNotice = async (request: AnsweredNotice): Promise<void> => {
    const { id } = request;
    const message = request.type === "keep" && request.message ? receiveUnder(passingFd, id) : null;
    pending++;
    try {
      if (pending > MOST_PENDING) throw new Error("too many requests");
      answer({ type: "told", id, text: await world.notice(request, message) });
    } catch (error) {
      answer({ type: "failed", id, reason: connectReason(error) });
    } finally {
      pending--;
      if (message !== null) closeDescriptor(message);
    }
  };
  const tellBlackHole = async ({
    id,
    address,
  }: Extract<ChildRequest, { type: "blackHole" }>): Promise<void> =>
    answer({ type: "blackHole", id, discards: await world.leadsToNull(address) });
  const scribe = makeScribe(world.log);
  const channel: Channel = await openChannel(channelFd, {
    onMessage(message) {
      const request = checkChildRequest(message);
      if (request === null) {
        world.log("error", "a child sent a request of no known kind: its link is closed");
        channel.close();
      } else if (request.type === "log") scribe(request.lines);
      else if (request.type === "name") tellName(request);
      else if (request.type === "blackHole") void tellBlackHole(request);
      else if (request.type === "access") world.onAccessWanted();
      else if (request.type === "texts") world.onTextsWanted();
      else if (request.type === "keep" || request.type === "spf" || request.type === "own") {
        void tellNotice(request);
      } else if (request.type === "trouble") world.onTrouble(request.server);
      else void work(request);
    },
    onEnd: () => {
      ended = true;
      closeDescriptor(passingFd);
      onEnd();
    },
  });
  return channel;
}

/** What is answered with a word. */
export type AnsweredNotice = Exclude<NoticeRequest, { type: "texts" }>;

/** What is answered with a descriptor. */
type DescriptorRequest = Extract<ChildRequest, { type: "connect" | "spool" }>;

async function descriptorFor(request: DescriptorRequest, world: DeskWorld): Promise<number> {
  if (request.type === "spool") return openNameless(world.settings().temporaryDirectory);
  return world.connect(request.server, Math.min(request.deadline, LONGEST_DEADLINE));
}

/** Writes a child's lines, within bounds. */
function makeScribe(log: Log): (lines: Extract<ChildRequest, { type: "log" }>["lines"]) => void {
  let since = 0;
  let written = 0;
  return (lines) => {
    const now = performance.now();
    if (now - since > 1000) {
      if (written > MOST_LINES) log("warning", `${written - MOST_LINES} log lines of a child were left out`);
      since = now;
      written = 0;
    }
    for (const { level, text, fields } of lines) {
      if (++written <= MOST_LINES) log(level, text, fields);
    }
  };
}

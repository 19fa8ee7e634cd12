import type { ServerAddress } from "../../src/clamd/address.ts";
import { ClamdError } from "../../src/clamd/clamd-error.ts";
import { type ClamdPort, ClamdSession } from "../../src/clamd/session.ts";
import type { WatchEdge } from "../../src/keeper/server-watch.ts";

/** How a stand-in for a clamd behaves at the moment. */
export interface Behaviour {
  /** Null: it takes connexions. */
  refuses: ClamdError | null;
  /** It says nothing. */
  silent: boolean;
  version: string;
  /** What it says of a stream, and of a descriptor; null: nothing. */
  stream: string | null;
  fildes: string | null;
}

/** A clamd without a socket. */
export interface StandIn {
  readonly address: ServerAddress;
  readonly is: Behaviour;
  /** Commands in order, of all connexions. */
  readonly commands: string[];
  /** Closes all its connexions. */
  drop(): void;
}

interface Timer {
  readonly at: number;
  readonly work: () => void;
}

/** A world of stand-ins, in which time passes only when it is told to. */
export interface WatchLab {
  readonly edge: WatchEdge;
  readonly openDescriptors: Set<number>;
  server(name: string, kind?: "unix" | "tcp"): StandIn;
  /** Lets so many milliseconds pass. */
  pass(milliseconds: number): Promise<void>;
}

/** Makes a world; its clock begins at `start` milliseconds. */
export function watchLab(start = 1_000_000): WatchLab {
  let now = start;
  let draws = 0;
  let timers: Timer[] = [];
  let lastDescriptor = 100;
  const openDescriptors = new Set<number>();
  const boxes = new Map<string, { stand: StandIn; open: Set<ClamdSession> }>();
  const edge: WatchEdge = {
    now: () => now,
    after: (milliseconds, work) => {
      const timer = { at: now + milliseconds, work };
      timers.push(timer);
      return () => {
        timers = timers.filter((each) => each !== timer);
      };
    },
    random: () => 0,
    randomBytes: (count) => new Uint8Array(count).fill(draws++ & 0xff),
    connect: async (address, _deadline, onEnd) => {
      const box = boxes.get(address.name);
      if (box === undefined) throw new ClamdError("CLAMD_CONNECT", "no such server");
      if (box.stand.is.refuses !== null) throw box.stand.is.refuses;
      const session = sessionWith(box.stand, () => {
        box.open.delete(session);
        onEnd();
      });
      box.open.add(session);
      return session;
    },
    sealed: () => {
      openDescriptors.add(++lastDescriptor);
      return lastDescriptor;
    },
    close: (descriptor) => void openDescriptors.delete(descriptor),
  };
  const pass = async (milliseconds: number): Promise<void> => {
    const end = now + milliseconds;
    for (;;) {
      await settled();
      const next = timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
      if (next === undefined) break;
      timers = timers.filter((each) => each !== next);
      now = Math.max(now, next.at);
      next.work();
    }
    now = end;
  };
  const server = (name: string, kind: "unix" | "tcp" = "tcp"): StandIn => {
    const address: ServerAddress =
      kind === "unix" ? { kind, path: name, name } : { kind, host: name, port: 3310, name };
    const is: Behaviour = {
      refuses: null,
      silent: false,
      version: "ClamAV 1.4.6/1/x",
      stream: "stream: Eicar FOUND",
      fildes: "fd[9]: Eicar FOUND",
    };
    const open = new Set<ClamdSession>();
    const drop = (): void => {
      for (const session of [...open]) session.fail(new ClamdError("CLAMD_CLOSED", "it was closed"));
    };
    const stand: StandIn = { address, is, commands: [], drop };
    boxes.set(name, { stand, open });
    return stand;
  };
  return { edge, openDescriptors, server, pass };
}

function sessionWith({ is, commands }: StandIn, onEnd: () => void): ClamdSession {
  let id = 0;
  const say = (text: string | null): void => {
    const number = ++id;
    if (text === null || is.silent) return;
    queueMicrotask(() => session.receive(Buffer.from(`${number}: ${text}\0`, "latin1")));
  };
  const port: ClamdPort = {
    write: (bytes) => {
      const text = Buffer.from(bytes).toString("latin1");
      for (const [, command = ""] of text.matchAll(/z([A-Z]+)\0/g)) {
        if (command === "IDSESSION" || command === "END") continue;
        commands.push(command);
        if (command === "PING") say("PONG");
        else if (command === "VERSION") say(is.version);
        else say(is.stream);
      }
      return bytes.length;
    },
    pass: () => {
      commands.push("FILDES");
      say(is.fildes);
    },
    close: () => {},
  };
  const session = new ClamdSession(port, onEnd);
  return session;
}

/** Resolves when all that can run without the clock has run. */
async function settled(): Promise<void> {
  for (let round = 0; round < 5; round++) await new Promise((done) => setImmediate(done));
}

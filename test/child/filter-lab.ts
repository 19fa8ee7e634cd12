import type { MailDesk } from "../../src/child/conclusion.ts";
import { Filter } from "../../src/child/filter.ts";
import type { FilterWorld } from "../../src/child/filter-world.ts";
import type { PolicyWorld } from "../../src/child/judge.ts";
import { Slots } from "../../src/child/slots.ts";
import { needsOf, wantedOf } from "../../src/child/wanted.ts";
import type { ClamdError } from "../../src/clamd/clamd-error.ts";
import type { ScanReply } from "../../src/clamd/reply.ts";
import type { Scan, ServerVerdict } from "../../src/clamd/server.ts";
import type { ScanSource } from "../../src/clamd/session.ts";
import type { MilterError } from "../../src/milter/milter-error.ts";
import type { FilterReply } from "../../src/milter/mta-codec.ts";
import { MilterSession } from "../../src/milter/session.ts";
import type { PolicyRules } from "../../src/policy/rules.ts";
import { EMPTY_WHITELIST } from "../../src/policy/whitelist.ts";
import { EndlessMessages } from "../../src/scan/endless.ts";
import { Lane } from "../../src/scan/lane.ts";
import { settled } from "../clamd/fake-clamd.ts";
import { decodeReplies } from "../milter/conversation.ts";
import { RULES } from "../response/fixtures.ts";
import { type SpoolLab, spoolLab } from "../scan/spool-lab.ts";

/** A scan that was asked for, with what was to be scanned. */
export interface AskedScan {
  readonly text: string;
  readonly deadline: number;
  cancelled: boolean;
  answer(reply: ScanReply): Promise<void>;
  fail(error: ClamdError): Promise<void>;
}

/** One MTA connexion through session and filter, with a scanner that waits for the test's word. */
export interface FilterLab {
  readonly session: MilterSession;
  readonly scans: AskedScan[];
  readonly log: string[];
  readonly lacking: number[];
  readonly closed: (MilterError | null)[];
  readonly spool: SpoolLab;
  /** The child's slots: many, unless the test says otherwise. */
  readonly slots: Slots;
  now: number;
  /** Hands over bytes; the replies they bring. */
  tell(...bytes: readonly Uint8Array[]): FilterReply[];
  /** The replies since the last question. */
  replies(): FilterReply[];
}

export type WorldChanges = Partial<FilterWorld["responseRules"]> &
  Partial<PolicyRules> &
  Partial<Omit<PolicyWorld, "rules">> &
  Partial<
    Pick<FilterWorld, "scanSizeLimit" | "logClean" | "hostName" | "scanHost" | "dontWait" | "slotTimeout">
  > & {
    spool?: SpoolLab;
    desk?: MailDesk;
    /** Slots that the child has. */
    granted?: number;
  };

/** A keeper that keeps everything and knows nothing. */
const DESK: MailDesk = {
  keep: async () => "",
  checkSpf: async () => "none",
  isOwn: async () => false,
  texts: async () => ({ signature: null, macros: [], wantsHeaders: false }),
  macros: [],
  wantsHeaders: false,
};

export function filterLab(changes: WorldChanges = {}): FilterLab {
  const spool = changes.spool ?? spoolLab();
  const log: string[] = [];
  const lacking: number[] = [];
  const scans: AskedScan[] = [];
  const closed: (MilterError | null)[] = [];
  const writes: Uint8Array[] = [];
  let asked = 0;
  const slots = new Slots({
    now: () => lab.now,
    send: () => {},
    defer: (work) => work(),
    after: () => {},
    onOver: () => {},
  });
  const world: FilterWorld = {
    policy: policyOf(changes),
    responseRules: {
      ...RULES,
      notices: false,
      ourVersion: "9.9",
      ...changes,
    },
    scanSizeLimit: changes.scanSizeLimit ?? 0,
    logClean: changes.logClean ?? false,
    scan: {
      pool: {
        scan: (source, deadline) => ask(scans, source, deadline),
        size: 1,
        takes: () => true,
        load: 0,
        tick() {},
        learn() {},
        retire() {},
        close() {},
      },
      suspects: new Lane(),
      endless: new EndlessMessages(),
      onEndless() {},
      now: () => lab.now,
      sleep: () => Promise.resolve(),
    },
    budget: 270_000,
    slots,
    slotTimeout: changes.slotTimeout ?? 300_000,
    dontWait: changes.dontWait ?? false,
    spool: spool.edge,
    log: (level, text) => void log.push(`${level}: ${text}`),
    openTrace: null,
    now: () => lab.now,
    scanHost: changes.scanHost ?? (() => null),
    desk: changes.desk ?? DESK,
    broadcast: false,
    hostName: changes.hostName ?? "filter.example",
    onLacking: (actions) => void lacking.push(actions),
  };
  const session = new MilterSession(
    wantedOf(world.responseRules, needsOf(world.policy, false, world.dontWait)),
    { send: (bytes) => void writes.push(bytes), close: (error) => void closed.push(error) },
    (self) => new Filter(() => world, self),
  );
  const replies = (): FilterReply[] => {
    const list = decodeReplies(writes.slice(asked));
    asked = writes.length;
    return list;
  };
  const tell = (...bytes: readonly Uint8Array[]): FilterReply[] => {
    session.receive(Buffer.concat(bytes));
    return replies();
  };
  const lab: FilterLab = { session, scans, log, lacking, closed, spool, slots, now: 5000, tell, replies };
  const grant = changes.granted ?? 100;
  slots.hear({ type: "slots", heard: 0, grant, keep: null, rest: null, full: false });
  return lab;
}

function policyOf(changes: WorldChanges): PolicyWorld {
  return {
    ignored: [],
    ownNames: null,
    blacklists: false,
    whitelists: false,
    isBlacklisted: () => false,
    blacklist() {},
    leadToNull: () => Promise.resolve(false),
    ...changes,
    rules: {
      scanOutgoing: false,
      scanLocal: false,
      forceScan: false,
      skipAuthenticated: null,
      sanitise: false,
      blackHole: false,
      whitelist: EMPTY_WHITELIST,
      ...changes,
    },
  };
}

/** Starts a scan; one that has failed fails again in the same way when the message is sent again. */
function ask(scans: AskedScan[], source: ScanSource, deadline: number): Scan {
  const before = failed.get(source);
  if (before !== undefined) return { server: "unix:/clamd", verdict: before(), cancel: () => {} };
  const { promise, resolve, reject } = Promise.withResolvers<ServerVerdict>();
  const scan: AskedScan = {
    text: Buffer.concat([...Iterator.from(source.pieces())]).toString("latin1"),
    deadline,
    cancelled: false,
    answer(reply) {
      const verdict = { reply, server: "unix:/clamd", version: "ClamAV 1.4.6/27000/Sun" };
      if (reply.kind === "failed") failed.set(source, () => Promise.resolve(verdict));
      resolve(verdict);
      return settled();
    },
    fail(error) {
      failed.set(source, () => Promise.reject(error));
      reject(error);
      return settled();
    },
  };
  scans.push(scan);
  const cancel = (): void => {
    scan.cancelled = true;
  };
  return { server: "unix:/clamd", verdict: promise, cancel };
}

const failed = new WeakMap<ScanSource, () => Promise<ServerVerdict>>();

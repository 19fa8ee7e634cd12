import { Filter, type FilterWorld } from "../../src/child/filter.ts";
import { wantedOf } from "../../src/child/wanted.ts";
import type { ClamdError } from "../../src/clamd/clamd-error.ts";
import type { ScanReply } from "../../src/clamd/reply.ts";
import type { ServerVerdict } from "../../src/clamd/server.ts";
import type { MilterError } from "../../src/milter/milter-error.ts";
import type { FilterReply } from "../../src/milter/mta-codec.ts";
import { MilterSession } from "../../src/milter/session.ts";
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
  now: number;
  /** Hands over bytes; the replies they bring. */
  tell(...bytes: readonly Uint8Array[]): FilterReply[];
  /** The replies since the last question. */
  replies(): FilterReply[];
}

export type WorldChanges = Partial<FilterWorld["responseRules"]> &
  Partial<FilterWorld["scanRules"]> &
  Partial<Pick<FilterWorld, "scanSizeLimit" | "logClean" | "hostName" | "scanHost">> & { spool?: SpoolLab };

export function filterLab(changes: WorldChanges = {}): FilterLab {
  const spool = changes.spool ?? spoolLab();
  const log: string[] = [];
  const lacking: number[] = [];
  const scans: AskedScan[] = [];
  const closed: (MilterError | null)[] = [];
  const writes: Uint8Array[] = [];
  let asked = 0;
  const world: FilterWorld = {
    scanRules: { scanOutgoing: false, scanLocal: false, forceScan: false, ignored: [], ...changes },
    responseRules: {
      ...RULES,
      ourVersion: "9.9",
      ...changes,
    },
    scanSizeLimit: changes.scanSizeLimit ?? 0,
    logClean: changes.logClean ?? false,
    pool: {
      scan: (source, deadline) => ask(scans, source.pieces(), deadline),
      load: 0,
      tick() {},
      retire() {},
      close() {},
    },
    spool: spool.edge,
    log: (level, text) => void log.push(`${level}: ${text}`),
    openTrace: null,
    now: () => lab.now,
    scanHost: changes.scanHost ?? (() => null),
    hostName: changes.hostName ?? "filter.example",
    onLacking: (actions) => void lacking.push(actions),
  };
  const session = new MilterSession(
    wantedOf(world.responseRules),
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
  const lab: FilterLab = { session, scans, log, lacking, closed, spool, now: 5000, tell, replies };
  return lab;
}

function ask(scans: AskedScan[], pieces: Iterator<Uint8Array>, deadline: number) {
  const { promise, resolve, reject } = Promise.withResolvers<ServerVerdict>();
  const scan: AskedScan = {
    text: Buffer.concat([...Iterator.from(pieces)]).toString("latin1"),
    deadline,
    cancelled: false,
    answer(reply) {
      resolve({ reply, server: "unix:/clamd", version: "ClamAV 1.4.6/27000/Sun" });
      return settled();
    },
    fail(error) {
      reject(error);
      return settled();
    },
  };
  scans.push(scan);
  const cancel = (): void => {
    scan.cancelled = true;
  };
  return { verdict: promise, cancel };
}

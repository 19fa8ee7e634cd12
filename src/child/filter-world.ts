import type { Log } from "../log/log.ts";
import type { SessionTrace } from "../milter/trace.ts";
import type { ResponseRules } from "../response/rules.ts";
import type { ScanWorld } from "../scan/job.ts";
import type { SpoolEdge } from "../scan/spool-edge.ts";
import type { MailDesk } from "./conclusion.ts";
import type { PolicyWorld } from "./judge.ts";
import type { Slots } from "./slots.ts";

/** What all connexions of a child share. */
export interface FilterWorld {
  readonly policy: PolicyWorld;
  readonly responseRules: ResponseRules;
  /** Bytes; a longer message is not scanned. 0: no limit. */
  readonly scanSizeLimit: number;
  readonly logClean: boolean;
  readonly scan: ScanWorld;
  /** Milliseconds that a message has from its end to its verdict. */
  readonly budget: number;
  /** A message in scanning holds one of these. */
  readonly slots: Slots;
  /** Milliseconds that a message waits for a slot, `--timeout`; 0: as long as its budget allows. */
  readonly slotTimeout: number;
  readonly dontWait: boolean;
  readonly spool: SpoolEdge;
  readonly log: Log;
  /** Makes the trace of one connexion; null: none is wanted. */
  readonly openTrace: (() => SessionTrace) | null;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** The host that scanned, as `X-Virus-Scanned` names it: the server's name, or null for this host. */
  readonly scanHost: (server: string) => string | null;
  readonly hostName: string;
  /** What is done for messages outside of the jail. */
  readonly desk: MailDesk;
  /** Whether infections are told by broadcast. */
  readonly broadcast: boolean;
  /** An action that the options need was not granted: told once by whoever logs it. */
  readonly onLacking: (actions: number) => void;
}

import { withoutMapping } from "../access/address.ts";
import { accessNeedsName, decideAccess } from "../access/decide.ts";
import type { AccessState } from "../ipc/messages.ts";
import type { Log } from "../log/log.ts";

/** Milliseconds for which a peer waits for the first tables. */
const TABLES_PATIENCE = 5000;

/** Both ends of a TCP connexion, as the system writes addresses. */
export interface TcpEnds {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly localPort: number;
}

/** What the gate needs of the keeper. */
export interface GateEdge {
  /** Asks for the tables: they come by `take`. */
  wantTables(): void;
  /** The verified name of an address. Rejects when it cannot be had. */
  nameOf(address: string): Promise<string>;
  readonly log: Log;
}

/** Decides by hosts.allow and hosts.deny who may connect by TCP: man page, "tcpwrappers"; decisions 4. */
export class Gate {
  readonly #edge: GateEdge;
  readonly #patience: number;
  #state: AccessState | null = null;
  #first = Promise.withResolvers<AccessState>();

  /** @param patience milliseconds for which a peer waits for the first tables */
  constructor(edge: GateEdge, patience = TABLES_PATIENCE) {
    this.#edge = edge;
    this.#patience = patience;
  }

  /** Takes new tables: they count for connexions that come from then on. */
  take(state: AccessState): void {
    this.#state = state;
    this.#first.resolve(state);
  }

  /** Whether the peer may use this program: at once when that is possible. Never rejects. */
  admits(ends: TcpEnds): boolean | Promise<boolean> {
    if (this.#state !== null) return this.#decide(this.#state, ends);
    this.#edge.wantTables();
    return this.#decideLater(ends);
  }

  async #decideLater(ends: TcpEnds): Promise<boolean> {
    const late = Promise.withResolvers<null>();
    const timer = setTimeout(() => late.resolve(null), this.#patience);
    const state = await Promise.race([this.#first.promise, late.promise]);
    clearTimeout(timer);
    if (state !== null) return this.#decide(state, ends);
    this.#edge.log(
      "warning",
      `access denied for [${ends.remoteAddress}]: hosts.allow and hosts.deny are not read`,
    );
    return false;
  }

  #decide(state: AccessState, ends: TcpEnds): boolean | Promise<boolean> {
    const { allow, deny } = state.tables;
    // Most hosts have no rules at all.
    if (allow.rules.length + deny.rules.length === 0 && deny.broken === null) return true;
    const address = withoutMapping(ends.remoteAddress);
    const extras = extrasOf(state, ends);
    if (!accessNeedsName(state.tables, address, extras)) return this.#judge(state, ends, address, null);
    return this.#edge.nameOf(address.replace(/%.*$/, "")).then(
      (name) => this.#judge(state, ends, address, name),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.#edge.log("warning", `access denied for [${address}]: its name cannot be looked up: ${reason}`);
        return false;
      },
    );
  }

  /** @param name null when the decision does not depend on it */
  #judge(state: AccessState, ends: TcpEnds, address: string, name: string | null): boolean {
    const peer = { address, name: name ?? "unknown" };
    const { granted, rule } = decideAccess(state.tables, peer, extrasOf(state, ends));
    // What is wrong with the rules was logged when they were read.
    if (!granted) this.#edge.log("warning", `access denied for ${name ?? ""}[${address}] by ${rule}`);
    return granted;
  }
}

function extrasOf({ files, netgroups }: AccessState, { localAddress, localPort }: TcpEnds) {
  return { files, netgroups, server: { address: withoutMapping(localAddress), port: localPort } };
}

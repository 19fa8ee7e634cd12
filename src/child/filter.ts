import type { Log } from "../log/log.ts";
import { Action, Step } from "../milter/codes.ts";
import type { Agreement } from "../milter/negotiation.ts";
import type { Verdict } from "../milter/replies.ts";
import type { ClientFacts, MilterSession, SessionHandler } from "../milter/session.ts";
import type { SessionTrace } from "../milter/trace.ts";
import { decideConnexion, type ScanRules } from "../policy/connexion.ts";
import { type MessageRecord, messageFields, messageLine } from "../response/log-line.ts";
import { NO_PLACE, OVERLOADED } from "../response/overload.ts";
import { planResponse } from "../response/plan.ts";
import type { MessageFacts, Outcome, ResponseRules } from "../response/rules.ts";
import { type ScanWorld, startScan } from "../scan/job.ts";
import type { SpoolEdge } from "../scan/spool.ts";
import type { ScanVerdict } from "../scan/verdict.ts";
import { Message } from "./message.ts";
import { longestWait, type SlotJob, scanInSlot } from "./scan-in-slot.ts";
import type { Slots } from "./slots.ts";

/** What all connexions of a child share. */
export interface FilterWorld {
  readonly scanRules: ScanRules;
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
  /** An action that the options need was not granted: told once by whoever logs it. */
  readonly onLacking: (actions: number) => void;
}

const CONTINUE: Verdict = { kind: "continue" };

/** Decides on the mail of one MTA connexion. */
export class Filter implements SessionHandler {
  readonly #worldNow: () => FilterWorld;
  /** The settings of the message in hand: new ones count from the next message on. */
  #world: FilterWorld;
  readonly #session: MilterSession;
  readonly #admitted: () => boolean;
  #agreement: Agreement = { version: 0, actions: 0, steps: 0 };
  #client: ClientFacts = { kind: "connect", host: "", family: "unknown", port: 0, address: "" };
  #message: Message | null = null;
  #job: SlotJob | null = null;
  /** Mail of this machine is refused at its end only: Postfix would keep it queued for ever. */
  #fromHere = false;

  /** @param admitted whether the MTA may use us: hosts.allow and hosts.deny */
  constructor(worldNow: () => FilterWorld, session: MilterSession, admitted: () => boolean = () => true) {
    this.#admitted = admitted;
    this.#worldNow = worldNow;
    this.#world = worldNow();
    this.#session = session;
  }

  /** Whether a verdict is due that only a scanner can give. */
  get scanning(): boolean {
    return this.#job !== null;
  }

  negotiated(agreement: Agreement, lacking: number): void {
    this.#agreement = agreement;
    if (lacking !== 0) this.#world.onLacking(lacking);
  }

  connect(client: ClientFacts): Verdict {
    this.#client = client;
    this.#world = this.#worldNow();
    if (!this.#admitted()) return { kind: "tempfail" };
    const decision = decideConnexion(client.family, client.address, this.#world.scanRules);
    this.#fromHere = decision.origin === "thisMachine";
    if (decision.kind === "scan") return CONTINUE;
    this.#world.log("verbose", `not scanned: client=${this.#clientText()}: ${decision.reason}`);
    return { kind: "accept" };
  }

  helo(_name: string): void {}

  mail(sender: string): Verdict {
    this.#forget();
    this.#world = this.#worldNow();
    const message = new Message(this.#world.spool, this.#world.scanSizeLimit, sender);
    this.#message = message;
    if (!this.#world.dontWait || !this.#world.slots.full || this.#fromHere) return CONTINUE;
    this.#forget();
    this.#logMessage(this.#queueId, message, NO_PLACE, "tempfailed", this.#world.now());
    return OVERLOADED;
  }

  rcpt(recipient: string): Verdict {
    this.#message?.addRecipient(recipient);
    return CONTINUE;
  }

  header(name: string, value: string): void {
    const ownSpace = (this.#agreement.steps & Step.headerLeadingSpace) !== 0;
    this.#message?.addHeader(name, ownSpace ? value : ` ${value}`);
  }

  endOfHeaders(): Verdict {
    this.#message?.endHeaders();
    return CONTINUE;
  }

  body(bytes: Uint8Array): "continue" | "skip" {
    return this.#message?.addBody(bytes) ?? "skip";
  }

  endOfMessage(): void {
    const message = this.#message;
    if (message === null) {
      this.#session.finish([], { kind: "tempfail" });
      return;
    }
    const started = this.#world.now();
    const early = message.complete();
    if (early !== null) {
      this.#conclude(message, early, started);
      return;
    }
    const job = this.#startJob(message, started);
    this.#job = job;
    job.verdict
      .then((verdict) => {
        // An aborted message needs no answer, and must not get that of the one after it.
        if (this.#job !== job) return;
        if (verdict === null) this.#sendAway(message, started);
        else this.#conclude(message, verdict, started);
      })
      .catch((error: unknown) => {
        // A fault of ours: the message must be answered all the same, and not as clean.
        this.#world.log("error", `a fault of this program: ${error instanceof Error ? error.stack : error}`);
        // The fault of an aborted message is not that of the one after it.
        if (this.#job !== null && this.#job !== job) return;
        this.#forget();
        this.#session.finish([], { kind: "tempfail" });
      });
  }

  abort(): void {
    this.#job?.cancel();
    this.#forget();
  }

  end(): void {
    this.abort();
  }

  #startJob({ spool }: Message, started: number): SlotJob {
    const { scan, budget, slots, dontWait, slotTimeout, now, log } = this.#world;
    return scanInSlot({
      slots,
      dontWait,
      patience: longestWait(budget, slotTimeout),
      start: () => startScan(scan, spool, started + budget),
      onOver: () => {
        const seconds = Math.round((now() - started) / 1000);
        log("verbose", `${this.#queueId}: scanned over --max-children: has waited ${seconds} s for a place`);
      },
    });
  }

  /** No slot, and `--dont-wait`. */
  #sendAway(message: Message, started: number): void {
    const queueId = this.#queueId;
    this.#forget();
    this.#session.finish([], OVERLOADED);
    this.#logMessage(queueId, message, NO_PLACE, "tempfailed", started);
  }

  #conclude(message: Message, scan: ScanVerdict, started: number): void {
    const plan = planResponse(scan, this.#world.responseRules, this.#facts(message, scan));
    const queueId = this.#queueId;
    this.#forget();
    this.#session.finish(plan.modifications, plan.verdict);
    if (plan.outcome === "clean" && !this.#world.logClean) return;
    this.#logMessage(queueId, message, scan, plan.outcome, started);
  }

  get #queueId(): string {
    return this.#session.macros.get("i") ?? "NOQUEUE";
  }

  #logMessage(queueId: string, message: Message, scan: ScanVerdict, outcome: Outcome, started: number): void {
    const record: MessageRecord = {
      queueId,
      sender: message.sender,
      recipients: message.recipients,
      recipientCount: message.recipientCount,
      clientHost: this.#client.host,
      clientAddress: this.#client.address,
      size: message.size,
      scan,
      outcome,
      milliseconds: this.#world.now() - started,
    };
    const level = outcome === "tempfailed" ? "warning" : "info";
    this.#world.log(level, messageLine(record), messageFields(record));
  }

  #facts(message: Message, scan: ScanVerdict): MessageFacts {
    const scanHost = scan.kind === "clean" ? this.#world.scanHost(scan.server) : null;
    return {
      statusHeaders: message.statusHeaders,
      fromMdaemon: message.fromMdaemon,
      subject: null,
      recipients: message.recipients,
      allRecipients: true,
      spfPass: false,
      host: scanHost ?? this.#thisHost(),
      mayAddHeaders: (this.#agreement.actions & Action.addHeaders) !== 0,
      mayChangeHeaders: (this.#agreement.actions & Action.changeHeaders) !== 0,
      mayAddRecipients: (this.#agreement.actions & Action.addRecipient) !== 0,
      mayDeleteRecipients: (this.#agreement.actions & Action.deleteRecipient) !== 0,
      mayChangeBody: (this.#agreement.actions & Action.changeBody) !== 0,
      leadingSpace: (this.#agreement.steps & Step.headerLeadingSpace) !== 0,
    };
  }

  /** This host, by its full name if anybody here knows it: the MTA does. */
  #thisHost(): string {
    const { hostName } = this.#world;
    return hostName.includes(".") ? hostName : (this.#session.macros.get("j") ?? hostName);
  }

  #clientText(): string {
    return `${this.#client.host}[${this.#client.address}]`;
  }

  #forget(): void {
    this.#job = null;
    this.#message?.close();
    this.#message = null;
  }
}

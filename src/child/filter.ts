import type { Log } from "../log/log.ts";
import { Step } from "../milter/codes.ts";
import type { Agreement } from "../milter/negotiation.ts";
import type { Verdict } from "../milter/replies.ts";
import type { ClientFacts, MilterSession, SessionHandler } from "../milter/session.ts";
import { grantedFacts } from "../response/actions.ts";
import { type MessageRecord, messageFields, messageLine } from "../response/log-line.ts";
import { NO_PLACE, OVERLOADED } from "../response/overload.ts";
import type { MessageFacts, Outcome } from "../response/rules.ts";
import { startScan } from "../scan/job.ts";
import type { ScanVerdict } from "../scan/verdict.ts";
import { type Conclusion, type Judged, quickConclusion, slowConclusion } from "./conclusion.ts";
import type { FilterWorld } from "./filter-world.ts";
import { Judge } from "./judge.ts";
import { Message } from "./message.ts";
import { longestWait, type SlotJob, scanInSlot } from "./scan-in-slot.ts";

/** Decides on the mail of one MTA connexion. */
export class Filter implements SessionHandler {
  readonly #worldNow: () => FilterWorld;
  /** The settings of the message in hand: new ones count from the next message on. */
  #world: FilterWorld;
  readonly #session: MilterSession;
  readonly #admitted: () => boolean;
  readonly #judge: Judge;
  #agreement: Agreement = { version: 0, actions: 0, steps: 0 };
  #client: ClientFacts = { kind: "connect", host: "", family: "unknown", port: 0, address: "" };
  #message: Message | null = null;
  /** What the message waits for after its end. */
  #job: { cancel(): void } | null = null;
  #helo = "";

  /** @param admitted whether the MTA may use us: hosts.allow and hosts.deny */
  constructor(worldNow: () => FilterWorld, session: MilterSession, admitted: () => boolean = () => true) {
    this.#admitted = admitted;
    this.#worldNow = worldNow;
    this.#world = worldNow();
    this.#session = session;
    const log: Log = (level, text, fields) => this.#world.log(level, text, fields);
    this.#judge = new Judge(this.#world.policy, session.macros, log);
  }

  negotiated(agreement: Agreement, lacking: number): void {
    this.#agreement = agreement;
    if (lacking !== 0) this.#world.onLacking(lacking);
  }

  connect(client: ClientFacts): Verdict {
    this.#client = client;
    this.#world = this.#worldNow();
    if (!this.#admitted()) return { kind: "tempfail" };
    return this.#judge.connect(client, this.#world.policy);
  }

  helo(name: string): void {
    this.#helo = name;
    this.#judge.helo(name);
  }

  mail(sender: string): Verdict {
    this.#forget();
    this.#world = this.#worldNow();
    const verdict = this.#judge.mail(sender, this.#world.policy);
    if (verdict.kind !== "continue") return verdict;
    const message = new Message(this.#world.spool, this.#world.scanSizeLimit, sender);
    this.#message = message;
    if (!this.#world.dontWait || !this.#world.slots.full || this.#judge.fromThisMachine) return verdict;
    this.#forget();
    this.#logMessage(this.#queueId, message, NO_PLACE, "tempfailed", this.#world.now());
    return OVERLOADED;
  }

  rcpt(recipient: string): Verdict {
    const verdict = this.#judge.rcpt(recipient);
    if (verdict.kind === "continue") this.#message?.addRecipient(recipient);
    return verdict;
  }

  header(name: string, value: string): void {
    const ownSpace = (this.#agreement.steps & Step.headerLeadingSpace) !== 0;
    this.#message?.addHeader(name, ownSpace ? value : ` ${value}`);
    this.#judge.header(name, value);
  }

  endOfHeaders(): Verdict {
    this.#message?.endHeaders();
    const verdict = this.#judge.endOfHeaders();
    if (verdict.kind !== "continue") this.#forget();
    return verdict;
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
    const word = this.#judge.lastWord();
    if (word === null) this.#scan(message, started);
    else if (word instanceof Promise) {
      void word.then((late) => {
        // An aborted message needs no answer.
        if (this.#message !== message) return;
        if (late === null) this.#scan(message, started);
        else this.#say(late);
      });
    } else this.#say(word);
  }

  /** Answers a message that is not scanned. */
  #say(verdict: Verdict): void {
    this.#forget();
    this.#session.finish([], verdict);
  }

  #scan(message: Message, started: number): void {
    const early = message.complete();
    if (early !== null) this.#conclude(message, early, started);
    else if (this.#mayBeOwn(message)) this.#askWhetherOwn(message, started);
    else this.#haveScanned(message, started);
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

  /** What takes time goes on until the message is answered or aborted: an aborted one needs no answer. */
  #when<T>(job: { cancel(): void }, result: Promise<T>, then: (value: T) => void): void {
    const message = this.#message;
    this.#job = job;
    result
      .then((value) => {
        // An aborted message must not get the answer of the one after it.
        if (this.#job === job) then(value);
      })
      .catch((error: unknown) => {
        // A fault of ours: the message must be answered all the same, and not as clean.
        this.#world.log("error", `a fault of this program: ${error instanceof Error ? error.stack : error}`);
        // The fault of an aborted message is not that of the one after it.
        if (this.#message !== null && this.#message !== message) return;
        this.#forget();
        this.#session.finish([], { kind: "tempfail" });
      });
  }

  #haveScanned(message: Message, started: number): void {
    const job = this.#startJob(message, started);
    this.#when(job, job.verdict, (verdict) => {
      if (verdict === null) this.#sendAway(message, started);
      else this.#conclude(message, verdict, started);
    });
  }

  /** Our own mail passes unscanned: it may carry the virus that it reports (decisions 6). */
  #mayBeOwn(message: Message): boolean {
    // Postfix gives the null sender of mail from the command line without brackets.
    const fromNobody = message.sender === "<>" || message.sender === "";
    return message.ownCode !== null && this.#judge.fromThisMachine && fromNobody;
  }

  #askWhetherOwn(message: Message, started: number): void {
    const { ownCode, messageId, recipients, allRecipients } = message;
    const asked = allRecipients
      ? this.#world.desk.isOwn(ownCode ?? "", messageId, recipients).catch(() => false)
      : Promise.resolve(false);
    this.#when({ cancel: () => {} }, asked, (own) => {
      if (!own) return this.#haveScanned(message, started);
      this.#world.log("verbose", `${this.#queueId}: not scanned: a notice of our own`);
      this.#say({ kind: "accept" });
    });
  }

  #conclude(message: Message, scan: ScanVerdict, started: number): void {
    const judged = this.#judged(message, scan);
    const quick = quickConclusion(judged);
    if (quick !== null) this.#answer(message, scan, quick, started);
    else {
      this.#when({ cancel: () => {} }, slowConclusion(judged), (conclusion) =>
        this.#answer(message, scan, conclusion, started),
      );
    }
  }

  #answer(message: Message, scan: ScanVerdict, conclusion: Conclusion, started: number): void {
    const { plan, modifications } = conclusion;
    const queueId = this.#queueId;
    this.#forget();
    this.#session.finish(modifications, plan.verdict);
    if (scan.kind === "infected" && plan.alarm) this.#judge.infected(scan.names);
    if (plan.outcome === "clean" && !this.#world.logClean) return;
    this.#logMessage(queueId, message, scan, plan.outcome, started);
  }

  #judged(message: Message, scan: ScanVerdict): Judged {
    const { responseRules: rules, desk, broadcast, log } = this.#world;
    const facts = this.#facts(message, scan);
    const macro = (name: string): string | undefined => this.#session.macros.get(name);
    const queueId = this.#queueId;
    const client = this.#client;
    // Of mail that claims to be ours nothing is told, whether it is or not: telling of it could go on for ever.
    const silent = this.#mayBeOwn(message);
    return {
      message,
      scan,
      rules,
      facts,
      silent,
      client,
      helo: this.#helo,
      queueId,
      macro,
      broadcast,
      desk,
      log,
    };
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
    const scanned = scan.kind === "clean" || scan.kind === "infected";
    const scanHost = scanned ? this.#world.scanHost(scan.server) : null;
    return {
      statusHeaders: message.statusHeaders,
      fromMdaemon: message.fromMdaemon,
      subject: message.subject,
      recipients: message.recipients,
      allRecipients: message.allRecipients,
      spfPass: false,
      host: scanHost ?? this.#thisHost(),
      ...grantedFacts(this.#agreement.actions),
      leadingSpace: (this.#agreement.steps & Step.headerLeadingSpace) !== 0,
    };
  }

  /** This host, by its full name if anybody here knows it: the MTA does. */
  #thisHost(): string {
    const { hostName } = this.#world;
    return hostName.includes(".") ? hostName : (this.#session.macros.get("j") ?? hostName);
  }

  #forget(): void {
    this.#job = null;
    this.#message?.close();
    this.#message = null;
  }
}

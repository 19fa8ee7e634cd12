import { ALL_ACTIONS, ALL_STEPS, Command, NEWEST_VERSION, Reply } from "../../src/milter/codes.ts";
import { decodeReply, encodeCommand } from "../../src/milter/mta-codec.ts";
import { readUint32 } from "../../src/wire/uint32.ts";
import type { BenchMail } from "./corpus.ts";
import { type Address, Link, type Waiting } from "./link.ts";
import { type Agreed, type MailParts, mailParts, sessionPart } from "./mta-frames.ts";
import type { Poller } from "./socket-calls.ts";
import { layOut, ownCopy, type Part, putNumber, type WireFrame } from "./stretches.ts";
import type { Job, Verdict, Work } from "./work.ts";

/** What all connexions of one kind of negotiation have in common. */
interface Profile {
  readonly agreed: Agreed;
  readonly sessions: Map<string, Part>;
  readonly mails: Map<BenchMail, MailParts>;
}

export interface MtaPlan {
  readonly address: Address;
  /** The SMTP client's address. */
  readonly client: string;
  /** Messages on a connexion, before it is closed and another is opened. */
  readonly perConnexion: number;
  /** Whether accepted mail must have been marked as scanned (true) or left as it was (false). */
  readonly marked: boolean;
}

const frame = (bytes: Uint8Array, answered: boolean): WireFrame => ({
  bytes,
  stage: bytes[4] ?? 0,
  answered,
});
const OFFER = layOut([
  frame(
    encodeCommand({ kind: "negotiate", version: NEWEST_VERSION, actions: ALL_ACTIONS, steps: ALL_STEPS }),
    true,
  ),
]);
const QUIT = layOut([frame(encodeCommand({ kind: "quit" }), false)]);
const ABORT = layOut([frame(encodeCommand({ kind: "abort" }), false)]);
const MODIFICATIONS: ReadonlySet<number> = new Set([
  Reply.addHeader,
  Reply.insertHeader,
  Reply.changeHeader,
  Reply.replaceBody,
  Reply.addRecipient,
  Reply.addRecipientWithArguments,
  Reply.deleteRecipient,
  Reply.changeSender,
  Reply.quarantine,
]);
const profiles = new Map<string, Profile>();

/** An MTA's connexion to the filter, again and again. */
export class MtaLine {
  readonly #plan: MtaPlan;
  readonly #waiting: Waiting;
  readonly #link: Link;
  readonly #heads = new Map<MailParts, Part>();
  #work: Work | null = null;
  #profile: Profile | null = null;
  #job: Job | null = null;
  #onConnexion = 0;
  #modified = 0;
  #aborts = false;
  #single = false;
  /** Whether CONNECT and HELO are through, on a connexion that has been opened for its own sake. */
  greeted = false;
  /** Whether such a connexion was lost. */
  failed = false;

  constructor(poller: Poller, waiting: Waiting, plan: MtaPlan) {
    this.#plan = plan;
    this.#waiting = waiting;
    this.#link = new Link(poller, waiting, plan.address, {
      onBytes: (bytes) => this.#bytes(bytes),
      onLost: (why) => this.#lost(why),
    });
  }

  get connected(): boolean {
    return this.#link.connected;
  }

  /** Sends messages of this work until there is none any more; on the present connexion, if there is one. */
  start(work: Work): void {
    this.#work = work;
    this.#next();
  }

  /** Sends one message on the present connexion, which then stays open. */
  startOne(work: Work): void {
    this.#single = true;
    this.start(work);
  }

  /** Opens a connexion and goes as far as HELO. */
  greet(): void {
    this.#link.open([OFFER]);
  }

  close(): void {
    if (this.#link.connected && this.#job === null) this.#link.send([QUIT]);
    this.#link.close();
    this.#job = null;
    this.#work = null;
  }

  #next(): void {
    this.#job = this.#work?.take() ?? null;
    if (this.#job === null) this.#hangUp();
    else if (this.#link.connected) this.#sendMail([]);
    else this.#link.open([OFFER]);
  }

  #hangUp(): void {
    if (this.#link.connected) this.#link.send([QUIT]);
    this.#link.close();
    this.#onConnexion = 0;
    this.#aborts = false;
  }

  #sendMail(before: readonly Part[]): void {
    const [profile, job] = [this.#profile, this.#job];
    if (profile === null || job === null) return;
    let parts = profile.mails.get(job.mail);
    if (parts === undefined) {
      parts = mailParts(profile.agreed, job.mail);
      profile.mails.set(job.mail, parts);
    }
    let head = this.#heads.get(parts);
    if (head === undefined) {
      head = ownCopy(parts.head);
      this.#heads.set(parts, head);
    }
    putNumber(head.bytes, parts.places, job.number);
    this.#modified = 0;
    this.#onConnexion++;
    this.#link.send(this.#aborts ? [ABORT, head, parts.tail] : [...before, head, parts.tail]);
    this.#aborts = false;
  }

  #bytes(bytes: Buffer): number {
    const generation = this.#link.generation;
    let at = 0;
    while (bytes.length - at >= 5) {
      const end = at + 4 + readUint32(bytes, at);
      if (end > bytes.length) break;
      this.#reply(bytes[at + 4] ?? 0, bytes, at + 5, end);
      if (generation !== this.#link.generation) return 0;
      at = end;
    }
    return at;
  }

  #reply(letter: number, bytes: Buffer, from: number, to: number): void {
    const { awaited } = this.#link;
    if (awaited === 0) this.#fail(`a reply ${String.fromCharCode(letter)} where none was due`);
    else if (awaited === Command.negotiate) this.#negotiated(letter, bytes.subarray(from, to));
    else if (letter === Reply.progress) return;
    else if (awaited === Command.endOfBody && MODIFICATIONS.has(letter)) this.#modified++;
    else if (letter === Reply.skip && awaited === Command.body) {
      this.#link.skip(Command.body);
      this.#link.goOn();
    } else if (letter === Reply.continue && awaited !== Command.endOfBody) {
      this.#link.goOn();
      if (this.#job === null && this.#link.awaited === 0) this.greeted = true;
    } else this.#final(awaited, letter, bytes.toString("latin1", from, Math.min(to, from + 100)));
  }

  #negotiated(letter: number, data: Buffer): void {
    if (letter !== Reply.negotiate) {
      this.#fail("no negotiation");
      return;
    }
    const key = data.toString("latin1");
    let profile = profiles.get(key);
    if (profile === undefined) {
      const answer = decodeReply({ letter, data });
      if (answer.kind !== "negotiate") throw new Error("no negotiation");
      profile = { agreed: answer, sessions: new Map(), mails: new Map() };
      profiles.set(key, profile);
    }
    this.#profile = profile;
    const { client } = this.#plan;
    let session = profile.sessions.get(client);
    if (session === undefined) {
      session = sessionPart(profile.agreed, client);
      profile.sessions.set(client, session);
    }
    if (this.#job !== null) this.#sendMail([session]);
    else {
      this.#link.send([session]);
      if (this.#link.awaited === 0) this.greeted = true;
    }
  }

  #final(awaited: number, letter: number, text: string): void {
    const verdict = verdictOf(letter, text);
    if (verdict === null) {
      this.#fail(`a reply ${String.fromCharCode(letter)} where none such may come`);
      return;
    }
    const early = awaited !== Command.endOfBody;
    const session = awaited === Command.connect || awaited === Command.helo || letter === Reply.shutdown;
    if (this.#job === null) {
      this.greeted = true;
      this.#aborts = false;
      if (session) this.#link.goOn();
      return;
    }
    this.#settle(verdict, text);
    if (this.#single) return;
    if (session || this.#onConnexion >= this.#plan.perConnexion) this.#hangUp();
    else this.#aborts = early;
    this.#next();
  }

  #settle(verdict: Verdict, detail: string): void {
    if (this.#job === null) return;
    const marks = verdict === "accept" && this.#modified > 0 !== this.#plan.marked;
    const objection = this.#plan.marked
      ? "a mail was accepted unmarked"
      : "a mail was marked that is not scanned";
    this.#work?.settle(this.#job, verdict, detail, marks ? objection : null);
    this.#job = null;
  }

  #fail(why: string): void {
    this.#link.close();
    this.#lost(why);
  }

  #lost(why: string): void {
    this.#onConnexion = 0;
    this.#aborts = false;
    this.greeted = false;
    if (this.#work === null || this.#job === null) {
      this.failed = true;
      return;
    }
    this.#work.settle(this.#job, "lost", why);
    this.#job = null;
    if (this.#single) return;
    // Not at once: a filter that is gone would be called again and again, each call inside of the last.
    this.#waiting.add(() => this.#next());
  }
}

function verdictOf(letter: number, text: string): Verdict | null {
  switch (letter) {
    case Reply.accept:
    case Reply.continue:
      return "accept";
    case Reply.reject:
      return "reject";
    case Reply.tempfail:
    case Reply.shutdown:
    case Reply.connectionFailed:
      return "tempfail";
    case Reply.discard:
      return "discard";
    case Reply.replyCode:
      return text.startsWith("4") ? "tempfail" : "reject";
    default:
      return null;
  }
}

import { Action, ALL_ACTIONS, ALL_STEPS, type MacroStageName, Step } from "../../src/milter/codes.ts";
import type { MtaCommand } from "../../src/milter/commands.ts";
import { FrameDecoder } from "../../src/milter/frame.ts";
import { decodeReply, encodeCommand, type FilterReply } from "../../src/milter/mta-codec.ts";
import type { Modification } from "../../src/milter/replies.ts";

/** Where the filter listens. */
export type FilterAddress = { readonly unix: string } | { readonly hostname: string; readonly port: number };

/** A mail as an MTA hands it over. */
export interface MtaMail {
  readonly sender?: string;
  readonly recipients?: readonly string[];
  readonly queueId?: string;
  /** Name and value; the value without its leading blank. */
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: Uint8Array;
}

/** What the filter made of a mail. */
export interface MtaOutcome {
  /** The stage that was answered with it: `connect`, `mail`, … or `endOfBody`. */
  readonly stage: string;
  readonly verdict: FilterReply;
  readonly modifications: readonly Modification[];
  readonly progress: number;
}

/** The MTA's client, as CONNECT tells it. */
export interface MtaClient {
  readonly host?: string;
  readonly family?: "inet" | "inet6" | "unix" | "unknown";
  readonly address?: string;
}

export interface MtaOffer {
  readonly version?: number;
  readonly actions?: number;
  readonly steps?: number;
}

const CHUNK = 65_535;
/** The step bits that leave a command out, and those that leave its answer out. */
const OMITTED: Partial<Record<MtaCommand["kind"], number>> = {
  connect: Step.noConnect,
  helo: Step.noHelo,
  mail: Step.noMail,
  rcpt: Step.noRcpt,
  data: Step.noData,
  header: Step.noHeaders,
  endOfHeaders: Step.noEndOfHeaders,
  body: Step.noBody,
  unknown: Step.noUnknown,
};
const UNANSWERED: Partial<Record<MtaCommand["kind"], number>> = {
  connect: Step.noReplyConnect,
  helo: Step.noReplyHelo,
  mail: Step.noReplyMail,
  rcpt: Step.noReplyRcpt,
  data: Step.noReplyData,
  header: Step.noReplyHeader,
  endOfHeaders: Step.noReplyEndOfHeaders,
  body: Step.noReplyBody,
  unknown: Step.noReplyUnknown,
};
const REPLY_DEADLINE = 60_000;

/** An MTA's connexion to a filter. It sends ahead where no answer is due, as sendmail does. */
export class MtaConnexion {
  readonly #decoder = new FrameDecoder(1 << 20);
  readonly #replies: FilterReply[] = [];
  #waiting: { resolve(reply: FilterReply): void; reject(error: Error): void } | null = null;
  #closed: Error | null = null;
  #ahead: Uint8Array[] = [];
  #unsent: Uint8Array = new Uint8Array(0);
  #socket: Bun.Socket<undefined> | null = null;
  version = 0;
  actions = 0;
  steps = 0;
  /** Milliseconds without an answer that are too many. */
  patience = REPLY_DEADLINE;
  macros: ReadonlyMap<MacroStageName, string> = new Map();

  static async open(address: FilterAddress): Promise<MtaConnexion> {
    const connexion = new MtaConnexion();
    const lost = (error: Error | undefined): void =>
      connexion.#lose(error ?? new Error("the filter closed the connexion"));
    const socket: Bun.SocketHandler<undefined> = {
      data: (_socket, bytes) => connexion.#receive(bytes),
      drain: () => connexion.#flush(),
      close: (_socket, error) => lost(error),
      error: (_socket, error) => lost(error),
    };
    connexion.#socket =
      "unix" in address
        ? await Bun.connect({ unix: address.unix, socket })
        : await Bun.connect({ hostname: address.hostname, port: address.port, socket });
    return connexion;
  }

  /** Whether the filter has closed the connexion. */
  get closed(): boolean {
    return this.#closed !== null;
  }

  /** Answers that nobody has asked for: an MTA would be out of step. */
  get unasked(): number {
    return this.#replies.length;
  }

  /** Sends raw bytes. */
  sendBytes(bytes: Uint8Array): void {
    this.#unsent = this.#unsent.length === 0 ? bytes : Buffer.concat([this.#unsent, bytes]);
    this.#flush();
  }

  send(command: MtaCommand): void {
    this.sendBytes(Buffer.concat([...this.#ahead.splice(0), encodeCommand(command)]));
  }

  /** The next answer. Rejects when the filter closes or says nothing for too long. */
  async reply(deadline = this.patience): Promise<FilterReply> {
    const ready = this.#replies.shift();
    if (ready !== undefined) return ready;
    if (this.#closed !== null) throw this.#closed;
    const { promise, resolve, reject } = Promise.withResolvers<FilterReply>();
    this.#waiting = { resolve, reject };
    const timer = setTimeout(() => reject(new Error(`no answer within ${deadline} ms`)), deadline);
    return promise.finally(() => clearTimeout(timer));
  }

  async negotiate(offer: MtaOffer = {}): Promise<void> {
    const { version = 6, actions = ALL_ACTIONS, steps = ALL_STEPS } = offer;
    this.send({ kind: "negotiate", version, actions, steps });
    const answer = await this.reply();
    if (answer.kind !== "negotiate") throw new Error(`${answer.kind} where a negotiation is due`);
    if ((answer.actions & ~actions) !== 0 || (answer.steps & ~steps) !== 0 || answer.version > version) {
      throw new Error("the filter asked for what was not offered");
    }
    this.version = answer.version;
    this.actions = answer.actions;
    this.steps = answer.steps;
    this.macros = answer.macros;
  }

  /** Sends a command and waits for its answer, as far as both were agreed on. */
  async say(command: MtaCommand): Promise<FilterReply> {
    const without = (bits: number | undefined): boolean => (this.steps & (bits ?? 0)) !== 0;
    if (without(OMITTED[command.kind])) return { kind: "continue" };
    if (without(UNANSWERED[command.kind])) {
      this.#ahead.push(encodeCommand(command));
      if (command.kind === "body") this.sendBytes(Buffer.concat(this.#ahead.splice(0)));
      return { kind: "continue" };
    }
    this.send(command);
    return this.reply();
  }

  macro(stage: MacroStageName, pairs: readonly [string, string][]): void {
    this.#ahead.push(encodeCommand({ kind: "macro", stage, pairs }));
  }

  /** CONNECT and HELO; answers what CONNECT was answered with. */
  async greet(client: MtaClient = {}): Promise<FilterReply> {
    const { host = "mx.example.net", family = "inet", address = "203.0.113.7" } = client;
    this.macro("connect", [
      ["j", "mail.example.org"],
      ["{daemon_name}", "MTA"],
    ]);
    const answer = await this.say({ kind: "connect", host, family, port: 45123, address });
    if (answer.kind === "continue") await this.say({ kind: "helo", name: host });
    return answer;
  }

  /**
   * A whole message. Ends early where a stage is not answered with `continue`.
   * @param pace told before each piece of the body how many bytes are sent: may wait, or throw
   */
  async mail(mail: MtaMail, pace?: (sent: number) => Promise<void>): Promise<MtaOutcome> {
    for (const command of this.#envelope(mail)) {
      const verdict = await this.say(command);
      if (verdict.kind !== "continue") return outcome(command.kind, verdict);
    }
    const space = (this.steps & Step.headerLeadingSpace) !== 0 ? " " : "";
    for (const [name, value] of mail.headers ?? []) {
      const verdict = await this.say({ kind: "header", name, value: space + value });
      if (verdict.kind !== "continue") return outcome("header", verdict);
    }
    const verdict = await this.say({ kind: "endOfHeaders" });
    if (verdict.kind !== "continue") return outcome("endOfHeaders", verdict);
    const body = mail.body ?? new Uint8Array(0);
    for (let at = 0; at < body.length; at += CHUNK) {
      await pace?.(at);
      const answer = await this.say({ kind: "body", bytes: body.subarray(at, at + CHUNK) });
      if (answer.kind === "skip") break;
      if (answer.kind !== "continue") return outcome("body", answer);
    }
    return this.endOfBody(mail.queueId ?? "4AMtest0001");
  }

  /** The end of the body, and everything up to the final answer. */
  async endOfBody(queueId: string): Promise<MtaOutcome> {
    this.macro("endOfMessage", [["i", queueId]]);
    this.send({ kind: "endOfBody", bytes: new Uint8Array(0) });
    const modifications: Modification[] = [];
    for (let progress = 0; ; ) {
      const verdict = await this.reply();
      if (verdict.kind === "progress") progress++;
      else if (verdict.kind === "modification") modifications.push(this.#granted(verdict.change));
      else return { stage: "endOfBody", verdict, modifications, progress };
    }
  }

  quit(): void {
    if (this.#closed === null) this.send({ kind: "quit" });
    this.close();
  }

  close(): void {
    this.#closed ??= new Error("closed by the MTA");
    this.#socket?.end();
  }

  *#envelope(mail: MtaMail): Generator<MtaCommand> {
    const { sender = "<sender@example.net>", recipients = ["<user@example.org>"] } = mail;
    this.macro("mail", [["i", mail.queueId ?? "4AMtest0001"]]);
    yield { kind: "mail", sender, parameters: [] };
    for (const recipient of recipients) yield { kind: "rcpt", recipient, parameters: [] };
    yield { kind: "data" };
  }

  #granted(change: Modification): Modification {
    const needed = NEEDED_ACTIONS[change.kind];
    if ((this.actions & needed) === 0) throw new Error(`${change.kind} was not negotiated`);
    return change;
  }

  #receive(bytes: Uint8Array): void {
    this.#decoder.push(bytes, (frame) => {
      this.#replies.push(decodeReply(frame));
      return true;
    });
    const waiting = this.#waiting;
    if (waiting === null) return;
    const reply = this.#replies.shift();
    if (reply === undefined) return;
    this.#waiting = null;
    waiting.resolve(reply);
  }

  #flush(): void {
    if (this.#unsent.length === 0) return;
    this.#unsent = this.#unsent.subarray(Math.max(0, this.#socket?.write(this.#unsent) ?? 0));
  }

  #lose(error: Error): void {
    this.#closed ??= error;
    this.#waiting?.reject(this.#closed);
    this.#waiting = null;
  }
}

const NEEDED_ACTIONS: Readonly<Record<Modification["kind"], number>> = {
  addHeader: Action.addHeaders,
  insertHeader: Action.addHeaders,
  changeHeader: Action.changeHeaders,
  addRecipient: Action.addRecipient | Action.addRecipientWithArguments,
  deleteRecipient: Action.deleteRecipient,
  changeSender: Action.changeSender,
  replaceBody: Action.changeBody,
  quarantine: Action.quarantine,
};

function outcome(stage: string, verdict: FilterReply): MtaOutcome {
  return { stage, verdict, modifications: [], progress: 0 };
}

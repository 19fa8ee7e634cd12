import { Command, MAX_FRAME_DATA, Step } from "./codes.ts";
import { decodeCommand, type MtaCommand } from "./commands.ts";
import { type Frame, FrameDecoder } from "./frame.ts";
import { MacroTable } from "./macros.ts";
import { MilterError } from "./milter-error.ts";
import { type Agreement, agree, encodeAgreement, type Wanted } from "./negotiation.ts";
import {
  encodeModification,
  encodeVerdict,
  type Modification,
  PROGRESS,
  SKIP,
  type Verdict,
} from "./replies.ts";
import type { SessionTrace } from "./trace.ts";
import { inMessage, nextState, type State } from "./transitions.ts";

/** The SMTP client as the MTA describes it. */
export type ClientFacts = Extract<MtaCommand, { kind: "connect" }>;

/** Who decides: called in the order of the conversation. */
export interface SessionHandler {
  /** The MTA and we have agreed; `lacking` are the wanted action bits that were not offered. */
  negotiated(agreement: Agreement, lacking: number): void;
  connect(client: ClientFacts): Verdict;
  helo(name: string): void;
  mail(sender: string, parameters: readonly string[]): Verdict;
  rcpt(recipient: string, parameters: readonly string[]): Verdict;
  header(name: string, value: string): void;
  endOfHeaders(): Verdict;
  /** Bytes of the body, a view that is good only during the call. "skip": no more are needed. */
  body(bytes: Uint8Array): "continue" | "skip";
  /** The message is complete; `MilterSession.finish` must follow, unless `abort` comes first. */
  endOfMessage(): void;
  /** The message in hand is over without a verdict. */
  abort(): void;
  /** The SMTP connexion is over; another may follow on the same socket. */
  end(): void;
}

/** Where the answers go. */
export interface SessionPort {
  send(bytes: Uint8Array): void;
  /** Ends the connexion, because of `error` or, without one, because the MTA said so. */
  close(error: MilterError | null): void;
}

const CONTINUE: Verdict = { kind: "continue" };

/** The step bit that says that a command is not answered. */
const NO_REPLY: Partial<Record<MtaCommand["kind"], number>> = {
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

/**
 * One milter connexion as a state machine over bytes: it knows no socket and no clock. Every command that is due
 * an answer gets exactly one.
 */
export class MilterSession {
  readonly macros = new MacroTable();
  readonly #decoder: FrameDecoder;
  readonly #wanted: Wanted;
  readonly #handler: SessionHandler;
  readonly #port: SessionPort;
  readonly #trace: SessionTrace | null;
  #state: State = "start";
  #steps = 0;
  #closed = false;
  #skipping = false;
  /** A chunk that has begun before all was skipped is handed on to its end: its bytes are counted. */
  #inChunk = false;
  #out: Uint8Array[] = [];
  /** A verdict of an early stage: what follows of that connexion or message is answered with it. */
  #connexionVerdict: Verdict = CONTINUE;
  #messageVerdict: Verdict = CONTINUE;

  constructor(
    wanted: Wanted,
    port: SessionPort,
    makeHandler: (session: MilterSession) => SessionHandler,
    trace: SessionTrace | null = null,
  ) {
    this.#wanted = wanted;
    this.#port = port;
    this.#trace = trace;
    // A trace is to show whole chunks.
    this.#decoder = new FrameDecoder(MAX_FRAME_DATA, trace === null ? Command.body : null);
    this.#handler = makeHandler(this);
  }

  get state(): State {
    return this.#state;
  }

  /** Takes bytes from the MTA. What is to be answered leaves in one piece. */
  receive(bytes: Uint8Array): void {
    if (this.#closed) return;
    try {
      this.#decoder.push(bytes, (frame, more) => this.#take(frame, more));
      this.#flush();
    } catch (error) {
      if (!(error instanceof MilterError)) throw error;
      this.#flush();
      this.#shut(error);
    }
  }

  /**
   * Answers the end of a message: modifications, then the verdict, in one piece. Without effect when the
   * message was aborted meanwhile.
   */
  finish(modifications: readonly Modification[], verdict: Verdict): void {
    if (this.#state !== "verdictDue" || this.#closed) return;
    this.#state = "greeted";
    this.#endMessage();
    for (const change of modifications) this.#out.push(...encodeModification(change));
    this.#out.push(encodeVerdict(verdict));
    this.#flush();
  }

  /** Tells a waiting MTA that the verdict is on its way; it may be told only then (SMFIR_PROGRESS). */
  progress(): void {
    if (this.#state !== "verdictDue" || this.#closed) return;
    // Behind whatever is to be said before it.
    this.#out.push(PROGRESS);
    this.#flush();
  }

  /** The socket is gone. */
  lost(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#trace?.closed();
    if (inMessage(this.#state)) this.#handler.abort();
    this.#handler.end();
  }

  /** @param more whether the rest of a body chunk is still to come: it is answered then */
  #take(frame: Frame, more: boolean): boolean {
    // The way of most bytes: a body chunk needs no decoding.
    const command: MtaCommand =
      frame.letter === Command.body ? { kind: "body", bytes: frame.data } : decodeCommand(frame);
    this.#trace?.heard(command);
    const before = this.#state;
    const skipped = this.#skipping && !this.#inChunk;
    const after = nextState(before, command.kind);
    if (after === undefined) {
      throw new MilterError("MILTER_ILLEGAL_TRANSITION", `${command.kind} is not allowed in state ${before}`);
    }
    if (inMessage(before) && (after === "greeted" || after === "negotiated" || command.kind === "mail")) {
      this.#handler.abort();
      if (command.kind !== "mail") this.#endMessage();
    }
    this.#state = after;
    if (more) this.#verdictOn(command);
    else this.#dispatch(command);
    this.#inChunk = more && !skipped;
    return !this.#closed;
  }

  #dispatch(command: MtaCommand): void {
    switch (command.kind) {
      case "negotiate":
        this.#negotiate(command);
        break;
      case "macro":
        if (command.stage !== null) this.macros.set(command.stage, command.pairs);
        break;
      case "abort":
        break;
      case "quit":
        this.#flush();
        this.#shut(null);
        break;
      case "quitNewConnexion":
        this.#handler.end();
        this.macros.clear();
        this.#connexionVerdict = CONTINUE;
        break;
      case "endOfBody":
        this.#endOfBody(command.bytes);
        break;
      default:
        this.#answer(command);
    }
  }

  /** A command that has one answer, unless it was agreed that it has none. */
  #answer(command: MtaCommand): void {
    const verdict = this.#verdictOn(command);
    if ((this.#steps & (NO_REPLY[command.kind] ?? 0)) !== 0) return;
    if (this.#skipping && command.kind === "body" && verdict.kind === "continue") {
      this.#out.push(SKIP);
      return;
    }
    this.#out.push(encodeVerdict(verdict));
  }

  #verdictOn(command: MtaCommand): Verdict {
    const handler = this.#handler;
    if (command.kind === "connect") return this.#keepForConnexion(handler.connect(command));
    if (this.#connexionVerdict.kind !== "continue") return this.#connexionVerdict;
    if (command.kind === "mail") {
      this.#messageVerdict = CONTINUE;
      this.#skipping = false;
      return this.#keepForMessage(handler.mail(command.sender, command.parameters));
    }
    if (inMessage(this.#state) && this.#messageVerdict.kind !== "continue") return this.#messageVerdict;
    switch (command.kind) {
      case "helo":
        handler.helo(command.name);
        return CONTINUE;
      case "rcpt":
        return this.#onRcpt(handler.rcpt(command.recipient, command.parameters));
      case "header":
        handler.header(command.name, command.value);
        return CONTINUE;
      case "endOfHeaders":
        return this.#keepForMessage(handler.endOfHeaders());
      case "body":
        return this.#onBody(command.bytes);
      default:
        return CONTINUE;
    }
  }

  #keepForConnexion(verdict: Verdict): Verdict {
    this.#connexionVerdict = verdict;
    return verdict;
  }

  #keepForMessage(verdict: Verdict): Verdict {
    this.#messageVerdict = verdict;
    return verdict;
  }

  /** A refusal at RCPT is of that recipient only; accept and discard are of the message. */
  #onRcpt(verdict: Verdict): Verdict {
    if (verdict.kind === "accept" || verdict.kind === "discard") this.#messageVerdict = verdict;
    return verdict;
  }

  #onBody(bytes: Uint8Array): Verdict {
    if ((!this.#skipping || this.#inChunk) && this.#handler.body(bytes) === "skip") {
      this.#skipping = (this.#steps & Step.skip) !== 0;
    }
    return CONTINUE;
  }

  #endOfBody(bytes: Uint8Array): void {
    // Version 2 allows the last chunk to ride in SMFIC_BODYEOB.
    const decided =
      this.#connexionVerdict.kind !== "continue" ? this.#connexionVerdict : this.#messageVerdict;
    if (decided.kind !== "continue") {
      this.finish([], decided);
      return;
    }
    if (bytes.length > 0) this.#onBody(bytes);
    this.#handler.endOfMessage();
  }

  #negotiate(offer: Extract<MtaCommand, { kind: "negotiate" }>): void {
    const agreement = agree(offer, this.#wanted);
    this.#steps = agreement.steps;
    this.#handler.negotiated(agreement, (this.#wanted.actions & ~agreement.actions) >>> 0);
    this.#out.push(encodeAgreement(agreement, this.#wanted.macros));
  }

  #endMessage(): void {
    this.macros.endMessage();
    this.#messageVerdict = CONTINUE;
    this.#skipping = false;
  }

  #flush(): void {
    if (this.#out.length === 0 || this.#closed) return;
    const bytes = this.#out.length === 1 ? (this.#out[0] as Uint8Array) : Buffer.concat(this.#out);
    this.#out = [];
    this.#send(bytes);
  }

  #send(bytes: Uint8Array): void {
    this.#trace?.said(bytes);
    this.#port.send(bytes);
  }

  #shut(error: MilterError | null): void {
    if (this.#closed) return;
    this.lost();
    this.#port.close(error);
  }
}

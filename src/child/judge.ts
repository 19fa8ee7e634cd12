import type { Log } from "../log/log.ts";
import type { MacroTable } from "../milter/macros.ts";
import type { Verdict } from "../milter/replies.ts";
import type { ClientFacts } from "../milter/session.ts";
import { MOST_ASKED_RECIPIENTS } from "../policy/black-hole.ts";
import { originOf } from "../policy/connexion.ts";
import type { Decision } from "../policy/decision.ts";
import type { Facts } from "../policy/facts.ts";
import { canonicalAddress, type Network } from "../policy/networks.ts";
import type { OwnNames } from "../policy/own-names.ts";
import { decide, type PolicyRules, type Stage } from "../policy/rules.ts";
import { isListed } from "../policy/whitelist.ts";
import { type PolicyRecord, policyFields, policyLine } from "../response/policy-line.ts";

/** What decisions depend on besides the mail. */
export interface PolicyWorld {
  readonly rules: PolicyRules;
  /** `--ignore`. */
  readonly ignored: readonly Network[];
  /** Who we are, given the MTA's name for itself; null without `--detect-forged-local-address`. */
  readonly ownNames: ((mta: string) => OwnNames) | null;
  /** Whether there are such lists, though they may be empty. */
  readonly blacklists: boolean;
  readonly whitelists: boolean;
  isBlacklisted(address: string): boolean;
  /** Has everybody list the address, if there is a blacklist. */
  blacklist(address: string, because: string): void;
  /** Whether mail to every one of these would be written to /dev/null. Never rejects. */
  leadToNull(recipients: readonly string[]): Promise<boolean>;
}

const CONTINUE: Verdict = { kind: "continue" };
/** `From:` and `Sender:` fields that are looked at; honest mail has one of each. */
const MOST_FIELDS = 100;
const NOBODY: ClientFacts = { kind: "connect", host: "", family: "unknown", port: 0, address: "" };

/** Gathers what is known of a client and its message, and has the policy decide at each stage. */
export class Judge {
  readonly #macros: MacroTable;
  readonly #log: Log;
  #world: PolicyWorld;
  #client = NOBODY;
  #facts: Facts;
  #recipients: string[] = [];
  #recipientCount = 0;
  /** A refusal that is to be said at the end of the message. */
  #putOff: Verdict | null = null;
  #question: Promise<boolean> | null = null;

  constructor(world: PolicyWorld, macros: MacroTable, log: Log) {
    this.#world = world;
    this.#macros = macros;
    this.#log = log;
    this.#facts = factsOf(NOBODY, world);
  }

  /** Whether the mail is of this machine, and so every refusal has to wait for the end of the message. */
  get fromThisMachine(): boolean {
    return this.#facts.origin === "thisMachine";
  }

  connect(client: ClientFacts, world: PolicyWorld): Verdict {
    this.#world = world;
    this.#client = client;
    this.#facts = factsOf(client, world);
    return this.#ask("connect");
  }

  helo(helo: string): void {
    this.#facts = { ...this.#facts, helo };
  }

  /** A message begins, with what counts from now on. */
  mail(sender: string, world: PolicyWorld): Verdict {
    this.#world = world;
    this.#recipients = [];
    this.#recipientCount = 0;
    this.#putOff = null;
    this.#question = null;
    const { host, helo, origin, address } = this.#facts;
    this.#facts = {
      ...NOTHING,
      ...{ host, helo, origin, address },
      own: world.ownNames?.(this.#macros.get("j") ?? "") ?? null,
      blacklisted: address !== "" && world.isBlacklisted(address),
      authenticated: this.#macros.get("{auth_authen}") || null,
      sender: this.#names(sender, "{mail_addr}"),
    };
    return this.#ask("mail");
  }

  rcpt(said: string): Verdict {
    const recipient = this.#names(said, "{rcpt_addr}");
    this.#facts = { ...this.#facts, recipient };
    const verdict = this.#ask("recipient");
    if (verdict !== CONTINUE) return verdict;
    const { someRecipient, allRecipientsListed } = this.#facts;
    this.#recipientCount++;
    if (this.#recipients.length < MOST_ASKED_RECIPIENTS) this.#recipients.push(said);
    this.#facts = {
      ...this.#facts,
      someRecipient: someRecipient ?? said,
      allRecipientsListed: allRecipientsListed && isListed(this.#world.rules.whitelist.to, recipient),
    };
    return CONTINUE;
  }

  header(name: string, value: string): void {
    if (this.#facts.own === null) return;
    const { from, senderHeaders } = this.#facts;
    const lower = name.toLowerCase();
    if (lower === "from" && from.length < MOST_FIELDS) {
      this.#facts = { ...this.#facts, from: [...from, value] };
    } else if (lower === "sender" && senderHeaders.length < MOST_FIELDS) {
      this.#facts = { ...this.#facts, senderHeaders: [...senderHeaders, value] };
    }
  }

  endOfHeaders(): Verdict {
    if (this.#putOff !== null) return CONTINUE;
    return this.#ask("endOfHeaders");
  }

  /** What is left to say at the end of the message; null: it is to be scanned. */
  lastWord(): Verdict | null | Promise<Verdict | null> {
    const scanOr = (verdict: Verdict): Verdict | null => (verdict === CONTINUE ? null : verdict);
    if (this.#putOff !== null) return this.#putOff;
    if (this.#question === null) return null;
    const { sender } = this.#facts;
    return this.#question.then((blackHole) => {
      // The message may be over by now; then nobody wants to know.
      if (this.#facts.sender !== sender) return null;
      this.#facts = { ...this.#facts, blackHole };
      return scanOr(this.#ask("endOfHeaders"));
    });
  }

  /** The message in hand was infected. */
  infected(names: readonly string[]): void {
    this.#offence(names.join(", "));
  }

  #offence(because: string): void {
    const { origin, address } = this.#facts;
    if (origin === "elsewhere" && address !== "") this.#world.blacklist(address, because);
  }

  #ask(stage: Stage): Verdict {
    const decision = decide(stage, this.#facts, this.#world.rules);
    if (decision.kind === "scan") return CONTINUE;
    if (decision.kind === "later") {
      this.#question = this.#askForBlackHole();
      return CONTINUE;
    }
    this.#tell(stage, decision);
    if (decision.kind !== "refuse") return { kind: decision.kind };
    if (decision.rule === "suspicious recipient") this.#offence("cracking attempt");
    const { code, text, atEnd } = decision;
    const verdict: Verdict = { kind: "reply", code: atEnd ? 554 : code, enhanced: "5.7.1", lines: [text] };
    if (!atEnd) return verdict;
    this.#putOff = verdict;
    return CONTINUE;
  }

  #askForBlackHole(): Promise<boolean> {
    if (this.#recipientCount > this.#recipients.length) return Promise.resolve(false);
    return this.#world.leadToNull(this.#recipients);
  }

  #tell(stage: Stage, decision: Exclude<Decision, { kind: "scan" | "later" }>): void {
    const record: PolicyRecord = {
      queueId: this.#macros.get("i") ?? "NOQUEUE",
      outcome: OUTCOMES[decision.kind],
      rule: decision.rule,
      reason: decision.reason,
      sender: stage === "connect" ? null : (this.#facts.sender[0] ?? ""),
      clientHost: this.#client.host,
      clientAddress: this.#client.address,
    };
    this.#log(decision.level, policyLine(record), policyFields(record));
  }

  /** An address as the client gave it and as the MTA resolved it. */
  #names(said: string, macro: string): readonly string[] {
    const resolved = this.#macros.get(macro);
    return resolved === undefined || resolved === "" ? [said] : [said, resolved];
  }
}

const OUTCOMES = { accept: "not scanned", discard: "discarded", refuse: "rejected" } as const;

const NOTHING: Facts = {
  origin: "elsewhere",
  address: "",
  host: "",
  helo: "",
  own: null,
  blacklisted: false,
  authenticated: null,
  sender: [],
  recipient: [],
  someRecipient: null,
  allRecipientsListed: true,
  from: [],
  senderHeaders: [],
  blackHole: null,
};

function factsOf({ family, address, host }: ClientFacts, { ignored }: PolicyWorld): Facts {
  const origin = originOf(family, address, ignored);
  return { ...NOTHING, origin, host, address: canonicalAddress(family, address) };
}

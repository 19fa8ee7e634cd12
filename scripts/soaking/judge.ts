import type { Modification } from "../../src/milter/replies.ts";
import type { MtaOutcome } from "../load/mta-connexion.ts";

/** What must become of a message. */
export type Expected =
  | {
      readonly kind: "clean" /** `X-Virus-Status` lines that the sender has put on it. */;
      readonly forged: number;
    }
  | { readonly kind: "infected"; readonly name: string }
  | { readonly kind: "oversize" };

/** What the MTA saw of a message. */
export type Seen =
  | { readonly kind: "answered"; readonly outcome: MtaOutcome }
  /** The connexion went away, or was not to be had. */
  | { readonly kind: "lost"; readonly why: string }
  /** No answer in the time that an MTA waits for one. */
  | { readonly kind: "silent"; readonly why: string }
  /** The filter broke the rules of the protocol. */
  | { readonly kind: "broken"; readonly why: string };

/** What the faults of that time explain. */
export interface Excuse {
  readonly lost: boolean;
  readonly deferred: boolean;
  /** Only infected messages may be deferred: what must be kept of them cannot be. */
  readonly deferredInfected: boolean;
}

export const NO_EXCUSE: Excuse = { lost: false, deferred: false, deferredInfected: false };

export type Judgement =
  | { readonly kind: "right" }
  /** A temporary failure that a fault explains. */
  | { readonly kind: "deferred" | "lost" }
  | { readonly kind: "wrong"; readonly why: string };

const RIGHT: Judgement = { kind: "right" };

/** Whether the MTA was told what it must be told. */
export function judge(expected: Expected, seen: Seen, excuse: Excuse): Judgement {
  if (seen.kind === "silent") return wrong(`answered too late: ${seen.why}`);
  if (seen.kind === "broken") return wrong(seen.why);
  if (seen.kind === "lost") {
    return excuse.lost ? { kind: "lost" } : wrong(`lost without a fault that explains it: ${seen.why}`);
  }
  const { outcome } = seen;
  if (isDeferral(outcome)) {
    const explained = excuse.deferred || (excuse.deferredInfected && expected.kind === "infected");
    if (outcome.modifications.length > 0) return wrong("deferred, but with changes");
    return explained
      ? { kind: "deferred" }
      : wrong(`deferred without a fault that explains it (${expected.kind})`);
  }
  if (outcome.stage !== "endOfBody") return wrong(`${outcome.verdict.kind} at ${outcome.stage}`);
  if (expected.kind === "infected") return judgeInfected(expected.name, outcome);
  if (outcome.verdict.kind !== "accept") return wrong(`${expected.kind}, but ${textOf(outcome)}`);
  const status = expected.kind === "clean" ? "Clean" : "Not Scanned - StreamMaxLength exceeded";
  return judgeMarks(outcome.modifications, status, expected.kind === "clean" ? expected.forged : 0);
}

function judgeInfected(name: string, outcome: MtaOutcome): Judgement {
  const { verdict, modifications } = outcome;
  if (verdict.kind !== "replyCode") return wrong(`infected, but ${textOf(outcome)}`);
  if (!verdict.text.startsWith("554 5.7.1 ")) return wrong(`infected, but answered ${verdict.text}`);
  if (!verdict.text.includes(` ${name} `)) return wrong(`${name} expected, answered ${verdict.text}`);
  return modifications.length === 0 ? RIGHT : wrong("refused, but with changes");
}

function judgeMarks(changes: readonly Modification[], status: string, forged: number): Judgement {
  const values = (name: string): string[] =>
    changes.flatMap((change) =>
      (change.kind === "addHeader" || change.kind === "insertHeader") && change.name === name
        ? [change.value.trim()]
        : [],
    );
  const marks = values("X-Virus-Status");
  if (marks.length !== 1 || marks[0] !== status)
    return wrong(`marked ${JSON.stringify(marks)}, not ${status}`);
  if (status === "Clean" && values("X-Virus-Scanned").length !== 1) return wrong("without X-Virus-Scanned");
  const deleted = changes.filter(
    (change) => change.kind === "changeHeader" && change.name === "X-Virus-Status" && change.value === "",
  );
  return deleted.length === forged ? RIGHT : wrong(`${deleted.length} of ${forged} forged marks taken away`);
}

function isDeferral({ verdict }: MtaOutcome): boolean {
  return verdict.kind === "tempfail" || (verdict.kind === "replyCode" && verdict.text.startsWith("4"));
}

function textOf({ verdict }: MtaOutcome): string {
  return verdict.kind === "replyCode" ? `answered ${verdict.text}` : `answered ${verdict.kind}`;
}

function wrong(why: string): Judgement {
  return { kind: "wrong", why };
}

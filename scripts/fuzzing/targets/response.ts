import { FrameDecoder } from "../../../src/milter/frame.ts";
import { encodeModification, encodeVerdict } from "../../../src/milter/replies.ts";
import { needsSpf, planResponse } from "../../../src/response/plan.ts";
import type { MessageFacts, ResponseRules } from "../../../src/response/rules.ts";
import type { ScanVerdict } from "../../../src/scan/verdict.ts";
import type { Chance } from "../chance.ts";
import { chanceOf } from "../pieces.ts";
import { BETWEEN, bytesOf, must, type Target, textsOf } from "../target.ts";
import { HOSTILE, hostileText } from "./log.ts";

function rulesFrom(chance: Chance): ResponseRules {
  const flag = (): boolean => chance.happens(0.5);
  return {
    addHeaders: flag(),
    acceptOnError: flag(),
    discardInfected: flag(),
    advisory: flag(),
    quarantineAddress: flag() ? "virus@lab.example" : null,
    keepInfected: flag(),
    notices: flag(),
    reportPhish: flag(),
    reportFalsePositives: flag(),
    onOversize: chance.pick(["accept", "tempfail", "reject"]),
    sign: flag(),
    ourVersion: "9",
  };
}

function factsFrom(
  chance: Chance,
  subject: string,
  recipients: readonly string[],
  host: string,
): MessageFacts {
  const flag = (): boolean => chance.happens(0.7);
  return {
    statusHeaders: chance.pick([0, 1, 3]),
    fromMdaemon: !flag(),
    subject: flag() ? subject : null,
    recipients,
    allRecipients: flag(),
    spfPass: flag(),
    host,
    mayAddHeaders: flag(),
    mayChangeHeaders: flag(),
    mayAddRecipients: flag(),
    mayDeleteRecipients: flag(),
    mayChangeBody: flag(),
    leadingSpace: flag(),
  };
}

function scanFrom(chance: Chance, name: string, version: string): ScanVerdict {
  return chance.pick<ScanVerdict>([
    { kind: "clean", server: "s", version },
    { kind: "infected", names: [name, version], server: "s", version },
    { kind: "infected", names: [`Heuristics.Phishing.${name}`], server: "s", version },
    { kind: "oversize", reason: name, server: null },
    { kind: "failed", reason: version, header: name, server: null },
  ]);
}

export const RESPONSE_TARGETS: readonly Target[] = [
  {
    name: "header-values",
    about: "what a verdict with such texts does to a message: headers, recipients, reply",
    dictionary: [...HOSTILE, BETWEEN, "Heuristics.Phishing.", "virus@lab.example", "<VIRUS@lab.example>"],
    largest: 30_000,
    generate: (chance) => bytesOf(Array.from({ length: 6 }, () => hostileText(chance)).join(BETWEEN)),
    run(input) {
      const [name = "", version = "", subject = "", host = "", ...recipients] = textsOf(input, 6);
      const chance = chanceOf(input);
      const [scan, rules] = [scanFrom(chance, name, version), rulesFrom(chance)];
      const facts = factsFrom(chance, subject, recipients, host);
      const plan = planResponse(scan, rules, facts);
      for (const change of plan.modifications) {
        if (change.kind === "addHeader" || change.kind === "changeHeader") {
          must(facts[change.kind === "addHeader" ? "mayAddHeaders" : "mayChangeHeaders"], "not granted");
          must(!/[\0-\x1f\x7f]/.test(change.value), "a control character in a header");
          must(change.value.length <= 950, "a long header");
        }
        encodeModification(change).forEach(mustBeFrames);
      }
      mustBeFrames(encodeVerdict(plan.verdict));
      if (scan.kind !== "infected")
        must(plan.outcome !== "redirected" && !plan.alarm, "an alarm about nothing");
      // Infected mail goes out with a mark only.
      const passes = scan.kind === "infected" && plan.verdict.kind === "accept";
      if (passes && plan.outcome === "delivered" && !needsSpf(scan, rules)) {
        must(
          plan.modifications.some((change) => "name" in change && change.name === "Subject"),
          "a virus without a mark",
        );
      }
      if (passes && plan.outcome === "redirected") mustLeaveNobody(plan.modifications, recipients);
      return `${scan.kind} ${plan.outcome} ${plan.verdict.kind} ${plan.modifications.length} ${plan.notice} ${plan.keep}`;
    },
  },
];

type Changes = ReturnType<typeof planResponse>["modifications"];

function mustLeaveNobody(changes: Changes, recipients: readonly string[]): void {
  const gone = new Set(
    changes.flatMap((change) => (change.kind === "deleteRecipient" ? [change.recipient] : [])),
  );
  for (const each of recipients) {
    must(gone.has(each) || /^<?virus@lab\.example>?$/i.test(each), "somebody keeps a virus");
  }
}

function mustBeFrames(bytes: Uint8Array): void {
  const decoder = new FrameDecoder();
  let frames = 0;
  decoder.push(bytes, () => ++frames > 0);
  must(frames === 1 && decoder.held === 0, `one answer became ${frames} frames`);
}

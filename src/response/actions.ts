import { Action } from "../milter/codes.ts";
import type { ResponseRules } from "./rules.ts";

/** One option, the actions that it needs, and what happens without them. */
interface Need {
  readonly option: string;
  readonly actions: number;
  readonly otherwise: string;
}

const HEADERS = Action.addHeaders | Action.changeHeaders;

const NAMES: readonly (readonly [action: number, name: string])[] = [
  [Action.addHeaders, "add headers"],
  [Action.changeHeaders, "change headers"],
  [Action.addRecipient, "add recipients"],
  [Action.deleteRecipient, "delete recipients"],
  [Action.changeBody, "replace the body"],
];

function needsOf(rules: ResponseRules): Need[] {
  const stopped = `infected mail is ${rules.discardInfected ? "discarded" : "refused"} instead`;
  const needs: Need[] = [];
  if (rules.addHeaders) {
    needs.push({ option: "", actions: HEADERS, otherwise: "headers stay as they are" });
  }
  if (rules.advisory) needs.push({ option: "--advisory", actions: HEADERS, otherwise: stopped });
  if (rules.quarantineAddress !== null) {
    const actions = HEADERS | Action.addRecipient | Action.deleteRecipient;
    needs.push({ option: "--quarantine", actions, otherwise: stopped });
  }
  if (rules.sign) {
    needs.push({ option: "--sign", actions: Action.changeBody, otherwise: "mail gets no signature" });
  }
  return needs;
}

/** The milter actions that the options need, as bits. */
export function neededActions(rules: ResponseRules): number {
  return needsOf(rules).reduce((bits, need) => bits | need.actions, 0);
}

/** What may be done to a message, by the actions that were granted. */
export function grantedFacts(actions: number) {
  const may = (action: number): boolean => (actions & action) !== 0;
  return {
    mayAddHeaders: may(Action.addHeaders),
    mayChangeHeaders: may(Action.changeHeaders),
    mayAddRecipients: may(Action.addRecipient),
    mayDeleteRecipients: may(Action.deleteRecipient),
    mayChangeBody: may(Action.changeBody),
  };
}

/** What an administrator must know of actions that an MTA did not grant, in one line. */
export function lackingText(lacking: number, rules: ResponseRules): string {
  const names = NAMES.flatMap(([action, name]) => ((lacking & action) !== 0 ? [name] : []));
  const effects = needsOf(rules)
    .filter((need) => (need.actions & lacking) !== 0)
    .map(({ option, otherwise }) => (option === "" ? otherwise : `${option}: ${otherwise}`));
  const what = names.length === 0 ? `milter actions 0x${lacking.toString(16)}` : `us ${names.join(", ")}`;
  return `the MTA does not let ${what}${effects.length === 0 ? "" : ` (${effects.join("; ")})`}`;
}

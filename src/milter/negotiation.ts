import { writeUint32 } from "../wire/uint32.ts";
import {
  Action,
  MacroStage,
  type MacroStageName,
  NEWEST_VERSION,
  OLDEST_VERSION,
  Reply,
  VERSION_1_ACTIONS,
  VERSION_1_STEPS,
} from "./codes.ts";
import { encodeFrame } from "./frame.ts";
import { MilterError } from "./milter-error.ts";

/** The macros to ask for, by stage; names as the MTA spells them. */
export type MacroLists = Readonly<Partial<Record<MacroStageName, readonly string[]>>>;

/** What this filter would like to negotiate. */
export interface Wanted {
  /** Action bits that the options need. */
  readonly actions: number;
  /** Step bits that make the work cheaper: each is used only where it was offered. */
  readonly steps: number;
  readonly macros: MacroLists;
}

/** What was agreed on. */
export interface Agreement {
  readonly version: number;
  readonly actions: number;
  readonly steps: number;
}

/** What the MTA offers. */
export type Offer = Agreement;

/**
 * Settles version, actions and steps. An action or step that was not offered is never asked for: Postfix drops
 * a filter that does (milter8.c), libmilter's own filters end the connexion.
 * @throws MilterError `MILTER_NEGOTIATION` when the MTA is older than version 2
 */
export function agree(offer: Offer, wanted: Wanted): Agreement {
  if (offer.version < OLDEST_VERSION) {
    throw new MilterError(
      "MILTER_NEGOTIATION",
      `the MTA speaks milter version ${offer.version}; ${OLDEST_VERSION} is the oldest that is understood`,
    );
  }
  const offeredActions = offer.actions === 0 ? VERSION_1_ACTIONS : offer.actions;
  const offeredSteps = offer.steps === 0 ? VERSION_1_STEPS : offer.steps;
  const withMacros = Object.keys(wanted.macros).length > 0 ? Action.setMacroList : 0;
  return {
    version: Math.min(NEWEST_VERSION, offer.version),
    actions: ((wanted.actions | withMacros) & offeredActions) >>> 0,
    steps: (wanted.steps & offeredSteps) >>> 0,
  };
}

/**
 * The answer to SMFIC_OPTNEG. The macro lists ride in it, where the MTA lets them be set. Every stage whose
 * macros are needed must be named: once one list has come, Postfix starts the others from empty ones.
 */
export function encodeAgreement(agreement: Agreement, macros: MacroLists): Uint8Array {
  const parts = [new Uint8Array(12)];
  const head = parts[0] as Uint8Array;
  writeUint32(head, 0, agreement.version);
  writeUint32(head, 4, agreement.actions);
  writeUint32(head, 8, agreement.steps);
  if ((agreement.actions & Action.setMacroList) !== 0) {
    for (const [stage, names] of Object.entries(macros) as [MacroStageName, readonly string[]][]) {
      const number = new Uint8Array(4);
      writeUint32(number, 0, MacroStage[stage]);
      parts.push(number, Buffer.from(`${names.join(" ")}\0`, "latin1"));
    }
  }
  return encodeFrame(Reply.negotiate, ...parts);
}

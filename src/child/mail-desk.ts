import { type MailTexts, withinBounds } from "../ipc/notice-messages.ts";
import type { MailDesk } from "./conclusion.ts";
import type { KeeperLink } from "./keeper-link.ts";

/** Milliseconds that the first message of a child waits for the texts of files. */
const TEXTS_PATIENCE = 5000;
/** Milliseconds for what is written and synced, or asked of name servers all over the world. */
const KEEP_PATIENCE = 60_000;
const OWN_PATIENCE = 7_000;
const UNKNOWN: MailTexts = { signature: null, macros: [], wantsHeaders: true };

/** A child's desk: all but the texts of files is asked of the keeper each time. */
export function mailDesk(keeper: KeeperLink): MailDesk {
  const first = Promise.withResolvers<void>();
  let texts: MailTexts | null = null;
  keeper.onTexts = (next) => {
    texts = next;
    first.resolve();
  };
  keeper.wantTexts();
  return {
    keep: (order, message) =>
      keeper.askWord({ type: "keep", order, message: message !== null }, KEEP_PATIENCE, message),
    checkSpf: (address, sender, helo) =>
      keeper.askWord({ type: "spf", address, sender, helo }, KEEP_PATIENCE),
    isOwn: async (code, messageId, recipients) => {
      const request = { type: "own", code, messageId, recipients: withinBounds(recipients) };
      return (await keeper.askWord(request, OWN_PATIENCE)) === "yes";
    },
    texts: async () => {
      if (texts === null) await Promise.race([first.promise, Bun.sleep(TEXTS_PATIENCE)]);
      return texts ?? UNKNOWN;
    },
    get macros() {
      return (texts ?? UNKNOWN).macros;
    },
    get wantsHeaders() {
      return (texts ?? UNKNOWN).wantsHeaders;
    },
  };
}

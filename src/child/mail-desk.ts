import type { MailTexts } from "../ipc/notice-messages.ts";
import type { MailDesk } from "./conclusion.ts";
import type { KeeperLink } from "./keeper-link.ts";

/** Milliseconds that the first message of a child waits for the texts of files. */
const TEXTS_PATIENCE = 5000;
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
    keep: (order, message) => keeper.keep(order, message),
    checkSpf: (address, sender, helo) => keeper.checkSpf(address, sender, helo),
    isOwn: (code, messageId, recipients) => keeper.isOwn(code, messageId, recipients),
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

import type { MessageFacts, ResponseRules } from "../../src/response/rules.ts";

/** No option given. */
export const RULES: ResponseRules = {
  addHeaders: true,
  acceptOnError: false,
  discardInfected: false,
  advisory: false,
  quarantineAddress: null,
  keepInfected: false,
  notices: true,
  reportPhish: false,
  reportFalsePositives: false,
  onOversize: "accept",
  sign: false,
  ourVersion: "9",
};

/** A message with a subject, to two, where everything is granted. */
export const FACTS: MessageFacts = {
  statusHeaders: 0,
  fromMdaemon: false,
  subject: " hello",
  recipients: ["<bob@lab.example>", "<carol@lab.example>"],
  allRecipients: true,
  spfPass: false,
  host: "h",
  mayAddHeaders: true,
  mayChangeHeaders: true,
  mayAddRecipients: true,
  mayDeleteRecipients: true,
  mayChangeBody: true,
  leadingSpace: false,
};

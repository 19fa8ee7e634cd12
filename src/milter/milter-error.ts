/** What a milter peer may do wrong, by a name that stays. */
export type MilterErrorCode =
  | "MILTER_FRAME_LENGTH"
  | "MILTER_FRAME_DATA"
  | "MILTER_UNKNOWN_COMMAND"
  | "MILTER_ILLEGAL_TRANSITION"
  | "MILTER_NEGOTIATION";

/** The peer broke the milter protocol: its connexion is closed, and only that. */
export class MilterError extends Error {
  readonly code: MilterErrorCode;

  constructor(code: MilterErrorCode, message: string) {
    super(message);
    this.name = "MilterError";
    this.code = code;
  }
}

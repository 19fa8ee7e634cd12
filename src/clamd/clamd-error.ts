/** What may go wrong with one clamd, by a name that stays. */
export type ClamdErrorCode =
  | "CLAMD_CONNECT"
  | "CLAMD_CLOSED"
  | "CLAMD_PROTOCOL"
  | "CLAMD_TIMEOUT"
  | "CLAMD_CANCELLED"
  | "CLAMD_BUSY";

/** A scanner did not give a verdict. */
export class ClamdError extends Error {
  readonly code: ClamdErrorCode;

  constructor(code: ClamdErrorCode, message: string) {
    super(message);
    this.name = "ClamdError";
    this.code = code;
  }
}

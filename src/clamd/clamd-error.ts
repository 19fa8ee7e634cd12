/** What may go wrong with one clamd, by a name that stays. */
export type ClamdErrorCode =
  /** No connexion. */
  | "CLAMD_CONNECT"
  /** The connexion ended before the verdict. */
  | "CLAMD_CLOSED"
  /** It talks nonsense. */
  | "CLAMD_PROTOCOL"
  /** It is alive, and gave no verdict in time. */
  | "CLAMD_TIMEOUT"
  /** It says nothing at all any more. */
  | "CLAMD_SILENT"
  | "CLAMD_CANCELLED"
  /** No session came free in time. */
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

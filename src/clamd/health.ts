/** What is known of one clamd by all processes together. */
export type ScannerState =
  /** It answers. */
  | "up"
  /** It takes connexions and is silent: it loads a database, or is stopped. */
  | "busy"
  /** It cannot be reached. */
  | "down"
  /** It answers, and no longer finds the test virus that it used to find: what it calls clean is not believed. */
  | "blind";

/** The health of one server, as the supervisor tells it to the children. A plain JSON value. */
export interface ScannerHealth {
  /** The server's name in the settings (`ServerAddress.name`). */
  readonly name: string;
  readonly state: ScannerState;
  /** Whether a probe has shown that the server scans a descriptor that it is passed (FILDES). */
  readonly passing: boolean;
}

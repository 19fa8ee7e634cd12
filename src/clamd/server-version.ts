import type { ClamdSession } from "./session.ts";

/** A version older than this is asked for anew: the database may have been reloaded. Milliseconds. */
const VERSION_AGE = 10_000;

/** The version of one clamd, as it was last told. */
export class ServerVersion {
  #text = "";
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | null = null;
  /** This clamd does not tell it. */
  #secret = false;

  /** The first messages of all wait for the first version; after that the last known one will do. */
  async text(): Promise<string> {
    if (this.#text === "") await this.#asking;
    return this.#text;
  }

  /** Asks for it if it is time; tells whether something was sent. */
  askIfDue(session: ClamdSession, now: number): boolean {
    if (this.#secret || now - this.#askedAt <= VERSION_AGE) return false;
    this.#askedAt = now;
    this.#asking = session.version().then(
      (version) => {
        // EnableVersionCommand no (clamd 1.5): COMMAND UNAVAILABLE, and the session is closed.
        if (version.startsWith("ClamAV ")) this.#text = version;
        else this.#secret = true;
      },
      () => {
        // The session is over, and whoever scans in it is told by the scan itself.
        this.#askedAt = Number.NEGATIVE_INFINITY;
      },
    );
    return true;
  }
}

import type { ClamdSession } from "./session.ts";

/** A version older than this is asked for anew: the database may have been reloaded. Milliseconds. */
const VERSION_AGE = 10_000;

interface Told {
  text: string;
  readonly askedAt: number;
  asking: Promise<void>;
}

/**
 * The version of one clamd, as each of its sessions was last told: the built-in engine has another process for each
 * database, and a session that was opened to the old one says nothing of the new.
 */
export class ServerVersion {
  readonly #told = new WeakMap<ClamdSession, Told>();
  #last = "";
  /** This clamd does not tell it. */
  #secret = false;

  /** What the session was told; where it was not, the last that any was told. */
  async text(session: ClamdSession): Promise<string> {
    const told = this.#told.get(session);
    if (told?.text === "") await told.asking;
    return told?.text || this.#last;
  }

  /** Asks for it if it is time, and in a new session always; tells whether something was sent. */
  askIfDue(session: ClamdSession, now: number): boolean {
    const before = this.#told.get(session);
    if (this.#secret || (before !== undefined && now - before.askedAt <= VERSION_AGE)) return false;
    const told: Told = { text: before?.text ?? "", askedAt: now, asking: Promise.resolve() };
    told.asking = session.version().then(
      (version) => {
        // EnableVersionCommand no (clamd 1.5): COMMAND UNAVAILABLE, and the session is closed.
        if (!version.startsWith("ClamAV ")) this.#secret = true;
        else {
          told.text = version;
          this.#last = version;
        }
      },
      () => {
        // The session is over, and whoever scans in it is told by the scan itself.
      },
    );
    this.#told.set(session, told);
    return true;
  }
}

import type { Origin } from "./connexion.ts";
import type { OwnNames } from "./own-names.ts";

/** What is known of a connexion and of the message in hand. Texts are as they came over the wire. */
export interface Facts {
  readonly origin: Origin;
  /** The client's address in its usual form, mapped ones as IPv4; "" when it has none. */
  readonly address: string;
  readonly host: string;
  /** "" while it is not known. */
  readonly helo: string;
  /** What nobody else may claim to be; null without `--detect-forged-local-address`. */
  readonly own: OwnNames | null;
  readonly blacklisted: boolean;
  /** The name that the client has authenticated with, or null. */
  readonly authenticated: string | null;
  /** The names of the sender: as the client gave it and as the MTA resolved it. */
  readonly sender: readonly string[];
  /** The names of the recipient in hand. */
  readonly recipient: readonly string[];
  /** The first recipient that was not refused; null while there is none. */
  readonly someRecipient: string | null;
  readonly allRecipientsListed: boolean;
  /** Values of all `From:` and `Sender:` fields. */
  readonly from: readonly string[];
  readonly senderHeaders: readonly string[];
  /** Whether all recipients lead to /dev/null; null while that is not known. */
  readonly blackHole: boolean | null;
}

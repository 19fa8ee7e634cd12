import type { Size } from "./corpus.ts";
import type { Address } from "./link.ts";

/** A load for the generator. */
export interface LoadOrder {
  readonly do: "load";
  /** Mails through a filter, or straight to clamd as a stream or as descriptors. */
  readonly kind: "milter" | "stream" | "pass";
  readonly address: Address;
  readonly connexions: number;
  readonly messages: number;
  /** Seconds after which no new message is begun. */
  readonly seconds: number;
  readonly size: Size;
  /** Messages on an MTA's connexion before it is closed and another one opened. */
  readonly perConnexion: number;
  readonly client: string;
  /** Mail of this client is scanned: verdicts are as the content deserves, and accepted mail is marked. */
  readonly scanned: boolean;
}

/** Idle connexions, opened as far as HELO. */
export interface HoldOrder {
  readonly do: "hold";
  readonly address: Address;
  readonly client: string;
  readonly count: number;
  readonly scanned: boolean;
}

/** One mail on each of the connexions that are held. */
export interface ServeOrder {
  readonly do: "serve";
  readonly size: Size;
  readonly scanned: boolean;
}

export interface ReleaseOrder {
  readonly do: "release";
}

export type Order = LoadOrder | HoldOrder | ServeOrder | ReleaseOrder;

/** What came of holding. */
export interface Held {
  /** Connexions that are through with negotiation and HELO. */
  readonly greeted: number;
  readonly seconds: number;
}

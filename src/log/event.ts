/** How much an entry matters; `verbose` is shown with LogVerbose only. */
export type LogLevel = "error" | "warning" | "info" | "verbose";

/** What a field of an event can be. */
export type LogValue = string | number | boolean | null | readonly string[] | LogFields;

/** An event in parts, for JSON: plain values under names of ours. */
export interface LogFields {
  readonly [name: string]: LogValue;
}

/** One thing that happened: one line in every log. */
export interface LogEvent {
  readonly level: LogLevel;
  /** For people. Parts of it may come from outside: it is made harmless when it is written. */
  readonly text: string;
  /** The same for programs: JSON lines show these in place of the text. */
  readonly fields?: LogFields;
}

/** Where events are written. Never throws and never waits: what cannot be written is counted. */
export interface LogSink {
  write(event: LogEvent, at: Date): void;
}

/** A sink with something open behind it. */
export interface OpenSink extends LogSink {
  close(): void;
}

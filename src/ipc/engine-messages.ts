import type { EngineSettings } from "../config/engine-settings.ts";

/** From the supervisor to the engine. */
export type ToEngine =
  | { readonly type: "start"; readonly settings: EngineSettings; readonly options: EngineOptions }
  /** The descriptor under `number` is the listening socket: clients are served from now on. */
  | { readonly type: "listen"; readonly number: number }
  /** Another takes over: no new clients, and those that are there leave as soon as they are answered. */
  | { readonly type: "retire" };

/** What one engine is told besides its settings. */
export interface EngineOptions {
  /** The directory that becomes its root, or null. */
  readonly jail: string | null;
  /** Its own temporary directory, as it is seen from outside the jail. */
  readonly temporaryOutside: string;
  /** The same directory as the engine sees it once it is in the jail. */
  readonly temporaryInside: string;
}

/** From the engine to the supervisor, besides what every role says. */
export type FromEngine =
  /** The database is loaded. Comes before `ready`. */
  | {
      readonly type: "loaded";
      /** As clamd's VERSION. */
      readonly version: string;
      readonly signatures: number;
      /** Whether the anti-virus test file was found. */
      readonly finds: boolean;
      /** What libclamav warns of, such as an old database. */
      readonly warnings: readonly string[];
    }
  /** It cannot be used, for that reason, and ends. */
  | {
      readonly type: "unusable";
      readonly reason: string;
      /** Whether nothing but another database or library can help. */
      readonly judged: boolean;
    }
  /** A thread does not come back from a message: the engine has to be replaced. */
  | { readonly type: "stuck" }
  /** Retired, and every client has its answer. */
  | { readonly type: "idle" }
  /** The temporary directory cannot be used for that reason, or can be used again (null). */
  | { readonly type: "temporary"; readonly problem: string | null };

const LONGEST_TEXT = 500;
const MOST_WARNINGS = 5;
const TO_ENGINE: readonly unknown[] = ["start", "listen", "retire"];

/** The message if it is one of the supervisor's, else null. The supervisor is trusted: only the type is checked. */
export function checkToEngine(message: unknown): ToEngine | null {
  if (typeof message !== "object" || message === null || !("type" in message)) return null;
  return TO_ENGINE.includes(message.type) ? (message as ToEngine) : null;
}

/** The message if it is one that an engine may send, else null: it reads mail, and may have been taken over by it. */
export function checkFromEngine(message: unknown): FromEngine | null {
  if (typeof message !== "object" || message === null) return null;
  const { type, version, signatures, finds, problem, reason, warnings, judged } = message as Record<
    string,
    unknown
  >;
  if (type === "stuck" || type === "idle") return { type };
  if (type === "unusable" && typeof reason === "string" && typeof judged === "boolean") {
    return { type, reason: oneLine(reason), judged };
  }
  if (type === "temporary" && (problem === null || typeof problem === "string")) {
    return { type, problem: problem === null ? null : oneLine(problem) };
  }
  if (type !== "loaded" || typeof version !== "string" || !isCount(signatures)) return null;
  if (typeof finds !== "boolean" || !areTexts(warnings)) return null;
  const lines = warnings.slice(0, MOST_WARNINGS).map(oneLine);
  return { type, version: oneLine(version), signatures, finds, warnings: lines };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}

function oneLine(text: string): string {
  return text.slice(0, LONGEST_TEXT).replaceAll(/[^\x20-\x7e]/g, "?");
}

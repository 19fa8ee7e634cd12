import type { Generator } from "./generator.ts";
import type { BenchOptions } from "./options.ts";

/** What all sections have. */
export interface Bench {
  readonly options: BenchOptions;
  /** Temporary folder. */
  readonly folder: string;
  readonly generator: Generator;
  /** Folder of the made-up signatures. */
  readonly database: string;
  /** Shows a line. */
  say(line: string): void;
  /** Keeps a section's figures for the JSON file. */
  keep(section: string, figures: unknown): void;
  /** Counts messages with another verdict than the due one, and says what the first was. */
  wrong(where: string, count: number, first: string | null): void;
}

/** Something that has to be ended. */
export interface Stoppable {
  stop(): Promise<void>;
}

/** Runs a part of the bench with what it starts, and ends all of that in the opposite order, whatever happens. */
export async function withServers<T>(
  work: (started: <S extends Stoppable>(server: S) => S) => Promise<T>,
): Promise<T> {
  const all: Stoppable[] = [];
  try {
    return await work((server) => {
      all.push(server);
      return server;
    });
  } finally {
    for (const server of all.reverse()) await server.stop();
  }
}

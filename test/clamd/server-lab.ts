import { ClamdError } from "../../src/clamd/clamd-error.ts";
import { ClamdServer, type Scan, type ServerLimits } from "../../src/clamd/server.ts";
import type { ClamdSession } from "../../src/clamd/session.ts";
import { FakeClamd, settled, sourceOf } from "./fake-clamd.ts";

/** A connexion that a test opens or refuses when it likes. */
export interface Attempt {
  readonly patience: number;
  open(): FakeClamd;
  refuse(): void;
}

/** A server's pool with a clock that stands still and a clamd that does what it is told. */
export interface ServerLab {
  readonly server: ClamdServer;
  readonly clamds: FakeClamd[];
  readonly attempts: Attempt[];
  /** How often somebody was asked to look at the server. */
  troubles: number;
  /** What becomes of a connexion: opened at once, refused at once, or left to the test. */
  connects: "open" | "refuse" | "wait";
  /** Starts a scan of this text; no deadline unless one is given. */
  scan(text: string, deadline?: number): Scan;
  /** Lets so many milliseconds pass, with a tick at the end. */
  pass(milliseconds: number): Promise<void>;
}

export function serverLab(limits: Partial<ServerLimits> = {}, name = "unix:/run/clamd"): ServerLab {
  let now = 1000;
  const clamds: FakeClamd[] = [];
  const attempts: Attempt[] = [];
  const connect = (
    _: unknown,
    patience: number,
    onEnd: (error: ClamdError) => void,
  ): Promise<ClamdSession> => {
    const { promise, resolve, reject } = Promise.withResolvers<ClamdSession>();
    const attempt: Attempt = {
      patience,
      open() {
        const clamd = new FakeClamd(onEnd);
        clamds.push(clamd);
        resolve(clamd.session);
        return clamd;
      },
      refuse: () => reject(new ClamdError("CLAMD_CONNECT", "connection refused")),
    };
    attempts.push(attempt);
    if (lab.connects === "open") attempt.open();
    else if (lab.connects === "refuse") attempt.refuse();
    return promise;
  };
  const server = new ClamdServer(
    { kind: "unix", path: "/run/clamd", name },
    { sessions: 2, connect: 5000, silence: 120_000, ...limits },
    { now: () => now, connect, onTrouble: () => void lab.troubles++ },
  );
  const lab: ServerLab = {
    server,
    clamds,
    attempts,
    troubles: 0,
    connects: "open",
    scan(text, deadline = 1_000_000) {
      const scan = server.scan(sourceOf(text), deadline);
      // Not every test looks at every verdict.
      scan.verdict.catch(() => {});
      return scan;
    },
    async pass(milliseconds) {
      await settled();
      now += milliseconds;
      server.tick();
      await settled();
    },
  };
  return lab;
}

/**
 * Answers everything that was asked of this clamd and not answered yet: versions with `version`, streams with
 * `stream`.
 */
export async function answerAll(
  clamd: FakeClamd,
  stream = "stream: OK",
  version = "ClamAV 1.4",
): Promise<void> {
  await settled();
  const from = answered.get(clamd) ?? 1;
  clamd.commands.slice(from).forEach((command, at) => {
    const answer = command === "VERSION" ? version : command === "PING" ? "PONG" : stream;
    if (!clamd.session.ended) clamd.say(`${from + at}: ${answer}`);
  });
  answered.set(clamd, clamd.commands.length);
  await settled();
}

/** Commands of each clamd that have their answer, IDSESSION included: also the number of the next. */
const answered = new WeakMap<FakeClamd, number>();
